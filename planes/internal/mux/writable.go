package mux

// HasWritable reports whether TakeWritable would return anyone.
func (s *Session) HasWritable() bool { return len(s.writable) > 0 }
