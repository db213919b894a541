// Package muxwire is the wire of the multiplexed TCP plane: the encoders and
// decoders of every frame in spec/mux.wire. spec/PROTOCOL.md says what the
// frames mean and when they may be sent.
package muxwire

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"github.com/wireplane/wireplane/codec"
)

// Limits are the bounds of the spec that may be changed at run time. The zero
// value allows nothing: start from [DefaultLimits].
type Limits struct {
	MaxBody uint64 // max_body: bytes
}

// DefaultLimits returns the limits that the spec gives.
func DefaultLimits() Limits { return defaultLimits }

var defaultLimits = Limits{MaxBody: 1048576}

// FrameType is an open enum of the wire: values that are not listed are kept.
type FrameType uint8

// The values of FrameType.
const (
	FrameTypeHello      FrameType = 1
	FrameTypeUpdate     FrameType = 2
	FrameTypeOpen       FrameType = 3
	FrameTypeAccept     FrameType = 4
	FrameTypeStarted    FrameType = 5
	FrameTypeRefuse     FrameType = 6
	FrameTypeData       FrameType = 7
	FrameTypeCredit     FrameType = 8
	FrameTypeMaxStreams FrameType = 9
	FrameTypeCloseSend  FrameType = 10
	FrameTypeEnd        FrameType = 11
	FrameTypeStop       FrameType = 12
	FrameTypeReset      FrameType = 13
	FrameTypePing       FrameType = 14
	FrameTypePong       FrameType = 15
	FrameTypeAlive      FrameType = 16
	FrameTypeDrain      FrameType = 17
	FrameTypeGoaway     FrameType = 18
	FrameTypeResume     FrameType = 19
	FrameTypeResumed    FrameType = 20
)

// String returns the name in the spec, or the number.
func (v FrameType) String() string {
	switch v {
	case FrameTypeHello:
		return "HELLO"
	case FrameTypeUpdate:
		return "UPDATE"
	case FrameTypeOpen:
		return "OPEN"
	case FrameTypeAccept:
		return "ACCEPT"
	case FrameTypeStarted:
		return "STARTED"
	case FrameTypeRefuse:
		return "REFUSE"
	case FrameTypeData:
		return "DATA"
	case FrameTypeCredit:
		return "CREDIT"
	case FrameTypeMaxStreams:
		return "MAX_STREAMS"
	case FrameTypeCloseSend:
		return "CLOSE_SEND"
	case FrameTypeEnd:
		return "END"
	case FrameTypeStop:
		return "STOP"
	case FrameTypeReset:
		return "RESET"
	case FrameTypePing:
		return "PING"
	case FrameTypePong:
		return "PONG"
	case FrameTypeAlive:
		return "ALIVE"
	case FrameTypeDrain:
		return "DRAIN"
	case FrameTypeGoaway:
		return "GOAWAY"
	case FrameTypeResume:
		return "RESUME"
	case FrameTypeResumed:
		return "RESUMED"
	}
	return "FrameType(" + strconv.FormatUint(uint64(v), 10) + ")"
}

// Class is an open enum of the wire: values that are not listed are kept.
type Class uint8

// The values of Class.
const (
	ClassInteractive Class = 0
	ClassBulk        Class = 1
)

// String returns the name in the spec, or the number.
func (v Class) String() string {
	switch v {
	case ClassInteractive:
		return "INTERACTIVE"
	case ClassBulk:
		return "BULK"
	}
	return "Class(" + strconv.FormatUint(uint64(v), 10) + ")"
}

// Code is an open enum of the wire: values that are not listed are kept.
type Code uint16

// The values of Code.
const (
	CodeOk              Code = 0
	CodeCancelled       Code = 1
	CodeDeadline        Code = 2
	CodeRefused         Code = 3
	CodeOverloaded      Code = 4
	CodeDraining        Code = 5
	CodeNotFound        Code = 6
	CodeUnauthenticated Code = 7
	CodeDenied          Code = 8
	CodeTooLarge        Code = 9
	CodeSlowConsumer    Code = 10
	CodeProtocol        Code = 11
	CodeFlood           Code = 12
	CodeChecksum        Code = 13
	CodeTransport       Code = 14
	CodePeerLost        Code = 15
	CodeEpoch           Code = 16
	CodeHandler         Code = 17
	CodeInternal        Code = 18
	CodeUnsupported     Code = 19
)

// String returns the name in the spec, or the number.
func (v Code) String() string {
	switch v {
	case CodeOk:
		return "OK"
	case CodeCancelled:
		return "CANCELLED"
	case CodeDeadline:
		return "DEADLINE"
	case CodeRefused:
		return "REFUSED"
	case CodeOverloaded:
		return "OVERLOADED"
	case CodeDraining:
		return "DRAINING"
	case CodeNotFound:
		return "NOT_FOUND"
	case CodeUnauthenticated:
		return "UNAUTHENTICATED"
	case CodeDenied:
		return "DENIED"
	case CodeTooLarge:
		return "TOO_LARGE"
	case CodeSlowConsumer:
		return "SLOW_CONSUMER"
	case CodeProtocol:
		return "PROTOCOL"
	case CodeFlood:
		return "FLOOD"
	case CodeChecksum:
		return "CHECKSUM"
	case CodeTransport:
		return "TRANSPORT"
	case CodePeerLost:
		return "PEER_LOST"
	case CodeEpoch:
		return "EPOCH"
	case CodeHandler:
		return "HANDLER"
	case CodeInternal:
		return "INTERNAL"
	case CodeUnsupported:
		return "UNSUPPORTED"
	}
	return "Code(" + strconv.FormatUint(uint64(v), 10) + ")"
}

