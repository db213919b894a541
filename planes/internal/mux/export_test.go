package mux

import "unsafe"

// Sizes of the two structs that every stream and every connection costs, in bytes.
const (
	StreamSize  = unsafe.Sizeof(stream{})
	SessionSize = unsafe.Sizeof(Session{})
)
