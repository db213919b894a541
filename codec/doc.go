// Package codec is the run-time of the code that wiregen writes, and the parent
// of the packages that it wrote: muxwire, twopart and dynwire.
//
// A generated decoder gives one of three answers: n bytes were taken; [Need], at
// least k more bytes are wanted; or an [Error] with its [Kind], byte offset and
// field. It never panics, never reads outside its input, and never allocates
// more than the bound that "wiregen check" prints.
//
// The package needs the standard library and nothing else. A spec that uses
// xxh3_64 makes its generated package import the leaf package codec/xxh3.
package codec

// IsAtLeastRuntime1 is referred to by generated code, so that output which needs
// a newer run-time than the one in the build does not compile.
const IsAtLeastRuntime1 = true
