# A newcomer needs `make quickstart` and `make test`; everything else is for developers.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python install.py
# Processes that the tests are spread over; each takes about two gigabytes.
JOBS ?= 2
# PyTorch's version for the comparisons with it.
TORCH ?= torch==2.13.0

.PHONY: help install quickstart check test test-all test-thorough test-quickstart test-wheel test-timm \
	test-backends test-browser test-mediapipe test-keras-hub test-workers test-slurm test-stores test-load test-accuracy \
	test-arm test-hostile test-docs test-tutorials fault-test docs arm-check arm-compare \
	bench-cpu bench-deployment bench-export bench-input bench-lowering bench-startup bench-training \
	scaling tables lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

install: $(VENV)/.installed ## create the environment and install the package into it

$(VENV)/.installed: pyproject.toml setup.py install.py
	@echo "Installing into $(VENV) (TensorFlow is large: one to three minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) -e '.[test]'
	@$(INSTALL) --no-deps pnnx # it asks for PyTorch, and does without
	@touch $@

quickstart: install ## train, evaluate, export, verify, measure, report: minutes on a CPU
	@$(BIN)/ghostnet quickstart

check: install lint ## lint and the fast tests: a minute and a half
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --fast

test: install lint ## lint and the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-all: test test-thorough test-quickstart test-wheel test-timm test-backends test-workers test-stores test-load \
	test-accuracy test-arm test-browser test-keras-hub test-mediapipe test-hostile test-docs test-tutorials \
	fault-test ## everything that is tested

test-thorough: install ## more networks and processes of what make test holds in small, minutes
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m thorough

test-quickstart: install ## the whole quickstart, with what it must reach
	$(BIN)/python -m pytest -m quickstart

test-wheel: install ## the built wheel in an empty environment
	$(BIN)/python -m pytest -m wheel

test-mediapipe: install ## TFLite files in MediaPipe Tasks, which is installed beside
	@$(INSTALL) 'mediapipe>=1.0'
	$(BIN)/python -m pytest -m mediapipe

test-browser: install ## pages in headless Chromium; npm gets LiteRT.js
	@mkdir -p .ci/litert
	@cd .ci/litert && npm pack -s @litertjs/core@2.5.3 @litertjs/wasm-utils@2.5.3
	$(BIN)/python -m pytest -m browser

test-timm: install ## against timm in PyTorch, which are installed beside
	@$(INSTALL) '$(TORCH)' timm
	$(BIN)/python -m pytest -m timm

test-backends: install ## logits on JAX and PyTorch, which are installed beside
	@$(INSTALL) '$(TORCH)' jax
	$(BIN)/python -m pytest -m backends

test-workers: install ## four workers; two that are stopped and resume; the training guide's commands
	$(BIN)/python -m pytest -m workers

test-keras-hub: install ## the feature pyramid under KerasHub, which is installed beside
	@$(INSTALL) keras-hub
	$(BIN)/python -m pytest -m keras_hub

test-slurm: install ## runs that SLURM itself starts and restarts (as root; apt-get install slurm-wlm munge)
	$(BIN)/python -m pytest -m slurm

test-stores: install ## runs, exports and data on an S3 server on loopback that fails, installed beside
	@$(INSTALL) 'aiobotocore[boto3]' 'moto[s3]>=5.1' 'flask>=3' 'flask-cors>=5' gcp-storage-emulator
	$(BIN)/python -m pytest -m stores

test-load: install ## 10,000 requests from 16 threads to the served model
	$(BIN)/python -m pytest -m load

test-accuracy: install ## quantized networks of both families against their float originals
	$(BIN)/python -m pytest -m accuracy

test-arm: install ## the ARM commands' own tests (QEMU)
	$(BIN)/python -m pytest -m arm

test-hostile: install ## thousands of mutated files of every kind that is read, minutes
	@$(BIN)/python -m tests.hostile

test-docs: install ## the documentation's site: no warning, no broken link, every public name
	@$(INSTALL) -e '.[docs]'
	$(BIN)/python -m pytest -m docs

test-tutorials: install ## the tutorials' notebooks, executed
	@$(INSTALL) -e '.[docs]'
	$(BIN)/python -m pytest -m tutorials

docs: install ## the documentation's site, into build/site
	@$(INSTALL) -e '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

fault-test: install ## kills, full disks, lost workers: what a run must survive
	@$(BIN)/python -m tests.faults

arm-check: install ## TFLite files on an emulated Cortex-A76 against this machine (QEMU)
	@$(BIN)/python -m keras_ghostnet.benchmark.arm.check

arm-compare: install ## a table in instructions of a Cortex-A76 (QEMU; SUITE=since; MODEL=FILE: one file)
	@$(BIN)/python -m keras_ghostnet.benchmark.arm.compare $(if $(SUITE),--suite $(SUITE)) \
		$(if $(MODEL),--model $(MODEL))

scaling: install ## what to expect of 1 to 1,024 accelerators
	@$(BIN)/python -m keras_ghostnet.benchmark.scaling

bench-training: install ## the training step against timm in PyTorch and against the bare step
	@$(INSTALL) '$(TORCH)' timm
	@$(BIN)/python tests/speed/training.py

bench-export: install ## exported files against other ways to run the network
	@$(INSTALL) '$(TORCH)' timm
	@$(BIN)/python -m tests.speed.export

bench-deployment: install ## what each step of the deployment graph saves
	@$(BIN)/python -m tests.speed.deployment

bench-cpu: install ## ONNX Runtime and OpenVINO, float32 and int8, on this machine (CPU=avx2: without what is newer)
	@$(BIN)/python $(if $(CPU),-m tests.speed.$(CPU)) -m tests.speed.cpu_formats

bench-lowering: install ## what rewriting a TFLite file for a processor saves
	@$(BIN)/python -m tests.speed.lowering

bench-input: install ## the input pipeline against torchvision's (TORCH_PYTHON=a Python that has it)
	@$(BIN)/python -m tests.speed.input

bench-startup: install ## the command's answers; import and build times against Keras' own
	@$(BIN)/python -m tests.speed.startup

lint: install ## style, types, and which part may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

tables: install ## the tables in README.md and docs/models.md that are made of the code's
	@TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m tests.document_tables

format: install ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and everything that was made
	rm -rf $(VENV) build dist runs *.egg-info .pytest_cache .ruff_cache
