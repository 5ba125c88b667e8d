#!/usr/bin/env bash
# Everything that must hold on main. `quick` leaves out real clients, the real window and licences.
# Every step runs, also after a failed one; the summary at the end names them all.
source "$(dirname "$0")/lib.sh"
mode=${1:-all}
passed=() failed=() skipped=()

step() { # step NAME COMMAND...
  local name=$1 start=$SECONDS; shift
  say "── $name"
  if ("$@"); then passed+=("$name ($((SECONDS - start)) s)"); else failed+=("$name ($((SECONDS - start)) s)"); fi
}
skip() { printf '\n── %s\nSKIPPED: %s\n' "$1" "$2"; skipped+=("$1: $2"); }

linux=false; [ "$(uname)" = Linux ] && linux=true
scripts/setup.sh build
$linux && scripts/setup.sh window test || true
# A test leaves nothing behind in the repository: no failed cases, no byte code; looked at in the end.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=1 PYTHONDONTWRITEBYTECODE=1
state() { git status --porcelain --untracked-files=all 2>/dev/null || true; }
before=$(state)
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never} CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
build_ui

# One choice of packages for every step: with another one cargo gives the dependencies other features and builds them once more.
scope=(); $linux && scope=(--workspace)
build() { cargo build --quiet ${scope[@]+"${scope[@]}"} --bins --tests; }
run_tests() { cargo nextest run ${scope[@]+"${scope[@]}"} "$@"; }
shell='(package(kiro-proxy-desktop) or package(kiro-desktop-tests))'

ui() { (cd ui && npm run --silent check && npm test --silent); }
generated() { scripts/gen.sh check; }
lints() { cargo clippy --quiet --workspace --all-targets -- -D warnings; }
headless_lints() { cargo clippy --quiet --all-targets -- -D warnings; }
# keychain_real needs sessions of its own, endurance needs minutes: both have steps of their own.
rust_tests() {
  build && run_tests --no-fail-fast --status-level slow -E "not (binary(keychain_real) or binary(endurance) or $shell)" &&
    { $linux || cargo nextest run -p kiro-bench --status-level slow; }
}
# One after the other: each test takes all cores. The figures they print belong into docs/reliability.md.
endurance() { run_tests --no-fail-fast -E 'binary(endurance)' --test-threads 1 --no-capture; }
desktop() {
  build && scripts/with-desktop.sh cargo nextest run "${scope[@]}" --no-fail-fast --test-threads 1 --status-level all -E "$shell and not binary(web)"
}
# A real browser and the real gateway program; no window, so it needs no display.
web() {
  build && run_tests --no-fail-fast --test-threads 1 --status-level all -E 'binary(web)'
}
keychain() {
  # Three sessions: an unlocked keyring, no bus at all, and a keyring that nobody can unlock. Each runs its own tests only:
  # the others return at once in a session that is not theirs, and that must not count as passed.
  # One after the other: some freeze the keyring of their session or count what it writes.
  local run=(cargo nextest run "${scope[@]}" --test-threads 1 --status-level all) only='binary(keychain_real)' empty
  local absent='test(without_a_bus)' locked='test(nobody_unlocked)'
  empty=$(mktemp -d)
  KIRO_TEST_KEYCHAIN=1 scripts/with-desktop.sh "${run[@]}" -E "$only and not ($absent or $locked)" &&
    KIRO_TEST_KEYCHAIN=absent DBUS_SESSION_BUS_ADDRESS=unix:path="$empty/none" "${run[@]}" -E "$only and $absent" &&
    KIRO_TEST_KEYCHAIN=locked XDG_DATA_HOME="$empty" XDG_RUNTIME_DIR="$empty" \
      env -u DISPLAY -u WAYLAND_DISPLAY -u DBUS_SESSION_BUS_ADDRESS dbus-run-session -- "${run[@]}" -E "$only and $locked"
  local result=$?; rm -rf "$empty"; return $result
}
licences() { cargo fetch --quiet --locked && cargo deny --offline --log-level error check bans licenses sources && scripts/version-gate.sh; }

step "format" cargo fmt --all --check
step "UI: types, words, tests" ui
step "generated files are fresh" generated
if $linux; then step "lints" lints; else step "lints (headless)" headless_lints; fi
step "Rust tests" rust_tests
if [ "$mode" = all ]; then
  step "real clients" env KIRO_PROXY_PROGRAM="$(target_dir)/debug/kiro-proxy" tests/clients/run.sh
  if $linux; then step "endurance" endurance; else skip "endurance" "kills and shares files as on Linux"; fi
  if $linux; then
    step "keychain" keychain
    step "desktop" desktop
    if has chromium && has chromedriver; then step "sign-in in a real browser" web
    else skip "sign-in in a real browser" "chromium or chromedriver is not installed, run: scripts/setup.sh test"; fi
  else
    skip "keychain" "needs a private session bus (Linux)"
    skip "desktop" "there is no WebDriver for this system's webview"
    skip "sign-in in a real browser" "is set up on Linux only"
  fi
  if has cargo-deny; then step "licences, bans, sources" licences; else skip "licences, bans, sources" "cargo-deny is not installed"; fi
fi

untouched() { [ "$before" = "$(state)" ] || { echo "make test changed the repository:" >&2; state >&2; return 1; }; }
step "the repository is as it was" untouched

say "Summary"
for s in "${passed[@]}"; do echo "  ok       $s"; done
for s in ${skipped[@]+"${skipped[@]}"}; do echo "  SKIPPED  $s"; done
for s in ${failed[@]+"${failed[@]}"}; do echo "  FAILED   $s"; done
printf '\n%d passed, %d failed, %d skipped\n' "${#passed[@]}" "${#failed[@]}" "${#skipped[@]}"
[ "${#failed[@]}" = 0 ]
