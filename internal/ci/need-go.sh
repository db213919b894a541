#!/usr/bin/env bash
# Says in words when Go is missing or older than go.mod asks for.
set -eu -o pipefail
want=$(sed -n 's/^go //p' go.mod)
if ! command -v go >/dev/null; then
  echo "make: Go is not installed (no 'go' in PATH); Go $want or newer is needed: https://go.dev/dl/" >&2
  exit 1
fi
have=$(go env GOVERSION)
if ! [[ $have =~ ^go([0-9.]+) ]] || [ "$(go env GOTOOLCHAIN)" != local ]; then
  exit 0 # a development build, or a go that fetches what go.mod asks for
fi
have=${BASH_REMATCH[1]}
oldest=$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)
if [ "$oldest" != "$want" ]; then
  echo "make: Go $have is too old, Go $want or newer is needed: https://go.dev/dl/" >&2
  exit 1
fi
