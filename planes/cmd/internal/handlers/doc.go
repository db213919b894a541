// Package handlers holds what "wireplane worker" answers with: the request itself,
// tokens of a text at a pace, or the output of an external command, line by line.
// Each is an ordinary planes.Handler, and a template for one of your own.
package handlers
