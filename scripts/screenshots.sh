#!/usr/bin/env bash
# Pictures of the real window, in both themes and both languages, into artifacts/screenshots/, for a person to look at.
source "$(dirname "$0")/lib.sh"
build_ui
# The choice of packages of the gate: with another one cargo would build the dependencies once more.
cargo build --quiet --workspace --bins
cargo build --quiet --workspace --example screenshots
mkdir -p artifacts/screenshots
# The example finds the app beside itself: target/debug/examples/../
scripts/with-desktop.sh "$(target_dir)/debug/examples/screenshots" "$root/artifacts/screenshots"
ls artifacts/screenshots