// Origin is an open enum of the wire: values that are not listed are kept.
type Origin uint8

// The values of Origin.
const (
	OriginLocal Origin = 0
	OriginPeer  Origin = 1
	OriginProxy Origin = 2
	OriginApp   Origin = 3
)

// String returns the name in the spec, or the number.
func (v Origin) String() string {
	switch v {
	case OriginLocal:
		return "LOCAL"
	case OriginPeer:
		return "PEER"
	case OriginProxy:
		return "PROXY"
	case OriginApp:
		return "APP"
	}
	return "Origin(" + strconv.FormatUint(uint64(v), 10) + ")"
}

// Phase is an open enum of the wire: values that are not listed are kept.
type Phase uint8

// The values of Phase.
const (
	PhaseNotStarted Phase = 0
	PhaseMaybe      Phase = 1
	PhaseStarted    Phase = 2
)

// String returns the name in the spec, or the number.
func (v Phase) String() string {
	switch v {
	case PhaseNotStarted:
		return "NOT_STARTED"
	case PhaseMaybe:
		return "MAYBE"
	case PhaseStarted:
		return "STARTED"
	}
	return "Phase(" + strconv.FormatUint(uint64(v), 10) + ")"
}

// FrameFlags is a set of flags of the wire.
type FrameFlags uint8

// The flags of FrameFlags.
const (
	FrameFlagsMore FrameFlags = 1 << 0
	FrameFlagsFin  FrameFlags = 1 << 1
	FrameFlagsItem FrameFlags = 1 << 2
	FrameFlagsText FrameFlags = 1 << 3
)

// String returns the names of the set flags joined by "|", and the rest as a number.
func (v FrameFlags) String() string {
	return codec.FlagsString(uint64(v), []string{"MORE", "FIN", "ITEM", "TEXT"})
}

// Features is a set of flags of the wire.
type Features uint64

// The flags of Features.
const (
	FeaturesChecksum Features = 1 << 0
)

// String returns the names of the set flags joined by "|", and the rest as a number.
func (v Features) String() string {
	return codec.FlagsString(uint64(v), []string{"CHECKSUM"})
}

// Sizes in bytes.
const (
	PrefaceMinSize  = 8
	PrefaceMaxSize  = 8
	PrefaceHeadSize = 8
	FrameMinSize    = 20
	FrameMaxSize    = 20 + 1048576
	FrameHeadSize   = 20
)

// Preface is 8 bytes.
type Preface struct {
	MinVersion uint8
	MaxVersion uint8
}

// Size returns the encoded size in bytes.
func (m *Preface) Size() int { return 8 }

// Append appends the encoding of m to dst.
func (m *Preface) Append(dst []byte) ([]byte, error) {
	if m.MinVersion < 1 {
		return dst, codec.Fail(codec.KindRange, -1, "Preface", "min_version")
	}
	if m.MaxVersion < m.MinVersion {
		return dst, codec.Fail(codec.KindRange, -1, "Preface", "max_version")
	}
	return append(dst, 0xf7, 0x57, 0x50, 0x31, m.MinVersion, m.MaxVersion, 0, 0), nil
}

// PrefaceLen is FrameLen of Preface.
func PrefaceLen(b []byte, lim *Limits) (n, need int, err error) {
	var m Preface
	n, err = m.Decode(b, lim)
	if k, ok := err.(codec.Need); ok {
		return 0, int(k), nil
	}
	return n, 0, err
}

// Decode decodes m from the front of b.
func (m *Preface) Decode(b []byte, lim *Limits) (int, error) {
	const magic = "\xf7\x57\x50\x31"
	for i := 0; i < len(b) && i < 4; i++ {
		if b[i] != magic[i] {
			return 0, codec.Fail(codec.KindConstant, 0, "Preface", "magic")
		}
	}
	if len(b) < 8 {
		return 0, codec.Need(8 - len(b))
	}
	if b[6] != 0 || b[7] != 0 {
		return 0, codec.Fail(codec.KindReserved, 6, "Preface", "_")
	}
	m.MinVersion, m.MaxVersion = b[4], b[5]
	if m.MinVersion < 1 {
		return 0, codec.Fail(codec.KindRange, 4, "Preface", "min_version")
	}
	if m.MaxVersion < m.MinVersion {
		return 0, codec.Fail(codec.KindRange, 5, "Preface", "max_version")
	}
	return 8, nil
}

