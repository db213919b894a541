package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/dynwire"
	"github.com/wireplane/wireplane/codec/muxwire"
	"github.com/wireplane/wireplane/framing"
)

// muxLen is the length function of the multiplexer with checksums.
func muxLen(b []byte) (int, int, error) { return muxwire.FrameLen(b, nil, true) }

// requestLen has a length that takes three looks.
func requestLen(b []byte) (int, int, error) { return dynwire.RequestLen(b, nil, 2) }

// stream returns the encodings of a few frames.
func stream(t testing.TB) (frames [][]byte, whole []byte) {
	t.Helper()
	add := func(m muxwire.Frame) {
		b, err := m.Append(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		frames, whole = append(frames, b), append(whole, b...)
	}
	ping := muxwire.Frame{Type: muxwire.FrameTypePing}
	ping.Body.Ping.Cookie = 7
	add(ping)
	for _, n := range []int{0, 1, 5000, 100} {
		data := muxwire.Frame{Type: muxwire.FrameTypeData, Stream: 1, Arg: uint32(n)}
		data.Body.Bytes = bytes.Repeat([]byte{byte(n)}, n)
		add(data)
	}
	add(muxwire.Frame{Type: muxwire.FrameTypeAccept, Stream: 3})
	return frames, whole
}

func requests(t testing.TB) (frames [][]byte, whole []byte) {
	t.Helper()
	for _, n := range []int{0, 3, 30} {
		m := dynwire.Request{Path: []byte("a/b"), Headers: bytes.Repeat([]byte("h"), n), Payload: bytes.Repeat([]byte("p"), n)}
		b, err := m.Append(nil, 2)
		if err != nil {
			t.Fatal(err)
		}
		frames, whole = append(frames, b), append(whole, b...)
	}
	return frames, whole
}

// collect pushes the pieces and returns the frames.
func collect(s *framing.Splitter, pieces [][]byte) (frames [][]byte, err error) {
	for _, p := range pieces {
		if err = s.Push(p, func(f []byte) error {
			frames = append(frames, bytes.Clone(f))
			return nil
		}); err != nil {
			return frames, err
		}
	}
	return frames, s.Close()
}

func TestEverySplit(t *testing.T) {
	for name, c := range map[string]struct {
		length framing.LenFunc
		make   func(testing.TB) ([][]byte, []byte)
	}{"mux": {muxLen, stream}, "request": {requestLen, requests}} {
		t.Run(name, func(t *testing.T) {
			want, whole := c.make(t)
			for i := range whole {
				got, err := collect(framing.New(c.length, 1<<20), [][]byte{whole[:i], whole[i:]})
				if err != nil || !equal(got, want) {
					t.Fatalf("cut at %d: %d frames, %v", i, len(got), err)
				}
			}
			var single [][]byte
			for i := range whole {
				single = append(single, whole[i:i+1])
			}
			if got, err := collect(framing.New(c.length, 1<<20), single); err != nil || !equal(got, want) {
				t.Errorf("byte by byte: %d frames, %v", len(got), err)
			}
		})
	}
}

func equal(a, b [][]byte) bool {
	return len(a) == len(b) && bytes.Equal(bytes.Join(a, []byte("|")), bytes.Join(b, []byte("|")))
}

func TestNext(t *testing.T) {
	want, whole := stream(t)
	rest := whole
	for i := range want {
		frame, r, need, err := framing.Next(rest, muxLen)
		if err != nil || need != 0 || !bytes.Equal(frame, want[i]) {
			t.Fatalf("frame %d: %x, need %d, %v", i, frame, need, err)
		}
		if cap(frame) != len(frame) {
			t.Errorf("frame %d has room for the next one", i)
		}
		rest = r
	}
	if _, _, need, err := framing.Next(whole[:5], muxLen); need != 15 || err != nil {
		t.Errorf("need %d, %v; want 15", need, err)
	}
	if _, _, _, err := framing.Next(nil, func([]byte) (int, int, error) { return 0, 0, nil }); !errors.Is(err, framing.ErrNoProgress) {
		t.Errorf("no progress: %v", err)
	}
}

func TestErrorsStay(t *testing.T) {
	_, whole := stream(t)
	damaged := bytes.Clone(whole)
	damaged[2] ^= 1 // the length of the first frame
	s := framing.New(muxLen, 1<<20)
	none := func([]byte) error { return nil }
	err := s.Push(damaged, none)
	if !errors.Is(err, &codec.Error{Kind: codec.KindChecksum}) {
		t.Fatalf("damaged header: %v", err)
	}
	if again := s.Push(whole, none); !errors.Is(again, err) {
		t.Errorf("after the error: %v", again)
	}
	boom := fmt.Errorf("boom")
	s = framing.New(muxLen, 1<<20)
	if err := s.Push(whole, func([]byte) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("error of take: %v", err)
	}
	s = framing.New(muxLen, 1<<20)
	if err := s.Push(whole[:10], none); err != nil || s.Buffered() != 10 {
		t.Errorf("10 bytes: %d buffered, %v", s.Buffered(), err)
	}
	if err := s.Close(); !errors.Is(err, framing.ErrCut) {
		t.Errorf("cut stream: %v", err)
	}
	s = framing.New(muxLen, 1000)
	if err := s.Push(whole[:200], none); !errors.Is(err, framing.ErrTooLong) {
		t.Errorf("long frame announced: %v", err)
	}
	s = framing.New(muxLen, 1000)
	if err := s.Push(whole, none); !errors.Is(err, framing.ErrTooLong) {
		t.Errorf("long frame at once: %v", err)
	}
}

// FuzzSplit cuts any input at any places: frames, error and bytes held must be the
// same as when the input comes at once.
func FuzzSplit(f *testing.F) {
	ping := muxwire.Frame{Type: muxwire.FrameTypePing}
	two, err := ping.Append(nil, true)
	if err != nil {
		f.Fatal(err)
	}
	if two, err = ping.Append(two, true); err != nil {
		f.Fatal(err)
	}
	f.Add(two, []byte{1, 3, 20, 255})
	_, reqs := requests(f)
	f.Add(reqs, []byte{1, 1, 1, 9})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{2})
	f.Fuzz(func(t *testing.T, in, cuts []byte) {
		for _, length := range []framing.LenFunc{muxLen, requestLen} {
			one := framing.New(length, 1<<16)
			want, wantErr := collect(one, [][]byte{in})
			var pieces [][]byte
			rest := in
			for _, c := range cuts {
				n := min(int(c), len(rest))
				pieces = append(pieces, rest[:n])
				rest = rest[n:]
			}
			many := framing.New(length, 1<<16)
			got, gotErr := collect(many, append(pieces, rest))
			if !equal(got, want) || (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("in pieces: %d frames, %v; at once: %d frames, %v", len(got), gotErr, len(want), wantErr)
			}
			if gotErr == nil && one.Buffered() != many.Buffered() {
				t.Fatalf("holds %d and %d bytes", many.Buffered(), one.Buffered())
			}
		}
	})
}

// BenchmarkPush splits 64 KiB of 1 KiB frames by length alone; ns/frame is the figure.
func BenchmarkPush(b *testing.B) {
	frame := muxwire.Frame{Type: muxwire.FrameTypeData, Stream: 1}
	frame.Body.Bytes = make([]byte, 1004)
	one, err := frame.Append(nil, false)
	if err != nil {
		b.Fatal(err)
	}
	in := bytes.Repeat(one, 64)
	s := framing.New(func(b []byte) (int, int, error) { return muxwire.FrameLen(b, nil, false) }, 1<<20)
	n := 0
	take := func(f []byte) error { n += len(f); return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Push(in, take); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/frame")
}
