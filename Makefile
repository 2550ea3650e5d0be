# Everything that is done with this repository, a line each. `make` alone lists it.
# One profile, one compiler, one target folder: so RocksDB and librdkafka are compiled once, also for a second clone.
SHELL := /usr/bin/env bash
export CC := clang
export CXX := clang++
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/throughline/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
SCRIPTS := integration/scripts
THROUGHLINE := $(CARGO_TARGET_DIR)/release/throughline

.DEFAULT_GOAL := help
.PHONY: help demo test verify fix bench steps memory drill sim model e2e build setup

help:    ## Say what there is to make
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /  make \1\t/' | expand -t 20

demo: build    ## Run one node on generated bank traffic, without Kafka
	@$(THROUGHLINE) demo

test:    ## Check and test everything, with a real Kafka broker; installs what it needs
	@$(SCRIPTS)/test.sh

verify: setup    ## Check format and lints; changes nothing
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings

fix: setup    ## Mend what format and lints can mend by themselves
	cargo fmt --all
	cargo clippy --release --workspace --all-targets --fix --allow-dirty --allow-staged

bench: build    ## Measure throughput on this machine, with a real Kafka broker; BENCH="--repeat 3 --peer '…'" for more
	@$(SCRIPTS)/setup.sh test
	@$(CARGO_TARGET_DIR)/release/bench $(BENCH)

steps: build    ## Count the instructions that each hot step takes
	@$(SCRIPTS)/setup.sh test
	@$(CARGO_TARGET_DIR)/release/steps

memory: build    ## Have ten million transactions open at once, and check memory and every record; OPEN=n for less
	@$(SCRIPTS)/setup.sh test
	@$(CARGO_TARGET_DIR)/release/memory --memory 1536MiB --limit-mib 1536 $(if $(OPEN),--open $(OPEN))

drill: build    ## Break nodes, broker, network and disks under load, and check every record; DRILLS="kill-node …" for less
	@$(SCRIPTS)/setup.sh test
	@$(CARGO_TARGET_DIR)/release/drill
	@$(THROUGHLINE) drill run $(or $(DRILLS),--all) --exactly-once

e2e: build    ## Send two million transactions through the program, and check every record
	@$(SCRIPTS)/setup.sh test
	@$(CARGO_TARGET_DIR)/release/drill --kills 0 --transactions 2000000

sim: setup    ## Run simulated histories with faults: KIND=alone or together, HISTORIES=n FROM=n, or one with SEED=n
	@cargo run --release --package integration --bin sim -- --kind $(or $(KIND),alone) $(if $(SEED),--seed $(SEED),--histories $(or $(HISTORIES),10000) --from $(or $(FROM),0))

model: setup    ## Explore the protocol's model within wider bounds: LIVES, RECORDS, FENCES, MOVES, UNCLEAR, SNAPSHOTS, LEADERS, CRASHES=n
	@cargo test --release --package integration --test model -- --ignored --nocapture

build: setup    ## Compile the program
	@cargo build --release --workspace

setup:    ## Install what compiling needs, where it is missing
	@$(SCRIPTS)/setup.sh build