// Frame is every unit after the preface: a 20-byte header and a body.
type Frame struct {
	Type   FrameType
	Flags  FrameFlags
	Class  Class
	Stream uint32
	Arg    uint32
	Body   FrameBody
}

// FrameBody is the body of a Frame. Frame.Type tells which field is in use;
// Decode writes that field and leaves the others alone.
type FrameBody struct {
	Hello  Hello  // HELLO
	Open   Open   // OPEN
	Refuse Refuse // REFUSE
	Credit Credit // CREDIT
	Totals Totals // CLOSE_SEND
	End    End    // END
	Reason Reason // STOP, RESET
	Ping   Ping   // PING, PONG
	Notice Notice // DRAIN, GOAWAY
	Bytes  []byte // any other: borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Frame) Size(sums bool) int {
	n := 20
	switch m.Type {
	case FrameTypeHello:
		n += m.Body.Hello.Size()
	case FrameTypeOpen:
		n += m.Body.Open.Size()
	case FrameTypeRefuse:
		n += m.Body.Refuse.Size()
	case FrameTypeCredit:
		n += m.Body.Credit.Size()
	case FrameTypeCloseSend:
		n += m.Body.Totals.Size()
	case FrameTypeEnd:
		n += m.Body.End.Size()
	case FrameTypeStop, FrameTypeReset:
		n += m.Body.Reason.Size()
	case FrameTypePing, FrameTypePong:
		n += m.Body.Ping.Size()
	case FrameTypeDrain, FrameTypeGoaway:
		n += m.Body.Notice.Size()
	case FrameTypeAccept, FrameTypeStarted, FrameTypeMaxStreams:
	default:
		n += len(m.Body.Bytes)
	}
	return n
}

// Append appends the encoding of m to dst.
func (m *Frame) Append(dst []byte, sums bool) ([]byte, error) {
	dst, tail, err := m.AppendHead(dst, sums)
	if err != nil {
		return dst, err
	}
	return append(dst, tail...), nil
}

// AppendHead appends the encoding of m without its last bytes field, which is
// returned as it lies. Length and checksums are those of the whole.
func (m *Frame) AppendHead(dst []byte, sums bool) (head, tail []byte, err error) {
	at := len(dst)
	dst = append(dst, 0, 0, 0, byte(m.Type), byte(m.Flags), byte(m.Class), 0, 0,
		byte(m.Stream>>24), byte(m.Stream>>16), byte(m.Stream>>8), byte(m.Stream),
		byte(m.Arg>>24), byte(m.Arg>>16), byte(m.Arg>>8), byte(m.Arg),
		0, 0, 0, 0)
	if m.Flags&^0xf != 0 {
		return dst[:at], nil, codec.Fail(codec.KindFlags, -1, "Frame", "flags")
	}
	switch m.Type {
	case FrameTypeHello:
		dst, err = m.Body.Hello.Append(dst)
	case FrameTypeOpen:
		dst, tail, err = m.Body.Open.AppendHead(dst)
	case FrameTypeRefuse:
		dst, err = m.Body.Refuse.Append(dst)
	case FrameTypeCredit:
		dst, err = m.Body.Credit.Append(dst)
	case FrameTypeCloseSend:
		dst, err = m.Body.Totals.Append(dst)
	case FrameTypeEnd:
		dst, tail, err = m.Body.End.AppendHead(dst)
	case FrameTypeStop, FrameTypeReset:
		dst, err = m.Body.Reason.Append(dst)
	case FrameTypePing, FrameTypePong:
		dst, err = m.Body.Ping.Append(dst)
	case FrameTypeDrain, FrameTypeGoaway:
		dst, err = m.Body.Notice.Append(dst)
	case FrameTypeAccept, FrameTypeStarted, FrameTypeMaxStreams:
	default:
		tail = m.Body.Bytes
	}
	if err != nil {
		return dst[:at], nil, err
	}
	n := len(dst) - at - 20 + len(tail)
	if n > 0xffffff {
		return dst[:at], nil, codec.Fail(codec.KindSize, -1, "Frame", "length")
	}
	h := dst[at:]
	h[0], h[1], h[2] = byte(n>>16), byte(n>>8), byte(n)
	if sums {
		sum := codec.CRC32CMore(codec.CRC32C(h[20:]), tail)
		binary.BigEndian.PutUint32(h[16:], sum)
		hsum := codec.CRC32CMore(codec.CRC32C(h[:6]), h[8:20])
		binary.BigEndian.PutUint16(h[6:], uint16(hsum))
	}
	return dst, tail, nil
}

// FrameLen returns the size of the frame at the front of b: n > 0 when it is
// known, else need > 0 more bytes are wanted first, else err says what is wrong.
func FrameLen(b []byte, lim *Limits, sums bool) (n, need int, err error) {
	if len(b) < 20 {
		return 0, 20 - len(b), nil
	}
	if lim == nil {
		lim = &defaultLimits
	}
	n, err = frameHead(b, lim, sums)
	return n, 0, err
}

