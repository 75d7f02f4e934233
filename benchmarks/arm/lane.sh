#!/bin/bash
# From nothing to emulated Arm cores that run onwrist's engines and count their instructions.
#
#   benchmarks/arm/lane.sh [DIR [PARTS...]]      (default: out/arm, and all of it)
#
# Nothing is installed on this machine and no rights are needed: Debian packages are fetched
# from the mirror that apt already uses and unpacked into DIR. Needs Debian 12 on x86-64, gcc,
# and python3 with pip (or PYTHON=...). What is there already is made anew only if its recipe
# below has changed. The parts are
#
#   DIR/qemu        QEMU 10 (GPL-2) of backports: has a Cortex-A55, shows cores as they are
#   DIR/host        QEMU 7.2 (GPL-2), whose dynamic build loads plugins, and its libraries
#   DIR/cross       GCC 12 (GPL-3) for arm64 and libc's headers, for the C host
#   DIR/root        arm64: Python 3.11, its standard library and libstdc++
#   DIR/site        aarch64 wheels: the engines, and what the runtime imports
#   DIR/armhf       32-bit Arm: the same as root, and Debian's NumPy
#   DIR/site-armhf  armv7 wheels; msgspec, of which there is none, is compiled by Debian's gcc
#   DIR/llvm        LLVM 19 (Apache-2.0 with exceptions): llvm-mca, for model.py
#   DIR/count.so    count.c, compiled here
set -euo pipefail

NUMPY=numpy==2.4.6 MSGSPEC=msgspec==0.22.0 SAFETENSORS=safetensors==0.8.0
LITERT=(ai-edge-litert==2.3.0 flatbuffers==25.12.19)
ONNXRUNTIME=onnxruntime==1.31.1
TFLITE=tflite-runtime==2.14.0 # wants NumPy 1, which Debian 12 has

HERE=$(cd "$(dirname "$0")" && pwd)
DIR=$(realpath -m "${1:-out/arm}")
PARTS=("${@:2}")
PYTHON=${PYTHON:-python3}
WORK=$DIR/.work # apt, and what is half made
STAMPS=$DIR/.stamps

fail() {
    echo "lane.sh: error: $*" >&2
    exit 2
}

# Run a command; its first complaint is the reason if it fails.
tried() { # WHAT COMMAND...
    local what=$1 why
    shift
    "$@" >"$WORK/said" 2>&1 && return
    why=$(grep -m1 -iE '^(E:|error)|error:' "$WORK/said" || tail -n1 "$WORK/said")
    fail "cannot $what: ${why:-it gave no reason}"
}

