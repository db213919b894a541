package dynenv_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/wireplane/wireplane/planes/dynenv"
)

func TestLogLevels(t *testing.T) {
	l, err := dynenv.ParseLogLevels("warn, tcpplane=DEBUG,pool=off,tcpplane/mux=trace")
	if err != nil {
		t.Fatal(err)
	}
	for component, want := range map[string]slog.Level{
		"": slog.LevelWarn, "other": slog.LevelWarn, "tcpplane": slog.LevelDebug, "tcpplane/client": slog.LevelDebug,
		"tcpplane.client": slog.LevelDebug, "tcpplane/mux/x": dynenv.LevelTrace, "tcpplanes": slog.LevelWarn, "pool": dynenv.LevelOff,
	} {
		if got := l.Level(component); got != want {
			t.Errorf("%q: %v, want %v", component, got, want)
		}
	}
	if l.String() != "warn,pool=off,tcpplane=debug,tcpplane/mux=trace" || l.Min() != dynenv.LevelTrace {
		t.Errorf("%s, %v", l, l.Min())
	}
	for _, bad := range []string{"", "loud", "a=b=info", "=info", "a=", "info,", "two words=info"} {
		if l, err := dynenv.ParseLogLevels(bad); err == nil {
			t.Errorf("%q: %v", bad, l)
		}
	}
	var zero dynenv.LogLevels
	if zero.Level("x") != slog.LevelInfo || zero.String() != "info" {
		t.Errorf("%v", zero)
	}
}

func TestLoggerFiltersByComponent(t *testing.T) {
	levels, err := dynenv.ParseLogLevels("warn,loud=debug,quiet=off,deep=trace")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := dynenv.NewLogger(&out, dynenv.Log{Levels: levels})
	ctx := t.Context()
	for name, c := range map[string]struct {
		do   func(*slog.Logger)
		want string // "": nothing
	}{
		"none, info":             {func(l *slog.Logger) { l.Info("m") }, ""},
		"none, warn":             {func(l *slog.Logger) { l.Warn("m") }, "level=WARN msg=m"},
		"of the logger":          {func(l *slog.Logger) { l.With("component", "loud").Debug("m") }, "level=DEBUG msg=m component=loud"},
		"of the record":          {func(l *slog.Logger) { l.Debug("m", "component", "loud") }, "component=loud"},
		"too low":                {func(l *slog.Logger) { l.With("component", "other").Info("m") }, ""},
		"off":                    {func(l *slog.Logger) { l.With("component", "quiet").Error("m") }, ""},
		"trace":                  {func(l *slog.Logger) { l.Log(ctx, dynenv.LevelTrace, "m", "component", "deep") }, "level=TRACE"},
		"set before a group":     {func(l *slog.Logger) { l.With("component", "loud").WithGroup("g").Debug("m", "a", 1) }, "g.a=1"},
		"in a group is no other": {func(l *slog.Logger) { l.WithGroup("g").With("component", "loud").Debug("m") }, ""},
	} {
		out.Reset()
		c.do(log)
		if got := out.String(); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if log.With("component", "other").Enabled(ctx, slog.LevelInfo) || !log.Enabled(ctx, slog.LevelDebug) {
		t.Error("Enabled does not know the component")
	}
	out.Reset()
	dynenv.NewLogger(&out, dynenv.Log{JSON: true}).Info("m")
	if !strings.HasPrefix(out.String(), `{"time":`) {
		t.Errorf("%s", &out)
	}
}
