package dynenv

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Tree is a parsed configuration file. It is only read.
type Tree struct {
	Name string // of the file, for messages and Config.File
	// Values are maps of this type, []any, string, int, float64, bool and nil.
	Values map[string]any
	Lines  map[string]int // line of each key, by its path with dots; may be nil
}

// where says in which line a key is.
func (t *Tree) where(path string) string {
	if n := t.Lines[path]; n > 0 {
		return fmt.Sprintf("%s:%d", t.Name, n)
	}
	return t.Name
}

// fileValue is a key of the file that belongs to a knob.
type fileValue struct {
	value any
	where string
}

// flatten checks the keys of a file and returns the values by path.
func (l *loader) flatten(t *Tree) map[string]fileValue {
	if t == nil {
		return nil
	}
	l.c.File = t.Name
	out := make(map[string]fileValue)
	l.section(t, "", t.Values, out)
	return out
}

// section walks the keys below prefix; as deep as the table, since nothing below an
// unknown key is looked at.
func (l *loader) section(t *Tree, prefix string, values map[string]any, out map[string]fileValue) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v, path := values[key], prefix+key
		switch {
		case isPath[path]:
			out[path] = fileValue{v, t.where(path)}
		case !isSection[path] || strings.Contains(key, "."):
			l.keyError(t, path, "", "a key that is known"+suggestKey(prefix, key))
		default:
			sub, ok := v.(map[string]any)
			if !ok && v != nil { // a section whose keys are all comments is nil
				l.keyError(t, path, written(v), "a section with keys")
			}
			l.section(t, path+".", sub, out)
		}
	}
}

func (l *loader) keyError(t *Tree, path, value, want string) {
	l.errs = append(l.errs, &KnobError{Name: clip(path), Value: clip(value), Want: want, Source: SourceFile, Where: t.where(path)})
}

// fromFile sets a knob to the value of its key.
func (l *loader) fromFile(k *Knob, v fileValue) {
	text, ok := k.scalar(v.value)
	if !ok {
		l.fail(k, written(v.value), k.Wanted(), SourceFile, v.where)
		return
	}
	l.apply(k, text, SourceFile, v.where)
}

// scalar writes a value of the file as the environment would hold it. A number is
// no text, since 007 and 1e3 would not come out as they were written.
func (k *Knob) scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), strings.TrimSpace(v) != ""
	case int:
		return strconv.Itoa(v), k.Kind == KindCount || k.Kind == KindPort || k.Kind == KindSeconds
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), k.Kind == KindSeconds
	case bool:
		return strconv.FormatBool(v), k.Kind == KindBool
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", false
			}
			parts[i] = s
		}
		return strings.Join(parts, ","), k.Kind == KindURLs && len(v) > 0
	}
	return "", false
}

// written shows a value of the file in an error.
func written(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case map[string]any:
		return "(a section)"
	case []any:
		return "(a list)"
	default:
		return fmt.Sprint(v)
	}
}

// suggestKey names the key of the same section that is nearest.
func suggestKey(prefix, key string) string {
	var names []string
	for _, all := range []map[string]bool{isPath, isSection} {
		for path := range all {
			if name, ok := strings.CutPrefix(path, prefix); ok && !strings.Contains(name, ".") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	if near := nearest(key, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; here there are " + strings.Join(names, ", ")
}

var isPath, isSection = func() (paths, sections map[string]bool) {
	paths, sections = make(map[string]bool), make(map[string]bool)
	for _, k := range table {
		if k.Path == "" {
			continue
		}
		paths[k.Path] = true
		for i, r := range k.Path {
			if r == '.' {
				sections[k.Path[:i]] = true
			}
		}
	}
	return paths, sections
}()
