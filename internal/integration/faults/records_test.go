package faults_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
	"github.com/wireplane/wireplane/internal/integration/etcdtest"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/router"
)

// Without ParseRecord's checks and the stores that skip what fails them, one bad record
// would hide the good ones, or be called.
func TestBadRecordsBesideGoodOnes(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		clean(t)
		dir := t.TempDir()
		st, err := discovery.OpenFile(discovery.FileConfig{Dir: dir, Poll: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		badRecords(t, st, func(key string, value []byte) {
			name := strings.TrimPrefix(key, discovery.Prefix)
			if err := os.WriteFile(filepath.Join(dir, discovery.Prefix, url.PathEscape(name)), value, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("etcd", func(t *testing.T) {
		clean(t)
		c := &cluster{T: t, srv: etcdtest.Start(t)}
		raw := c.srv.Client()
		badRecords(t, c.open(nil), func(key string, value []byte) {
			if _, err := raw.Put(t.Context(), key, string(value)); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func badRecords(t *testing.T, st discovery.Store, put func(key string, value []byte)) {
	s := newSite(t, siteConfig{store: st})
	w := newShop(t, shopConfig{Pairs: mux.pairs(), Home: mux.home, Instance: 1, store: st}, nil)
	echoes(t, s)
	list, err := st.List(t.Context(), discovery.QueryPath(path))
	if err != nil || len(list) != 1 {
		t.Fatalf("%d records, %v; want one", len(list), err)
	}
	good, err := discovery.NewRecord(list[0])
	if err != nil {
		t.Fatal(err)
	}
	// variant returns the good record as that of another instance, changed by f.
	variant := func(id uint64, f func(map[string]any)) []byte {
		m := map[string]any{}
		if err := json.Unmarshal(good.Value, &m); err != nil {
			t.Fatal(err)
		}
		m["instance_id"] = id
		if f != nil {
			f(m)
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key := func(id string) string { return discovery.Prefix + path + "/" + id }
	put(key("a1"), []byte("{"))
	put(key("a2"), []byte("\x00\xff\xfe not text"))
	put(key("a3"), nil)
	put(key("a4"), variant(0xa4, func(m map[string]any) { m["x"] = strings.Repeat("x", discovery.MaxRecord) }))
	put(key("a5"), variant(0xdead, nil)) // of another instance than its key
	put(key("a6"), variant(0xa6, func(m map[string]any) { m["transport"] = map[string]any{"quic": "127.0.0.1:1"} }))
	put(key("a7"), variant(0xa7, func(m map[string]any) { m["type"] = "Model" }))
	const bad = 7
	// What the future adds beside the known does no harm.
	put(key("b1"), variant(0xb1, func(m map[string]any) {
		m["shard"] = map[string]any{"of": 3}
		m["alternatives"] = []any{map[string]any{"quic": "127.0.0.1:1"}}
		m["epoch"] = 1
	}))
	testenv.Eventually(t, 5*time.Second, "the router knows the two good ones", func() bool {
		list, err := s.Instances(context.Background(), path)
		return err == nil && len(list) == 2
	})
	testenv.Eventually(t, 5*time.Second, "each bad record is counted", func() bool { return st.Stat().BadRecords >= bad })
	l := startLoad(t, s, 8)
	l.more(500)
	l.unhurt()
	served := w.Stat().Served
	for _, id := range []uint64{1, 0xb1} {
		echoes(t, s, router.To(id))
	}
	testenv.Eventually(t, soon, "both good records lead to the worker", func() bool { return w.Stat().Served == served+2 })
	if o := call(testenv.Context(t, time.Second), s, "echo", router.To(0xa6)); o.err == nil {
		t.Error("a bad record can be called")
	}
}
