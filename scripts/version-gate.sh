#!/usr/bin/env bash
# Advisory databases need the network. These floors are known-bad ranges that must never come back (docs/dependencies.md).
source "$(dirname "$0")/lib.sh"
bad=0
locked() { awk -v n="$1" '$1=="name" && $3=="\""n"\"" {getline; gsub(/"/,"",$3); print $3}' Cargo.lock; }
floor() { # floor CRATE VERSION REASON
  local v; for v in $(locked "$1"); do version_at_least "$v" "$2" || { echo "$1 $v is older than $2: $3" >&2; bad=1; }; done; }
absent() { [ -z "$(locked "$1")" ] || { echo "$1 must not be used: $2" >&2; bad=1; }; }
floor tauri 2.11.1 "remote origins taken for local on Windows (CVE-2026-42184)"
floor hyper 1.6.0 "older HTTP/1 framing fixes"
floor rustls 0.23.18 "denial of service by fragmented hello (RUSTSEC-2024-0399)"
absent tauri-plugin-shell "opens any scheme (CVE-2025-31477 class)"
absent openssl-sys "one TLS stack only"
absent aws-lc-sys "one TLS stack only"
exit $bad
