# Sourced by ./run and ./test: checks that there is a Rust toolchain that can build Stele.

RUST_MINIMUM=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

check_toolchain() {
  if ! command -v cargo >/dev/null; then
    echo "cargo is not installed. Stele needs Rust $RUST_MINIMUM or later: https://rustup.rs" >&2
    exit 1
  fi
  local found
  found=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n' "$RUST_MINIMUM" "$found" | sort -V | head -1)" != "$RUST_MINIMUM" ]; then
    echo "Rust $found is too old. Stele needs $RUST_MINIMUM or later: rustup update" >&2
    exit 1
  fi
  if ! command -v cc >/dev/null; then
    echo "There is no C compiler (cc). Debian and Ubuntu: apt-get install build-essential" >&2
    exit 1
  fi
}
