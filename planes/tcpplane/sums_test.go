package tcpplane_test

import (
	"encoding/binary"
	"hash/crc32"
)

// fixSums computes both checks of a frame again after a test has damaged it.
func fixSums(b []byte) {
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[12:], crc32.Checksum(b[20:], table))
	binary.BigEndian.PutUint16(b[18:], uint16(crc32.Checksum(b[:18], table)))
}
