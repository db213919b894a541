package discovery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// FileConfig configures OpenFile.
type FileConfig struct {
	Config
	// Dir is the root, below which records are in v1/instances; "" means
	// dynamo_store_kv in the system's folder for temporary files.
	Dir string
	// Poll is how often a watch reads the directory; 0 means 200 ms. There is no
	// notification by the kernel: network file systems have none.
	Poll time.Duration
	// MaxFiles bounds the files in the directory, those that are no records included; 0
	// means 100,000. Beyond it List fails and watches keep what they know, until enough
	// has expired.
	MaxFiles int
}

// fileStore keeps records as released Dynamo does: one file each, renewed by its time of
// modification, removed by anyone once that is TTL ago.
type fileStore struct {
	c    FileConfig
	dir  string // of the bucket
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	kick chan struct{} // holds one token while a watch waits for its snapshot

	mu     sync.Mutex
	regs   map[*fileRegistration]struct{}
	views  map[*View]bool      // true: it has been filled
	polls  bool                // poll runs
	files  map[string]fileSeen // by name, what the last scan read
	stat   Stat
	closed bool
}

// OpenFile returns a store over a directory, which it makes. Processes that open the
// same directory find each other.
func OpenFile(c FileConfig) (Store, error) {
	c.Config = c.WithDefaults()
	if c.Dir == "" {
		c.Dir = filepath.Join(os.TempDir(), "dynamo_store_kv")
	}
	if c.Poll <= 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.MaxFiles <= 0 {
		c.MaxFiles = 100_000
	}
	s := &fileStore{c: c, dir: filepath.Join(c.Dir, filepath.FromSlash(strings.TrimSuffix(Prefix, "/"))),
		regs: make(map[*fileRegistration]struct{}), views: make(map[*View]bool), kick: make(chan struct{}, 1), files: make(map[string]fileSeen)}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// op counts and reports one operation on the directory.
func (s *fileStore) op(name string, start time.Time, err error) {
	observeOp(&s.c.Observer, name, start, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.stat.Errors++
		if s.stat.Connected || s.stat.Errors == 1 {
			s.c.Logger.Warn("discovery: file store", "op", name, "err", err)
		}
	}
	s.stat.Connected = err == nil
}

func (s *fileStore) Register(ctx context.Context, i Instance) (Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	if i.Epoch == 0 {
		i.Epoch = uint64(now.UnixMilli())
	}
	for i.ID == 0 {
		i.ID = rand.Uint64()
	}
	i.LastHeartbeat = now
	rec, err := NewRecord(i)
	if err != nil {
		return nil, err
	}
	r := &fileRegistration{s: s, rec: rec, name: fileName(rec.Key), done: make(chan struct{}), quit: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	s.wg.Add(1)
	s.mu.Unlock()
	if err := s.create(r); err != nil {
		s.wg.Done()
		return nil, err
	}
	s.mu.Lock()
	s.regs[r] = struct{}{}
	s.stat.Registrations++
	closed := s.closed // meanwhile: Close may not have seen r
	s.mu.Unlock()
	go r.keep()
	if closed {
		return nil, errors.Join(ErrClosed, r.Deregister(ctx))
	}
	if f := s.c.Observer.Registered; f != nil {
		f(&rec.Instance)
	}
	return r, nil
}

// create writes the record if nobody else lives under its name.
func (s *fileStore) create(r *fileRegistration) error {
	start := time.Now()
	err := s.write(r.name, r.rec.Value, true)
	if errors.Is(err, fs.ErrExist) {
		var other Instance
		if other, err = s.read(r.name, r.rec.Key); err == nil && other.Epoch >= r.rec.Instance.Epoch {
			return conflict(&r.rec.Instance, other.Epoch)
		}
		err = s.write(r.name, r.rec.Value, false)
	}
	s.op("put", start, err)
	return err
}

// write puts value under name in one step: create fails if there is a file that has not
// expired.
func (s *fileStore) write(name string, value []byte, create bool) error {
	tmp := filepath.Join(s.dir, fmt.Sprintf("%s%016x", tmpPrefix, rand.Uint64()))
	err := os.WriteFile(tmp, value, 0o644)
	if errors.Is(err, fs.ErrNotExist) { // somebody removed the directory
		if err = os.MkdirAll(s.dir, 0o755); err == nil {
			err = os.WriteFile(tmp, value, 0o644)
		}
	}
	if err == nil {
		if path := filepath.Join(s.dir, name); create {
			if st, e := os.Stat(path); e == nil && s.expired(st.ModTime()) {
				_ = os.Remove(path)
			}
			err = os.Link(tmp, path)
		} else {
			err = os.Rename(tmp, path)
		}
	}
	if create || err != nil {
		_ = os.Remove(tmp)
	}
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	return nil
}

func (s *fileStore) expired(mod time.Time) bool { return time.Since(mod) > s.c.TTL }

func (s *fileStore) read(name, key string) (Instance, error) {
	value, err := readBounded(filepath.Join(s.dir, name))
	if err != nil {
		return Instance{}, err
	}
	return ParseRecord(key, value)
}

// List implements Store. It removes what has expired.
func (s *fileStore) List(ctx context.Context, q Query) ([]Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	all, err := s.scan()
	if err != nil {
		return nil, err
	}
	var found []Instance
	for _, i := range all {
		if q.Match(&i) {
			found = append(found, i)
		}
	}
	SortByKey(found)
	return found, nil
}

// Stat implements Store.
func (s *fileStore) Stat() Stat {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stat
	st.Registered, st.Watches = len(s.regs), len(s.views)
	return st
}

// Close implements Store.
func (s *fileStore) Close() error {
	s.mu.Lock()
	s.closed = true
	regs := make([]*fileRegistration, 0, len(s.regs))
	for r := range s.regs {
		regs = append(regs, r)
	}
	s.mu.Unlock()
	var errs []error
	for _, r := range regs {
		errs = append(errs, r.Deregister(context.Background()))
	}
	s.stop()
	s.wg.Wait()
	return errors.Join(errs...)
}
