package codec

//go:generate go tool wiregen gen -o muxwire -package muxwire ../spec/mux.wire
//go:generate go tool wiregen gen -o twopart -package twopart ../spec/twopart.wire
//go:generate go tool wiregen gen -o dynwire -package dynwire ../spec/dynamo.wire
//go:generate go tool wiregen gen -o streamwire -package streamwire ../spec/stream.wire
//go:generate go tool wiregen gen -o internal/benchwire -package benchwire internal/benchwire/bench.wire
