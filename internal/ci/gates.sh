#!/usr/bin/env bash
# Runs the tests whose figures must not grow, without invariants and without the
# race detector, and shows the figures by package. Their names say that they are
# gates; a rule of internal/lint holds them to it.
set -eu -o pipefail
internal/ci/each.sh go test -count=1 -v -run 'Alloc|Gate|Size|Budget|Cost|Deps' ./... 2>&1 |
  awk '
    /gate: /      { sub(/^.*gate: /, "  "); held = held $0 "\n"; n++; next }
    /^ok /        { if (held != "") printf "%s\n%s", $2, held; held = ""; next }
    /^FAIL/       { printf "%s\n%s", $0, held; held = ""; next }
    /^\? / || /^=== / || /^--- PASS/ || /^ +--- PASS/ || /^PASS$/ || /^-test.shuffle/ || /^testing: warning: no tests/ { next }
                  { print }
    END           { printf "%d figures\n", n; if (n == 0) exit 1 }'
