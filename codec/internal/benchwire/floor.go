package benchwire

import (
	"encoding/binary"
	"math"

	"github.com/wireplane/wireplane/codec"
)

// The floor: the same messages with the same checks and the same three answers,
// written by hand as fast as we could. Generated code is measured against it.

var (
	floorText   = &codec.Error{Kind: codec.KindUTF8, Type: "Small", Field: "name"}
	floorLong   = &codec.Error{Kind: codec.KindLimit, Type: "Small", Field: "name"}
	floorBool   = &codec.Error{Kind: codec.KindRange, Type: "Small", Field: "spouse"}
	floorMagic  = &codec.Error{Kind: codec.KindConstant, Type: "Packet", Field: "magic"}
	floorFlags  = &codec.Error{Kind: codec.KindReserved, Type: "Packet", Field: "flags"}
	floorPath   = &codec.Error{Kind: codec.KindRange, Type: "Packet", Field: "path_len"}
	floorLength = &codec.Error{Kind: codec.KindLimit, Type: "Packet", Field: "length"}
	floorSum    = &codec.Error{Kind: codec.KindChecksum, Type: "Summed", Field: "sum"}
)

// FloorAppendSmall is Small.Append by hand.
func FloorAppendSmall(m *Small, dst []byte) ([]byte, error) {
	if len(m.Name) > 255 || len(m.Phone) > 255 {
		return dst, floorLong
	}
	if !codec.ValidText(m.Name) || !codec.ValidText(m.Phone) {
		return dst, floorText
	}
	dst = append(dst, byte(len(m.Name)))
	dst = append(dst, m.Name...)
	b := uint64(m.Birthday)
	dst = append(dst, byte(b>>56), byte(b>>48), byte(b>>40), byte(b>>32), byte(b>>24), byte(b>>16), byte(b>>8), byte(b),
		byte(len(m.Phone)))
	dst = append(dst, m.Phone...)
	s, x := uint32(m.Siblings), math.Float64bits(m.Money)
	return append(dst, byte(s>>24), byte(s>>16), byte(s>>8), byte(s), codec.Bit(m.Spouse),
		byte(x>>56), byte(x>>48), byte(x>>40), byte(x>>32), byte(x>>24), byte(x>>16), byte(x>>8), byte(x)), nil
}

// FloorDecodeSmall is Small.Decode by hand.
func FloorDecodeSmall(m *Small, b []byte) (int, error) {
	if len(b) < 23 {
		return 0, codec.Need(23 - len(b))
	}
	i := 1 + int(b[0])
	if len(b) < i+22 {
		return 0, codec.Need(i + 22 - len(b))
	}
	m.Name = b[1:i:i]
	p := (*[9]byte)(b[i:])
	m.Birthday = int64(binary.BigEndian.Uint64(p[:]))
	i += 9
	j := i + int(p[8])
	if len(b) < j+13 {
		return 0, codec.Need(j + 13 - len(b))
	}
	m.Phone = b[i:j:j]
	if !codec.ValidText(m.Name) || !codec.ValidText(m.Phone) {
		return 0, floorText
	}
	q := (*[13]byte)(b[j:])
	m.Siblings = int32(binary.BigEndian.Uint32(q[:]))
	if q[4] > 1 {
		return 0, floorBool
	}
	m.Spouse = q[4] == 1
	m.Money = math.Float64frombits(binary.BigEndian.Uint64(q[5:]))
	return j + 13, nil
}

