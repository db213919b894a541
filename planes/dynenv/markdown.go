package dynenv

import (
	"fmt"
	"strings"
)

// Markdown returns the page that describes every setting, ENV.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Settings

Generated from the table in [table.go](table.go); do not edit it.

The environment wins over the file, the file over the default. A variable that is set but empty counts as not set.
` + "`wireplane config`" + ` prints every value with where it came from, and every mistake at once. A key in the file that is not
listed here is an error; a variable that is nearly one of these is a warning. Seconds are numbers without a unit
(fractions allowed), durations have one (` + "`500ms`, `3s`, `1m30s`" + `).
`)
	group := ""
	for k := range Knobs() {
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(&b, "\n## %s\n\n| variable | key in the file | default | value | meaning |\n|---|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, code(k.Path), code(k.Default), k.Wanted(), k.meaning())
	}
	return b.String()
}

// meaning is the sentence of a row.
func (k *Knob) meaning() string {
	s := k.Doc
	for _, v := range []string{"quic", "velo", "kubernetes"} {
		if k.refuse[v] != "" {
			s += "; `" + v + "` is refused"
		}
	}
	if k.Secret {
		s += "; never shown"
	}
	if k.NotYet != "" {
		s += "; **not yet**: setting it is an error"
	}
	return s
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
