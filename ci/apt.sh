#!/usr/bin/env bash
# Debian packages that the tests use where they are present.
set -euo pipefail
PACKAGES=(redis-server postgresql chromium fonts-dejavu-core)
missing=()
for package in "${PACKAGES[@]}"; do
  # Only "installed" counts: a package that was removed but not purged is still known to dpkg.
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
