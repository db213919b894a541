package metrics

import "github.com/wireplane/wireplane/planes"

// errorTypes is every code but OK under the error_type that it counts as.
var errorTypes = []struct {
	name  string
	codes []planes.Code
}{
	{"timeout", []planes.Code{planes.CodeDeadline}},
	{"connection", []planes.Code{planes.CodeTransport, planes.CodePeerLost}},
	{"protocol", []planes.Code{planes.CodeProtocol, planes.CodeFlood, planes.CodeChecksum, planes.CodeEpoch}},
	{"overloaded", []planes.Code{planes.CodeOverloaded, planes.CodeSlowConsumer}},
	{"cancelled", []planes.Code{planes.CodeCancelled}},
	{"handler", []planes.Code{planes.CodeHandler}},
	{"refused", []planes.Code{planes.CodeRefused, planes.CodeDraining, planes.CodeNotFound}},
	{"denied", []planes.Code{planes.CodeUnauthenticated, planes.CodeDenied}},
	{"too_large", []planes.Code{planes.CodeTooLarge}},
	{"unsupported", []planes.Code{planes.CodeUnsupported}},
	{"internal", []planes.Code{planes.CodeInternal}},
}

// ErrorType returns the error_type of a code: "" for CodeOK, "other" for one that this
// version does not know.
func ErrorType(c planes.Code) string {
	if c == planes.CodeOK {
		return ""
	}
	for _, e := range errorTypes {
		for _, code := range e.codes {
			if code == c {
				return e.name
			}
		}
	}
	return other
}