func frameHead(b []byte, lim *Limits, sums bool) (int, error) {
	h := (*[20]byte)(b)
	var hsum uint16
	if sums {
		hsum = uint16(codec.CRC32CMore(codec.CRC32C(h[:6]), h[8:20]))
	}
	if binary.BigEndian.Uint16(h[6:]) != hsum {
		return 0, codec.Fail(codec.KindChecksum, 6, "Frame", "hsum")
	}
	length := int(h[0])<<16 | int(h[1])<<8 | int(h[2])
	if uint64(length) > lim.MaxBody {
		return 0, codec.Fail(codec.KindLimit, 0, "Frame", "length")
	}
	if h[4]&^0xf != 0 {
		return 0, codec.Fail(codec.KindFlags, 4, "Frame", "flags")
	}
	return 20 + length, nil
}

// Decode decodes m from the front of b. The bytes fields of m are borrowed: they
// alias b. lim nil means the default limits.
func (m *Frame) Decode(b []byte, lim *Limits, sums bool) (int, error) {
	if len(b) < 20 {
		return 0, codec.Need(20 - len(b))
	}
	if lim == nil {
		lim = &defaultLimits
	}
	end, err := frameHead(b, lim, sums)
	if err != nil {
		return 0, err
	}
	if len(b) < end {
		return 0, codec.Need(end - len(b))
	}
	h := (*[20]byte)(b)
	body := b[20:end:end]
	var sum uint32
	if sums {
		sum = codec.CRC32C(body)
	}
	if binary.BigEndian.Uint32(h[16:]) != sum {
		return 0, codec.Fail(codec.KindChecksum, 16, "Frame", "bsum")
	}
	m.Type = FrameType(h[3])
	m.Flags = FrameFlags(h[4])
	m.Class = Class(h[5])
	m.Stream = binary.BigEndian.Uint32(h[8:])
	m.Arg = binary.BigEndian.Uint32(h[12:])
	n := 0
	switch m.Type {
	case FrameTypeHello:
		n, err = m.Body.Hello.Decode(body, lim)
	case FrameTypeOpen:
		n, err = m.Body.Open.Decode(body, lim)
	case FrameTypeRefuse:
		n, err = m.Body.Refuse.Decode(body, lim)
	case FrameTypeCredit:
		n, err = m.Body.Credit.Decode(body, lim)
	case FrameTypeCloseSend:
		n, err = m.Body.Totals.Decode(body, lim)
	case FrameTypeEnd:
		n, err = m.Body.End.Decode(body, lim)
	case FrameTypeStop, FrameTypeReset:
		n, err = m.Body.Reason.Decode(body, lim)
	case FrameTypePing, FrameTypePong:
		n, err = m.Body.Ping.Decode(body, lim)
	case FrameTypeDrain, FrameTypeGoaway:
		n, err = m.Body.Notice.Decode(body, lim)
	case FrameTypeAccept, FrameTypeStarted, FrameTypeMaxStreams:
	default:
		m.Body.Bytes = body
		n = len(body)
	}
	if err != nil {
		return 0, codec.Inside(err, 20, len(body), "Frame", "body")
	}
	if n != len(body) {
		return 0, codec.Fail(codec.KindRegion, 20+n, "Frame", "body")
	}
	return end, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Frame) Clone() Frame {
	c := *m
	b := &c.Body
	switch m.Type {
	case FrameTypeHello:
		b.Hello = b.Hello.Clone()
	case FrameTypeOpen:
		b.Open = b.Open.Clone()
	case FrameTypeRefuse:
		b.Refuse = b.Refuse.Clone()
	case FrameTypeEnd:
		b.End = b.End.Clone()
	case FrameTypeStop, FrameTypeReset:
		b.Reason = b.Reason.Clone()
	case FrameTypeDrain, FrameTypeGoaway:
		b.Notice = b.Notice.Clone()
	default:
		b.Bytes = clone(b.Bytes)
	}
	return c
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// String returns m on one line.
func (m *Frame) String() string {
	return "Frame{type: " + m.Type.String() + ", flags: " + m.Flags.String() + ", stream: " +
		strconv.FormatUint(uint64(m.Stream), 10) + ", arg: " + strconv.FormatUint(uint64(m.Arg), 10) + "}"
}

// Hello is a struct of the wire.
type Hello struct {
	Features    Features
	Critical    Features
	MaxBody     uint32
	MaxMessage  uint32
	MaxStreams  uint32
	WindowBytes uint32
	WindowItems uint32
	PingMin     uint32
	Instance    uint64
	Epoch       uint64
	Name        []byte // borrowed until the input is reused
	More        []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Hello) Size() int { return 57 + len(m.Name) + len(m.More) }

// Append appends the encoding of m to dst.
func (m *Hello) Append(dst []byte) ([]byte, error) {
	dst, tail, err := m.AppendHead(dst)
	if err != nil {
		return dst, err
	}
	return append(dst, tail...), nil
}

// AppendHead appends the encoding of m without More, which is returned as it lies.
func (m *Hello) AppendHead(dst []byte) (head, tail []byte, err error) {
	if m.MaxBody < 16384 || m.MaxBody > 1048576 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "max_body")
	}
	if m.MaxMessage < 16384 || m.MaxMessage > 1073741824 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "max_message")
	}
	if m.MaxStreams < 1 || m.MaxStreams > 1048576 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "max_streams")
	}
	if m.WindowBytes < 1024 || m.WindowBytes > 1073741824 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "window_bytes")
	}
	if m.WindowItems < 1 || m.WindowItems > 1048576 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "window_items")
	}
	if len(m.Name) > 255 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "name")
	}
	if !utf8.Valid(m.Name) {
		return dst, nil, codec.Fail(codec.KindUTF8, -1, "Hello", "name")
	}
	if len(m.More) > 4096 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Hello", "more")
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Features))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Critical))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.MaxBody))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.MaxMessage))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.MaxStreams))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.WindowBytes))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.WindowItems))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.PingMin))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Instance))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Epoch))
	dst = append(dst, byte(len(m.Name)))
	dst = append(dst, m.Name...)
	return dst, m.More, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Hello) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Features = Features(binary.BigEndian.Uint64(b[at:]))
	at += 8
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Critical = Features(binary.BigEndian.Uint64(b[at:]))
	at += 8
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.MaxBody = uint32(binary.BigEndian.Uint32(b[at:]))
	if m.MaxBody < 16384 || m.MaxBody > 1048576 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "max_body")
	}
	at += 4
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.MaxMessage = uint32(binary.BigEndian.Uint32(b[at:]))
	if m.MaxMessage < 16384 || m.MaxMessage > 1073741824 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "max_message")
	}
	at += 4
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.MaxStreams = uint32(binary.BigEndian.Uint32(b[at:]))
	if m.MaxStreams < 1 || m.MaxStreams > 1048576 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "max_streams")
	}
	at += 4
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.WindowBytes = uint32(binary.BigEndian.Uint32(b[at:]))
	if m.WindowBytes < 1024 || m.WindowBytes > 1073741824 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "window_bytes")
	}
	at += 4
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.WindowItems = uint32(binary.BigEndian.Uint32(b[at:]))
	if m.WindowItems < 1 || m.WindowItems > 1048576 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "window_items")
	}
	at += 4
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.PingMin = uint32(binary.BigEndian.Uint32(b[at:]))
	at += 4
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Instance = uint64(binary.BigEndian.Uint64(b[at:]))
	at += 8
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Epoch = uint64(binary.BigEndian.Uint64(b[at:]))
	at += 8
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	nName := int(b[at])
	if nName < 0 || nName > 255 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "name")
	}
	at += 1
	if len(b)-at < nName {
		return 0, codec.Need(nName - (len(b) - at))
	}
	m.Name = b[at : at+nName : at+nName]
	if !utf8.Valid(m.Name) {
		return 0, codec.Fail(codec.KindUTF8, at, "Hello", "name")
	}
	at += nName
	if len(b)-at > 4096 {
		return 0, codec.Fail(codec.KindRange, at, "Hello", "more")
	}
	m.More = b[at:]
	at = len(b)
	return at, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Hello) Clone() Hello {
	c := *m
	c.Name = clone(m.Name)
	c.More = clone(m.More)
	return c
}

