# Every target works from a fresh clone: the first one run creates .venv and installs the project into it.
PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
WORKERS ?= 2
PYTEST_ARGS ?=
SUITE_ARGS ?=
GRAPHS_STATE ?= build/random_graphs.jsonl
KERAS_STATE ?= build/keras_backends.jsonl
MUTANTS_STATE ?= build/mutants.jsonl
MINILM := fixtures/real/minilm
SILERO := fixtures/real/silero
FER := fixtures/real/fer

# Two pytest workers share the cores; each keeps to one thread.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.DEFAULT_GOAL := help
.PHONY: help install demo test test-models test-keras test-tensorflow test-gpu check bench fixtures minilm silero fer mutants suite-onnx suite-op-db suite-indexing suite-transformers suite-applications suite-tensorflow suite-keras-layers random-graphs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## create .venv and install the project with its test tools

# torch goes first and alone, so that the constrained build is in place before anything asks for "torch".
$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet $(PIP_ARGS) torch -c constraints.txt
	$(PY) -m pip install --quiet $(PIP_ARGS) -e '.[torch,keras,tensorflow,test,dev]' -c constraints.txt
	touch $@

demo: $(STAMP)  ## digits classifiers: Keras -> PyTorch and an epoch of training; PyTorch -> ONNX -> PyTorch; verified
	$(PY) -m fixtures.digits.demo

test: $(STAMP)  ## the test suite (small models)
	$(ONE_THREAD) PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n $(WORKERS) --dist loadfile -q -m "not models" $(PYTEST_ARGS)

test-models: $(STAMP) minilm silero fer  ## real-sized models, minutes long
	$(PY) -m pytest -q -m models $(PYTEST_ARGS)

test-keras-backends: $(STAMP)  ## every case of the Keras importer's operations on JAX and on PyTorch, against the recorded results
	$(ONE_THREAD) KERAS_BACKEND=jax $(PY) -m tests.importers.keras.other_backends --all --state $(KERAS_STATE) $(SUITE_ARGS)
	$(ONE_THREAD) KERAS_BACKEND=torch $(PY) -m tests.importers.keras.other_backends --all --state $(KERAS_STATE) $(SUITE_ARGS)

test-keras: $(STAMP)  ## all samples of all ops as Keras on its three backends (make test runs the first few), an hour
	$(ONE_THREAD) $(PY) -m tests.exporters.keras.generated

test-tensorflow: $(STAMP)  ## all samples of all ops as TensorFlow, as they are, as graphs and compiled; what XLA lacks is named
	$(ONE_THREAD) $(PY) -m tests.exporters.tensorflow.generated --way eager --way function --way compiled

test-gpu: $(STAMP)  ## what is written as PyTorch, run on an NVIDIA GPU: needs a CUDA build of torch in the environment
	CUDA_VISIBLE_DEVICES=0 ISOMORPH_TEST_DEVICE=cuda $(ONE_THREAD) $(PY) -m pytest -n $(WORKERS) -q \
		tests/exporters/torch/test_generated.py tests/exporters/torch/test_layers.py tests/exporters/torch/test_symbolic.py tests/exporters/torch/test_constants.py

check: $(STAMP)  ## linter, types, house rules
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(ONE_THREAD) $(PY) -m pytest -q tests/policy

bench: $(STAMP)  ## time the command, conversions and memory
	$(PY) -m benchmarks

fixtures: $(STAMP)  ## rebuild the committed fixtures and write the ONNX samples to fixtures/out
	$(PY) -m fixtures.digits.train
	$(PY) -m fixtures.digits.train_keras
	$(PY) -m fixtures.onnx.build fixtures/out/onnx

minilm: $(MINILM)/.complete  ## fetch the real MiniLM weights (skipped with a message when unreachable)

$(MINILM)/.complete: | $(STAMP)
	$(PY) -m fixtures.zoo.minilm --download $(MINILM) || echo "MiniLM could not be fetched: its tests will be skipped"

silero: $(SILERO)/.complete  ## fetch Silero's voice detector (skipped with a message when unreachable)

$(SILERO)/.complete: | $(STAMP)
	$(PY) -m fixtures.zoo.silero --download $(SILERO) || echo "Silero could not be fetched: its tests will be skipped"

fer: $(FER)/.complete  ## fetch the emotion classifier of a Keras 2 package (skipped with a message when unreachable)

$(FER)/.complete: | $(STAMP)
	$(PY) -m fixtures.zoo.fer --download $(FER) || echo "The emotion classifier could not be fetched: its tests will be skipped"

mutants: $(STAMP)  ## plant faults in the rules and list those the generated tests miss; goes on where it stopped
	$(ONE_THREAD) $(PY) -m tests.mutants --jobs $(WORKERS) --state $(MUTANTS_STATE)

suite-onnx: $(STAMP)  ## ONNX's own backend tests to every target, against the recorded results
	$(ONE_THREAD) $(PY) -m tests.suites.onnx_backend --jobs $(WORKERS) $(SUITE_ARGS)

suite-op-db: $(STAMP)  ## PyTorch's operator database to every target, against the recorded results
	$(ONE_THREAD) $(PY) -m tests.suites.op_db --jobs $(WORKERS) $(SUITE_ARGS)

suite-indexing: $(STAMP)  ## the recorded indexing cases through every importer and exporter, against the recorded results
	$(ONE_THREAD) $(PY) -m tests.suites.indexing --jobs $(WORKERS) $(SUITE_ARGS)
	$(ONE_THREAD) $(PY) -m tests.suites.indexing_keras
	$(ONE_THREAD) $(PY) -m tests.suites.indexing_from_keras $(SUITE_ARGS)
	$(ONE_THREAD) $(PY) -m tests.suites.indexing_tensorflow $(SUITE_ARGS)

suite-transformers: $(STAMP)  ## tiny models of the transformers library to ONNX and PyTorch, against the recorded results
	$(ONE_THREAD) $(PY) -m tests.suites.architectures --jobs $(WORKERS) $(SUITE_ARGS)

suite-keras-layers: $(STAMP)  ## every Keras layer over a grid of its arguments: read, in training too, written as PyTorch and ONNX
	$(PY) -m tests.importers.keras.layers_run

suite-applications: $(STAMP)  ## every architecture of keras.applications to PyTorch and ONNX; goes on where it stopped
	$(ONE_THREAD) $(PY) -m tests.suites.applications --jobs $(WORKERS) --state build/applications.jsonl $(SUITE_ARGS)

suite-tensorflow: $(STAMP)  ## models of TensorFlow to every target, against the recorded results; goes on where it stopped
	$(ONE_THREAD) $(PY) -m tests.suites.tensorflow_models --state build/tensorflow.jsonl $(SUITE_ARGS)

random-graphs: $(STAMP)  ## 20,000 random graphs through every step; goes on where it stopped (SUITE_ARGS=--update records)
	$(ONE_THREAD) $(PY) -m tests.random_graphs --jobs $(WORKERS) --state $(GRAPHS_STATE) $(SUITE_ARGS)

clean:  ## remove caches and built files (keeps .venv)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis fixtures/out out
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print | xargs rm -rf
