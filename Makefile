.DEFAULT_GOAL := help
VENV := .venv
ENGINES := .venv-engines
PEERS := .venv-peers
NPM_PEER := tests/bench/peers/sqs_consumer
CRDS := tests/deploy/crds
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras
INSTALL := pip install -q --require-hashes --no-compile  # modules are compiled when they are imported; many never are
PYTHON ?= python3
MAKEFLAGS += --jobs=3  # the environments are made side by side, and the linters run beside the tests
BIN := $(VENV)/bin

# Tests start hundreds of workers: each would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test every-test coverage check-code chaos soak reconcile fuzz bench autoscaling image-check lock clean

help:  ## what can be made here
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/ready $(ENGINES)/ready  ## the whole job on embedded engines (ARGS=--once ends by itself)
	@$(BIN)/darwin-worker demo $(ARGS)

test: check-code every-test  ## all that CI runs: linters, types, floors, every test

every-test: $(VENV)/rewritten $(ENGINES)/ready $(PEERS)/ready $(CRDS)/node_modules/ready
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

coverage: $(VENV)/rewritten $(ENGINES)/ready $(PEERS)/ready $(CRDS)/node_modules/ready  ## every test again, with the lines and branches that none of them reaches
	$(BIN)/python -m pytest -n 4 --dist worksteal --cov --cov-report=term $(ARGS)

check-code: $(VENV)/ready  ## ruff, mypy and import-linter alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(VENV)/ready $(ENGINES)/ready  ## three workers, killed at random, on a Darwin that fails (ARGS="--store dynamodb --seed 7")
	$(BIN)/python -m tests.chaos $(ARGS)

soak: $(VENV)/ready  ## a million records through one worker: does its memory stay flat? (ARGS=--backfill: 200,000 objects, killed three times)
	nice -n 10 $(BIN)/python -m tests.soak $(ARGS)

reconcile: $(VENV)/ready  ## a hundred thousand objects against as many items: is exactly what was planted found? (ARGS="--objects 1000000")
	nice -n 10 $(BIN)/python -m tests.reconcile $(ARGS)

fuzz: $(VENV)/ready  ## a million mutated bodies through parsing and routing
	nice -n 10 $(BIN)/python -m tests.fuzz $(ARGS)

bench: $(VENV)/ready $(ENGINES)/ready $(PEERS)/ready $(NPM_PEER)/node_modules/ready  ## the worker beside its peers: quota, CPU, memory (ARGS="--only 1 4")
	$(BIN)/python -m tests.bench $(ARGS)

autoscaling: $(VENV)/ready $(ENGINES)/ready  ## a recorded day under the rules of deploy/, drawn as docs/autoscaling.svg (ARGS=--record: recorded anew, ten minutes)
	nice -n 10 $(BIN)/python -m tests.autoscaling $(ARGS)

image-check: $(VENV)/ready $(ENGINES)/ready  ## the Dockerfile, built and run without Docker (as root; wants buildah, debootstrap, bubblewrap)
	$(BIN)/python -m tests.image

lock:  ## resolve the pins in requirements/ anew from pyproject.toml (needs uv)
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) --group pyproject.toml:build -o requirements/build.txt
	$(LOCK) --group dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --group pyproject.toml:engines -o requirements/engines.txt
	$(LOCK) --group pyproject.toml:peers -o requirements/peers.txt

clean:  ## remove the environments and caches
	rm -rf $(VENV) $(ENGINES) $(PEERS) $(NPM_PEER)/node_modules $(CRDS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* *.egg-info

$(VENV)/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m $(INSTALL) -r requirements/dev.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

# Each of the four processes would compile every test anew on a fresh clone; this runs beside the other environments.
$(VENV)/rewritten: $(VENV)/ready
	-@$(BIN)/python -m pytest --collect-only -q >/dev/null
	@touch $@

$(ENGINES)/ready: requirements/engines.txt
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/bin/python -m $(INSTALL) -r requirements/engines.txt
	@touch $@

$(PEERS)/ready: requirements/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m $(INSTALL) -r requirements/peers.txt
	@touch $@

%/node_modules/ready: %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@