// Refuse is a struct of the wire.
type Refuse struct {
	Code       Code
	Origin     Origin
	RetryAfter uint32
	Queue      uint32
	Why        []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Refuse) Size() int { return 12 + len(m.Why) }

// Append appends the encoding of m to dst.
func (m *Refuse) Append(dst []byte) ([]byte, error) {
	if len(m.Why) > 255 {
		return dst, codec.Fail(codec.KindRange, -1, "Refuse", "why")
	}
	if !utf8.Valid(m.Why) {
		return dst, codec.Fail(codec.KindUTF8, -1, "Refuse", "why")
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.Code))
	dst = append(dst, byte(m.Origin))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.RetryAfter))
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.Queue))
	dst = append(dst, byte(len(m.Why)))
	dst = append(dst, m.Why...)
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Refuse) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 2 {
		return 0, codec.Need(2 - (len(b) - at))
	}
	m.Code = Code(binary.BigEndian.Uint16(b[at:]))
	at += 2
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	m.Origin = Origin(b[at])
	at += 1
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.RetryAfter = uint32(binary.BigEndian.Uint32(b[at:]))
	at += 4
	if len(b)-at < 4 {
		return 0, codec.Need(4 - (len(b) - at))
	}
	m.Queue = uint32(binary.BigEndian.Uint32(b[at:]))
	at += 4
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	nWhy := int(b[at])
	if nWhy < 0 || nWhy > 255 {
		return 0, codec.Fail(codec.KindRange, at, "Refuse", "why")
	}
	at += 1
	if len(b)-at < nWhy {
		return 0, codec.Need(nWhy - (len(b) - at))
	}
	m.Why = b[at : at+nWhy : at+nWhy]
	if !utf8.Valid(m.Why) {
		return 0, codec.Fail(codec.KindUTF8, at, "Refuse", "why")
	}
	at += nWhy
	return at, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Refuse) Clone() Refuse {
	c := *m
	c.Why = clone(m.Why)
	return c
}

