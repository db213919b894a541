#!/usr/bin/env bash
# each.sh CMD...: runs CMD in the folder of each module that has Go files, all of
# them, and fails if one failed.
set -u -o pipefail
status=0
for dir in $(internal/ci/modules.sh); do
  if [ -z "$(find "$dir" -name '*.go' -print -quit)" ]; then
    continue
  fi
  echo "== $dir: $*"
  (cd "$dir" && "$@") || status=1
done
exit "$status"
