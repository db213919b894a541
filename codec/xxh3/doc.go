// Package xxh3 computes the XXH3-64 checksum (seed 0) for generated codecs.
//
// It is a package of its own, and the only one that imports the hash library,
// so that a spec without xxh3_64 makes no program depend on it.
package xxh3
