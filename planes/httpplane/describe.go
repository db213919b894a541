package httpplane

import (
	"fmt"
	"net/http"

	"github.com/wireplane/wireplane/framing/itemstream"
	"github.com/wireplane/wireplane/planes"
)

// endpointDoc is what GET says about an endpoint.
type endpointDoc struct {
	Endpoint string            `json:"endpoint"`
	URL      string            `json:"url"`
	Method   string            `json:"method"`
	Formats  map[string]string `json:"formats"`
	Headers  map[string]string `json:"headers"`
	MaxBytes int               `json:"max_body_bytes"`
	Try      []string          `json:"try"`
}

type listDoc struct {
	Root      string   `json:"root"`
	Endpoints []string `json:"endpoints"`
	Try       []string `json:"try"`
}

// describe answers GET: what there is, and how to call it.
func (s *Server) describe(w http.ResponseWriter, r *http.Request, d planes.Dispatcher, name string) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	root := scheme + "://" + r.Host + s.cfg.Root
	w.Header().Set("Cache-Control", "no-store")
	routes := d.Routes()
	if name == "" {
		writeJSON(w, http.StatusOK, listDoc{Root: root, Endpoints: append([]string{}, routes...), Try: []string{"curl " + root + "/ENDPOINT"}})
		return
	}
	route, ok := resolve(routes, name)
	if !ok {
		writeError(w, refusal(planes.CodeNotFound, "endpoint %.200q is not served here, or not the only one of that name", name), 0, routes)
		return
	}
	u := root + "/" + route
	writeJSON(w, http.StatusOK, endpointDoc{
		Endpoint: route, URL: u, Method: http.MethodPost, MaxBytes: s.cfg.MaxBodyBytes,
		Formats: map[string]string{"sse": itemstream.TypeSSE, "ndjson": itemstream.TypeNDJSON, "binary": itemstream.TypeBinary},
		Headers: map[string]string{
			"Accept":      "the format of the answer; " + s.cfg.Format.String() + " without it",
			HeaderTimeout: "time for the call, as 1500ms", HeaderHeader: "name=value for the endpoint",
			"traceparent": "W3C trace context",
		},
		Try: []string{
			fmt.Sprintf("curl -N -d hello %s", u),
			fmt.Sprintf("curl -N -H 'Accept: %s' -d hello %s", itemstream.TypeNDJSON, u),
			fmt.Sprintf("curl -N --http2-prior-knowledge -H 'Accept: %s' -d hello %s", itemstream.TypeBinary, u),
		},
	})
}
