#!/usr/bin/env bash
# Debian packages that the tests use as independent peers and as browser. Installed where allowed;
# where not, the tests that need one say so and are skipped.
set -uo pipefail
wanted=()
command -v chromium >/dev/null || wanted+=(chromium)
[ -x /usr/bin/storescu ] || wanted+=(dcmtk)
command -v tesseract >/dev/null || wanted+=(tesseract-ocr tesseract-ocr-fra)
[ ${#wanted[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "Not installed, tests that need them are skipped: ${wanted[*]}"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null ||
  echo "Could not install: ${wanted[*]}"
exit 0
