package gnetloop

import (
	"fmt"
	"log/slog"
)

// lazyf is formatted only if a log handler wants it.
type lazyf struct {
	format string
	args   []any
}

// LogValue implements slog.LogValuer.
func (f lazyf) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf(f.format, f.args...)) }
