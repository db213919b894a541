package httpplane

import (
	"net/http"
	"time"
)

// bounded is a ResponseWriter whose every write must get through within a time, so
// that a peer who asks and reads nothing is let go.
type bounded struct {
	http.ResponseWriter
	rc    *http.ResponseController
	stall time.Duration
}

// bound bounds what this package does not do itself: the writing of small answers, and
// the reading of a body that nobody wants. net/http takes up to 256 KiB of one before
// it answers, and waits for it without end where no deadline is set.
func bound(w http.ResponseWriter, r *http.Request, stall time.Duration) http.ResponseWriter {
	b := &bounded{w, http.NewResponseController(w), stall + lingering} // it may come behind the body
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		_ = b.rc.SetReadDeadline(time.Now().Add(lingering)) // not every ResponseWriter can
	}
	return b
}

// Unwrap is for http.ResponseController.
func (b *bounded) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (b *bounded) WriteHeader(status int) {
	_ = b.rc.SetWriteDeadline(time.Now().Add(b.stall))
	b.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (b *bounded) Write(p []byte) (int, error) {
	_ = b.rc.SetWriteDeadline(time.Now().Add(b.stall))
	return b.ResponseWriter.Write(p)
}
