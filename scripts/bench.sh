#!/usr/bin/env bash
# Measures direct, pass-through and gateway in one interleaved run; prints a table and writes artifacts/bench.json.
source "$(dirname "$0")/lib.sh"
scripts/setup.sh build
build_ui
mkdir -p artifacts
cargo build --quiet --release -p kiro-cli -p kiro-bench
"$(target_dir)/release/kiro-bench" --gateway "$(target_dir)/release/kiro-proxy" --json artifacts/bench.json "$@"
