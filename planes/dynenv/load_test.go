package dynenv_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wireplane/wireplane/planes/dynenv"
)

// mistakes takes the error of Load apart.
func mistakes(tb testing.TB, err error) map[string]*dynenv.KnobError {
	tb.Helper()
	out := make(map[string]*dynenv.KnobError)
	if err == nil {
		return out
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		tb.Fatalf("%T is not a joined error", err)
	}
	for _, e := range joined.Unwrap() {
		var k *dynenv.KnobError
		if !errors.As(e, &k) {
			tb.Fatalf("%T: %v", e, e)
		}
		out[k.Name] = k
	}
	return out
}

// tree makes a file that holds one key.
func tree(path string, v any) *dynenv.Tree {
	keys := strings.Split(path, ".")
	for _, key := range slices.Backward(keys) {
		v = map[string]any{key: v}
	}
	return &dynenv.Tree{Name: "test.yaml", Values: v.(map[string]any), Lines: map[string]int{path: 7}}
}

func value(tb testing.TB, c *dynenv.Config, name string) dynenv.Value {
	tb.Helper()
	for v := range c.Values() {
		if v.Knob.Name == name {
			return v
		}
	}
	tb.Fatalf("no value of %s", name)
	return dynenv.Value{}
}

// samples returns a right value that is not the default, and a wrong one.
func samples(k dynenv.Knob) (right, wrong string) {
	switch k.Kind {
	case dynenv.KindChoice:
		return k.Choices[len(k.Choices)-1], "sideways"
	case dynenv.KindCount:
		return "4321", "lots"
	case dynenv.KindPort:
		return "4321", "70000"
	case dynenv.KindBool:
		if k.Default == "true" {
			return "false", "maybe"
		}
		return "true", "maybe"
	case dynenv.KindSeconds:
		return "7.5", "7s"
	case dynenv.KindDuration:
		return "2.5s", "7"
	case dynenv.KindHost:
		return "192.0.2.7", "no host"
	case dynenv.KindAddr:
		return "127.0.0.1:9191", "127.0.0.1"
	case dynenv.KindPath:
		return "/other/root", "no-slash"
	case dynenv.KindFile:
		return "/etc/some/file", "two\nlines"
	case dynenv.KindURLs:
		return k.Choices[len(k.Choices)-1] + "://a.example:4321,b.example:4321", "ftp://a.example"
	case dynenv.KindLevels:
		return "warn,tcpplane=debug", "loud"
	default:
		return "some text", "two\nlines"
	}
}

// company is what a knob must not be set without.
var company = map[string][]string{
	"NATS_AUTH_USERNAME":         {"NATS_AUTH_PASSWORD=x"},
	"NATS_AUTH_PASSWORD":         {"NATS_AUTH_USERNAME=x"},
	"ETCD_AUTH_USERNAME":         {"ETCD_AUTH_PASSWORD=x"},
	"ETCD_AUTH_PASSWORD":         {"ETCD_AUTH_USERNAME=x"},
	"ETCD_AUTH_CLIENT_CERT":      {"ETCD_AUTH_CLIENT_KEY=x"},
	"ETCD_AUTH_CLIENT_KEY":       {"ETCD_AUTH_CLIENT_CERT=x"},
	"DYN_TCP_POOL_MIN_IDLE":      {"DYN_TCP_POOL_MAX_PER_TARGET=5000"},
	"WIREPLANE_CALLHOME_MODE":    {"DYN_TCP_POOL_ENABLED=true"},
	"WIREPLANE_LIVENESS_TIMEOUT": {"WIREPLANE_LIVENESS_PROBE=1s"},
}

