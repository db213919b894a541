package discovery

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// fileRegistration keeps one file alive.
type fileRegistration struct {
	s    *fileStore
	name string
	done chan struct{}
	quit chan struct{} // closed by end: keep returns

	ops sync.Mutex // one operation on the file at a time

	mu    sync.Mutex
	rec   Record
	dirty bool // rec has not been written
	err   error
}

// keep touches the file every third of the TTL and writes it anew with each heartbeat,
// after an update that failed, and when it is gone.
func (r *fileRegistration) keep() {
	defer r.s.wg.Done()
	touch := time.NewTicker(min(max(r.s.c.TTL/3, time.Second), r.s.c.TTL/2))
	defer touch.Stop()
	var beat <-chan time.Time // nil: never
	timer := time.NewTimer(Jitter(max(r.s.c.Heartbeat, 0), 0.1))
	defer timer.Stop()
	if r.s.c.Heartbeat > 0 {
		beat = timer.C
	}
	for {
		select {
		case <-touch.C:
			r.touch()
		case <-beat:
			r.heartbeat()
			timer.Reset(Jitter(r.s.c.Heartbeat, 0.1))
		case <-r.quit:
			return
		}
	}
}

func (r *fileRegistration) touch() {
	r.ops.Lock()
	defer r.ops.Unlock()
	if r.Err() != nil {
		return
	}
	r.mu.Lock()
	dirty := r.dirty
	r.mu.Unlock()
	start := time.Now()
	err := os.Chtimes(filepath.Join(r.s.dir, r.name), start, start)
	if errors.Is(err, fs.ErrNotExist) {
		r.s.mu.Lock()
		r.s.stat.LeasesLost++
		r.s.mu.Unlock()
		if r.put() == nil {
			r.s.mu.Lock()
			r.s.stat.Registrations++
			r.s.mu.Unlock()
			if f := r.s.c.Observer.Registered; f != nil {
				i := r.Instance()
				f(&i)
			}
		}
		return
	}
	r.s.op("touch", start, err)
	if dirty {
		_ = r.put()
	}
}

func (r *fileRegistration) heartbeat() {
	_ = r.Update(context.Background(), nil)
}

// put writes the record unless another of a higher epoch is there. r.ops is held.
func (r *fileRegistration) put() error {
	r.mu.Lock()
	rec := r.rec
	r.dirty = true
	r.mu.Unlock()
	if other, err := r.s.read(r.name, rec.Key); err == nil && other.Epoch > rec.Instance.Epoch {
		err := conflict(&rec.Instance, other.Epoch)
		r.end(err)
		return err
	}
	start := time.Now()
	err := r.s.write(r.name, rec.Value, false)
	r.s.op("put", start, err)
	if err == nil {
		r.mu.Lock()
		r.dirty = false
		r.mu.Unlock()
	}
	return err
}

func (r *fileRegistration) Update(ctx context.Context, f func(*Instance)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.ops.Lock()
	defer r.ops.Unlock()
	if err := r.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	i := r.rec.Instance
	r.mu.Unlock()
	rec, err := Updated(&i, f, time.Now())
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.rec = rec
	r.mu.Unlock()
	return r.put()
}

func (r *fileRegistration) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	r.err = err
	close(r.quit)
	close(r.done)
	r.s.mu.Lock()
	delete(r.s.regs, r)
	r.s.mu.Unlock()
}

func (r *fileRegistration) Deregister(context.Context) error {
	r.ops.Lock()
	defer r.ops.Unlock()
	if err := r.Err(); err != nil {
		if errors.Is(err, ErrClosed) {
			return nil
		}
		return err
	}
	rec := r.record()
	start := time.Now()
	var err error
	// Not the file of who took over a moment ago.
	if other, e := r.s.read(r.name, rec.Key); e != nil || other.Epoch <= rec.Instance.Epoch {
		err = os.Remove(filepath.Join(r.s.dir, r.name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	r.s.op("delete", start, err)
	r.end(ErrClosed)
	return err
}

func (r *fileRegistration) record() Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec
}

func (r *fileRegistration) Instance() Instance {
	rec := r.record()
	return rec.Instance.Clone()
}

func (r *fileRegistration) Done() <-chan struct{} { return r.done }

func (r *fileRegistration) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
