package callhome_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/wireplane/wireplane/planes/callhome"
)

// However the bytes are cut into reads, the result is the same; a clean end has come
// with true totals, and no item is beyond the bound.
func FuzzAnswer(f *testing.F) {
	f.Add(bytes.Join(slicesOf(true), nil))
	f.Add(bytes.Join(slicesOf(false), nil))
	f.Add(frame(`{"error":"no","wireplane":{"code":"DENIED"}}`, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		const most = 1 << 12
		items, err := callhome.Play(bytes.NewReader(b), most)
		again, err2 := callhome.Play(iotest.OneByteReader(bytes.NewReader(b)), most)
		if !reflect.DeepEqual(items, again) || err.Error() != err2.Error() {
			t.Fatalf("%d items, %v; a byte at a time %d, %v", len(items), err, len(again), err2)
		}
		for _, item := range items {
			if len(item) > most {
				t.Fatalf("an item of %d bytes", len(item))
			}
		}
		if errors.Is(err, io.EOF) && err == io.EOF && !bytes.Contains(b, []byte(`"sentinel"`)) { //nolint:errorlint // bare
			t.Fatal("a clean end without sentinel")
		}
	})
}
