#!/bin/bash
# From nothing to an emulated Arm core that runs LiteRT and counts its instructions.
#
#   benchmarks/arm/root.sh [DIR]      (default: out/arm)
#
# Nothing is installed on this machine and no rights are needed: Debian packages are fetched
# from the mirror that apt already uses and unpacked into DIR, 400 MB of it. Needs Debian 12 on
# x86-64, gcc, and python3 with pip (or PYTHON=...). Fetched are
#
#   DIR/host     qemu-user 7.2 (GPL-2), whose dynamic build loads plugins, and its libraries
#   DIR/root     arm64: Python 3.11, its standard library and libstdc++
#   DIR/site     aarch64 wheels from the package index: ai-edge-litert and what it imports
#   DIR/count.so count.c, compiled here
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
DIR=$(realpath -m "${1:-out/arm}")
PYTHON=${PYTHON:-python3}
WHEELS=(ai-edge-litert==2.3.0 numpy==2.4.6 flatbuffers==25.12.19)

mkdir -p "$DIR"/apt/{lists,cache/archives}/partial "$DIR"/{host,root,site,wheels}

# An apt of its own, to which nothing is installed yet: it resolves and fetches everything.
: > "$DIR/apt/status"
MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
[ -n "$MIRROR" ] || { echo "root.sh: error: apt of this machine knows no Debian 12" >&2; exit 2; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR bookworm main" \
    > "$DIR/apt/sources.list"
fetch() {
    apt-get -qq -o Dir::Etc::sourcelist="$DIR/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State="$DIR/apt" -o Dir::State::status="$DIR/apt/status" \
        -o Dir::Cache="$DIR/apt/cache" -o APT::Sandbox::User= \
        -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 \
        -o APT::Install-Recommends=false "$@"
}
fetch update
fetch --yes --download-only install qemu-user:amd64 \
    python3.11-minimal:arm64 libpython3.11-stdlib:arm64 libstdc++6:arm64
for package in "$DIR"/apt/cache/archives/*_amd64.deb; do dpkg -x "$package" "$DIR/host"; done
for package in "$DIR"/apt/cache/archives/*_arm64.deb; do dpkg -x "$package" "$DIR/root"; done

"$PYTHON" -m pip --quiet download --no-deps --only-binary=:all: --dest "$DIR/wheels" \
    --implementation cp --python-version 3.11 --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 "${WHEELS[@]}"
for wheel in "$DIR"/wheels/*.whl; do "$PYTHON" -m zipfile -e "$wheel" "$DIR/site"; done

gcc -O2 -Wall -Wextra -fPIC -shared -o "$DIR/count.so" "$HERE/count.c"
echo "$DIR: $(du -sh "$DIR" | cut -f1)"
