package codec

import "strconv"

// FlagsString returns the names of the bits set in v, joined by "|": names[i] is
// the name of bit i, or empty. Bits without a name are given as one hex number.
func FlagsString(v uint64, names []string) string {
	s := ""
	for i, name := range names {
		if name != "" && v&(1<<uint(i)) != 0 {
			s += "|" + name
			v &^= 1 << uint(i)
		}
	}
	if v != 0 {
		s += "|0x" + strconv.FormatUint(v, 16)
	}
	if s == "" {
		return "0"
	}
	return s[1:]
}
