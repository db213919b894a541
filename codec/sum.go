package codec

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C returns the CRC-32C (Castagnoli) of b.
func CRC32C(b []byte) uint32 {
	return crc32.Update(0, castagnoli, b)
}

// CRC32CMore returns the CRC-32C of the bytes that gave sum, followed by b.
func CRC32CMore(sum uint32, b []byte) uint32 {
	return crc32.Update(sum, castagnoli, b)
}

// CRC32 returns the CRC-32 (IEEE) of b.
func CRC32(b []byte) uint32 {
	return crc32.Update(0, crc32.IEEETable, b)
}

// CRC32More returns the CRC-32 (IEEE) of the bytes that gave sum, followed by b.
func CRC32More(sum uint32, b []byte) uint32 {
	return crc32.Update(sum, crc32.IEEETable, b)
}
