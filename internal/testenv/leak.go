package testenv

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails if a goroutine is left at the end.
// Call it from TestMain:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// Goroutines that gnet's worker pool library starts when it is linked in, and
// never ends, are known and ignored.
func Main(m *testing.M) { goleak.VerifyTestMain(m, known()...) }

// NoLeak fails tb if a goroutine that tb started is still there when tb ends.
// Not for tests that run in parallel with others.
func NoLeak(tb testing.TB) {
	tb.Helper()
	opts := append(known(), goleak.IgnoreCurrent())
	tb.Cleanup(func() { goleak.VerifyNone(tb, opts...) })
}

func known() []goleak.Option {
	const pool = "github.com/panjf2000/ants/v2."
	return []goleak.Option{
		// net/http sleeps for half a second before it closes a connection on which a
		// request was not read whole, whatever becomes of the server.
		goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"),
		goleak.IgnoreAnyFunction(pool + "(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreAnyFunction(pool + "(*poolCommon).ticktock"),
		goleak.IgnoreAnyFunction(pool + "(*Pool).purgeStaleWorkers"),
		goleak.IgnoreAnyFunction(pool + "(*Pool).ticktock"),
	}
}