func TestEveryKnobHasItsDefault(t *testing.T) {
	c, err := dynenv.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for v := range c.Values() {
		want := strings.Replace(v.Knob.Default, "$TMPDIR", "/tmp", 1)
		if v.Text != want || v.Source != dynenv.SourceDefault || v.Where != "" || c.Explicit(v.Knob.Name) {
			t.Errorf("%s: %+v, want %q", v.Knob.Name, v, want)
		}
		if v.Knob.Doc == "" || v.Knob.Group == "" || v.Knob.Path == "" && v.Knob.Name[:3] != "DYN" && v.Knob.Name != "WIREPLANE_CONFIG" {
			t.Errorf("%s is not described: %+v", v.Knob.Name, v.Knob)
		}
	}
	if c.RequestPlane.Mode != "nats" || c.TCPRequest.Listen != (dynenv.Listen{Host: "0.0.0.0", Port: 9001}) || c.System.Enabled ||
		c.Etcd.LeaseTTL != time.Minute || c.Etcd.DynamoLeaseTTL != 10*time.Second || c.Liveness.Probe != 3*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestEveryKnobTakesARightValue(t *testing.T) {
	for k := range dynenv.Knobs() {
		right, _ := samples(k)
		shown := right
		if k.Secret {
			shown = "***"
		}
		if k.NotYet != "" {
			continue // has a test of its own
		}
		check := func(from string, environ []string, file *dynenv.Tree, source dynenv.Source, where string) {
			c, err := dynenv.Load(append(environ, company[k.Name]...), file)
			if err != nil {
				t.Errorf("%s from %s: %v", k.Name, from, err)
				return
			}
			if v := value(t, c, k.Name); v.Text != shown || v.Source != source || v.Where != where || !c.Explicit(k.Name) {
				t.Errorf("%s from %s: %+v", k.Name, from, v)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("%s from %s: %v", k.Name, from, err)
			}
		}
		check("the environment", []string{k.Name + "=" + right}, nil, dynenv.SourceEnvironment, "")
		if k.Path != "" {
			check("a file", nil, tree(k.Path, right), dynenv.SourceFile, "test.yaml:7")
			check("both", []string{k.Name + "=" + right}, tree(k.Path, right), dynenv.SourceEnvironment, "")
		}
	}
}

func TestEveryKnobRefusesAWrongValue(t *testing.T) {
	for k := range dynenv.Knobs() {
		right, wrong := samples(k)
		if k.NotYet != "" {
			wrong = right
		}
		shown := wrong
		if k.Secret {
			shown = "***"
		}
		check := func(environ []string, file *dynenv.Tree, where string) {
			c, err := dynenv.Load(environ, file)
			e := mistakes(t, err)[k.Name]
			if c != nil || e == nil || len(mistakes(t, err)) != 1 || e.Value != shown || e.Want == "" {
				t.Errorf("%s: %v, %v", k.Name, c, err)
				return
			}
			for _, part := range []string{k.Name, fmt.Sprintf("%q", shown), where, "want " + e.Want} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v does not say %q", k.Name, err, part)
				}
			}
			if k.NotYet != "" && !strings.Contains(err.Error(), k.NotYet) {
				t.Errorf("%s: %v does not say that it is not yet", k.Name, err)
			}
		}
		check([]string{k.Name + "=" + wrong}, nil, "(environment)")
		if k.Path != "" {
			check(nil, tree(k.Path, wrong), "(test.yaml:7)")
			check([]string{k.Name + "=" + wrong}, nil, "(environment)")
			for _, v := range []any{nil, []any{1}, map[string]any{"x": 1}} {
				_, err := dynenv.Load(nil, tree(k.Path, v))
				if e := mistakes(t, err)[k.Name]; e == nil || e.Source != dynenv.SourceFile {
					t.Errorf("%s: %v: %v", k.Name, v, err)
				}
			}
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, err := dynenv.Load([]string{"DYN_TCP_POOL_MAX_PER_TARGET=lots", "DYN_RESPONSE_PLANE=quic", "ETCD_AUTH_CLIENT_CERT=x",
		"DYN_DISCOVERY_BACKEND=kubernetes"}, tree("transport.request_plane.tcp.prot", 9))
	got := slices.Sorted(maps.Keys(mistakes(t, err)))
	want := []string{"DYN_DISCOVERY_BACKEND", "DYN_RESPONSE_PLANE", "DYN_TCP_POOL_MAX_PER_TARGET", "ETCD_AUTH_CLIENT_CERT", "transport.request_plane.tcp.prot"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, line := range []string{
		`DYN_TCP_POOL_MAX_PER_TARGET="lots" (environment): want a whole number from 1 to 65536`,
		`DYN_RESPONSE_PLANE="quic" (environment): want tcp, http or http2: the QUIC`,
		`did you mean port?`,
	} {
		if !strings.Contains(err.Error(), line) {
			t.Errorf("%v\ndoes not say %s", err, line)
		}
	}
}

func TestKnobsThatDependOnOneAnother(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		bad     string // the knob that is refused, "" if none
	}{
		"min idle above max":          {[]string{"DYN_TCP_POOL_MIN_IDLE=6", "DYN_TCP_POOL_MAX_PER_TARGET=5"}, "DYN_TCP_POOL_MIN_IDLE"},
		"a small max alone":           {[]string{"DYN_TCP_POOL_MAX_PER_TARGET=2"}, ""},
		"timeout below probe":         {[]string{"WIREPLANE_LIVENESS_TIMEOUT=3s"}, "WIREPLANE_LIVENESS_TIMEOUT"},
		"a key without certificate":   {[]string{"ETCD_AUTH_CLIENT_KEY=x"}, "ETCD_AUTH_CLIENT_KEY"},
		"a user without password":     {[]string{"NATS_AUTH_USERNAME=x"}, "NATS_AUTH_USERNAME"},
		"a token and an nkey":         {[]string{"NATS_AUTH_TOKEN=x", "NATS_AUTH_NKEY=y"}, "NATS_AUTH_NKEY"},
		"a token alone":               {[]string{"NATS_AUTH_TOKEN=x"}, ""},
		"pooled, and the pool is off": {[]string{"WIREPLANE_CALLHOME_MODE=pooled", "DYN_TCP_POOL_ENABLED=false"}, "WIREPLANE_CALLHOME_MODE"},
		"pooled alone":                {[]string{"WIREPLANE_CALLHOME_MODE=pooled"}, ""},
		"mux alone":                   {[]string{"WIREPLANE_CALLHOME_MODE=mux"}, ""},
		"mux, and the pool is off":    {[]string{"WIREPLANE_CALLHOME_MODE=mux", "DYN_TCP_POOL_ENABLED=false"}, "WIREPLANE_CALLHOME_MODE"},
	} {
		got := mistakes(t, func() error { _, err := dynenv.Load(c.environ, nil); return err }())
		if c.bad == "" && len(got) > 0 || c.bad != "" && (len(got) != 1 || got[c.bad] == nil) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatIsDerived(t *testing.T) {
	c, err := dynenv.Load([]string{"DYN_TCP_REQUEST_PORT=1", "DYN_TCP_RPC_HOST=192.0.2.1", "DYN_TCP_RPC_PORT=2", "DYN_SYSTEM_PORT=0",
		"WIREPLANE_METRICS_ADDR=off", "ETCD_LEASE_TTL=20", "TMPDIR=/var/tmp/", "WIREPLANE_CALLHOME_MODE=pooled",
		"DYN_TCP_POOL_MAX_PER_TARGET=2", "NATS_AUTH_TOKEN=s3cret", "NATS_SERVER=nats://u:s3cret@h:4222", "DYN_HTTP_RPC_ROOT_PATH=/x/", "DYN_LOG="}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.TCPRequest.Listen != (dynenv.Listen{Host: "192.0.2.1", Port: 2, Explicit: true}) || c.HTTPRequest.Listen.Explicit {
		t.Errorf("%+v", c.TCPRequest.Listen)
	}
	if !c.System.Enabled || c.System.Listen.Port != 0 || c.Metrics.Addr != "" || c.Etcd.DynamoLeaseTTL != 20*time.Second ||
		c.Discovery.FileRoot != "/var/tmp/dynamo_store_kv" || !c.Pool.Enabled || c.Pool.MinIdle != 2 || c.HTTPRequest.RootPath != "/x" ||
		c.NATS.Username != "" || c.NATS.Password != "" {
		t.Errorf("%+v", c)
	}
	if v := value(t, c, "DYN_TCP_REQUEST_PORT"); v.Text != "1" || v.Note != "DYN_TCP_RPC_PORT wins" {
		t.Errorf("%+v", v)
	}
	for v := range c.Values() {
		if strings.Contains(v.Text, "s3cret") {
			t.Errorf("%s shows a secret: %s", v.Knob.Name, v.Text)
		}
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Pool.MaxPerTarget = 0
	c.RequestPlane.Mode = "pigeon"
	if got := mistakes(t, c.Validate()); len(got) < 2 || got["DYN_REQUEST_PLANE"] == nil || got["DYN_TCP_POOL_MAX_PER_TARGET"] == nil {
		t.Errorf("%v", got)
	}
}

func TestNamesThatAreNearlyRight(t *testing.T) {
	c, err := dynenv.Load([]string{"DYN_TCP_POOL_MAX_PER_TARGT=3", "DYN_TCP_POOL_COLOUR=3", "WIREPLANE_TCP_WIER=mux", "WIREPLANE_CONFIGURATOR=1",
		"DYN_EVENT_PLANE=zmq", "DYN_SOMETHING=1", "NATS_SERVERS=x", "PATH=/bin"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"MAX_PER_TARGT", "COLOUR", "WIREPLANE_TCP_WIER"}
	if len(c.Warnings) != len(want) || !strings.Contains(strings.Join(c.Warnings, "\n"), "did you mean DYN_TCP_POOL_MAX_PER_TARGET?") {
		t.Errorf("%q", c.Warnings)
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(c.Warnings, "\n"), w) {
			t.Errorf("%q does not warn of %s", c.Warnings, w)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for k := range dynenv.Knobs() {
		right, wrong := samples(k)
		f.Add(k.Name+"="+right, k.Name+"="+wrong)
	}
	f.Add("DYN_TCP_POOL_MIN_IDLE=9", "DYN_TCP_POOL_MAX_PER_TARGET=8")
	f.Fuzz(func(t *testing.T, a, b string) {
		environ := []string{a, b}
		c, err := dynenv.Load(environ, nil)
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Fatalf("%q: Load took what Validate refuses: %v", environ, err)
			}
			return
		}
		if c != nil {
			t.Fatal("a Config beside an error")
		}
		for name, e := range mistakes(t, err) {
			if e.Want == "" || !slices.ContainsFunc(slices.Collect(dynenv.Knobs()), func(k dynenv.Knob) bool { return k.Name == name }) {
				t.Fatalf("%q: %v names no knob, or does not say what is wanted", environ, e)
			}
		}
	})
}
