package itemstream_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/framing/itemstream"
)

// An item that is JSON as deep as the standard library reads stands one level deeper
// in its line, and arrives all the same.
func TestTheDeepestJSONArrives(t *testing.T) {
	for _, depth := range []int{1, 9_998, 9_999, 10_000, 10_001} {
		for _, f := range itemstream.Formats {
			item := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
			b := itemstream.AppendItem(nil, f, 0, item)
			b = itemstream.AppendEnd(b, f, itemstream.Totals{Items: 1, Bytes: uint64(len(item))})
			d := itemstream.NewDecoder(f, 0)
			d.Feed(b)
			ev, ok, err := d.Next()
			if err != nil || !ok || string(ev.Data) != string(item) {
				t.Errorf("%v, %d deep: %v", f, depth, err)
			}
		}
	}
}

// Lines that are made to be costly are errors, and hold no more than they brought.
func TestBombs(t *testing.T) {
	for name, line := range map[string]string{
		"deep":          `{"index":0,"json":` + strings.Repeat("[", 1<<20) + "\n",
		"deep unknown":  `{"x":` + strings.Repeat(`{"a":`, 1<<17) + "\n",
		"huge number":   `{"index":` + strings.Repeat("9", 1<<20) + "}\n",
		"exponent":      `{"end":{"items":1e99999999,"bytes":0}}` + "\n",
		"negative":      `{"end":{"items":-1,"bytes":0}}` + "\n",
		"fraction":      `{"index":0.5,"text":"x"}` + "\n",
		"totals missed": `{"end":{}}` + "\n",
		"end null":      `{"end":null}` + "\n",
	} {
		d := itemstream.NewDecoder(itemstream.NDJSON, 0)
		d.Feed([]byte(line))
		if ev, ok, err := d.Next(); ok || !errors.Is(err, itemstream.ErrMalformed) {
			t.Errorf("%s: %v %v %v", name, ev.Kind, ok, err)
		}
	}
}
