#!/usr/bin/env bash
# Runs each fuzz target. The stable toolchain is enough: no sanitizer, our crates forbid unsafe code.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh build
has cargo-fuzz || { say "Installing cargo-fuzz"; CARGO_TARGET_DIR=$cache/tools-target cargo install --quiet --locked cargo-fuzz; }
cd src-tauri/crates/protocol
export RUSTC_BOOTSTRAP=1
for target in $(cargo fuzz list); do
  say "fuzz $target"
  # New inputs go to a folder of their own; the committed corpus stays as it is.
  mkdir -p "$cache/fuzz/$target"
  cargo fuzz run --sanitizer none "$target" "$cache/fuzz/$target" "fuzz/corpus/$target" -- -runs="${RUNS:-1000000}" -max_len=65536
done
