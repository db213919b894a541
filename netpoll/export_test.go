package netpoll

import "unsafe"

// ConnBytes is the size of a Conn.
const ConnBytes = unsafe.Sizeof(Conn{})
