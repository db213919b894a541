#!/usr/bin/env bash
# Runs the tests whose figures must not grow, without invariants and without the
# race detector, and shows the figures by package. Their names say that they are
# gates; a rule of internal/lint holds them to it.
set -eu -o pipefail
internal/ci/each.sh go test -count=1 -v -run 'Alloc|Gate|Size|Budget|Cost|Deps' ./... 2>&1 |
  awk '
    /gate: /      { sub(/^.*gate: /, "  "); held = held $0 "\n"; n++; next }
    /^--- PASS/   { passed = passed " " $3; next }
    /^ok /        {
      if (held == "" && passed != "") held = "  held:" passed "\n"
      if (held != "") printf "%s\n%s", $2, held
      held = passed = ""; next
    }
    /^FAIL/       { printf "%s\n%s", $0, held; held = passed = ""; next }
    /^\? / || /^=== / || /^ +--- PASS/ || /^PASS$/ || /^testing: warning: no tests/ { next }
                  { print }
    END           { printf "%d figures\n", n; if (n == 0) exit 1 }'
