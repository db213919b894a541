package tcpplane_test

import (
	"encoding/binary"
	"hash/crc32"
)

// fixSums computes both checks of a frame again after a test has damaged it.
func fixSums(b []byte) {
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[16:], crc32.Checksum(b[20:], table))
	sum := crc32.Update(0, table, b[:6])
	sum = crc32.Update(sum, table, b[8:20])
	binary.BigEndian.PutUint16(b[6:], uint16(sum))
}
