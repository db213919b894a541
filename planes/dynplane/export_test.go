package dynplane

// Acks returns what the frame loop of s answers to pieces that come one after another,
// and whether it ended the connection.
func Acks(s *Server, pieces [][]byte) (string, bool) {
	var in, all []byte
	for _, p := range pieces {
		rest, acks, fault := s.frames(append(in, p...), nil)
		all = append(all, acks...)
		if fault != nil {
			return string(all), true
		}
		in = append([]byte(nil), rest...)
	}
	return string(all), false
}
