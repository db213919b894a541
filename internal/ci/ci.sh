#!/usr/bin/env bash
# The steps of "make ci", in order, with the time of each. All of them run, and
# one that fails is named again at the end.
set -u -o pipefail
failed=()
table=""
begin=$SECONDS

step() {
  local name=$1 start=$SECONDS result=ok
  shift
  printf '\n#### %s\n' "$name"
  if ! "$@"; then
    result=FAILED
    failed+=("$name")
  fi
  table+=$(printf '%-16s %-7s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

step build make build
step check-generate make check-generate
step tidy-check make tidy-check
step lint make lint
step test make test
step test-race make test-race
step conform make conform
step test-386 make test-386
step cross make cross
step gates make gates
step fuzz make fuzz FUZZTIME=10s FUZZCAP=100s
step bench-smoke make bench-smoke
step conform-nginx make conform-nginx
step walkthrough make walkthrough
step demo make demo

printf '\n%s%-16s %-7s %4d s\n' "$table" total "" $((SECONDS - begin))
if [ "${#failed[@]}" -gt 0 ]; then
  echo "ci: failed: ${failed[*]}" >&2
  exit 1
fi
echo "ci: all green"