// FloorHeadPacket is Packet.AppendHead by hand.
func FloorHeadPacket(m *Packet, dst []byte) (head, tail []byte, err error) {
	path, size, f := len(m.Path), len(m.Payload), m.Flags
	if f&^(PacketFlagsEnd|PacketFlagsTrace) != 0 {
		return dst, nil, floorFlags
	}
	if path > 1024 || uint64(size) > math.MaxUint32 {
		return dst, nil, floorLength
	}
	if !codec.ValidText(m.Path) {
		return dst, nil, floorText
	}
	f &^= PacketFlagsTrace
	if m.HasTrace {
		f |= PacketFlagsTrace
	}
	dst = append(dst, 0x57, 0x50, 1, m.Kind, byte(f>>8), byte(f), byte(path>>8), byte(path),
		byte(m.Stream>>56), byte(m.Stream>>48), byte(m.Stream>>40), byte(m.Stream>>32),
		byte(m.Stream>>24), byte(m.Stream>>16), byte(m.Stream>>8), byte(m.Stream),
		byte(m.Seq>>24), byte(m.Seq>>16), byte(m.Seq>>8), byte(m.Seq),
		byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
	if m.HasTrace {
		dst = append(dst, m.Trace[:]...)
	}
	return append(dst, m.Path...), m.Payload, nil
}

// FloorAppendPacket is Packet.Append by hand.
func FloorAppendPacket(m *Packet, dst []byte) ([]byte, error) {
	path, size, f := len(m.Path), len(m.Payload), m.Flags
	if f&^(PacketFlagsEnd|PacketFlagsTrace) != 0 {
		return dst, floorFlags
	}
	if path > 1024 || uint64(size) > math.MaxUint32 {
		return dst, floorLength
	}
	if !codec.ValidText(m.Path) {
		return dst, floorText
	}
	f &^= PacketFlagsTrace
	if m.HasTrace {
		f |= PacketFlagsTrace
	}
	dst = append(dst, 0x57, 0x50, 1, m.Kind, byte(f>>8), byte(f), byte(path>>8), byte(path),
		byte(m.Stream>>56), byte(m.Stream>>48), byte(m.Stream>>40), byte(m.Stream>>32),
		byte(m.Stream>>24), byte(m.Stream>>16), byte(m.Stream>>8), byte(m.Stream),
		byte(m.Seq>>24), byte(m.Seq>>16), byte(m.Seq>>8), byte(m.Seq),
		byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
	if m.HasTrace {
		dst = append(dst, m.Trace[:]...)
	}
	dst = append(dst, m.Path...)
	return append(dst, m.Payload...), nil
}

// FloorDecodePacket is Packet.Decode by hand.
func FloorDecodePacket(m *Packet, b []byte, lim *Limits) (int, error) {
	if len(b) < 24 {
		return 0, codec.Need(24 - len(b))
	}
	p := (*[24]byte)(b)
	if p[0] != 0x57 || p[1] != 0x50 || p[2] != 1 {
		return 0, floorMagic
	}
	f := PacketFlags(binary.BigEndian.Uint16(p[4:]))
	if f&^(PacketFlagsEnd|PacketFlagsTrace) != 0 {
		return 0, floorFlags
	}
	path, size := int(binary.BigEndian.Uint16(p[6:])), binary.BigEndian.Uint32(p[20:])
	if path > 1024 {
		return 0, floorPath
	}
	if uint64(size) > lim.MaxPayload {
		return 0, floorLength
	}
	m.Kind = p[3]
	m.Flags = f &^ PacketFlagsTrace
	m.Stream = binary.BigEndian.Uint64(p[8:])
	m.Seq = binary.BigEndian.Uint32(p[16:])
	at := 24
	m.HasTrace = f&PacketFlagsTrace != 0
	if m.HasTrace {
		if len(b) < 40 {
			return 0, codec.Need(40 - len(b))
		}
		m.Trace = [16]byte(b[24:40])
		at = 40
	} else {
		m.Trace = [16]byte{}
	}
	end := at + path
	if uint64(len(b)) < uint64(end)+uint64(size) {
		return 0, codec.Need(end - len(b) + int(size))
	}
	m.Path = b[at:end:end]
	if !codec.ValidText(m.Path) {
		return 0, floorText
	}
	stop := end + int(size)
	m.Payload = b[end:stop:stop]
	return stop, nil
}

// FloorAppendSummed is Summed.Append by hand.
func FloorAppendSummed(m *Summed, dst []byte) ([]byte, error) {
	size := len(m.Payload)
	if uint64(size) > math.MaxUint32 {
		return dst, floorLength
	}
	at := len(dst)
	dst = append(dst, 0x57, 0x53, byte(m.Kind>>8), byte(m.Kind), byte(size>>24), byte(size>>16), byte(size>>8), byte(size), 0, 0, 0, 0)
	sum := codec.CRC32CMore(codec.CRC32C(dst[at:at+8]), m.Payload)
	dst = append(dst, m.Payload...)
	binary.BigEndian.PutUint32(dst[at+8:], sum)
	return dst, nil
}

// FloorDecodeSummed is Summed.Decode by hand.
func FloorDecodeSummed(m *Summed, b []byte, lim *Limits) (int, error) {
	if len(b) < 12 {
		return 0, codec.Need(12 - len(b))
	}
	p := (*[12]byte)(b)
	if p[0] != 0x57 || p[1] != 0x53 {
		return 0, floorMagic
	}
	size := binary.BigEndian.Uint32(p[4:])
	if uint64(size) > lim.MaxPayload {
		return 0, floorLength
	}
	if uint64(len(b)-12) < uint64(size) {
		return 0, codec.Need(12 + int(size) - len(b))
	}
	end := 12 + int(size)
	m.Kind = binary.BigEndian.Uint16(p[2:])
	m.Payload = b[12:end:end]
	if codec.CRC32CMore(codec.CRC32C(b[:8]), m.Payload) != binary.BigEndian.Uint32(p[8:]) {
		return 0, floorSum
	}
	return end, nil
}
