#!/usr/bin/env bash
# each.sh CMD...: runs CMD in the folder of each module and fails if one failed,
# after all have run.
set -u -o pipefail
status=0
for dir in $(internal/ci/modules.sh); do
  echo "== $dir: $*"
  (cd "$dir" && [ -n "$(find . -name '*.go' -print -quit)" ] || exit 0; cd "$dir" && "$@") || status=1
done
exit "$status"
