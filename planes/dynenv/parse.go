package dynenv

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText bounds one value, in bytes.
const maxText = 4096

// set parses text into the field of c. want is "" if that went well, else what a
// right value looks like.
func (k *Knob) set(c *Config, text string) (want string) {
	if w := k.refuse[strings.ToLower(text)]; w != "" {
		return w
	}
	if len(text) > maxText || strings.IndexFunc(text, unicode.IsControl) >= 0 {
		return fmt.Sprintf("at most %d bytes of text on one line", maxText)
	}
	ok := false
	switch p := k.field(c).(type) {
	case *string:
		*p, ok = k.text(text)
	case *int:
		var n int64
		n, ok = number(text)
		ok = ok && n >= k.Min && n <= k.Max
		*p = int(n)
	case *bool:
		*p, ok = boolean(text)
	case *time.Duration:
		*p, ok = k.duration(text)
	case *[]string:
		*p, ok = k.urls(text)
	case *LogLevels:
		levels, err := ParseLogLevels(text)
		if err != nil {
			return err.Error()
		}
		*p, ok = levels, true
	}
	if ok {
		return ""
	}
	return k.Wanted()
}

// Wanted says what a right value looks like.
func (k *Knob) Wanted() string {
	switch k.Kind {
	case KindChoice:
		n := len(k.Choices) - 1
		return strings.Join(k.Choices[:n], ", ") + " or " + k.Choices[n]
	case KindCount, KindPort:
		unit := ""
		if k.Unit != "" {
			unit = " of " + k.Unit
		}
		return fmt.Sprintf("a whole number%s from %d to %d", unit, k.Min, k.Max)
	case KindBool:
		return "true or false"
	case KindSeconds:
		if k.zeroAllowed() {
			return fmt.Sprintf("a number of seconds without a unit, from 0 to %d", k.Max)
		}
		return fmt.Sprintf("a number of seconds without a unit, above 0, to %d", k.Max)
	case KindDuration:
		return "a duration above 0 with a unit, such as 500ms, 3s or 1m30s"
	case KindHost:
		return "an IP address or a host name, without a port"
	case KindAddr:
		return "HOST:PORT, :PORT or off"
	case KindPath:
		return "a path of a URL that begins with a slash, such as /v1/rpc"
	case KindFile:
		return "a path"
	case KindURLs:
		return fmt.Sprintf("URLs with a scheme of %s, or HOST:PORT, separated by commas", strings.Join(k.Choices, ", "))
	case KindLevels:
		return wantLevels
	default:
		return "text"
	}
}

// zeroAllowed tells whether 0 s has a meaning of its own.
func (k *Knob) zeroAllowed() bool {
	return k.Name == "DYN_RUNTIME_INHIBITED_DURATION_SECS" || k.Name == "DYN_WORKER_GRACEFUL_SHUTDOWN_TIMEOUT"
}

func (k *Knob) text(s string) (string, bool) {
	switch k.Kind {
	case KindChoice:
		for _, c := range k.Choices {
			if strings.EqualFold(c, s) {
				return c, true
			}
		}
		return "", false
	case KindHost:
		return s, isHost(s)
	case KindAddr:
		if strings.EqualFold(s, "off") {
			return "", true
		}
		host, port, err := net.SplitHostPort(s)
		n, ok := number(port)
		return s, err == nil && ok && n >= 0 && n <= 65535 && (host == "" || isHost(host))
	case KindPath:
		clean := strings.TrimRight(s, "/")
		u, err := url.Parse(s)
		return clean, err == nil && u.Path == s && clean != "" && s[0] == '/' && !strings.HasPrefix(s, "//") &&
			!strings.Contains(s, "/../") && !strings.HasSuffix(s, "/..")
	default:
		return s, s != ""
	}
}

func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 32) // so that it is an int everywhere
	return n, err == nil
}

func boolean(s string) (v, ok bool) {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}

func (k *Knob) duration(s string) (time.Duration, bool) {
	var d time.Duration
	if k.Kind == KindSeconds {
		if strings.ContainsAny(s, "xXpP_") { // hexadecimal, which nobody means
			return 0, false
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || f < 0 || f > float64(k.Max) {
			return 0, false
		}
		d = time.Duration(math.Round(f * float64(time.Second)))
	} else {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			return 0, false
		}
	}
	if d == 0 {
		return 0, k.zeroAllowed()
	}
	return d, d >= time.Duration(k.Min)*time.Second && d > 0 && d <= time.Duration(k.Max)*time.Second
}

// urls splits a list. An element without a scheme is HOST:PORT.
func (k *Knob) urls(s string) ([]string, bool) {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" || !k.isURL(part) {
			return nil, false
		}
		out = append(out, part)
	}
	return out, true
}

func (k *Knob) isURL(s string) bool {
	if !strings.Contains(s, "://") {
		host, port, err := net.SplitHostPort(s)
		n, ok := number(port)
		return err == nil && isHost(host) && ok && n > 0 && n <= 65535
	}
	u, err := url.Parse(s)
	if err != nil || !isHost(u.Hostname()) {
		return false
	}
	if port := u.Port(); port != "" {
		if n, ok := number(port); !ok || n < 1 || n > 65535 {
			return false
		}
	}
	for _, scheme := range k.Choices {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}

// isHost tells whether s is an address or a name; that it exists is for the
// resolver to find out.
func isHost(s string) bool {
	addr, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), "%")
	if net.ParseIP(addr) != nil {
		return true
	}
	if s == "" || len(s) > 253 || s[0] == '-' || s[0] == '.' {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_') {
			return false
		}
	}
	return true
}

// show writes the value of the field of c as set would read it. Not for secrets.
func (k *Knob) show(c *Config) string {
	switch p := k.field(c).(type) {
	case *string:
		if k.Kind == KindAddr && *p == "" {
			return "off"
		}
		return *p
	case *int:
		return strconv.Itoa(*p)
	case *bool:
		return strconv.FormatBool(*p)
	case *time.Duration:
		if k.Kind == KindSeconds {
			return strconv.FormatFloat(p.Seconds(), 'f', -1, 64)
		}
		return p.String()
	case *[]string:
		return strings.Join(*p, ",")
	case *LogLevels:
		return p.String()
	}
	return ""
}
