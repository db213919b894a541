package tcpplane

import (
	"net"
	"testing"
)

// Checksums are offered where bytes travel, unless the policy says otherwise.
func TestChecksumPolicy(t *testing.T) {
	loop4, loop6 := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv6loopback}
	far, pipe := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7)}, pipeAddr{}
	cases := []struct {
		policy ChecksumPolicy
		addr   net.Addr
		want   bool
	}{
		{ChecksumAuto, loop4, false},
		{ChecksumAuto, loop6, false},
		{ChecksumAuto, far, true},
		{ChecksumAuto, pipe, true},
		{ChecksumOn, loop4, true},
		{ChecksumOff, far, false},
	}
	for _, tc := range cases {
		if got := tc.policy.offered(tc.addr); got != tc.want {
			t.Errorf("%v to %v: %v, want %v", tc.policy, tc.addr, got, tc.want)
		}
		l := Limits{Checksums: tc.policy}
		if got := !l.configs(0, 0, 0).to(tc.addr).NoChecksum; got != tc.want {
			t.Errorf("the session for %v to %v offers %v, want %v", tc.policy, tc.addr, got, tc.want)
		}
	}
	if err := (Limits{Checksums: 9}).Validate(); err == nil {
		t.Error("policy 9 passes")
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
