package invariants

import "fmt"

// PoisonByte fills memory that has been given back, so that a reader of a stale
// slice sees the same wrong bytes every time.
const PoisonByte = 0xdb

// Check panics with the formatted message if the checks are compiled in and ok
// is false. Arguments are evaluated in every build: guard a costly one with
// Enabled. Safe for concurrent use.
func Check(ok bool, format string, args ...any) {
	if Enabled && !ok {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}

// Poison overwrites b where the checks are compiled in and does nothing
// otherwise. b is borrowed until Poison returns.
func Poison(b []byte) {
	if !Enabled {
		return
	}
	if len(b) == 0 {
		return
	}
	b[0] = PoisonByte
	for done := 1; done < len(b); done *= 2 {
		copy(b[done:], b[:done])
	}
}
