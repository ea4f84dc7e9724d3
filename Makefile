# make demo   install, then the whole way on sample data
# make test   install, then every check that CI runs
# make lint   style, types, import contracts and spelling only
# make docs   the documentation site, in site/
# make coverage, make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests that run at once, a thread each.
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --benchmark-disable \
  -n $(JOBS) --dist worksteal
EXTRAS := cluster,export,medical,pyqt5,pyqt6,test-gui,docs
# What Qt needs of the system, OpenGL in software, and a screen for tests.
SYSTEM_PACKAGES := fonts-dejavu-core libdbus-1-3 libegl1 libfontconfig1 libgl1 \
  libgl1-mesa-dri libglib2.0-0 libopengl0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 \
  libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 \
  libxcb-xkb1 libxkbcommon-x11-0 xvfb

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

# Tests of the window run on both bindings.
pytest: install
	QT_API=pyqt5 PYTEST_QT_API=pyqt5 $(PYTEST)
	QT_API=pyqt6 PYTEST_QT_API=pyqt6 $(PYTEST) tests/gui

docs: install
	$(BIN)/mkdocs build --strict

coverage: install
	QT_API=pyqt5 PYTEST_QT_API=pyqt5 $(BIN)/python -m pytest --benchmark-disable --cov --cov-report=term

clean:
	rm -rf $(VENV) site dist build .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis .benchmarks .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
