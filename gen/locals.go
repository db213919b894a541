package gen

import (
	"strings"
)

// local writes `name := expr` in such a way that the line vanishes when nothing
// refers to name.
func (r *reader) local(name, expr string) {
	r.keyed(name, name+" := "+expr)
}

// keyed writes a line that vanishes when no line of another key refers to name.
func (r *reader) keyed(name, line string) { r.g.p("\x00%s\x01%s", name, line) }

// settle removes the unused locals from what was written since mark.
func (r *reader) settle(mark int) {
	text := string(r.g.w.Bytes()[mark:])
	r.g.w.Truncate(mark)
	for {
		lines := strings.Split(text, "\n")
		var keep []string
		dropped := false
		for _, line := range lines {
			if !strings.HasPrefix(line, "\x00") {
				keep = append(keep, line)
				continue
			}
			name := line[1:strings.IndexByte(line, '\x01')]
			if mentions(lines, name) {
				keep = append(keep, line)
			} else {
				dropped = true
			}
		}
		text = strings.Join(keep, "\n")
		if !dropped {
			break
		}
	}
	for _, line := range strings.SplitAfter(text, "\n") {
		if strings.HasPrefix(line, "\x00") {
			line = line[strings.IndexByte(line, '\x01')+1:]
		}
		r.g.w.WriteString(line)
	}
}

// mentions reports whether a line that is not keyed by name has it as a whole word.
func mentions(lines []string, name string) bool {
	for _, line := range lines {
		if strings.HasPrefix(line, "\x00"+name+"\x01") {
			continue
		}
		if at := strings.IndexByte(line, '\x01'); at >= 0 {
			line = line[at+1:]
		}
		line = bare(line)
		for from := 0; ; {
			at := strings.Index(line[from:], name)
			if at < 0 {
				break
			}
			at += from
			end := at + len(name)
			if (at == 0 || !wordByte(line[at-1]) && line[at-1] != '.') && (end == len(line) || !wordByte(line[end])) {
				return true
			}
			from = end
		}
	}
	return false
}

// bare is a line of source without its string literals and comment.
func bare(line string) string {
	var out strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			for i++; i < len(line) && line[i] != '"'; i++ {
				if line[i] == '\\' {
					i++
				}
			}
		case strings.HasPrefix(line[i:], "//"):
			return out.String()
		default:
			out.WriteByte(line[i])
		}
	}
	return out.String()
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
