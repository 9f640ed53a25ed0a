#!/bin/sh
# The end-to-end tests as one test of "make check". ANOMD_E2E=no leaves them
# out; dev/check does, for it runs them apart.
set -u
[ "${ANOMD_E2E:-yes}" = yes ] || { echo "ANOMD_E2E=$ANOMD_E2E"; exit 77; }
command -v python3 >/dev/null || { echo "no python3 here"; exit 77; }
export ANOMD_BUILD_DIR="${ANOMD_BUILD_DIR:-$PWD}"
exec python3 "${srcdir:-.}/tests/e2e/run.py"
