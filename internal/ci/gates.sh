#!/usr/bin/env bash
# Runs the tests whose figures must not grow, without invariants and without the
# race detector, and shows the figures. Their names say that they are gates; a
# rule of internal/lint holds them to it.
set -eu -o pipefail
internal/ci/each.sh go test -count=1 -v -run 'Alloc|Gate|Size|Budget|Deps' ./... |
  awk '
    /^== /        { print; next }
    /gate: /      { sub(/^.*gate: /, "  "); print; n++; next }
    /^ *--- FAIL/ || /^FAIL/ || /_test\.go:[0-9]+: / || /^panic: / { print }
    END           { printf "%d figures\n", n; if (n == 0) exit 1 }'
