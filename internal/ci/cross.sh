#!/usr/bin/env bash
# go vet for systems other than this one; the tests are vetted too. No C compiler
# is needed.
set -u -o pipefail
status=0
for target in linux/arm64 darwin/arm64 windows/amd64; do
  echo "== vet for $target"
  CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} internal/ci/each.sh go vet ./... || status=1
done
exit "$status"
