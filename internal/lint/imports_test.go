package lint_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A door is a package that is the only one to import something.
var doors = []struct {
	what string // import path, with everything below it
	door string // folder of ours
	why  string
}{
	{"github.com/panjf2000/gnet/v2", "netpoll/internal/gnetloop", "the event loop is a driver, not a foundation"},
	{"golang.org/x/sys", "netpoll/internal/gnetloop", "system calls sit behind the driver"},
	{"github.com/valyala/bytebufferpool", "pool/buf", "one set of books for lent memory"},
	{"github.com/zeebo/xxh3", "codec/xxh3", "who needs only crc32c must not link it"},
	{"go.uber.org/goleak", "internal/testenv", "it is for tests"},
	{"github.com/prometheus", "planes/metrics", "who does not want Prometheus must not link it"},
}

func TestDoors(t *testing.T) {
	for _, p := range ours(t) {
		for _, d := range doors {
			if p.rel() == d.door {
				continue
			}
			for _, imp := range p.Imports {
				if within(imp, d.what) {
					t.Errorf("%s imports %s, which only %s may: %s", p.rel(), imp, d.door, d.why)
				}
			}
		}
	}
}

func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// hermetic is all that codecs may import of std: nothing that does I/O, starts a
// goroutine or reads a clock.
var hermetic = []string{
	"bytes", "encoding/binary", "encoding/hex", "errors", "fmt", "hash/crc32", "io", "iter", "math", "math/bits",
	"slices", "strconv", "strings", "sync", "unicode/utf8",
}

// An allowance is the closed list of what a package and those below it import.
// "std" stands for the standard library.
var allowances = []struct {
	folder string // the longest that matches a package counts
	allow  []string
	why    string
}{
	{"spec", []string{"std"}, "the language needs nothing, so that every tool can use it"},
	{"gen", []string{"std", "spec"}, "the generator is pure functions over the model"},
	{"gen/cmd", []string{"std", "spec", "gen", "codec"}, "wiregen builds from std and this module alone"},
	{"codec", append(slices.Clone(hermetic), "codec"), "a codec does no I/O and costs an importer nothing"},
	{"codec/internal", []string{"std", "codec", "spec"}, "a benchmark command, not a codec"},
	{"codec/codectest", []string{"std", "codec"}, "tests of generated code, in other modules too"},
	{"codec/xxh3", []string{"github.com/zeebo/xxh3"}, "a leaf"},
	{"framing", append(slices.Clone(hermetic), "codec", "pool/buf"), "a splitter does no I/O"},
	{"framing/itemstream", append(slices.Clone(hermetic), "encoding/base64", "encoding/json", "codec"),
		"the forms of an answer; two of them are JSON"},
	{"pool", []string{"std", "internal/invariants", "github.com/valyala/bytebufferpool"}, "a pool knows nothing of what it pools"},
	{"netpoll", []string{"std", "pool/buf", "netpoll", "internal/invariants"}, "the core carries bytes of any protocol"},
	{"netpoll/internal/gnetloop", []string{"std", "pool/buf", "netpoll/internal", "internal/invariants",
		"github.com/panjf2000/gnet/v2", "golang.org/x/sys"}, "the driver behind the door"},
	{"planes", []string{"std", "codec", "framing", "pool/buf"}, "the contract imports no transport"},
	{"planes/envelope", []string{"std", "codec", "planes"}, "the form of a request is nobody's transport"},
	{"planes/worker", []string{"std", "planes", "discovery"}, "it knows transports by their contract only"},
	{"planes/router", []string{"std", "planes", "discovery"}, "it knows transports by their contract only"},
	{"planes/planetest", []string{"std", "planes", "discovery"}, "a conformance suite for transports of anybody"},
	{"planes/internal/mux", append(slices.Clone(hermetic), "time", "codec", "framing", "pool/buf", "planes/internal/mux",
		"internal/invariants", "cmp", "container/heap", "maps"), "the state machine does no I/O and has one owner"},
	{"planes/internal/sniff", []string{"std"}, "it looks at bytes and knows no protocol"},
	{"planes/dynenv", []string{"std"}, "settings are plain values that know no plane"},
	{"planes/callhome", []string{"std", "codec", "pool", "planes", "netpoll", "internal/invariants"},
		"blocking sockets and a pool; loops only under the multiplexed plane that it uses"},
	{"planes/tcpplane", []string{"std", "codec", "framing", "pool", "netpoll", "planes", "internal/invariants"},
		"a plane joins the state machine and the loop"},
	{"discovery", []string{"std", "planes", "discovery"}, "records are made of the contract's addresses, capabilities and offers; planes knows no discovery"},
	{"planes/httpplane", []string{"std", "framing/itemstream", "planes"}, "net/http and the forms of an answer"},
	{"planes/metrics", []string{"std", "planes", "pool", "discovery", "github.com/prometheus/client_golang"},
		"it fits the observers of the others, and nobody imports it but commands"},
	{"planes/dynplane", []string{"std", "codec", "planes"}, "the released frames need no loop of ours"},
	{"planes/tcpport", []string{"std", "planes"}, "one port joins two planes, neither of which needs the other"},
	{"internal/invariants", []string{"std"}, "every package may use it"},
	{"internal/testenv", []string{"std", "go.uber.org/goleak"}, "every test may use it"},
	{"internal/ci", []string{"std"}, "it must run before anything else is there"},
	{"internal/lint", []string{"std"}, "tests only"},
	{"fuzz", []string{"std"}, "tests only"},
}

