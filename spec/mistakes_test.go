package spec_test

import (
	"errors"
	"testing"

	"github.com/wireplane/wireplane/spec"
)

// A mistake of form that leaves no doubt about what was meant does not hide the
// others of the file; one that leaves doubt stands alone, or its consequences
// would be reported as mistakes.
func TestClearMistakesDoNotHideOthers(t *testing.T) {
	cases := []struct {
		src  string
		want int
	}{
		{"protocol p\nenum K: u8 { A = 1, A = 2 }\nframe F { k: Knid }\n", 3},
		{"protocol p\nframe F { a u8; k: Knid }\n", 1},
	}
	for _, tc := range cases {
		f, err := spec.Parse("x.wire", []byte(tc.src))
		if err == nil {
			t.Fatalf("%q parses", tc.src)
		}
		var list spec.ErrorList
		if err := f.Check(); !errors.As(err, &list) || len(list) != tc.want {
			t.Errorf("%q: %d mistakes, want %d: %v", tc.src, len(list), tc.want, err)
		}
	}
}
