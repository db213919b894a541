package tcpplane_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/tcpplane"
)

// mute is a worker that lives and takes nothing.
type mute struct {
	desk
	release chan struct{}
}

func (m *mute) Accept(context.Context, *planes.Envelope) error {
	<-m.release
	return nil
}

// A worker that answers pings and never says that it took an envelope does not hold a
// caller without a deadline.
func TestAnEnvelopeThatIsNeverTakenEndsInTime(t *testing.T) {
	s, err := tcpplane.NewRequestServer(tcpplane.RequestServerConfig{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), &mute{release: release}) }()
	c, err := tcpplane.NewRequestClient(tcpplane.RequestClientConfig{AckTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = c.Send(ctx, s.Address("a/b", 1), envelopeOf(1))
	var e *planes.Error
	if !errors.As(err, &e) || e.Code != planes.CodePeerLost || e.Phase == planes.PhaseNotStarted || ctx.Err() != nil {
		t.Errorf("%v", err)
	}
	short, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer done()
	if err := c.Send(short, s.Address("a/b", 1), envelopeOf(1)); planes.CodeOf(err) != planes.CodeDeadline {
		t.Errorf("the caller's own deadline: %v", err)
	}
	close(release)
	if err := errors.Join(c.Close(), s.Shutdown(testenv.Context(t, 5*time.Second)), <-served); err != nil {
		t.Error(err)
	}
}
