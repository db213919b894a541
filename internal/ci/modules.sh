#!/usr/bin/env bash
# Prints the folder of each module that holds packages of ours, the root first.
# internal/tools only pins tools and has none.
set -eu -o pipefail
find . -name go.mod ! -path '*/testdata/*' ! -path './internal/tools/*' ! -path './.*/*' | sed 's#/go\.mod$##' | sort
