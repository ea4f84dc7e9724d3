# make demo   install, then the whole way on sample data
# make test   install, then every check that CI runs
# make lint   style, types, import contracts and spelling only
# make docs   the documentation site, in site/
# make coverage, make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXTRAS := medical,test,docs
# Debian packages that the Python packages need; libraries of the window go here.
SYSTEM_PACKAGES :=

.PHONY: install demo test lint pytest docs coverage clean system-packages
.DEFAULT_GOAL := install

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt | system-packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), but Python 3.11 or later is" \
	    "needed. Name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check \
	  -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

# Installs what is missing of SYSTEM_PACKAGES where apt-get exists and may be used.
system-packages:
	@missing=; for package in $(SYSTEM_PACKAGES); do \
	  dpkg -s "$$package" >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	  echo "Not installed, and there is no apt-get:$$missing. Going on." >&2; exit 0; fi; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=$$(command -v sudo) || { \
	  echo "Please install as root: apt-get install$$missing" >&2; exit 1; }; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing

demo: install
	$(BIN)/mtseg demo

test: lint pytest docs

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

pytest: install
	$(BIN)/python -m pytest --benchmark-disable

docs: install
	$(BIN)/mkdocs build --strict

coverage: install
	$(BIN)/python -m pytest --benchmark-disable --cov --cov-report=term

clean:
	rm -rf $(VENV) site dist build .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis .benchmarks .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
