#!/usr/bin/env bash
# Debian packages that the tests use where they are present: nothing yet. Later: chromium, postgresql, redis.
set -euo pipefail
PACKAGES=()
if [ "${#PACKAGES[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}"
fi