// Credit is a struct of the wire.
type Credit struct {
	Bytes uint64
}

// Size returns the encoded size in bytes.
func (m *Credit) Size() int { return 8 }

// Append appends the encoding of m to dst.
func (m *Credit) Append(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Bytes))
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Credit) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Bytes = uint64(binary.BigEndian.Uint64(b[at:]))
	at += 8
	return at, nil
}

// Totals is a struct of the wire.
type Totals struct {
	Bytes uint64
}

// Size returns the encoded size in bytes.
func (m *Totals) Size() int { return 8 }

// Append appends the encoding of m to dst.
func (m *Totals) Append(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Bytes))
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Totals) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Bytes = uint64(binary.BigEndian.Uint64(b[at:]))
	at += 8
	return at, nil
}

// End is a struct of the wire.
type End struct {
	Code   Code
	Origin Origin
	Bytes  uint64
	Tail   []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *End) Size() int { return 11 + len(m.Tail) }

// Append appends the encoding of m to dst.
func (m *End) Append(dst []byte) ([]byte, error) {
	dst, tail, err := m.AppendHead(dst)
	if err != nil {
		return dst, err
	}
	return append(dst, tail...), nil
}

// AppendHead appends the encoding of m without Tail, which is returned as it lies.
func (m *End) AppendHead(dst []byte) (head, tail []byte, err error) {
	if len(m.Tail) > 1048576 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "End", "tail")
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.Code))
	dst = append(dst, byte(m.Origin))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Bytes))
	return dst, m.Tail, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *End) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 2 {
		return 0, codec.Need(2 - (len(b) - at))
	}
	m.Code = Code(binary.BigEndian.Uint16(b[at:]))
	at += 2
	if len(b)-at < 1 {
		return 0, codec.Need(1)
	}
	m.Origin = Origin(b[at])
	at++
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Bytes = uint64(binary.BigEndian.Uint64(b[at:]))
	at += 8
	if len(b)-at > 1048576 {
		return 0, codec.Fail(codec.KindRange, at, "End", "tail")
	}
	m.Tail = b[at:]
	at = len(b)
	return at, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *End) Clone() End {
	c := *m
	c.Tail = clone(m.Tail)
	return c
}

// Reason is a struct of the wire.
type Reason struct {
	Origin Origin
	Phase  Phase
	Why    []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Reason) Size() int { return 3 + len(m.Why) }

// Append appends the encoding of m to dst.
func (m *Reason) Append(dst []byte) ([]byte, error) {
	if len(m.Why) > 255 {
		return dst, codec.Fail(codec.KindRange, -1, "Reason", "why")
	}
	if !utf8.Valid(m.Why) {
		return dst, codec.Fail(codec.KindUTF8, -1, "Reason", "why")
	}
	dst = append(dst, byte(m.Origin))
	dst = append(dst, byte(m.Phase))
	dst = append(dst, byte(len(m.Why)))
	dst = append(dst, m.Why...)
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Reason) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	m.Origin = Origin(b[at])
	at += 1
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	m.Phase = Phase(b[at])
	at += 1
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	nWhy := int(b[at])
	if nWhy < 0 || nWhy > 255 {
		return 0, codec.Fail(codec.KindRange, at, "Reason", "why")
	}
	at += 1
	if len(b)-at < nWhy {
		return 0, codec.Need(nWhy - (len(b) - at))
	}
	m.Why = b[at : at+nWhy : at+nWhy]
	if !utf8.Valid(m.Why) {
		return 0, codec.Fail(codec.KindUTF8, at, "Reason", "why")
	}
	at += nWhy
	return at, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Reason) Clone() Reason {
	c := *m
	c.Why = clone(m.Why)
	return c
}

// Ping is a struct of the wire.
type Ping struct {
	Cookie uint64
}

// Size returns the encoded size in bytes.
func (m *Ping) Size() int { return 8 }

// Append appends the encoding of m to dst.
func (m *Ping) Append(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.Cookie))
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Ping) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Cookie = uint64(binary.BigEndian.Uint64(b[at:]))
	at += 8
	return at, nil
}

// Notice is a struct of the wire.
type Notice struct {
	Code Code
	Why  []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Notice) Size() int { return 3 + len(m.Why) }

