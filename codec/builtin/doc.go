// Package builtin lists the wire specs that wireplane is built with, for programs
// that decode bytes by the name of a message, such as "wireplane inspect".
//
// It imports every generated package and with them the checksum library; package
// codec itself imports neither.
package builtin
