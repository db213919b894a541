package faults_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/httpplane"
	"github.com/wireplane/wireplane/planes/worker"
)

// Without httpplane's watch on the request's context and its failed writes, the handler
// would work on for a client that has left. The client is a stranger's, as curl is.
func TestAnHTTPClientLeaves(t *testing.T) {
	for _, protocol := range []string{"http1", "h2c"} {
		for _, tt := range []struct {
			when, payload string
			delay         time.Duration // of the status
			items         int
		}{
			{"before the status", "none", time.Minute, 0},
			{"before the first item", "none", time.Millisecond, 0},
			{"in mid-stream", "three", time.Millisecond, 3},
		} {
			t.Run(protocol+"/"+tt.when, func(t *testing.T) {
				clean(t)
				said := make(chan string, 64)
				w := newShop(t, shopConfig{Pairs: []worker.Pair{exchange}, http: httpplane.ServerConfig{StatusDelay: tt.delay}},
					func(what string) { said <- what })
				tr := &http.Transport{Protocols: new(http.Protocols)}
				tr.Protocols.SetHTTP1(protocol == "http1")
				tr.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
				t.Cleanup(tr.CloseIdleConnections)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.http.Address(path, 0).URL, bytes.NewReader([]byte(tt.payload)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept", "application/x-ndjson")
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					resp, err := tr.RoundTrip(req)
					if err != nil {
						return
					}
					if tt.items > 0 { // what has come shows that it streams
						_, _ = io.ReadAtLeast(resp.Body, make([]byte, 4096), 1)
					}
					<-ctx.Done()
					_ = resp.Body.Close()
				}()
				awaitSaid(t, said, "waiting", soon)
				leave()
				<-gone
				awaitSaid(t, said, "cancelled", soon)
				w.settled(t)
				st := w.http.Stat()
				if st.Broken != 1 || st.Answered != 0 {
					t.Errorf("counted %+v; want one broken, none answered", st)
				}
				if got := w.seen.failures(); len(got) != 1 {
					t.Errorf("the worker observed %v; want one terminal", got)
				}
			})
		}
	}
}
