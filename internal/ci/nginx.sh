#!/usr/bin/env bash
# nginx.sh: the HTTP plane through a real nginx. Installs it from Debian if it is missing.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
if ! command -v nginx >/dev/null; then
  echo "nginx.sh: nginx is missing, trying apt-get" >&2
  apt-get update -qq && apt-get install -y -qq nginx-light
fi
exec go test -count=1 -tags nginx -run Nginx ./planes/httpplane
