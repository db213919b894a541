package discovery_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/discovery/discoverytest"
	"github.com/wireplane/wireplane/internal/testenv"
)

func TestMemoryConforms(t *testing.T) {
	discoverytest.Run(t, func(*testing.T) discoverytest.Backend {
		m := discovery.NewMemory()
		return discoverytest.Backend{Open: func() discovery.Store { return m.Open(discovery.Config{}) }}
	})
}

func openFile(t *testing.T, dir string, c discovery.Config) discovery.Store {
	t.Helper()
	s, err := discovery.OpenFile(discovery.FileConfig{Config: c, Dir: dir, Poll: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fileOf is the layout of released runtimes, stated independently.
func fileOf(dir, key string) string {
	name := strings.NewReplacer("/", "%2F", "_", "%5F", "-", "%2D", ".", "%2E").Replace(strings.TrimPrefix(key, "v1/instances/"))
	return filepath.Join(dir, "v1", "instances", name)
}

func TestFilesConform(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T) discoverytest.Backend {
		dir := t.TempDir()
		return discoverytest.Backend{
			Open: func() discovery.Store { return openFile(t, dir, discovery.Config{}) },
			Put: func(key string, value []byte) {
				if err := os.WriteFile(fileOf(dir, key), value, 0o600); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

func demo(id uint64) discovery.Instance {
	return discovery.Instance{Namespace: "hello_world", Component: "backend", Endpoint: "generate", ID: id, Transport: discovery.TCPTCP("10.0.0.7:9001/generate")}
}

// F-D9: a record that is written in place shows once it is whole.
func TestAPartialFileShowsOnceItIsWhole(t *testing.T) {
	dir, ctx := t.TempDir(), testenv.Context(t, 20*time.Second)
	s := openFile(t, dir, discovery.Config{})
	defer s.Close() //nolint:errcheck // nothing is registered
	w, err := s.Watch(ctx, discovery.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(ctx); err != nil {
		t.Fatal(err)
	}
	rec, err := discovery.NewRecord(demo(7))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(fileOf(dir, rec.Key))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a test
	_, _ = f.Write(rec.Value[:50])
	testenv.Eventually(t, 5*time.Second, "the half to be skipped", func() bool { return s.Stat().BadRecords > 0 })
	_, _ = f.Write(rec.Value[50:])
	events, err := w.Next(ctx)
	if err != nil || len(events) != 1 || events[0].Op != discovery.Put || events[0].Instance.ID != 7 {
		t.Fatalf("%+v, %v", events, err)
	}
}

// F-D9: a directory that is removed makes no living instance vanish, and they write
// themselves anew.
func TestADirectoryThatIsRemovedLosesNobody(t *testing.T) {
	dir, ctx := t.TempDir(), testenv.Context(t, 20*time.Second)
	c := discovery.Config{TTL: 2 * time.Second}
	s, watching := openFile(t, dir, c), openFile(t, dir, c)
	defer s.Close()        //nolint:errcheck // checked below
	defer watching.Close() //nolint:errcheck // nothing is registered
	if _, err := s.Register(ctx, demo(7)); err != nil {
		t.Fatal(err)
	}
	w, err := watching.Watch(ctx, discovery.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if events, err := w.Next(ctx); err != nil || len(events[0].Instances) != 1 {
		t.Fatalf("%+v, %v", events, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "v1")); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, "the absence to be seen", func() bool { return watching.Stat().Held > 0 })
	testenv.Eventually(t, 5*time.Second, "the record to be back", func() bool {
		all, err := watching.List(ctx, discovery.Query{})
		return err == nil && len(all) == 1
	})
	if st := s.Stat(); st.LeasesLost == 0 || st.Registrations != 2 {
		t.Errorf("counters: %+v", st)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	for {
		events, err := w.Next(short)
		if err != nil {
			break
		}
		for _, e := range events {
			if e.Op == discovery.Delete {
				t.Errorf("a living instance vanished: %+v", e)
			}
		}
	}
}

// What its owner no longer touches is removed by whoever looks.
func TestADeadWritersFileIsRemovedByAnyone(t *testing.T) {
	dir, ctx := t.TempDir(), testenv.Context(t, 20*time.Second)
	s := openFile(t, dir, discovery.Config{})
	defer s.Close() //nolint:errcheck // nothing is registered
	rec, err := discovery.NewRecord(demo(7))
	if err != nil {
		t.Fatal(err)
	}
	path := fileOf(dir, rec.Key)
	if err := os.WriteFile(path, rec.Value, 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := s.List(ctx, discovery.Query{}); err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	old := time.Now().Add(-11 * time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if all, err := s.List(ctx, discovery.Query{}); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file: %v", err)
	}
}

// A directory that takes no writes is reported by Update, and what was asked is written
// once it does again. It is a file in the directory's place that refuses, even root.
func TestAWriteThatFailsIsReportedAndMadeUpFor(t *testing.T) {
	dir, ctx := t.TempDir(), testenv.Context(t, 20*time.Second)
	s := openFile(t, dir, discovery.Config{TTL: 2 * time.Second})
	defer s.Close() //nolint:errcheck // a test
	r, err := s.Register(ctx, demo(7))
	if err != nil {
		t.Fatal(err)
	}
	bucket := filepath.Join(dir, "v1", "instances")
	if err := os.Rename(bucket, bucket+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bucket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sick := discovery.Health{Status: discovery.Degraded, Reason: "disk"}
	if err := r.Update(ctx, func(i *discovery.Instance) { i.Health = sick }); err == nil {
		t.Fatal("a write that cannot succeed did")
	}
	if s.Stat().Errors == 0 || s.Stat().Connected {
		t.Errorf("counters: %+v", s.Stat())
	}
	if err := os.Remove(bucket); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 5*time.Second, "the update to be written", func() bool {
		all, err := s.List(ctx, discovery.Query{})
		return err == nil && len(all) == 1 && all[0].Health == sick
	})
}
