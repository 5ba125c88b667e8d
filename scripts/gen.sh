#!/usr/bin/env bash
# Regenerates what is generated: admin API document → typed client, and the golden files. `check` only compares.
source "$(dirname "$0")/lib.sh"
build_ui_packages() { cmp -s ui/package-lock.json ui/node_modules/.installed || { (cd ui && npm ci --no-audit --no-fund); cp ui/package-lock.json ui/node_modules/.installed; }; }
build_ui_packages
if [ "${1:-}" = check ]; then
  # The document itself is compared by a Rust test; here: does the typed client follow from it?
  fresh=$(mktemp); trap 'rm -f "$fresh"' EXIT
  ui/node_modules/.bin/openapi-typescript ui/src/api/openapi.json -o "$fresh" >/dev/null
  diff -u ui/src/api/schema.d.ts "$fresh" || { echo "ui/src/api/schema.d.ts is stale: run make gen" >&2; exit 1; }
  exit 0
fi
UPDATE_GOLDEN=1 cargo nextest run -p kiro-protocol -p kiro-gateway
ui/node_modules/.bin/openapi-typescript ui/src/api/openapi.json -o ui/src/api/schema.d.ts
