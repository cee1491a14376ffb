# Every command of this repository; `make` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON_BIN := .venv/bin/python

.PHONY: help setup programs console check format test chaos crowd fuzz powercut flood bench budgets size demo up budget pins
.PHONY: clean ready programs-ready console-ready

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with the pinned packages (PYTHON=... picks the interpreter)
	@PYTHON="$(PYTHON)" tools/setup.sh

programs: ## install the pinned Claude Code into tests/programs (about 240 MB)
	@tools/programs.sh

console: ## build the web console into the package (needs Node 20.19 or newer)
	@tools/console.sh

up: ready console-ready ## start server and worker in the foreground (ARGS="--port 8787")
	@.venv/bin/agentrunner up $(ARGS)

demo: ready programs-ready console-ready ## kill everything around running agents, watch nothing get lost (KEEP=1 goes on serving)
	@$(PYTHON_BIN) tools/demo.py $(if $(KEEP),--keep)

check: ready ## format, lint, types, layers, sizes: everything but the tests, in seconds
	@$(PYTHON_BIN) tools/check.py

format: ready ## rewrite the sources in the house format
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format --quiet .

# Tests wait far more than they compute, so two at a time take little more than half of the time.
# PYTEST_STATUS names a file for pytest's exit code; make then succeeds and pytest's summary stays the last line.
test: check programs-ready console-ready ## check, then every test (ARGS="tests/store -x" runs some)
	@$(PYTHON_BIN) -m pytest -n 2 --dist loadfile $(ARGS) || $(if $(PYTEST_STATUS),echo $$? >"$(PYTEST_STATUS)",exit $$?)

chaos: ready programs-ready ## kill what can be killed and prove what must stay true (FULL=1: 10,000 runs, ten minutes)
	@$(PYTHON_BIN) tests/chaos $(if $(FULL),--full)

crowd: ready ## 1,000 agents at once: what they cost, and that nothing is lost (ARGS="--agents 200")
	@$(PYTHON_BIN) tests/crowd $(ARGS)

fuzz: ready ## send what no client would send and try every promise of the OpenAPI document (FULL=1, ARGS="--seed 7")
	@$(PYTHON_BIN) tests/fuzz $(if $(FULL),--full) $(ARGS)

powercut: ready ## cut the power 3,000 times under the engine's own writes (ARGS="--durability normal" shows loss)
	@$(PYTHON_BIN) tests/powercut $(ARGS)

flood: ready ## write 120 MB past a slow server: disk, memory and lines (ARGS="--cap 32 --stdio file")
	@$(PYTHON_BIN) tests/pressure $(ARGS)

bench: ready ## measure the hot paths, each against its own limit
	@$(PYTHON_BIN) tests/bench $(ARGS)

budgets: ready ## the console in a browser against its budgets: sizes, requests, accessibility gate; times are printed
	@tools/console.sh --quiet
	@$(PYTHON_BIN) tests/console $(ARGS)

size: ready ## reads and the cost of a run among 1,000,000 runs and 10,000,000 events (ARGS="--runs 10000")
	@$(PYTHON_BIN) tests/size $(ARGS)

budget: ready ## the largest files and functions, and what is over the bound
	@$(PYTHON_BIN) tools/budget.py

pins: ready ## compile requirements/*.txt from pyproject.toml (UPGRADE=1 takes the newest versions)
	@tools/pins.sh $(if $(UPGRADE),--upgrade)

clean: ## remove environments, installed programs and caches
	@rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@rm -rf tests/programs/node_modules console/node_modules console/dist src/agentrunner/_console
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

ready:
	@PYTHON="$(PYTHON)" tools/setup.sh --quiet

programs-ready:
	@tools/programs.sh --quiet

console-ready:
	@tools/console.sh --quiet --optional
