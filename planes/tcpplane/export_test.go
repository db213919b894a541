package tcpplane

// CutClient breaks the client's connections as a failing network would.
func CutClient(c *Client) {
	c.mu.Lock()
	links := make([]*link, 0, len(c.links))
	for l := range c.links {
		links = append(links, l)
	}
	c.mu.Unlock()
	for _, l := range links {
		_ = l.nc.Close()
		<-l.gone()
	}
}

// AddrOf returns the address that a client dials.
func AddrOf(c *Client) string { return c.cfg.Addr }

// Waiting reports whether a caller of c waits for a connection to take more calls.
func Waiting(c *Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for l := range c.links {
		l.mu.Lock()
		waiting := l.full != nil
		l.mu.Unlock()
		if waiting {
			return true
		}
	}
	return false
}
