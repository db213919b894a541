package buf

// Stat is a sum over all classes since the process started. The figures are
// read one after another: between them other goroutines may lend and release.
type Stat struct {
	Gets      uint64 // loans of memory: Get, and growth into another class
	Misses    uint64 // of Gets, those that allocated
	Releases  uint64 // loans that ended
	Live      int64  // loans that have not ended
	LiveBytes int64  // room of those, in bytes
}

// Read returns the present figures.
func Read() Stat {
	s := outside.stat(0)
	s.LiveBytes = outsideBytes.Load()
	for i := range classes {
		c := classes[i].stat(int64(MinClassBytes) << i)
		s.Gets += c.Gets
		s.Misses += c.Misses
		s.Releases += c.Releases
		s.Live += c.Live
		s.LiveBytes += c.LiveBytes
	}
	return s
}

// stat reads what came back first, so that Live is never below zero.
func (c *class) stat(sizeBytes int64) Stat {
	back := c.back.Load()
	lent := c.lent.Load()
	live := int64(lent - back)
	return Stat{Gets: lent, Misses: c.missed.Load(), Releases: back, Live: live, LiveBytes: live * sizeBytes}
}
