# One set of commands for people and for CI. Needs make and Python 3.11 or newer, nothing else.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.scrimp-installed
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install demo test check sdks bench bench-gateway soak caching carry docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Install scrimp and its tools into .venv

# The first interpreter that runs and is new enough, or the one that PYTHON=… names.
$(STAMP): pyproject.toml requirements-dev.txt
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "installing into $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "make: Python 3.11 or newer was not found; install it, or run: make install PYTHON=/path/to/python3" >&2; exit 1
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(STAMP) ## Replay bundled agent runs: the bill before and after
	@$(BIN)/scrimp demo

# What is compiled is kept, whatever the environment says: each worker and each process of a test imports the same.
test: export PYTHONDONTWRITEBYTECODE =
test: $(STAMP) ## Run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(STAMP) ## Lint, formatting, types and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

sdks: $(STAMP) ## Install SDKs, Claude Code and peers beside the tests, each by itself (needs npm)
	@for pair in 0.125.0,anthropic==0.125.0 1.17.0,anthropic==1.17.0 2.11.0,anthropic==2.11.0 \
	  "pydantic-ai,pydantic-ai-slim[anthropic]==2.68.0 anthropic==2.12.0" \
	  "langchain-anthropic,langchain-anthropic==1.7.7 langchain-core==1.7.2 langchain==1.4.7 anthropic==2.12.0" \
	  "litellm,litellm==1.109.1"; do \
	  python=.sdks/$${pair%%,*}/bin/python; \
	  test -x $$python || $(BIN)/uv venv --quiet --python $(BIN)/python .sdks/$${pair%%,*} || exit 1; \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $$python \
	    --overrides benchmarks/caching/peers/overrides.txt $${pair#*,} \
	    click genai-prices kitoken msgspec orjson rich uvicorn httptools || exit 1; \
	done
	@test -x .sdks/claude-code/node_modules/.bin/claude || npm install --prefix .sdks/claude-code --no-fund \
	  --no-audit --loglevel error @anthropic-ai/claude-code@2.1.330
	@test -x .sdks/ccusage/node_modules/.bin/ccusage || npm install --prefix .sdks/ccusage --no-fund \
	  --no-audit --loglevel error ccusage@20.0.24
	@test -e .sdks/examples/anthropic-2.11.0.tar.gz || $(BIN)/python -m pip download --quiet \
	  --disable-pip-version-check --no-deps --no-binary :all: -d .sdks/examples anthropic==2.11.0

bench: $(STAMP) ## Measure speed side by side: planning, metering, ledger, budgets … (ARGS=--help)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-gateway: $(STAMP) ## Measure the gateway beside LiteLLM's and Portkey's (ARGS=--help)
	@test -x .sdks/litellm-proxy/bin/litellm || { $(BIN)/uv venv --quiet --python $(BIN)/python .sdks/litellm-proxy && \
	  $(BIN)/uv pip install --quiet --python .sdks/litellm-proxy/bin/python \
	    --overrides benchmarks/gateway/overrides.txt 'litellm[proxy]==1.109.1'; }
	@test -d .sdks/portkey/node_modules || ! command -v npm >/dev/null || { mkdir -p .sdks/portkey && \
	  cp benchmarks/gateway/portkey/package.json .sdks/portkey && \
	  npm install --silent --prefix .sdks/portkey --ignore-scripts --no-fund --no-audit; }
	@$(BIN)/python -m benchmarks.gateway $(ARGS)

soak: $(STAMP) ## Ten minutes of mixed load on the gateway, with faults (ARGS=--help)
	@$(BIN)/python -m benchmarks.soak $(ARGS)

caching: $(STAMP) ## Compare what caching strategies pay, scenario by scenario (ARGS=--help)
	@$(BIN)/python -m benchmarks.caching $(ARGS)

carry: $(STAMP) ## Compare what carrying less pays on recorded runs (ARGS="PATH… --least 50")
	@$(BIN)/python -m benchmarks.carrying $(ARGS)

docs: $(STAMP) ## Renew what README and pages show of what scrimp prints
	@for script in docs/renew_*.py; do $(BIN)/python $$script || exit 1; done

lock: $(STAMP) ## Renew requirements-dev.txt from pyproject.toml (ARGS=--upgrade takes newer versions)
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 -q --no-header $(ARGS) -o requirements-dev.txt

clean: ## Remove .venv, caches and build output
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
