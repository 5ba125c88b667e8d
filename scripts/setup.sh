#!/usr/bin/env bash
# Installs what is missing and says so first. Groups:
#   build   compiler, Rust, Node: enough for the headless gateway and the UI
#   window  libraries of the desktop app
#   test    virtual display, keyring, a browser, browser drivers, Python, test runners
source "$(dirname "$0")/lib.sh"
node_wanted=20.19.0
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n1)

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif has sudo; then sudo "$@"; else
  echo "This needs root and there is no sudo. Run as root: $*" >&2; exit 1; fi; }

apt_missing() { local p; for p in "$@"; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || printf '%s ' "$p"; done; }
apt_install() {
  local missing; missing=$(apt_missing "$@")
  [ -n "$missing" ] || return 0
  say "Installing system packages: $missing"
  as_root apt-get update -qq
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
brew_install() { local f; for f in "$@"; do brew list "$f" >/dev/null 2>&1 || { say "Installing with Homebrew: $f"; brew install "$f"; }; done; }

system_packages() {
  case "$(uname)" in
    Linux)
      has apt-get || { echo "Only Debian and Ubuntu are set up by this script. Needed here: $*" >&2; return 0; }
      apt_install "$@" ;;
  esac
}

node_is_fine() { has node && has npm && version_at_least "$(node --version | tr -d v)" "$node_wanted"; }
rust_is_fine() { has cargo && has rustc && version_at_least "$(rustc --version | awk '{print $2}')" "$rust_wanted"; }

group_build() {
  system_packages build-essential pkg-config ca-certificates curl git
  if [ "$(uname)" = Darwin ]; then
    has brew || { echo "Homebrew is needed on macOS: see brew.sh" >&2; exit 1; }
    node_is_fine || brew_install node
    rust_is_fine || brew_install rust
  fi
  if ! rust_is_fine; then
    say "Installing Rust (at least $rust_wanted)"
    if has rustup; then rustup toolchain install stable --profile minimal -c clippy -c rustfmt && rustup default stable
    elif has apt-get && apt-cache show rustup >/dev/null 2>&1; then
      apt_install rustup && rustup toolchain install stable --profile minimal -c clippy -c rustfmt && rustup default stable
    else curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt; fi
    rust_is_fine || { echo "Rust is still older than $rust_wanted: $(rustc --version 2>/dev/null || echo absent)" >&2; exit 1; }
  fi
  if ! node_is_fine; then
    say "Installing Node (at least $node_wanted)"
    has npm || system_packages nodejs npm
    # Distributions carry older releases; the npm package named node brings a current one, beside the system's.
    node_is_fine || { mkdir -p "$tools" && npm install --silent --no-audit --no-fund --prefix "$tools" node@22; }
    node_is_fine || { echo "Node is still older than $node_wanted: $(node --version 2>/dev/null || echo absent)" >&2; exit 1; }
  fi
}

group_window() {
  system_packages libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev libxdo-dev libssl-dev libdbus-1-dev
}

# cargo_tool BINARY CRATE
cargo_tool() { has "$1" || { say "Installing $2 (built from source, some minutes)"; CARGO_TARGET_DIR=$cache/tools-target cargo install --quiet --locked "$2"; }; }

group_test() {
  system_packages xvfb xauth dbus dbus-x11 gnome-keyring libsecret-tools webkit2gtk-driver xdotool x11-utils imagemagick \
    fonts-dejavu-core librsvg2-bin python3 python3-venv chromium chromium-driver
  cargo_tool cargo-nextest cargo-nextest
  cargo_tool cargo-deny cargo-deny
}

for group in "$@"; do
  case $group in
    build|window|test) "group_$group" ;;
    *) echo "setup.sh: unknown group $group" >&2; exit 2 ;;
  esac
done
