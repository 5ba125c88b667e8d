#!/usr/bin/env bash
# Real clients finish real tasks through the gateway, with the stand-in upstream behind it. Clients are installed from their
# registries into a cache outside the repository, by exact version; one that cannot be installed is a failure.
# Arguments go to run.py: names of clients, or --record FOLDER (see scripts/transcripts.sh).
source "$(dirname "$0")/../../scripts/lib.sh"

fingerprint() { cat "$@" | cksum | cut -d' ' -f1; }
install_node() { # install_node NAME -> prints where it is installed
  local from=tests/clients/$1 to; to=$cache/clients/$1-$(fingerprint "tests/clients/$1/package-lock.json")
  if [ ! -f "$to/.installed" ]; then
    # Not `npm ci`: it refuses a lock file that does not list the packages for other systems, and not every registry has those.
    mkdir -p "$to" && cp "$from/package.json" "$from/package-lock.json" "$to/"
    (cd "$to" && npm install --no-audit --no-fund --ignore-scripts --omit-lockfile-registry-resolved >&2) || { rm -rf "$to"; return 1; }
    touch "$to/.installed"
  fi
  printf '%s' "$to"
}
install_python() {
  local to; to=$cache/clients/python-$(fingerprint tests/clients/python/requirements.txt)
  if [ ! -f "$to/.installed" ]; then
    python3 -m venv "$to" && "$to/bin/pip" install --quiet --disable-pip-version-check -r tests/clients/python/requirements.txt >&2 || { rm -rf "$to"; return 1; }
    touch "$to/.installed"
  fi
  printf '%s' "$to"
}

say "Installing the clients (first time: about 1.7 GB)"
installed=()
for name in node aws-sdk codex gemini-cli opencode qwen-code; do
  folder=$(install_node "$name") || { echo "tests/clients: $name could not be installed" >&2; exit 1; }
  installed+=(--installed "$name=$folder")
done
venv=$(install_python) || { echo "tests/clients: the Python packages could not be installed" >&2; exit 1; }
# The gate hands over the program that it has just built.
program=${KIRO_PROXY_PROGRAM:-}
if [ -z "$program" ]; then cargo build --quiet -p kiro-cli; program="$(target_dir)/debug/kiro-proxy"; fi

exec "$venv/bin/python" tests/clients/run.py --binary "$program" --room "$cache/clients-at-work" "${installed[@]}" "$@"
