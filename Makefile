PYTHON ?= $(firstword $(shell command -v python3.11 python3))
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: setup plan test lint benchmark clean

setup: $(VENV)/installed

# Wheels are looked up by pip's own configuration; nothing outside this folder is changed.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

plan: setup
	$(BIN)/contactplan init build/grocer --example grocer --force
	$(BIN)/contactplan run build/grocer --replace

# Compiled code reads past the end of an array without a word unless it is asked to look.
test: setup
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: setup
	$(BIN)/python -m pytest -m slow -s $(if $(ONLY),-k $(ONLY))

clean:
	rm -rf $(VENV) build *.egg-info
