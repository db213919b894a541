// Package matrix runs calls over every combination of request and response transport,
// with worker and router in this process and real sockets on loopback between them, and
// measures each: what "wireplane demo" shows and "wireplane bench --suite combinations"
// prints. What comes back is compared with what was sent, item by item.
package matrix
