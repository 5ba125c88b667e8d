#!/usr/bin/env bash
# Runs fuzz targets, all or the named ones, RUNS inputs each. The stable toolchain is enough: no sanitizer, our crates forbid unsafe code.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh build
has cargo-fuzz || { say "Installing cargo-fuzz"; CARGO_TARGET_DIR=$cache/tools-target cargo install --quiet --locked cargo-fuzz; }
cd src-tauri/crates/protocol
export RUSTC_BOOTSTRAP=1
targets=("$@")
# shellcheck disable=SC2207 # names of targets have no spaces
[ $# -gt 0 ] || targets=($(cargo fuzz list))
failed=()
for target in "${targets[@]}"; do
  say "fuzz $target"
  # New inputs go to a folder of their own; the committed corpus stays as it is.
  mkdir -p "$cache/fuzz/$target"
  start=$SECONDS
  cargo fuzz run --sanitizer none "$target" "$cache/fuzz/$target" "fuzz/corpus/$target" -- \
    -runs="${RUNS:-1000000}" -max_len=65536 -print_final_stats=1 || failed+=("$target")
  echo "fuzz $target: $((SECONDS - start)) s"
done
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
