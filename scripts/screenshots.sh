#!/usr/bin/env bash
# Pictures of the real window, in both themes and both languages, into artifacts/screenshots/, for a person to look at.
source "$(dirname "$0")/lib.sh"
build_ui
cargo build --quiet -p kiro-proxy-desktop -p kiro-cli
cargo build --quiet -p kiro-desktop-tests --example screenshots
mkdir -p artifacts/screenshots
# The example finds the app beside itself: target/debug/examples/../
scripts/with-desktop.sh "$(target_dir)/debug/examples/screenshots" "$root/artifacts/screenshots"
ls artifacts/screenshots
