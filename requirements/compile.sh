#!/usr/bin/env bash
# Writes the hash-locked requirements: lock.txt holds every version; each other file is the part of it that one image or machine needs.
# Usage: requirements/compile.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  local output=$1
  shift
  uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml -o "requirements/$output" "$@"
}
compile lock.txt --all-extras "${@}"
for extra in api streams serving operator local go; do
  compile "$extra.txt" --extra "$extra" -c requirements/lock.txt
done
compile workstation.txt --extra api --extra streams --extra serving --extra operator --extra local --extra dev -c requirements/lock.txt
# what install.sh takes where the machine has no uv
echo "uv==0.13.8" | uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate - -o requirements/uv.txt
# what images build the wheel with
echo "hatchling" | uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate - -c requirements/lock.txt -o requirements/build.txt
