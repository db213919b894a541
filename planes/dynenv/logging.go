package dynenv

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
)

// Levels beside those of slog.
const (
	LevelTrace = slog.LevelDebug - 4
	LevelOff   = slog.Level(math.MaxInt32) // above every record
)

const (
	wantLevels    = "a level (trace, debug, info, warn, error or off) and levels of components, such as info,tcpplane=debug"
	componentKey  = "component"
	maxComponents = 64
)

var levelNames = []struct {
	name  string
	level slog.Level
}{
	{"trace", LevelTrace}, {"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"warn", slog.LevelWarn},
	{"error", slog.LevelError}, {"off", LevelOff}, {"warning", slog.LevelWarn},
}

// LogLevels says from which level on records are logged, by component. The zero
// value is info for all. It is not changed once made.
type LogLevels struct {
	base       slog.Level
	components map[string]slog.Level
}

// ParseLogLevels reads what DYN_LOG holds: parts between commas, each a level or
// COMPONENT=LEVEL. Of two parts about the same, the last counts.
func ParseLogLevels(s string) (LogLevels, error) {
	var l LogLevels
	for part := range strings.SplitSeq(s, ",") {
		component, name, of := strings.Cut(strings.TrimSpace(part), "=")
		if !of {
			component, name = "", component
		}
		component = strings.TrimSpace(component)
		level, ok := levelOf(strings.TrimSpace(name))
		if !ok || of && (component == "" || strings.ContainsAny(component, " \t=")) {
			return LogLevels{}, errors.New(wantLevels)
		}
		if !of {
			l.base = level
			continue
		}
		if l.components == nil {
			l.components = make(map[string]slog.Level)
		}
		l.components[component] = level
		if len(l.components) > maxComponents {
			return LogLevels{}, errors.New("levels of 64 components at most")
		}
	}
	return l, nil
}

func levelOf(name string) (slog.Level, bool) {
	for _, l := range levelNames {
		if strings.EqualFold(l.name, name) {
			return l.level, true
		}
	}
	return 0, false
}

func nameOf(level slog.Level) string {
	for _, l := range levelNames {
		if l.level == level {
			return l.name
		}
	}
	return level.String()
}

// Level returns the least level that is logged of a component; "" is what belongs
// to none. A component a/b has the level of a where it has none of its own.
func (l LogLevels) Level(component string) slog.Level {
	for component != "" {
		if level, ok := l.components[component]; ok {
			return level
		}
		component = component[:max(strings.LastIndexAny(component, "/."), 0)]
	}
	return l.base
}

// Min returns the least level that is logged of any component.
func (l LogLevels) Min() slog.Level {
	least := l.base
	for _, level := range l.components {
		least = min(least, level)
	}
	return least
}

// String is what ParseLogLevels reads, components in order.
func (l LogLevels) String() string {
	parts := []string{nameOf(l.base)}
	for _, c := range slices.Sorted(maps.Keys(l.components)) {
		parts = append(parts, c+"="+nameOf(l.components[c]))
	}
	return strings.Join(parts, ",")
}

// NewLogger returns a logger that writes to w what l asks for.
func NewLogger(w io.Writer, l Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: l.Levels.Min(), ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if level, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey && level == LevelTrace {
			a.Value = slog.StringValue("TRACE")
		}
		return a
	}}
	var next slog.Handler = slog.NewTextHandler(w, opts)
	if l.JSON {
		next = slog.NewJSONHandler(w, opts)
	}
	return slog.New(NewLogHandler(next, l.Levels))
}

// NewLogHandler returns a handler that passes to next the records that levels let
// through. The component of a record is its attribute "component", of the logger
// or of the record, outside all groups; the logger's counts where both have one.
// next must itself accept levels from levels.Min on.
func NewLogHandler(next slog.Handler, levels LogLevels) slog.Handler {
	return &logHandler{next: next, levels: levels}
}

type logHandler struct {
	next      slog.Handler
	levels    LogLevels
	component string // of the logger
	known     bool   // there is one, or none can come any more
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	least := h.levels.Min() // the record may yet tell its component
	if h.known {
		least = h.levels.Level(h.component)
	}
	return level >= least && h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	component := h.component
	if !h.known {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key != componentKey {
				return true
			}
			component = a.Value.Resolve().String()
			return false
		})
	}
	if r.Level < h.levels.Level(component) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == componentKey && !c.known {
			c.component, c.known = a.Value.Resolve().String(), true
		}
	}
	return &c
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.next = h.next.WithGroup(name)
	c.known = c.known || name != "" // what follows is inside the group
	return &c
}
