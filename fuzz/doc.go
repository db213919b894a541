// Package fuzz holds fuzz targets that look at several packages from outside, as a
// hostile peer would. Targets of one package live beside it.
package fuzz
