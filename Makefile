# make play   sets up what is missing, then plays the piano
# make test   sets up what is missing, then runs every test
# make sanitize   runs the tests of what is native in a build that watches every access and every sum

PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
NATIVE := setup.py pyproject.toml $(wildcard extensions/*.h extensions/*.pyx) \
          $(wildcard extensions/kernels/* extensions/learning/* extensions/cuda/*) \
          $(filter-out extensions/_%,$(wildcard extensions/*.c))
NATIVE_AUDIO := $(patsubst %,tests/audio/test_%.py,native_stream outlet timeline ring resampler governor)
NATIVE_TRAINING := $(patsubst %,tests/training/test_%.py,segments stack learner)
PACKAGE := $(NATIVE) $(shell find rtwave -name '*.py') $(shell find presets -type f)

.PHONY: play test lint sanitize clean

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
	@sh tools/system_packages.sh fluidsynth || echo "without fluidsynth: tests of SoundFonts are skipped"
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ".[train,test]"
	@touch $@ .venv/player

# A tree of its own, so that the build in use stays as it is. Left out: what needs a sanitizer or a compiler of its own,
# what renders for ten minutes, the locking of memory, which the address sanitizer makes a pretence, and CUDA's own libraries,
# which find their parts no longer.
sanitize: .venv/tests
	@mkdir -p build/sanitized
	tar -c --exclude='*.so' --exclude=__pycache__ rtwave tests tools extensions presets setup.py pyproject.toml README.md \
		LICENSE | tar -x -C build/sanitized
	cd build/sanitized && RTWAVE_SANITIZERS=address,undefined $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	cd build/sanitized && LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 \
		$(CURDIR)/$(BIN)/python -m pytest -q --capture=sys -p no:cacheprovider tests/engine $(NATIVE_AUDIO) \
		$(NATIVE_TRAINING) --ignore tests/engine/test_realtime_safety.py \
		--ignore tests/engine/test_cuda_compile.py --ignore tests/engine/test_cuda_gpu.py \
		-k "not sanitizer and not race and not ten_minutes and not be_locked and not is_locked"

clean:
	rm -rf .venv build *.egg-info rtwave/*.so extensions/_*.c
