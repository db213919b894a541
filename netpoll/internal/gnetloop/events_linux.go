package gnetloop

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/panjf2000/gnet/v2"
)

// events is what gnet calls on its loops. No panic reaches gnet: core's events contain those of handlers.
type events struct{ gnet.BuiltinEventEngine }

// OnOpen implements gnet.EventHandler.
func (*events) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	t := gc.Context().(*conn)
	t.gc, t.loop, t.fd = gc, gc.EventLoop(), gc.Fd()
	t.core.Opened()
	t.core.RunDue()
	return nil, t.action()
}

// OnTraffic implements gnet.EventHandler. It always takes everything, so that gnet's own buffers stay unused.
func (*events) OnTraffic(gc gnet.Conn) gnet.Action {
	t := gc.Context().(*conn)
	b, _ := gc.Peek(-1)
	if len(b) == 0 {
		return t.action()
	}
	t.core.Feed(b)
	_, _ = gc.Discard(-1)
	if t.core.Due() {
		t.core.RunDue()
	}
	return t.action()
}

// OnClose implements gnet.EventHandler. The descriptor is open until it returns.
func (*events) OnClose(gc gnet.Conn, err error) gnet.Action {
	t := gc.Context().(*conn)
	err = t.closeCause(err)
	if errors.Is(err, io.EOF) && !t.core.Closing() {
		t.core.LastTry()
	}
	t.core.Finish(err)
	t.waiter.forget(t)
	if t.flushed.Load() {
		t.discardInput()
	}
	return gnet.None
}

// Run implements gnet.Runnable: it is the posted task of a flush or a close.
func (t *conn) Run(context.Context) error {
	t.core.RunDue()
	if t.core.Closing() {
		_ = t.loop.Close(t.gc) // ignored by gnet if it has closed already
	}
	return nil
}

func (t *conn) action() gnet.Action {
	if t.core.Closing() {
		return gnet.Close
	}
	return gnet.None
}

// logger keeps gnet quiet: what matters reaches the connection's OnClose anyway.
type logger struct{ log *slog.Logger }

func (l logger) Debugf(string, ...any) {}
func (l logger) Infof(string, ...any)  {}

func (l logger) Warnf(format string, args ...any) {
	l.log.Debug("event loop", "warning", lazyf{format, args})
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("event loop", "err", lazyf{format, args})
}

func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("event loop", "err", lazyf{format, args})
}
