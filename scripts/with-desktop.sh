#!/usr/bin/env bash
# Runs a command inside a desktop of its own: an X server without a screen, a private session bus, an unlocked keyring.
#   scripts/with-desktop.sh COMMAND [ARGUMENT...]
# SCREEN=1280x900x24 sets the size; KEYRING=0 leaves the keyring out.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 64; }
for tool in xvfb-run xauth dbus-run-session gnome-keyring-daemon; do
  command -v "$tool" >/dev/null || { echo "with-desktop: $tool is missing, run: scripts/setup.sh window test" >&2; exit 69; }
done

run=$(mktemp -d)
chmod 700 "$run"
# The document portal may keep a mount in there for a moment.
trap 'rm -rf "$run" 2>/dev/null || true' EXIT

export XDG_RUNTIME_DIR="$run" XDG_SESSION_TYPE=x11 GDK_BACKEND=x11
export LIBGL_ALWAYS_SOFTWARE=1 NO_AT_BRIDGE=1 LC_ALL=C.UTF-8
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS

xvfb-run --auto-servernum --server-args="-screen 0 ${SCREEN:-1280x900x24} -nolisten tcp" \
  dbus-run-session -- bash -euo pipefail -c '
    if [ "${KEYRING:-1}" = 1 ]; then
      # The first unlock creates the login keyring, with its own data folder and this password.
      eval "$(printf "test\n" | XDG_DATA_HOME=$XDG_RUNTIME_DIR/data gnome-keyring-daemon --unlock --components=secrets)"
    fi
    "$@"' _ "$@"
