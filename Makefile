# Woodshed: from nothing to music. `make` lists what there is.
#
# Needs make and Python 3.11 or newer; everything else goes into .venv. Runs again only what has changed.

VENV ?= .venv
# Where torch publishes its CPU builds. On Linux the plain build brings gigabytes of CUDA with it, so this
# address is asked first and left out when it does not answer. With an NVIDIA card: make setup TORCH_INDEX=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# The first Python found that is new enough; to choose another: make PYTHON=/path/to/python3.12
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
INSTALLED = $(VENV)/.installed
SOURCES = tools tests src $(wildcard benchmarks hatch_build.py)

.DEFAULT_GOAL := help
.PHONY: help setup demo recipes test lint wheel constraints clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv and install Woodshed into it, with all that it needs

demo: $(INSTALLED) ## learn for about two minutes, then write clips, sound and a report to demo-out/
	$(BIN)/woodshed demo demo-out --force

recipes: $(INSTALLED) ## train every recipe on real music (under an hour) and write its figures and pages anew
	$(BIN)/python benchmarks/recipes/run.py

# -v cancels the -q of pyproject.toml: a log should say which file a dot belongs to.
test: lint wheel ## all that CI runs: lint, wheel, tests
	$(BIN)/python -m pytest -v

lint: $(INSTALLED) ## style, types, and who may import whom
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

wheel: $(INSTALLED) ## build the wheel into dist/, install it into a clean environment and try it there
	@rm -f dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .
	$(BIN)/python tools/smoke_wheel.py dist/*.whl

constraints: $(INSTALLED) ## pin again, in constraints.txt, what .venv now holds
	$(BIN)/python tools/make_constraints.py > constraints.new && mv constraints.new constraints.txt

clean: ## remove .venv and all that was built
	rm -rf $(VENV) dist build demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer was found; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "make: $(PYTHON) is missing or older than 3.11; name a newer one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module; install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "[1/3] a virtual environment in $(VENV)"
	@"$(PYTHON)" -m venv "$(VENV)"

# hatchling and editables come first because Woodshed is then built without an isolated copy of them: pinned, and faster.
$(INSTALLED): $(BIN)/pip pyproject.toml constraints.txt $(wildcard hatch_build.py)
	@echo "[2/3] torch, as a CPU build where one can be had"
	@index=$$($(BIN)/python tools/torch_index.py "$(TORCH_INDEX)") && \
		$(PIP) install -c constraints.txt $${index:+--extra-index-url "$$index"} torch hatchling editables
	@echo "[3/3] Woodshed and what it needs"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[demo,dev]'
	@touch $@
