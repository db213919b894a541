package faults_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/httpplane"
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
				w := newShop(t, shopConfig{Pairs: exchange.pairs(), Home: exchange.home, http: httpplane.ServerConfig{StatusDelay: tt.delay}},
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

// A client that connects and says nothing, as those do that dial in advance. Without
// httpplane's end of such connections, net/http would wait 5 s for each shutdown; the
// other planes close what has no call.
func TestADrainIsNotHeldUpByASilentConnection(t *testing.T) {
	for _, p := range []way{exchange, mux, released} {
		t.Run(p.name(), func(t *testing.T) {
			clean(t)
			s := newSite(t, siteConfig{})
			w := newShop(t, shopConfig{Pairs: p.pairs(), Home: p.home, store: s.store}, nil)
			list, err := s.Instances(t.Context(), path)
			if err != nil || len(list) != 1 {
				t.Fatalf("%d instances, %v", len(list), err)
			}
			at := list[0].Target().Offers[0].Request.Address
			host := at.HostPort()
			if u, err := url.Parse(at.URL); err == nil && at.URL != "" {
				host = u.Host
			}
			nc, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = nc.Close() }()
			echoes(t, s) // behind it in the queue of the listener, so that it was accepted
			since := time.Now()
			if err := w.Shutdown(testenv.Context(t, 10*time.Second)); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			if d := time.Since(since); d > time.Second {
				t.Errorf("the drain took %v", d)
			}
			_ = nc.SetReadDeadline(time.Now().Add(soon))
			if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the silent connection is still open")
			}
		})
	}
}
