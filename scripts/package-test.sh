#!/usr/bin/env bash
# Installs the built .deb, starts both programs from their installed places, and removes it again.
#   scripts/package-test.sh [FILE.deb]
# Changes the system for a moment, so it asks for root or sudo and refuses when Kiro Proxy is installed already.
source "$(dirname "$0")/lib.sh"
deb=${1:-$(ls -t artifacts/kiro-proxy_*.deb 2>/dev/null | head -n1 || true)}
[ -f "$deb" ] || { echo "package-test: there is no .deb in artifacts/, run: make package" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
fail() { echo "package-test: $*" >&2; exit 1; }

package=$(dpkg-deb --field "$deb" Package)
dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' && fail "$package is installed already; remove it first"

work=$(mktemp -d)
clean_up() {
  dpkg-query --show "$package" >/dev/null 2>&1 && as_root dpkg --purge "$package" >/dev/null
  rm -rf "$work"
}
trap clean_up EXIT

say "Contents of $deb"
contents=$(dpkg-deb --contents "$deb")
grep -v '^d' <<<"$contents" | awk '{print "  " $1, $3, $6, $7}'
for path in usr/bin/kiro-proxy usr/bin/kiro-proxy-desktop; do
  grep -qE "^-rwxr-xr-x .* (\./)?$path\$" <<<"$contents" || fail "$path is missing or cannot be run"
done
for path in usr/lib/systemd/system/kiro-proxy.service usr/lib/sysusers.d/kiro-proxy.conf; do
  grep -qE "^-rw-r--r-- .* (\./)?$path\$" <<<"$contents" || fail "$path is missing or has another mode"
done
grep -q 'usr/share/applications/.*\.desktop$' <<<"$contents" || fail "there is no .desktop file"

say "Installing"
as_root dpkg --install "$deb"
version=$(dpkg-deb --field "$deb" Version)
[ "$(/usr/bin/kiro-proxy --version)" = "kiro-proxy $version" ] || fail "kiro-proxy --version says $(/usr/bin/kiro-proxy --version)"
[ "$(/usr/bin/kiro-proxy-desktop --version)" = "kiro-proxy-desktop $version" ] || fail "kiro-proxy-desktop --version"
if command -v desktop-file-validate >/dev/null; then
  desktop-file-validate "$(dpkg -L "$package" | grep '\.desktop$')"
fi

say "Starting the installed app: window, health, end"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$work/home"
HOME=$work/home KIRO_PROXY_DATA_DIR=$work/data KIRO_PROXY__LISTENER__PORT=$port \
  "$root/scripts/with-desktop.sh" bash -euo pipefail -c '
    /usr/bin/kiro-proxy-desktop & app=$!
    trap "kill $app 2>/dev/null || true" EXIT
    timeout 60 xdotool search --sync --onlyvisible --pid $app --name "^Kiro Proxy\$" >/dev/null
    echo "  the window is open"
    timeout 60 curl --silent --fail --retry 30 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$1/health"; echo
    kill -TERM $app
    trap - EXIT
    wait $app && echo "  ended with 0"
  ' _ "$port"

say "The service: its unit, and its own command line with the credential that systemd would hand over"
unit=/usr/lib/systemd/system/kiro-proxy.service
if command -v systemd-analyze >/dev/null; then
  # Words about other units of this machine are not ours.
  words=$(systemd-analyze verify "$unit" 2>&1 || true)
  ! grep -F kiro-proxy <<<"$words" || fail "systemd does not like the unit"
  echo "  systemd-analyze verify has no complaint"
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$work/credentials"
(umask 077 && head -c 32 /dev/urandom | base64 >"$work/credentials/kiro-proxy-vault-key")
# What the unit runs, with its state in a folder of the test.
read -ra command < <(sed -n 's/^ExecStart=//p' "$unit" | sed "s#/var/lib/kiro-proxy#$work/service#")
env -i PATH=/usr/bin:/bin CREDENTIALS_DIRECTORY="$work/credentials" KIRO_PROXY__LISTENER__PORT="$port" \
  "${command[@]}" >"$work/service.log" 2>&1 & service=$!
timeout 60 curl --silent --fail --retry 30 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/health" || { cat "$work/service.log"; fail "the service does not answer"; }
echo
source=$(env -i PATH=/usr/bin:/bin /usr/bin/kiro-proxy vault status --json --data-dir "$work/service" | python3 -c 'import json, sys; print(json.load(sys.stdin)["keySource"])')
[ "$source" = systemdCredential ] || fail "the vault's key comes from $source"
kill -TERM $service
wait $service || fail "the service did not end with 0"
echo "  serves with the vault's key from the credential, and ended with 0"

say "Removing"
files=$(dpkg -L "$package" | while IFS= read -r path; do [ -f "$path" ] && echo "$path"; done)
as_root dpkg --purge "$package"
left=$(while IFS= read -r path; do [ -e "$path" ] && echo "$path"; done <<<"$files" || true)
[ -z "$left" ] || fail "left behind: $left"
if dpkg-query --show "$package" >/dev/null 2>&1; then fail "dpkg still knows $package"; fi
echo "  nothing is left in the system; the person's data stays: $(ls "$work/data" | tr '\n' ' ')"
say "The package installs, runs and goes"
