package reqpath_test

import (
	"net"
	"testing"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/planes/internal/reqpath"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestPathsLeadBackToTheirRoute(t *testing.T) {
	var table reqpath.Table
	if got := table.Route("2a/ns/gen"); got != "2a/ns/gen" {
		t.Errorf("before any instance is known: %q", got)
	}
	if got := table.Path("ns/gen", 42); got != "2a/ns/gen" {
		t.Errorf("path %q", got)
	}
	for path, want := range map[string]string{"2a/ns/gen": "ns/gen", "2b/ns/gen": "2b/ns/gen", "ns/gen": "ns/gen", "2a/": "2a/", "2a": "2a", "": ""} {
		if got := table.Route(path); got != want {
			t.Errorf("%q is route %q; want %q", path, got, want)
		}
	}
}

func TestInstancesAreBounded(t *testing.T) {
	var table reqpath.Table
	for i := range uint64(2000) {
		table.Path("r", i)
	}
	if got := table.Route("0/r"); got != "r" {
		t.Errorf("an early instance is forgotten: %q", got)
	}
	if got := table.Route("7cf/r"); got != "7cf/r" {
		t.Errorf("instance 1999 is known: %q", got)
	}
}

func TestAWildcardIsNeverAdvertised(t *testing.T) {
	for _, ip := range []net.IP{nil, net.IPv4zero, net.IPv6zero} {
		host, port := reqpath.Advertised(&net.TCPAddr{IP: ip, Port: 7}, "")
		if got := net.ParseIP(host); got == nil || got.IsUnspecified() || port != 7 {
			t.Errorf("%v is advertised as %s, %d", ip, host, port)
		}
	}
	if host, _ := reqpath.Advertised(&net.TCPAddr{IP: net.IPv4zero, Port: 7}, "worker"); host != "worker" {
		t.Error(host)
	}
	if host, _ := reqpath.Advertised(&net.TCPAddr{IP: net.IPv6loopback, Port: 7}, ""); host != "::1" {
		t.Error(host)
	}
}
