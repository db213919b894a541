//go:build unix

package discovery_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/testenv"
)

// within fails if f does not end.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}

// A store that is closed while somebody registers ends, and keeps nothing alive.
func TestCloseDuringRegister(t *testing.T) {
	dir := t.TempDir()
	var s discovery.Store
	var closing sync.WaitGroup
	var once sync.Once
	closedWhile := func(op string, _ time.Duration, _ error) {
		if op != "put" {
			return
		}
		once.Do(func() { // the record is written, and Register has not returned
			closing.Go(func() { _ = s.Close() })
			testenv.Eventually(t, 5*time.Second, "the store to be closed", func() bool {
				w, err := s.Watch(t.Context(), discovery.Query{})
				if err == nil {
					_ = w.Close()
				}
				return errors.Is(err, discovery.ErrClosed)
			})
		})
	}
	s = openFile(t, dir, discovery.Config{Observer: discovery.Observer{BackendOp: closedWhile}})
	if _, err := s.Register(t.Context(), demo(7)); !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("%v; want that the store is closed", err)
	}
	within(t, "Close", closing.Wait)
	if left, err := os.ReadDir(filepath.Join(dir, "v1", "instances")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// What lies in the place of a record and is no file can neither stop a worker for ever
// nor be read as a record, and a link leads nowhere.
func TestWhatIsNoFileInThePlaceOfARecord(t *testing.T) {
	rec, err := discovery.NewRecord(demo(7))
	if err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(path string) error{
		"a folder":          func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":            func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to nothing": func(path string) error { return os.Symlink("/nowhere/at/all", path) },
		"a link to zeros":   func(path string) error { return os.Symlink("/dev/zero", path) },
		"a link to a record": func(path string) error {
			outside := filepath.Join(t.TempDir(), "outside")
			return errors.Join(os.WriteFile(outside, rec.Value, 0o600), os.Symlink(outside, path))
		},
	} {
		dir := t.TempDir()
		s := openFile(t, dir, discovery.Config{})
		if err := put(fileOf(dir, rec.Key)); err != nil {
			t.Fatal(err)
		}
		within(t, name, func() {
			if all, err := s.List(t.Context(), discovery.Query{}); err != nil || len(all) != 0 {
				t.Errorf("%s: list %v, %v", name, all, err)
			}
			if r, err := s.Register(t.Context(), demo(7)); err == nil { // it may take the place
				if all, err := s.List(t.Context(), discovery.Query{}); err != nil || len(all) != 1 {
					t.Errorf("%s: list %v, %v", name, all, err)
				}
				_ = r.Deregister(t.Context())
			} else if name != "a folder" {
				t.Errorf("%s: %v", name, err)
			}
			_ = s.Close()
		})
	}
}

// A folder with more files than are looked at is an error that says so, not a view with
// some of the records; what has expired goes all the same.
func TestMoreFilesThanAreLookedAt(t *testing.T) {
	dir := t.TempDir()
	s, err := discovery.OpenFile(discovery.FileConfig{Dir: dir, Poll: 10 * time.Millisecond, MaxFiles: 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is left
	if _, err := s.Register(t.Context(), demo(7)); err != nil {
		t.Fatal(err)
	}
	w, err := s.Watch(t.Context(), discovery.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if events, err := w.Next(t.Context()); err != nil || len(events[0].Instances) != 1 {
		t.Fatalf("%+v, %v", events, err)
	}
	long := time.Now().Add(-time.Hour)
	for n := range 60 {
		path := filepath.Join(dir, "v1", "instances", fmt.Sprintf("junk%d", n))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if n >= 30 {
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.List(t.Context(), discovery.Query{}); err == nil || !strings.Contains(err.Error(), "more than 20 files") {
		t.Errorf("%v; want that there are too many files", err)
	}
	testenv.Eventually(t, 5*time.Second, "what has expired to be gone", func() bool {
		left, err := os.ReadDir(filepath.Join(dir, "v1", "instances"))
		return err == nil && len(left) == 31
	})
	if all := w.(*discovery.View).Known(); len(all) != 1 {
		t.Errorf("the watch has %v; want what it knew", all)
	}
}

// Names that would lead out of the folder are keys or nothing, never paths; and records
// that are odd are skipped.
func TestOddFilesAreSkipped(t *testing.T) {
	dir := t.TempDir()
	s := openFile(t, dir, discovery.Config{})
	defer s.Close() //nolint:errcheck // nothing is registered
	good := `{"component":"b","endpoint":"c","namespace":"a","instance_id":1,"transport":{"tcp_tcp":{"endpoint":"h:1/x"}}%s}`
	for name, value := range map[string]string{
		"..%2F..%2F..%2Fetc%2Fpasswd":   "root",
		"%2E%2E%2F%2E%2E%2Fetc%2F1":     fmt.Sprintf(good, ""),
		"a%2Fb%2Fc%2F1%00":              fmt.Sprintf(good, ""),
		"a%2fb%2fc%2f1":                 fmt.Sprintf(good, ""),
		"a%2Fb%2Fc%2F01":                fmt.Sprintf(good, ""),
		"a%2Fb%2Fc%2F2":                 fmt.Sprintf(good, ""),
		"a%2Fb%2Fc%2F20000000000001":    strings.Replace(fmt.Sprintf(good, ""), ":1,", ":9007199254740992,", 1),
		"a%2Fb%2Fc%2FFFFFFFFFFFFFFFFF":  strings.Replace(fmt.Sprintf(good, ""), ":1,", ":18446744073709551615,", 1),
		"a%2Fb%2Fc%2Ffffffffffffffffff": strings.Replace(fmt.Sprintf(good, ""), ":1,", ":18446744073709551616,", 1),
		"a%2Fb%2Fc%2F1":                 fmt.Sprintf(good, `,"x":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)),
		"a%2Fb%2Fd%2F1":                 strings.Repeat(" ", 65<<10),
		"a%2Fb%2Fe%2F1":                 "",
		"a%2Fb%2Ff%2F1":                 "null",
		"%":                             "x", "%%%": "x", "%4": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, "v1", "instances", name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.List(t.Context(), discovery.Query{}); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if n := s.Stat().BadRecords; n != 16 {
		t.Errorf("%d bad records are counted; want 16", n)
	}
}

// A thousand watches read the directory as often as one does.
func TestManyWatchesScanOnce(t *testing.T) {
	var lists atomic.Int64
	s := openFile(t, t.TempDir(), discovery.Config{Observer: discovery.Observer{BackendOp: func(op string, _ time.Duration, _ error) {
		if op == "list" {
			lists.Add(1)
		}
	}}})
	var all []discovery.Watcher
	for range 1000 {
		w, err := s.Watch(t.Context(), discovery.QueryPath(demoPath))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	for _, w := range all {
		if events, err := w.Next(t.Context()); err != nil || events[0].Op != discovery.Snapshot {
			t.Fatalf("%+v, %v", events, err)
		}
	}
	r, err := s.Register(t.Context(), demo(7))
	if err != nil {
		t.Fatal(err)
	}
	begun := lists.Load()
	for _, w := range all {
		if events, err := w.Next(t.Context()); err != nil || len(events) != 1 || events[0].Op != discovery.Put {
			t.Fatalf("%+v, %v", events, err)
		}
	}
	if n := lists.Load() - begun; n > 300 {
		t.Errorf("%d scans until all watches knew", n)
	}
	if err := r.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if events, err := w.Next(t.Context()); err != nil || len(events) != 1 || events[0].Op != discovery.Delete {
			t.Fatalf("%+v, %v", events, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, w := range all {
		if _, err := w.Next(t.Context()); !errors.Is(err, discovery.ErrClosed) {
			t.Fatalf("%v; want that the store is closed", err)
		}
	}
}
