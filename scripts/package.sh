#!/usr/bin/env bash
# Builds the installers of this system, with both programs inside, and puts them into artifacts/.
source "$(dirname "$0")/lib.sh"
build_ui

say "Building the command line program"
cargo build --release -p kiro-cli
# tauri.conf.json takes it from a place that does not depend on where the target folder is.
mkdir -p target/package
suffix=""; [ "${OS:-}" = Windows_NT ] && suffix=.exe
install -m 755 "$(target_dir)/release/kiro-proxy$suffix" "target/package/kiro-proxy$suffix"

say "Building the desktop app and its installers"
ui/node_modules/.bin/tauri build "$@"

say "Installers"
mkdir -p artifacts
find "$(target_dir)/release/bundle" -maxdepth 2 -type f \( -name '*.deb' -o -name '*.rpm' -o -name '*.dmg' -o -name '*.exe' -o -name '*.msi' \) -newer target/package/kiro-proxy$suffix -print0 |
  while IFS= read -r -d '' file; do
    # The product's name has a space; a file's name is better without.
    name=$(basename "$file" | sed 's/^Kiro Proxy/kiro-proxy/')
    cp "$file" "artifacts/$name"
    echo "  artifacts/$name ($(du -h "artifacts/$name" | cut -f1))"
  done
