package netpoll_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
)

// crowdedEnv makes the test binary the server of the descriptor tests and names its driver.
const crowdedEnv = "NETPOLL_TEST_CROWDED"

const (
	crowdedFiles = 48 // descriptors of the server process
	crowdedLive  = 12 // connections that must survive
	crowdedBurst = 80 // connections that come too many
	crowdedWait  = 20 * time.Second
)

// crowdedEcho echoes.
type crowdedEcho struct{}

func (crowdedEcho) OnOpen(*netpoll.Conn) {}

func (crowdedEcho) OnData(c *netpoll.Conn, b []byte) (int, error) { return len(b), c.Write(b) }

func (crowdedEcho) OnClose(*netpoll.Conn, error) {}

// serveCrowded is the child process: an echo server with few descriptors. It prints its address, serves until its input
// ends, and prints its totals.
func serveCrowded() int {
	limit := syscall.Rlimit{Cur: crowdedFiles, Max: crowdedFiles}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	driver := netpoll.DriverNet
	if os.Getenv(crowdedEnv) == netpoll.DriverLoop.String() {
		driver = netpoll.DriverLoop
	}
	g, err := netpoll.New(netpoll.Config{Driver: driver})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(ln.Addr())
	served := make(chan error, 1)
	go func() {
		served <- g.Serve(context.Background(), ln, func(*netpoll.Conn) (netpoll.Handler, error) { return crowdedEcho{}, nil })
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	// The last of the burst may not have been seen to close yet.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); g.Stat().Open > crowdedLive+1 && time.Since(start) < crowdedWait/2; <-tick.C {
	}
	select {
	case err := <-served:
		fmt.Fprintln(os.Stderr, "Serve ended by itself:", err)
		return 1
	default:
	}
	if err := json.NewEncoder(os.Stdout).Encode(g.Stat()); err != nil {
		return 1
	}
	g.Close()
	return 0
}

// TestAcceptSurvivesFullDescriptorTable fills the descriptor table of a server process while it serves connections:
// none of them is lost, and new ones are served as soon as descriptors are free again.
func TestAcceptSurvivesFullDescriptorTable(t *testing.T) {
	for _, driver := range []netpoll.Driver{netpoll.DriverLoop, netpoll.DriverNet} {
		t.Run(driver.String(), func(t *testing.T) { testCrowded(t, driver) })
	}
}

func testCrowded(t *testing.T, driver netpoll.Driver) {
	addr, stop := startCrowded(t, driver)
	var live []net.Conn
	for range crowdedLive {
		live = append(live, dialCrowded(t, addr))
	}
	pingAll(t, live, "before the burst")

	var burst []net.Conn
	for range crowdedBurst {
		burst = append(burst, dialCrowded(t, addr)) // the kernel's backlog takes what the server does not
	}
	for range 5 {
		pingAll(t, live, "during the burst")
	}
	for _, nc := range burst {
		nc.Close()
	}
	start := time.Now()
	pingAll(t, []net.Conn{dialCrowded(t, addr)}, "after the burst")
	t.Logf("serving again %v after the descriptors were free", time.Since(start))
	pingAll(t, live, "at the end")

	s := stop()
	if s.AcceptErrors+s.EnrolErrors == 0 {
		t.Errorf("the table was never full: %+v", s)
	}
	if s.Open != crowdedLive+1 {
		t.Errorf("%d connections open at the end, want %d", s.Open, crowdedLive+1)
	}
	t.Logf("accept errors %d, enrol errors %d", s.AcceptErrors, s.EnrolErrors)
}

// startCrowded starts the child and returns its address and a function that ends it and returns its totals.
func startCrowded(t *testing.T, driver netpoll.Driver) (addr string, stop func() netpoll.Stat) {
	t.Helper()
	cmd := exec.CommandContext(testenv.Context(t, 2*crowdedWait), os.Args[0])
	cmd.Env = append(os.Environ(), crowdedEnv+"="+driver.String())
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(stdout)
	if !out.Scan() {
		t.Fatal("the server printed no address")
	}
	addr = out.Text()
	return addr, func() netpoll.Stat {
		stdin.Close()
		var s netpoll.Stat
		if !out.Scan() {
			t.Fatal("the server printed no totals")
		}
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func dialCrowded(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(crowdedWait)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func pingAll(t *testing.T, conns []net.Conn, when string) {
	t.Helper()
	for i, nc := range conns {
		if _, err := nc.Write([]byte("ping")); err != nil {
			t.Fatalf("%s: connection %d: %v", when, i, err)
		}
		if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
			t.Fatalf("%s: connection %d: %v", when, i, err)
		}
	}
}