# An apt of its own, to which nothing is installed yet: it resolves and fetches everything.
apt_get() {
    apt-get -qq -o Dir::Etc::sourcelist="$WORK/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- \
        -o Dir::State="$WORK/apt" -o Dir::State::status="$WORK/apt/status" \
        -o Dir::Cache="$WORK/apt/cache" -o Dir::Log="$WORK/apt" -o APT::Sandbox::User= \
        -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 \
        -o APT::Architectures::=armhf -o APT::Install-Recommends=false \
        -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

update() {
    [ ! -e "$WORK/apt/updated" ] || return 0
    mkdir -p "$WORK"/apt/{lists,cache/archives}/partial
    : >"$WORK/apt/status"
    local mirror signed=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
    mirror=$(apt-get update --print-uris | sed -n "s:^'\(.*\)/dists/bookworm/InRelease'.*:\1:p")
    [ -n "$mirror" ] || fail "apt of this machine has no source for Debian 12 (bookworm)"
    mirror=${mirror%%$'\n'*}
    {
        echo "deb [$signed] $mirror bookworm main"
        echo "deb [arch=amd64 $signed] $mirror bookworm-backports main"
    } >"$WORK/apt/sources.list"
    tried "fetch Debian's lists of packages" apt_get update --error-on=any
    touch "$WORK/apt/updated"
}

# Unpack Debian packages of one architecture and all that they depend on.
unpack() { # FOLDER ARCHITECTURE PACKAGES...
    local folder=$1 architecture=$2 archives=$WORK/archives package
    shift 2
    update
    rm -rf "$archives"
    mkdir -p "$archives/partial" "$folder"
    tried "fetch Debian's ${*%%:*}" apt_get -o Dir::Cache::archives="$archives" \
        --yes --download-only install "${@/%/:$architecture}"
    for package in "$archives"/*.deb; do dpkg -x "$package" "$folder"; done
}

# Unpack wheels for a machine.
wheels() { # FOLDER PLATFORMS WHEELS...
    local folder=$1 fetched=$WORK/wheels platform platforms=() wheel
    for platform in $2; do platforms+=(--platform "$platform"); done
    shift 2
    rm -rf "$fetched"
    mkdir -p "$folder"
    tried "fetch the wheels $*" "$PYTHON" -m pip download --no-deps --only-binary=:all: \
        --dest "$fetched" --implementation cp --python-version 3.11 "${platforms[@]}" "$@"
    for wheel in "$fetched"/*.whl; do "$PYTHON" -m zipfile -e "$wheel" "$folder"; done
}

make_qemu() {
    update
    (cd "$WORK" && rm -f qemu-user_*.deb &&
        tried "fetch QEMU 10" apt_get download qemu-user:amd64/bookworm-backports)
    mkdir -p "$1"
    dpkg-deb --fsys-tarfile "$WORK"/qemu-user_*.deb |
        tar -xC "$1" ./usr/bin/qemu-{aarch64,arm,x86_64}
}

make_host() { unpack "$1" amd64 qemu-user; }

make_cross() { unpack "$1" amd64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross; }

make_llvm() { unpack "$1" amd64 llvm-19; }

make_root() { unpack "$1" arm64 python3.11-minimal libpython3.11-stdlib libstdc++6; }

make_site() {
    wheels "$1" "manylinux_2_28_aarch64 manylinux_2_27_aarch64 manylinux2014_aarch64" "${@:2}"
}

make_armhf() {
    unpack "$1" armhf python3.11-minimal libpython3.11-stdlib libstdc++6 python3-numpy
    local library libraries=$1/usr/lib/arm-linux-gnueabihf
    for library in blas lapack; do # which an installation would choose among several
        ln -s "$library/lib$library.so.3" "$libraries/lib$library.so.3"
    done
}

make_site-armhf() { # FOLDER MSGSPEC WHEELS...
    local cross=$WORK/cross msgspec=$2
    wheels "$1" "manylinux_2_34_armv7l manylinux2014_armv7l" "${@:3}"
    rm -rf "$cross"
    unpack "$cross" amd64 gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    (cd "$cross" && tried "fetch Python's headers" apt_get download libpython3.11-dev:armhf)
    dpkg -x "$cross"/libpython3.11-dev_*.deb "$cross/python"
    tried "fetch the source of $msgspec" "$PYTHON" -m pip download --no-deps \
        --no-binary=:all: --dest "$cross" "$msgspec"
    tar -xzC "$cross" -f "$cross"/msgspec-*.tar.gz
    cp -r "$cross"/msgspec-*/src/msgspec "$1"
    local headers=$cross/python/usr/include
    tried "compile $msgspec" env PATH="$cross/usr/bin:$PATH" \
        LD_LIBRARY_PATH="$cross/usr/lib/x86_64-linux-gnu" \
        arm-linux-gnueabihf-gcc --sysroot="$cross" -O2 -g0 -DNDEBUG -fPIC -shared \
        -I"$headers" -I"$headers/python3.11" "$1/msgspec/_core.c" -lm \
        -o "$1/msgspec/_core.cpython-311-arm-linux-gnueabihf.so"
    rm -rf "$cross"
}

make_count.so() { tried "compile count.c" gcc -O2 -Wall -Wextra -fPIC -shared -o "$1" "$2"; }

# Make DIR/NAME, unless it was made by the recipe of today; half made it is never there.
part() { # NAME ARGUMENTS...
    local name=$1 recipe stamp=$STAMPS/$1
    shift
    [ ${#PARTS[@]} = 0 ] || [[ " ${PARTS[*]} " = *" $name "* ]] || return 0
    recipe=$({
        declare -f apt_get update unpack wheels "make_$name"
        printf '%s\n' "$@"
        [ ! -f "${1:-}" ] || cat "$1"
    } | sha256sum)
    [ ! -e "$DIR/$name" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$recipe" ] || return 0
    rm -rf "$WORK/part"
    "make_$name" "$WORK/part" "$@"
    rm -rf "$stamp" "${DIR:?}/$name"
    mv "$WORK/part" "$DIR/$name"
    echo "$recipe" >"$stamp"
    echo "$DIR/$name: made, ${SECONDS} s since the start"
}

[ "$(uname -sm)" = "Linux x86_64" ] || fail "the lane runs on Linux x86-64, not $(uname -sm)"
for name in "${PARTS[@]}"; do
    [ "$(type -t "make_$name")" = function ] || fail "there is no part $name"
done
command -v apt-get >/dev/null || fail "there is no apt-get: the lane needs Debian 12"
command -v gcc >/dev/null || fail "there is no gcc; on Debian: apt-get install gcc libc6-dev"
"$PYTHON" -m pip --version >/dev/null 2>&1 || fail "$PYTHON has no pip; give PYTHON=..."
mkdir -p "$STAMPS" 2>/dev/null && [ -w "$DIR" ] || fail "cannot write to $DIR"
exec 9>"$DIR/.lock"
flock 9 # a second call waits and finds it made
rm -rf "$WORK"
mkdir "$WORK"
trap 'rm -rf "$WORK"' EXIT

part qemu
part host
part cross
part llvm
part root
part site "$NUMPY" "$MSGSPEC" "$SAFETENSORS" "${LITERT[@]}" "$ONNXRUNTIME"
part armhf
part site-armhf "$MSGSPEC" "$SAFETENSORS" "$TFLITE"
part count.so "$HERE/count.c"
