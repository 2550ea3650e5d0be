#!/usr/bin/env bash
# setup.sh build|test: installs what compiling (build) or testing as well (test) needs, where it is missing.
# Asks nothing. Where it cannot install, it says what to install and ends with 1.
set -euo pipefail
what="${1:?usage: setup.sh build|test}"
here="$(cd "$(dirname "$0")" && pwd)"
missing=()

fail() { printf '%s\n' "$@" >&2; exit 1; }

# need PACKAGE COMMAND…: the package is missing where the command fails.
need() { local package="$1"; shift; "$@" >/dev/null 2>&1 || missing+=("$package"); }

has_libclang() { [ -n "${LIBCLANG_PATH:-}" ] || ldconfig -p | grep -q 'libclang-\?[0-9.]*\.so' || compgen -G '/usr/lib/llvm-*/lib/libclang.so*'; }
has_java() {
  local version
  version="$(java -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p')"
  [ "${version:-0}" -ge 17 ]
}

install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "cannot install: ${missing[*]}" \
    "  why  this machine has no apt-get" "  do   install what these Debian packages contain, then try again"
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; } || fail "cannot install: ${missing[*]}" \
      "  why  you are not root, and sudo is missing or asks for a password" \
      "  do   as root: apt-get install --yes --no-install-recommends ${missing[*]}"
    root=(sudo)
  fi
  echo "installing ${missing[*]}"
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 -o Dpkg::Use-Pty=0)
  { "${apt[@]}" update && "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"; } >/tmp/throughline-setup.$$ 2>&1 || {
    cat "/tmp/throughline-setup.$$" >&2
    rm -f "/tmp/throughline-setup.$$"
    fail "cannot install: ${missing[*]}" "  why  apt-get failed, see above"
  }
  rm -f "/tmp/throughline-setup.$$"
}

# The compiler that Cargo.toml asks for, with the two components that a minimal toolchain lacks.
check_rust() {
  local wanted found
  wanted="$(sed -nE 's/^rust-version = "(.*)"/\1/p' "$here/../../Cargo.toml")"
  command -v cargo >/dev/null || fail "cargo is missing" "  do   install Rust $wanted or newer: https://rustup.rs"
  found="$(rustc --version | cut -d' ' -f2)"
  [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -1)" = "$wanted" ] ||
    fail "Rust $found is too old" "  why  this project needs $wanted or newer" "  do   rustup update stable"
  if [ "$what" = test ]; then
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
  fi
}

need clang clang++ --version
need libclang-dev has_libclang
need pkg-config pkg-config --version
need libssl-dev pkg-config --exists openssl
if [ "$what" = test ]; then
  need openjdk-17-jre-headless has_java
  need maven mvn --version
  need valgrind valgrind --version
  need binutils strip --version
  need python3-pip python3 -m pip --version
fi
install_missing
check_rust
[ "$what" != test ] || { "$here/kafka.sh" install && "$here/minio.sh" install; }
