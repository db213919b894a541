// Package rawfloor is the floor that the benchmarks divide by: a framed echo
// whose server and client are one thread each, over epoll, read and write by raw
// system calls, with no Go scheduler, no goroutine per call and no flow control
// in the path.
//
// The frames have the layout of the multiplexed protocol (a 20-byte header, a
// fixed body, the payload), and both sides walk their headers, because a floor
// that does not find the frame boundaries would be the floor of something else.
// What a frame says is not looked at.
//
// Two workloads exist. Unary: whole frames come back as they are. Stream: each
// frame that comes in is answered by one prebuilt blob of item frames. Blobs that
// are due at the same time share writes of up to 64 KiB.
//
// The loops run on Linux only; elsewhere the constructors return ErrUnsupported.
// A loop blocks its thread and its P (the runtime's processor): a process that
// runs one needs GOMAXPROCS of at least two for anything else it wants to do.
package rawfloor
