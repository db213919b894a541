package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wireplane/wireplane/codec"
	"github.com/wireplane/wireplane/codec/builtin"
	"github.com/wireplane/wireplane/codec/muxwire"
)

// Spec is a built-in wire format.
type Spec struct {
	Name  string
	About string // one line
	all   []codec.Message
	reads []reading // what a capture may hold, the likelier first
}

// reading is one way to read a capture: frames of one kind, one after the other.
type reading struct {
	frame string
	args  []uint64 // nil: the defaults
	// first is the frame that a capture starts with if it starts with magic.
	first string
	magic []byte
	// choose finds the arguments of the frame at the start of b, where they are not the same for
	// all frames of a capture.
	choose func(b []byte, last []uint64) []uint64
	// title names a frame more closely; b holds at least its first byte.
	title func(b []byte) string
	// apart is the title of frames whose arguments say nothing about those of others.
	apart string
}

// captures say what captures of the built-in specs hold.
var captures = map[string]struct {
	about string
	reads []reading
}{
	"mux": {"the multiplexed TCP plane (spec/mux.wire)", []reading{{
		frame: "Frame", first: "Preface", magic: []byte("\xf7WP1"), choose: chooseSums,
		title: muxTitle, apart: muxwire.FrameTypeHello.String(),
	}}},
	"twopart": {"envelopes and response sockets of the released Dynamo (spec/twopart.wire)", []reading{{frame: "TwoPart"}}},
	"dynamo": {"TCP requests and their answers, of the released Dynamo (spec/dynamo.wire)", []reading{
		{frame: "Request", args: []uint64{2}}, {frame: "Request", args: []uint64{1}}, {frame: "Ack"},
	}},
}

// Specs returns the built-in specs, in the order in which a guess prefers them.
func Specs() []Spec {
	var all []Spec
	for _, b := range builtin.Specs() {
		s := Spec{Name: b.Name, About: "spec/" + b.Name + ".wire", all: b.Messages}
		if c, ok := captures[b.Name]; ok {
			s.About, s.reads = c.about, c.reads
		} else {
			for _, m := range b.Messages {
				if m.Frame {
					s.reads = append(s.reads, reading{frame: m.Name})
				}
			}
		}
		all = append(all, s)
	}
	return all
}

// FindSpec returns the spec of that name, or an error that lists the names.
func FindSpec(name string) (Spec, error) {
	all := Specs()
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Spec{}, fmt.Errorf("no spec %q; there are %s", name, strings.Join(names, ", "))
}

// Frames returns the names of the frames and structs of the spec, frames first.
func (s Spec) Frames() []string {
	var frames, structs []string
	for _, m := range s.all {
		if m.Frame {
			frames = append(frames, m.Name)
		} else {
			structs = append(structs, m.Name)
		}
	}
	return append(frames, structs...)
}

// message returns the frame or struct of that name.
func (s Spec) message(name string) (codec.Message, error) {
	i := slices.IndexFunc(s.all, func(m codec.Message) bool { return strings.EqualFold(m.Name, name) })
	if i < 0 {
		return codec.Message{}, fmt.Errorf("spec %s has no frame %q; it has %s", s.Name, name, strings.Join(s.Frames(), ", "))
	}
	return s.all[i], nil
}

// chooseSums tells whether the mux frame at the start of b carries checksums. HELLO
// always does, the rest as the two HELLOs agreed, of which a capture has but one. So
// it is seen from the frame: one without has zeros in their place. Once there were
// sums there always are; then a frame with zeros is a damaged one.
func chooseSums(b []byte, last []uint64) []uint64 {
	with, without := []uint64{1}, []uint64{0}
	if last != nil && last[0] != 0 {
		return with
	}
	var f muxwire.Frame
	_, err := f.Decode(b, nil, false)
	var refused *codec.Error
	if errors.As(err, &refused) && (refused.Field == "hsum" || refused.Field == "bsum") {
		return with
	}
	return without
}

// muxType is the offset of the type in a mux frame.
const muxType = 3

func muxTitle(b []byte) string {
	if len(b) <= muxType {
		return ""
	}
	return muxwire.FrameType(b[muxType]).String()
}
