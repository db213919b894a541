// Package demo streams one file as many token streams at once from a worker to a
// router, both in this process, over real loopback sockets, and checks at the
// router that every stream arrived whole.
//
// The worker is a tcpplane.Server that cuts the file into tokens, as a language
// model would emit them, and sends each as one item. The router is a
// tcpplane.Client that opens all streams before any may end, feeds what arrives
// into SHA-256 and compares items, bytes and sum of each stream with the file's.
// Every stream must end exactly once, and cleanly. What does not agree is a
// Failure with the stream's number and the reason.
//
// Memory is bounded whatever the file's size: every stream reads the file by
// itself through a small buffer. A source that cannot be read at an offset, such
// as a pipe, is copied to a temporary file first.
package demo
