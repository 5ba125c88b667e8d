#!/usr/bin/env bash
# Real clients finish real tasks through the gateway, with the stand-in upstream behind it. Clients are installed from their
# registries into a cache outside the repository, by exact version.
source "$(dirname "$0")/../../scripts/lib.sh"

fingerprint() { cat "$@" | cksum | cut -d' ' -f1; }
install_node() { # install_node FOLDER -> prints where it is installed
  local from=$1 to; to=$cache/clients/$(basename "$1")-$(fingerprint "$1/package-lock.json")
  if [ ! -f "$to/.installed" ]; then
    mkdir -p "$to" && cp "$from/package.json" "$from/package-lock.json" "$to/"
    (cd "$to" && npm ci --no-audit --no-fund --ignore-scripts >&2) && touch "$to/.installed"
  fi
  printf '%s' "$to"
}
install_python() {
  local to; to=$cache/clients/python-$(fingerprint tests/clients/python/requirements.txt)
  if [ ! -f "$to/.installed" ]; then
    python3 -m venv "$to" && "$to/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/python/requirements.txt >&2 && touch "$to/.installed"
  fi
  printf '%s' "$to"
}

say "Installing the clients (first time: about 500 MB)"
node_modules=$(install_node tests/clients/node)
aws_modules=$(install_node tests/clients/aws-sdk)
venv=$(install_python)
cargo build --quiet -p kiro-cli

exec "$venv/bin/python" tests/clients/run.py --binary "$(target_dir)/debug/kiro-proxy" --node "$node_modules" --aws "$aws_modules" "$@"
