package planes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes"
)

// The JSON of addresses is that of the discovery record, read and written.
func TestAddressJSON(t *testing.T) {
	for _, s := range []string{
		`{"type":"tcp","host":"10.0.0.7","port":9001}`,
		`{"type":"tcp","host":"fe80::1","port":9001,"path":"a/b"}`,
		`{"type":"http","url":"http://10.0.0.7:8081/v1/rpc/generate"}`,
		`{"type":"nats","subject":"demo_backend.generate-694d9b96e24ab707"}`,
		`{"type":"grpc","endpoint":"10.0.0.7:50051"}`,
	} {
		var a planes.Address
		if err := json.Unmarshal([]byte(s), &a); err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if b, err := json.Marshal(a); err != nil || string(b) != s {
			t.Errorf("%s became %s, %v", s, b, err)
		}
	}
	for _, s := range []string{
		`{"type":"tcp","host":"10.0.0.7"}`, `{"type":"tcp","host":"a","port":70000}`, `{"type":"udp"}`, `{}`, `7`,
		`{"type":"http","url":"ftp://x"}`, `{"type":"nats","subject":"a b"}`, `{"type":"nats","subject":"` + strings.Repeat("x", 3000) + `"}`,
	} {
		var a planes.Address
		if err := json.Unmarshal([]byte(s), &a); err == nil {
			t.Errorf("%.60s is accepted: %v", s, a)
		}
	}
}

func TestParseAddress(t *testing.T) {
	cases := map[string]planes.Address{
		"10.0.0.7:9001/generate":       {Kind: planes.AddressTCP, Host: "10.0.0.7", Port: 9001, Path: "generate"},
		"tcp://[fe80::1]:1/a/b":        {Kind: planes.AddressTCP, Host: "fe80::1", Port: 1, Path: "a/b"},
		"http://h:1/x":                 {Kind: planes.AddressHTTP, URL: "http://h:1/x"},
		"demo_backend.generate-694d9b": {Kind: planes.AddressNATS, Subject: "demo_backend.generate-694d9b"},
	}
	for s, want := range cases {
		got, err := planes.ParseAddress(s)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
		if back, err := planes.ParseAddress(got.String()); err != nil || back != want {
			t.Errorf("%s printed as %s", s, got)
		}
	}
	for _, s := range []string{"", "h:0", "h:x/y", ":7", "a b", "http://"} {
		if a, err := planes.ParseAddress(s); err == nil {
			t.Errorf("%q is %+v", s, a)
		}
	}
}

// Satisfies is row 2 of the mission: every requirement one by one.
func TestSatisfies(t *testing.T) {
	all := planes.Capabilities{Streaming: true, PersistentConnections: true, Bidirectional: true, MaxMessageBytes: 100}
	cases := []struct {
		name      string
		has, want planes.Capabilities
		ok        bool
	}{
		{"nothing is required", planes.Capabilities{}, planes.Capabilities{}, true},
		{"everything is there", all, all, true},
		{"streaming is missing", planes.Capabilities{}, planes.Capabilities{Streaming: true}, false},
		{"persistence is missing", planes.Capabilities{}, planes.Capabilities{PersistentConnections: true}, false},
		{"both ways is missing", planes.Capabilities{}, planes.Capabilities{Bidirectional: true}, false},
		{"a message too large", all, planes.Capabilities{MaxMessageBytes: 101}, false},
		{"no limit", planes.Capabilities{}, planes.Capabilities{MaxMessageBytes: 1 << 40}, true},
		{"a limit and no size required", all, planes.Capabilities{}, true},
	}
	for _, tc := range cases {
		if got := tc.has.Satisfies(tc.want); got != tc.ok {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
