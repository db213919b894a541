package planes

// Capabilities is what a transport can do, or what a caller requires of one. The
// zero value requires nothing.
type Capabilities struct {
	// Streaming: an answer may have any number of items.
	Streaming bool `json:"streaming"`
	// PersistentConnections: connections are kept between calls.
	PersistentConnections bool `json:"persistent_connections"`
	// Bidirectional: both sides may send items while the call runs.
	Bidirectional bool `json:"bidirectional"`
	// MaxMessageBytes is the largest request or item in bytes; 0 means no limit. As a
	// requirement it is the size that must pass, 0 requiring none.
	MaxMessageBytes int64 `json:"max_message_size,omitempty"`
}

// Satisfies reports whether a transport with capabilities c does what required asks.
func (c Capabilities) Satisfies(required Capabilities) bool {
	switch {
	case required.Streaming && !c.Streaming,
		required.PersistentConnections && !c.PersistentConnections,
		required.Bidirectional && !c.Bidirectional:
		return false
	}
	return c.MaxMessageBytes == 0 || required.MaxMessageBytes <= c.MaxMessageBytes
}
