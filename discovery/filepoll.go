package discovery

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// Watch implements Store.
func (s *fileStore) Watch(ctx context.Context, q Query) (Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	var v *View
	v = NewView(ctx, q, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.views, v)
	})
	s.views[v] = false
	if !s.polls {
		s.polls = true
		s.wg.Go(func() { (&filePoll{s: s}).run() })
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
	return v, nil
}

// filePoll fills all views of a store from one scan at a time, so that thousands of
// watches read the directory as often as one does. It belongs to its goroutine.
type filePoll struct {
	s     *fileStore
	known map[string]Instance // what the filled views have
	dir   os.FileInfo         // as last seen
	hold  time.Time           // until when nothing is taken for gone
	scans uint64
}

func (p *filePoll) run() {
	tick := time.NewTicker(p.s.c.Poll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-p.s.kick:
		case <-p.s.ctx.Done():
			for v := range p.views() {
				_ = v.Close()
			}
			return
		}
		p.look()
	}
}

// views returns the views, and whether each has been filled.
func (p *filePoll) views() map[*View]bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	all := make(map[*View]bool, len(p.s.views))
	for v, filled := range p.s.views {
		all[v] = filled
	}
	return all
}

// look scans once and tells the views. A directory that cannot be read leaves them as
// they are. One that was removed has lost its memory: for a TTL nothing is taken for
// gone, within which those that live write themselves anew.
func (p *filePoll) look() {
	views := p.views()
	if len(views) == 0 {
		p.known, p.dir = nil, nil
		return
	}
	st, err := os.Stat(p.s.dir)
	if p.dir != nil && (errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(p.dir, st)) {
		p.hold = time.Now().Add(p.s.c.TTL)
	}
	if err == nil {
		p.dir = st
	}
	all, err := p.s.scan()
	if err != nil {
		return
	}
	if time.Now().Before(p.hold) {
		p.keepKnown(all)
	}
	p.scans++
	p.tell(views, all)
	p.known = all
}

func (p *filePoll) keepKnown(all map[string]Instance) {
	for key, i := range p.known {
		if _, ok := all[key]; !ok {
			all[key] = i
			p.s.mu.Lock()
			p.s.stat.Held++
			p.s.mu.Unlock()
		}
	}
}

// tell gives new views everything, and the others what has changed.
func (p *filePoll) tell(views map[*View]bool, all map[string]Instance) {
	var puts, deletes []string
	for key, i := range all {
		if was, ok := p.known[key]; !ok || !i.Equal(&was) {
			puts = append(puts, key)
		}
	}
	for key := range p.known {
		if _, ok := all[key]; !ok {
			deletes = append(deletes, key)
		}
	}
	now := time.Now()
	for v, filled := range views {
		if !filled {
			v.Fill(all, p.scans, now)
			p.s.mu.Lock()
			if _, open := p.s.views[v]; open {
				p.s.views[v] = true
			}
			p.s.mu.Unlock()
			continue
		}
		for _, key := range puts {
			if i := all[key]; v.query.Match(&i) {
				v.Put(key, &i, p.scans)
			}
		}
		for _, key := range deletes {
			v.Delete(key, p.scans)
		}
		v.Touch(now)
	}
}