// Append appends the encoding of m to dst.
func (m *Notice) Append(dst []byte) ([]byte, error) {
	if len(m.Why) > 255 {
		return dst, codec.Fail(codec.KindRange, -1, "Notice", "why")
	}
	if !utf8.Valid(m.Why) {
		return dst, codec.Fail(codec.KindUTF8, -1, "Notice", "why")
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.Code))
	dst = append(dst, byte(len(m.Why)))
	dst = append(dst, m.Why...)
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Notice) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 2 {
		return 0, codec.Need(2 - (len(b) - at))
	}
	m.Code = Code(binary.BigEndian.Uint16(b[at:]))
	at += 2
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	nWhy := int(b[at])
	if nWhy < 0 || nWhy > 255 {
		return 0, codec.Fail(codec.KindRange, at, "Notice", "why")
	}
	at += 1
	if len(b)-at < nWhy {
		return 0, codec.Need(nWhy - (len(b) - at))
	}
	m.Why = b[at : at+nWhy : at+nWhy]
	if !utf8.Valid(m.Why) {
		return 0, codec.Fail(codec.KindUTF8, at, "Notice", "why")
	}
	at += nWhy
	return at, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Notice) Clone() Notice {
	c := *m
	c.Why = clone(m.Why)
	return c
}

// Trace is a struct of the wire.
type Trace struct {
	ID      [16]byte
	Span    [8]byte
	Sampled uint8
}

// Size returns the encoded size in bytes.
func (m *Trace) Size() int { return 25 }

// Append appends the encoding of m to dst.
func (m *Trace) Append(dst []byte) ([]byte, error) {
	dst = append(dst, m.ID[:]...)
	dst = append(dst, m.Span[:]...)
	dst = append(dst, byte(m.Sampled))
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Trace) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 16 {
		return 0, codec.Need(16 - (len(b) - at))
	}
	m.ID = [16]byte(b[at:])
	at += 16
	if len(b)-at < 8 {
		return 0, codec.Need(8 - (len(b) - at))
	}
	m.Span = [8]byte(b[at:])
	at += 8
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	m.Sampled = uint8(b[at])
	at += 1
	return at, nil
}

// Header is a struct of the wire.
type Header struct {
	Name  []byte // borrowed until the input is reused
	Value []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Header) Size() int { return 3 + len(m.Name) + len(m.Value) }

// Append appends the encoding of m to dst.
func (m *Header) Append(dst []byte) ([]byte, error) {
	if len(m.Name) < 1 || len(m.Name) > 255 {
		return dst, codec.Fail(codec.KindRange, -1, "Header", "name")
	}
	if !utf8.Valid(m.Name) {
		return dst, codec.Fail(codec.KindUTF8, -1, "Header", "name")
	}
	if len(m.Value) > 4096 {
		return dst, codec.Fail(codec.KindRange, -1, "Header", "value")
	}
	if !utf8.Valid(m.Value) {
		return dst, codec.Fail(codec.KindUTF8, -1, "Header", "value")
	}
	dst = append(dst, byte(len(m.Name)))
	dst = append(dst, m.Name...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Value)))
	dst = append(dst, m.Value...)
	return dst, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Header) Decode(b []byte, lim *Limits) (int, error) {
	at := 0
	if len(b)-at < 1 {
		return 0, codec.Need(1 - (len(b) - at))
	}
	nName := int(b[at])
	if nName < 1 || nName > 255 {
		return 0, codec.Fail(codec.KindRange, at, "Header", "name")
	}
	at += 1
	if len(b)-at < nName {
		return 0, codec.Need(nName - (len(b) - at))
	}
	m.Name = b[at : at+nName : at+nName]
	if !utf8.Valid(m.Name) {
		return 0, codec.Fail(codec.KindUTF8, at, "Header", "name")
	}
	at += nName
	if len(b)-at < 2 {
		return 0, codec.Need(2 - (len(b) - at))
	}
	nValue := int(binary.BigEndian.Uint16(b[at:]))
	if nValue < 0 || nValue > 4096 {
		return 0, codec.Fail(codec.KindRange, at, "Header", "value")
	}
	at += 2
	if len(b)-at < nValue {
		return 0, codec.Need(nValue - (len(b) - at))
	}
	m.Value = b[at : at+nValue : at+nValue]
	if !utf8.Valid(m.Value) {
		return 0, codec.Fail(codec.KindUTF8, at, "Header", "value")
	}
	at += nValue
	return at, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Header) Clone() Header {
	c := *m
	c.Name = clone(m.Name)
	c.Value = clone(m.Value)
	return c
}

// Open is the body of OPEN.
type Open struct {
	Deadline    uint32 // milliseconds from now
	HasDeadline bool
	Trace       Trace
	HasTrace    bool
	State       []byte // text, W3C tracestate; borrowed until the input is reused
	HasState    bool
	Call        [16]byte
	HasCall     bool
	Headers     []Header // the slice is reused by Decode
	HasHeaders  bool
	Route       []byte // text; borrowed until the input is reused
	Payload     []byte // borrowed until the input is reused
}

// Size returns the encoded size in bytes.
func (m *Open) Size() int {
	n := 1
	if m.HasDeadline {
		n += 4
	}
	if m.HasTrace {
		n += 25
	}
	if m.HasState {
		n += 2 + len(m.State)
	}
	if m.HasCall {
		n += 16
	}
	if m.HasHeaders {
		n++
		for i := range m.Headers {
			n += m.Headers[i].Size()
		}
	}
	return n + 2 + len(m.Route) + len(m.Payload)
}

