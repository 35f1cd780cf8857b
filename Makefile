# make run    try Laurel out: everything is set up, started, and its address printed
# make test   lint and tests
# make lint   only the lint
# make bench  measure
# make screens  pictures of every page, in .laurel/screens
# make messages  bring the translations up to date with the texts
# make stop   stop what make run started in another terminal
# make clean  remove what was set up here; the data in .laurel/ stay

PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done),python3)
PORT ?= 8000
HOST ?= 127.0.0.1
# How many tests pytest runs at once: more than there are cores, since those in a browser mostly wait.
JOBS ?= 3

BIN := .venv/bin
BASE := .venv/.base
DEV := .venv/.dev
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := run
.PHONY: run test lint types bench screens messages stop clean lock

run: $(BASE)
	@exec $(BIN)/python manage.py up --host $(HOST) --port $(PORT)

test: lint
	$(BIN)/python -m pytest -n $(JOBS)

lint: $(DEV) types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

# The plug-in of mypy reads the settings, as collecting texts does, and connects to nothing.
types messages: export LAUREL_DEMO := true
types messages: export SECRET_KEY := none
types messages: export DATABASE_URL := postgres://nowhere/none
types messages: export REDIS_URL := redis://nowhere/0
types: $(DEV)
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m bench

screens: $(DEV)
	$(BIN)/python -m tests.browser.screens

messages: $(BASE)
	@command -v msgfmt >/dev/null || { echo "Translating needs gettext: apt-get install gettext, or brew install gettext."; exit 1; }
	$(BIN)/python manage.py makemessages --all --add-location file --no-wrap --no-obsolete \
		--ignore .venv --ignore .laurel --ignore static --ignore staticfiles --ignore tests --ignore bench
	$(BIN)/python manage.py compilemessages --ignore .venv --verbosity 0

stop: $(BASE)
	@$(BIN)/python manage.py up --stop

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache staticfiles

# Set-up is done again when a lock changes. What is in the virtual environment for development stays in it.
$(BASE): requirements/base.txt | .venv/bin/python
	@if [ -f $(DEV) ]; then $(MAKE) --no-print-directory $(DEV); else $(call install,requirements/base.txt); fi
	@touch $@

$(DEV): requirements/dev.txt | .venv/bin/python
	@$(call install,requirements/dev.txt)
	@touch $@ $(BASE)

ifdef UV
install = echo "Installing $(1)" && uv pip sync --quiet --require-hashes --python $(BIN)/python $(1)
else
install = echo "Installing $(1)" && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes --requirement $(1)
endif

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Laurel needs Python 3.11 or newer, and $(PYTHON) is older or missing."; \
		echo "Say which to use with: make run PYTHON=python3.12"; exit 1; }
ifdef UV
	@uv venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
else
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv
endif

# For whoever changes the dependencies in pyproject.toml. The locks name no index and no host.
COMPILE = uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock:
	$(COMPILE) pyproject.toml --output-file requirements/base.txt
	$(COMPILE) pyproject.toml --extra dev --constraint requirements/base.txt --output-file requirements/dev.txt
