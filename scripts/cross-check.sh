#!/usr/bin/env bash
# Type-checks the whole program for Windows and macOS on Linux, and runs Windows tests in wine.
#   scripts/cross-check.sh windows | macos          type check
#   scripts/cross-check.sh wine ARGUMENT...         cargo test with these arguments, run in wine, such as
#     KIRO_TEST_KEYCHAIN=1 scripts/cross-check.sh wine -p kiro-gateway --test keychain_real
# Needs a compiler with the standard library's source of the same version (Debian: rustc-web cargo-web rust-web-src
# libstd-rust-web-dev), for Windows mingw-w64 and wine. Not a step of the gate: 10 to 25 minutes when cold, about 5 GB.
source "$(dirname "$0")/lib.sh"
what=${1:-}; shift || true
compiler=${CROSS_COMPILER_DIR:-/usr/bin}
[ -x "$compiler/rustc" ] || { echo "cross-check: no rustc in $compiler (CROSS_COMPILER_DIR)" >&2; exit 69; }
export PATH="$compiler:$PATH" RUSTC="$compiler/rustc" RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0
export CARGO_TARGET_DIR=${CROSS_TARGET_DIR:-$root/target-cross}
std=(-Z build-std=std,panic_unwind)
case $what in
  windows | wine)
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
    export WINEPREFIX=$CARGO_TARGET_DIR/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
    target=x86_64-pc-windows-gnu ;;
  macos)
    # A check does not link, and there is no SDK for the C code: a compiler that does nothing is enough.
    export CC_aarch64_apple_darwin=/bin/true AR_aarch64_apple_darwin=/bin/true SDKROOT=/
    target=aarch64-apple-darwin ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
if [ "$what" = wine ]; then
  # Programs of newer compilers take their random numbers from a library that older wines do not have.
  if [ ! -f "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
    wine cmd /c ver >/dev/null 2>&1
    printf '%s\n' '#include <windows.h>' 'BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);' \
      '__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }' |
      x86_64-w64-mingw32-gcc -shared -x c - -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" -ladvapi32
  fi
  exec cargo test "${std[@]}" --target "$target" "$@"
fi
build_ui
cargo check "${std[@]}" --target "$target" -p kiro-proxy-desktop -p kiro-cli -p kiro-gateway "$@"
