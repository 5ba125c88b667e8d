#!/usr/bin/env bash
# Builds and starts Kiro Proxy: the desktop app when there is a display, else the headless gateway.
source "$(dirname "$0")/lib.sh"
if has_display; then scripts/setup.sh build window; else scripts/setup.sh build; fi
build_ui

if has_display; then
  say "Starting the desktop app"
  exec cargo run --quiet -p kiro-proxy-desktop -- "$@"
fi

cargo build --quiet -p kiro-cli
binary=$(target_dir)/debug/kiro-proxy
arguments=("$@")
if [ -z "${KIRO_PROXY_VAULT_KEY:-}" ] && [ -z "${DBUS_SESSION_BUS_ADDRESS:-}" ] && [ "$(uname)" = Linux ]; then
  # No session bus means no keychain. The vault needs a key; this one is protected by file permissions only, and we say so.
  key=${XDG_CONFIG_HOME:-$HOME/.config}/kiro-proxy/vault.key
  if [ ! -f "$key" ]; then
    say "No keychain here. Making a vault key, readable by you only: $key"
    (umask 077; mkdir -p "$(dirname "$key")"; head -c 32 /dev/urandom | base64 > "$key")
  fi
  arguments+=(--vault-key-file "$key")
fi
if [ ! -t 0 ] && ! printf '%s\n' "$@" | grep -qx -- --demo; then
  # Nobody to ask: without an account the demo account answers, labelled as simulated.
  data=(); for ((i = 1; i < $#; i++)); do [ "${!i}" = --data-dir ] && { j=$((i + 1)); data=(--data-dir "${!j}"); }; done
  if "$binary" accounts list --json "${data[@]}" "${arguments[@]:$#}" 2>/dev/null | tr -d ' \n' | grep -q '"accounts":\[\]'; then
    say "No account yet: adding the demo account. Its answers are simulated."
    arguments+=(--demo)
  fi
fi
say "Starting the headless gateway (no display here)"
exec "$binary" serve "${arguments[@]}"
