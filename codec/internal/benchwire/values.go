package benchwire

// SmallValue is the small record of the benchmark: 51 bytes encoded.
func SmallValue() Small {
	return Small{
		Name: []byte("Alice Wonderland"), Birthday: 1_234_567_890_123, Phone: []byte("+15550123456"),
		Siblings: 3, Spouse: true, Money: 1234.56,
	}
}

// PacketValue is the packet of the benchmark: 24 bytes of header, a trace id, a
// path of 23 bytes and 1 KiB of payload.
func PacketValue() Packet {
	m := Packet{
		Kind: 7, Flags: PacketFlagsEnd, Stream: 0x0102030405060708, Seq: 42, HasTrace: true,
		Path: []byte("models/llama-3/generate"), Payload: make([]byte, 1024),
	}
	for i := range m.Trace {
		m.Trace[i] = byte(i)
	}
	for i := range m.Payload {
		m.Payload[i] = byte(i * 7)
	}
	return m
}

// SummedValue is a frame of 1 KiB with a checksum.
func SummedValue() Summed {
	return Summed{Kind: 3, Payload: PacketValue().Payload}
}
