package natsplane

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Slug returns s as a part of a subject, by the rule of the released runtime: lower
// case, each character outside of a-z, 0-9, "-" and "_" replaced by "_", "_" in front
// removed.
//
// Different names can have one slug: a namespace "a_b" with component "c" and a
// namespace "a" with component "b_c" both give "a_b_c". Released peers keep it so. It
// does no harm here: instances have different numbers, a Server refuses to bind two
// routes to one subject, and a request that names another route is turned away.
func Slug(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, strings.ToLower(s))
	return strings.TrimLeft(s, "_")
}

// Subject returns the subject of a route of an instance. For the route
// "namespace/component/endpoint" it is Slug("namespace_component"), ".", the endpoint,
// "-" and the instance in hexadecimal. What stands before the last slash is the
// service, however many parts it has; a route without slash has none, nor the dot. The
// endpoint is kept as it is but for what a subject cannot hold, which becomes "_":
// white space, control characters, "*", ">", dots and what is no UTF-8.
func Subject(route string, instance uint64) string {
	service, endpoint := "", route
	if i := strings.LastIndexByte(route, '/'); i >= 0 {
		service, endpoint = Slug(route[:i]), route[i+1:]
	}
	endpoint = strings.Map(func(r rune) rune {
		if r == '*' || r == '>' || r == '.' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, endpoint)
	token := endpoint + "-" + strconv.FormatUint(instance, 16)
	if service == "" {
		return token
	}
	return service + "." + token
}
