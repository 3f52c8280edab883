# make play   sets up what is missing, then plays the piano
# make test   sets up what is missing, then runs every test

PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
NATIVE := setup.py pyproject.toml $(wildcard extensions/*.h extensions/*.pyx extensions/kernels/*) \
          $(filter-out extensions/_%,$(wildcard extensions/*.c))
PACKAGE := $(NATIVE) $(shell find rtwave -name '*.py') $(shell find presets -type f)

.PHONY: play test lint clean

play: .venv/player
	@sh tools/play.sh

test: .venv/tests lint
	$(BIN)/python -m pytest

lint: .venv/tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/bin/python:
	@sh tools/system_packages.sh build
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv/player: .venv/bin/python $(PACKAGE)
	@sh tools/system_packages.sh portaudio
	$(BIN)/python -m pip install --quiet .
	@touch $@

.venv/tests: .venv/bin/python $(NATIVE)
	@sh tools/system_packages.sh portaudio jack
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ".[train,test]"
	@touch $@ .venv/player

clean:
	rm -rf .venv build *.egg-info rtwave/*.so extensions/_engine.c extensions/_stream.c
