package discovery_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wireplane/wireplane/discovery"
)

// What is read and may be written is read the same again, under the same key.
func FuzzParseRecord(f *testing.F) {
	for _, tc := range transports {
		f.Add(demoKey, []byte(demoHead+tc.json+demoTail))
	}
	f.Add("instances/demo/backend/generate:694d9b96e24ab707", []byte(demoHead+transports[0].json+`,"alternatives":[{"quic":1},{"tcp":"h:1"}],"health_status":{"degraded":{"reason":"x"}}}`))
	f.Add(demoKey, []byte(`{"instance_id":7587892019533100807.0}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		i, err := discovery.ParseRecord(key, value)
		if err != nil || i.Validate() != nil || i.ID == 0 {
			return
		}
		rec, err := discovery.NewRecord(i)
		if err != nil {
			if len(value) < discovery.MaxRecord/8 {
				t.Fatalf("%q under %q is read and not written: %v", value, key, err)
			}
			return // it grew by writing
		}
		if !rec.Instance.Equal(&i) {
			t.Fatalf("%+v became %+v", i, rec.Instance)
		}
		if again, err := discovery.NewRecord(rec.Instance); err != nil || string(again.Value) != string(rec.Value) {
			t.Fatalf("%s became %s, %v", rec.Value, again.Value, err)
		}
	})
}

// Whatever a store says and whenever a reader reads, applying the events gives what the
// store said last, no event says what is known already, and none is there for nothing.
func FuzzView(f *testing.F) {
	f.Add([]byte{0, 9, 1, 0x11, 9, 2, 0x41, 9, 0x21, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		v := discovery.NewView(t.Context(), discovery.Query{}, nil)
		defer v.Close() //nolint:errcheck // always nil
		truth, known := map[string]discovery.Instance{}, map[string]discovery.Instance{}
		v.Fill(truth, 0, time.Now())
		read := func() {
			events, err := next(t.Context(), v)
			if err != nil {
				return
			}
			for _, e := range events {
				key := discovery.Key(&e.Instance)
				was, had := known[key]
				switch e.Op {
				case discovery.Snapshot:
					for _, i := range e.Instances {
						known[discovery.Key(&i)] = i
					}
				case discovery.Put:
					if had && was.Equal(&e.Instance) {
						t.Fatalf("told twice: %+v", e)
					}
					known[key] = e.Instance
				case discovery.Delete:
					if !had {
						t.Fatalf("the delete of nothing: %+v", e)
					}
					delete(known, key)
				}
			}
		}
		for n, b := range script {
			i := demo(uint64(b%8) + 1)
			i.Epoch = uint64(b >> 6)
			switch b >> 3 % 4 {
			case 0:
				truth[discovery.Key(&i)] = i
				v.Put(discovery.Key(&i), &i, uint64(n))
			case 1:
				delete(truth, discovery.Key(&i))
				v.Delete(discovery.Key(&i), uint64(n))
			case 2:
				delete(truth, discovery.Key(&i))
				v.Fill(truth, uint64(n), time.Now())
			case 3:
				read()
			}
		}
		read()
		read()
		if !same(truth, known) {
			t.Fatalf("the reader knows %v; want %v", sortedKeys(known), sortedKeys(truth))
		}
	})
}

// next is Next that does not wait for what does not come.
func next(ctx context.Context, v *discovery.View) ([]discovery.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	return v.Next(ctx)
}

func sortedKeys(m map[string]discovery.Instance) []string {
	keys := make([]string, 0, len(m))
	for k, i := range m {
		keys = append(keys, fmt.Sprint(k, i.Epoch))
	}
	slices.Sort(keys)
	return keys
}

func same(a, b map[string]discovery.Instance) bool { return slices.Equal(sortedKeys(a), sortedKeys(b)) }
