#!/usr/bin/env bash
# gofmt, golangci-lint over every module, and the rules of internal/lint.
set -u -o pipefail
status=0
unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
  printf 'lint: gofmt would change:\n%s\n' "$unformatted" >&2
  status=1
fi
root=$PWD
tool() { go tool -modfile="$root/internal/tools/go.mod" "$@"; }
for dir in $(internal/ci/modules.sh); do
  [ -n "$(find "$dir" -name '*.go' -print -quit)" ] || continue
  echo "== $dir: golangci-lint"
  (cd "$dir" && tool golangci-lint run --config "$root/.golangci.yml" ./...) || status=1
done
echo "== repository rules"
go test -count=1 ./internal/lint || status=1
exit "$status"
