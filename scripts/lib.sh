# Shared by the scripts: where we are, what runs here, and plain words. Sourced, never run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kiro-proxy
tools=$cache/tools
export PATH="$HOME/.cargo/bin:$tools/node_modules/.bin:$tools/bin:$PATH"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }
has_display() { [ "$(uname)" = Darwin ] || [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ]; }
target_dir() { printf '%s' "${CARGO_TARGET_DIR:-$root/target}"; }

# The built UI is embedded in both binaries, so it comes first. Nothing is done when nothing changed.
build_ui() {
  local stamp=ui/node_modules/.installed
  if ! cmp -s ui/package-lock.json "$stamp"; then
    say "Installing the UI's packages"
    (cd ui && npm ci --no-audit --no-fund)
    cp ui/package-lock.json "$stamp"
  fi
  if [ ! -f ui/dist/index.html ] || [ -n "$(find ui/src ui/locales ui/index.html ui/vite.config.ts ui/package-lock.json -newer ui/dist/index.html -print -quit)" ]; then
    say "Building the UI"
    (cd ui && npm run --silent build)
  fi
}
