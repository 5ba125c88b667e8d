#!/usr/bin/env bash
# Draws every icon from icons/src/*.svg. The results are committed, so only somebody who changes a drawing runs this.
# Needs rsvg-convert (Debian: librsvg2-bin, Homebrew: librsvg) and the Tauri command line (`npm ci --prefix ui`).
set -euo pipefail
cd "$(dirname "$0")/.."

tauri=${TAURI_CLI:-ui/node_modules/.bin/tauri}
command -v rsvg-convert >/dev/null || { echo "icons: rsvg-convert is missing (Debian: librsvg2-bin, Homebrew: librsvg)" >&2; exit 1; }
[ -x "$tauri" ] || { echo "icons: $tauri is missing, run: npm ci --prefix ui" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# App icon: the window, the launchers and the installers of the three systems.
rsvg-convert --width 1024 --height 1024 icons/src/app.svg --output "$scratch/app.png"
"$tauri" icon "$scratch/app.png" --output "$scratch/out" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
for name in 32x32.png 128x128.png 128x128@2x.png icon.png icon.ico icon.icns; do
  cp "$scratch/out/$name" "icons/$name"
done
# Straight from the drawing: scaling down from 1024 blurs the small sizes.
for size in 16 32 64 128 256 512; do
  rsvg-convert --width "$size" --height "$size" icons/src/app.svg --output "$scratch/app-$size.png"
done
cp "$scratch/app-32.png" icons/32x32.png
cp "$scratch/app-64.png" icons/64x64.png
cp "$scratch/app-128.png" icons/128x128.png
cp "$scratch/app-256.png" icons/128x128@2x.png
cp "$scratch/app-512.png" icons/icon.png

# Tray: one drawing per state, in the sizes panels ask for.
mkdir -p icons/tray
for state in off ready busy attention; do
  for size in 16 22 24 32 48 64; do
    rsvg-convert --width "$size" --height "$size" "icons/src/tray-$state.svg" --output "icons/tray/$state-$size.png"
  done
done
echo "icons: drawn"