func TestImportsAreAllowed(t *testing.T) {
	all := packages(t)
	for _, p := range ours(t) {
		best := -1
		for i, a := range allowances {
			if within(p.rel(), a.folder) && (best < 0 || len(a.folder) > len(allowances[best].folder)) {
				best = i
			}
		}
		if best < 0 {
			t.Errorf("%s has no row in allowances: say what it may import, and why", p.rel())
			continue
		}
		a := allowances[best]
		for _, imp := range p.Imports {
			if !allowed(all[imp], imp, a.allow) {
				t.Errorf("%s imports %s: %s", p.rel(), imp, a.why)
			}
		}
	}
}

func allowed(target *pkg, path string, allow []string) bool {
	std := target == nil || target.Standard
	return slices.ContainsFunc(allow, func(a string) bool {
		switch {
		case a == "std":
			return std
		case std:
			return path == a
		default:
			return within(path, a) || within(path, modulePath+"/"+a)
		}
	})
}

// badDeps are what must not be reached at any depth.
var badDeps = []struct {
	folder string // with everything below; "" is the whole module
	dep    string // with everything below
	why    string
}{
	{"codec", "net", "a codec is hermetic"},
	{"codec", "os/exec", "a codec is hermetic"},
	{"framing", "net", "a splitter is hermetic"},
	{"spec", "net", "a spec is a text"},
	{"gen", "net", "a generator reads one file and writes another"},
	{"planes/internal/mux", "net", "the state machine does no I/O"},
	{"planes/internal/mux", modulePath + "/netpoll", "the state machine does no I/O"},
	{"netpoll", modulePath + "/planes", "the core carries any protocol"},
	{"", "go.etcd.io", "152 packages; it belongs in a module of its own"},
	{"", "github.com/nats-io", "it belongs in a module of its own"},
	{"", "google.golang.org/grpc", "a peer to be measured, in the module bench"},
	{"", modulePath + "/internal/lint", "tests only"},
	{"", modulePath + "/fuzz", "tests only"},
	{"", modulePath + "/bench", "measures the others"},
	{"", modulePath + "/planes/cmd", "commands are the end of the graph"},
}

func TestBadDeps(t *testing.T) {
	for _, p := range ours(t) {
		for _, b := range badDeps {
			if b.folder != "" && !within(p.rel(), b.folder) || within(p.rel(), "codec/internal") {
				continue
			}
			for _, dep := range p.Deps {
				if within(dep, b.dep) {
					t.Errorf("%s depends on %s: %s", p.rel(), dep, b.why)
				}
			}
		}
	}
}

// requirements of the root module that its own code may name, and what for.
var requirements = map[string]string{
	"github.com/panjf2000/gnet/v2":        "netpoll's event loop",
	"github.com/prometheus/client_golang": "planes/metrics",
	"github.com/prometheus/client_model":  "tests of planes/metrics only",
	"github.com/prometheus/common":        "tests of planes/metrics only",
	"github.com/valyala/bytebufferpool":   "pool/buf",
	"github.com/zeebo/xxh3":               "codec/xxh3",
	"go.uber.org/goleak":                  "tests only",
	"golang.org/x/sys":                    "netpoll's system calls",
}

func TestRootGoMod(t *testing.T) {
	out, err := run("go", "mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{ Old struct{ Path string } }
		Exclude []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(out), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s: importers would get something else than our tests", r.Old.Path)
	}
	if len(mod.Exclude) > 0 {
		t.Errorf("go.mod excludes %v: importers would not", mod.Exclude)
	}
	for _, r := range mod.Require {
		if !r.Indirect && requirements[r.Path] == "" {
			t.Errorf("go.mod requires %s, which is not in the list with a reason", r.Path)
		}
	}
}
