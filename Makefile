# Kiro Proxy. `make help` lists the targets; each installs what it needs and says so first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check fmt gen bench fuzz package clean icons screenshots

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build and start: the desktop app when there is a display, else the headless gateway
	@scripts/run.sh

test: ## everything that must hold: lints, Rust, UI, real clients, the real window, licences
	@scripts/test.sh

check: ## the quick part of `make test`: format, lints, Rust and UI tests
	@scripts/test.sh quick

fmt: ## format all code
	@cargo fmt --all && cargo fmt --manifest-path src-tauri/crates/protocol/fuzz/Cargo.toml

gen: ## regenerate the admin API document, the typed client, icons and golden files
	@scripts/gen.sh

bench: ## measure the gateway against a plain pass-through and direct calls, in one run
	@scripts/bench.sh

fuzz: ## run each fuzz target (RUNS=1000000)
	@scripts/fuzz.sh

package: ## build the .deb and .rpm (both binaries inside)
	@scripts/setup.sh build window && scripts/package.sh

icons: ## draw all icons again from icons/src
	@scripts/icons.sh

screenshots: ## pictures of the real window in both themes, into artifacts/
	@scripts/setup.sh build window test && scripts/screenshots.sh

clean: ## remove build output
	@cargo clean; rm -rf ui/dist ui/node_modules gen artifacts
