// Package h2spec runs h2spec, a conformance suite for HTTP/2, against the server of
// the HTTP plane. It is a module of its own, for what h2spec links. It has no code but
// its test, which prints the summary and knows the cases that net/http fails.
package h2spec
