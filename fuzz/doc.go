// Package fuzz holds tests and fuzz targets that look at several packages from
// outside, as a hostile peer would: the same bytes go to every frame decoder, and
// what they answer, agree on and allocate is held to what the specs promise.
// Targets that concern one package live beside it.
package fuzz
