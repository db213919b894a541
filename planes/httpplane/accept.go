package httpplane

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/wireplane/wireplane/framing/itemstream"
)

// negotiate chooses the format that the Accept headers like best: the highest q, then
// the more specific range, then the order in which they stand. A range with * and a
// request without Accept take def. It reports false when none is acceptable.
func negotiate(h http.Header, def itemstream.Format) (itemstream.Format, bool) {
	values := h.Values("Accept")
	if len(values) == 0 {
		return def, true
	}
	best, bestQ, bestExact, found := def, 0.0, false, false
	refused := map[itemstream.Format]bool{}
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		media, params, _ := strings.Cut(part, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		f, exact := itemstream.ForMediaType(media)
		if !exact {
			switch media {
			case "*/*":
				f = def
			case "text/*":
				f = itemstream.SSE
			case "application/*":
				if f = def; f == itemstream.SSE {
					f = itemstream.NDJSON
				}
			default:
				continue
			}
		}
		q := quality(params)
		if exact && q == 0 {
			refused[f] = true
			if found && best == f {
				found, bestQ = false, 0
			}
			continue
		}
		if q == 0 || refused[f] {
			continue
		}
		if !found || q > bestQ || q == bestQ && exact && !bestExact {
			best, bestQ, bestExact, found = f, q, exact, true
		}
	}
	return best, found
}

// quality reads q; what is malformed counts as 1.
func quality(params string) float64 {
	for _, p := range strings.Split(params, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(p), "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), "q") {
			if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
				return q
			}
		}
	}
	return 1
}
