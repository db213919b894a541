package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/gen"
	"github.com/wireplane/wireplane/internal/testenv"
	"github.com/wireplane/wireplane/netpoll"
	"github.com/wireplane/wireplane/netpoll/examples/echowire/echo"
	"github.com/wireplane/wireplane/spec"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func Example() {
	main()
	// Output: hello, wire
}

// TestEcho plays a client on a plain socket, byte by byte, and then sends what is no line.
func TestEcho(t *testing.T) {
	group, err := netpoll.New(netpoll.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { group.Close() })
	peer, nc := testenv.Pair(t)
	if _, err := group.Attach(nc, each(send)); err != nil {
		t.Fatal(err)
	}
	want, err := (&echo.Line{Number: 7, Text: []byte("hi")}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if _, err := peer.Write(want[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("echo %x, %v; want %x", got, err, want)
	}
	if _, err := peer.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Read(got); !errors.Is(err, io.EOF) {
		t.Errorf("after garbage: %v", err)
	}
	var line echo.Line
	var broken *codec.Error
	if _, err := line.Decode([]byte("GET / HTTP/1.1\r\n\r\n"), nil); !errors.As(err, &broken) || broken.Kind != codec.KindConstant {
		t.Errorf("garbage decodes with %v", err)
	}
}

// TestGeneratedCodeIsFresh holds the committed codec to echo.wire.
func TestGeneratedCodeIsFresh(t *testing.T) {
	src, err := os.ReadFile("echo.wire")
	if err != nil {
		t.Fatal(err)
	}
	file, err := spec.Parse("echo.wire", src)
	if err == nil {
		err = file.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := gen.Generate(file, gen.Options{
		Package: "echo", ImportPath: "github.com/wireplane/wireplane/netpoll/examples/echowire/echo",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range out {
		have, err := os.ReadFile(filepath.Join("echo", f.Name))
		if err != nil || !bytes.Equal(have, f.Content) {
			t.Errorf("echo/%s is stale (%v): run go generate", f.Name, err)
		}
	}
}