// Append appends the encoding of m to dst.
func (m *Open) Append(dst []byte) ([]byte, error) {
	dst, tail, err := m.AppendHead(dst)
	if err != nil {
		return dst, err
	}
	return append(dst, tail...), nil
}

// AppendHead appends the encoding of m without Payload, which is returned as it lies.
func (m *Open) AppendHead(dst []byte) (head, tail []byte, err error) {
	var present byte
	for i, has := range [...]bool{m.HasDeadline, m.HasTrace, m.HasState, m.HasCall, m.HasHeaders} {
		if has {
			present |= 1 << i
		}
	}
	dst = append(dst, present)
	if m.HasDeadline {
		dst = binary.BigEndian.AppendUint32(dst, m.Deadline)
	}
	if m.HasTrace {
		if dst, err = m.Trace.Append(dst); err != nil {
			return dst, nil, err
		}
	}
	if m.HasState {
		if len(m.State) > 512 {
			return dst, nil, codec.Fail(codec.KindRange, -1, "Open", "state")
		}
		if !utf8.Valid(m.State) {
			return dst, nil, codec.Fail(codec.KindUTF8, -1, "Open", "state")
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.State)))
		dst = append(dst, m.State...)
	}
	if m.HasCall {
		dst = append(dst, m.Call[:]...)
	}
	if m.HasHeaders {
		if len(m.Headers) > 64 {
			return dst, nil, codec.Fail(codec.KindRange, -1, "Open", "headers")
		}
		dst = append(dst, byte(len(m.Headers)))
		for i := range m.Headers {
			if dst, err = m.Headers[i].Append(dst); err != nil {
				return dst, nil, err
			}
		}
	}
	if len(m.Route) < 1 || len(m.Route) > 1024 {
		return dst, nil, codec.Fail(codec.KindRange, -1, "Open", "route")
	}
	if !utf8.Valid(m.Route) {
		return dst, nil, codec.Fail(codec.KindUTF8, -1, "Open", "route")
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Route)))
	dst = append(dst, m.Route...)
	return dst, m.Payload, nil
}

// Decode decodes m from the front of b; its bytes fields alias b.
func (m *Open) Decode(b []byte, lim *Limits) (int, error) {
	if len(b) < 1 {
		return 0, codec.Need(1)
	}
	present := b[0]
	if present&^0x1f != 0 {
		return 0, codec.Fail(codec.KindFlags, 0, "Open", "present")
	}
	at := 1
	m.HasDeadline, m.Deadline = present&1 != 0, 0
	if m.HasDeadline {
		if len(b)-at < 4 {
			return 0, codec.Need(4)
		}
		m.Deadline = binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	m.HasTrace, m.Trace = present&2 != 0, Trace{}
	if m.HasTrace {
		n, err := m.Trace.Decode(b[at:], lim)
		if err != nil {
			return 0, codec.Moved(err, at)
		}
		at += n
	}
	m.HasState, m.State = present&4 != 0, nil
	if m.HasState {
		s, n, err := text16(b, at, 0, 512, "state")
		if err != nil {
			return 0, err
		}
		m.State, at = s, n
	}
	m.HasCall, m.Call = present&8 != 0, [16]byte{}
	if m.HasCall {
		if len(b)-at < 16 {
			return 0, codec.Need(16)
		}
		m.Call = [16]byte(b[at:])
		at += 16
	}
	m.HasHeaders, m.Headers = present&16 != 0, m.Headers[:0]
	if m.HasHeaders {
		if len(b)-at < 1 {
			return 0, codec.Need(1)
		}
		count := int(b[at])
		if count > 64 {
			return 0, codec.Fail(codec.KindRange, at, "Open", "headers")
		}
		at++
		for range count {
			m.Headers = append(m.Headers, Header{})
			n, err := m.Headers[len(m.Headers)-1].Decode(b[at:], lim)
			if err != nil {
				return 0, codec.Moved(err, at)
			}
			at += n
		}
	}
	s, at, err := text16(b, at, 1, 1024, "route")
	if err != nil {
		return 0, err
	}
	m.Route, m.Payload = s, b[at:]
	return len(b), nil
}

func text16(b []byte, at, lo, hi int, field string) ([]byte, int, error) {
	if len(b)-at < 2 {
		return nil, 0, codec.Need(2)
	}
	n := int(binary.BigEndian.Uint16(b[at:]))
	if n < lo || n > hi {
		return nil, 0, codec.Fail(codec.KindRange, at, "Open", field)
	}
	at += 2
	if len(b)-at < n {
		return nil, 0, codec.Need(n)
	}
	s := b[at : at+n : at+n]
	if !utf8.Valid(s) {
		return nil, 0, codec.Fail(codec.KindUTF8, at, "Open", field)
	}
	return s, at + n, nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Open) Clone() Open {
	c := *m
	c.State = clone(m.State)
	c.Headers = append([]Header(nil), m.Headers...)
	for i := range c.Headers {
		c.Headers[i] = c.Headers[i].Clone()
	}
	c.Route = clone(m.Route)
	c.Payload = clone(m.Payload)
	return c
}
