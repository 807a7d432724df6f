# Commands, each complete on a fresh machine with Python 3.11 or newer:
#   make conformance   install, then judge the embedded reference server
#   make test          install, then everything that proves the suite itself
#   make check         lints, unit tests and the trials of what your change touches, within a minute
#   make detect        the whole suite against every fault and variation (reports/detection.html)
#   make behaviours    does the report name the choices that each variation makes?
#   make remove-tests  twenty tests taken away at random: the matrix or the balance notices each
#   make watch-trials  what recordings of runs show without the runs (reports/watching.json)
#   make repeat        a hundred whole runs in a row: no verdict may differ
#   make costs         measures anew what each test sends: announcements and budgets are made of it
#   make bench         where the time of a run goes, against bare httpx (reports/bench.json)
#   make bench-peers   what other tools find on the same servers (docs/benchmarks.md; needs Node.js and Java)
#   make realworld     nginx, HAProxy and two mocks in front or in place of the reference (needs them and Node.js)
#   make docs          the documentation site, with a page for every requirement (build/site)
#   make check-wheel   the wheel in an empty environment, through every command of its help
#   make mutation      every small change of the judge's own parts against its unit tests
# Compiled modules are kept, also where the environment says otherwise (as in many container images): pytest compiles
# some three hundred modules anew in each of the hundreds of processes that the self-tests start, a second or two each.
export PYTHONDONTWRITEBYTECODE :=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: conformance test check generated-trials selftest detect detect-fast detect-sample behaviours remove-tests watch-trials repeat mutation bench bench-peers realworld openapi lint catalogue lock clean
.DEFAULT_GOAL := conformance

$(READY): lock.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r lock.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# mitmproxy in an environment of its own: what it pins does not fit what the suite pins.
PROXY_READY := .venv-proxy/.ready
$(PROXY_READY): selftests/watching/proxy.lock.txt
	"$(PYTHON)" -m venv .venv-proxy
	.venv-proxy/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# MkDocs in an environment of its own, for the documentation site.
SITE_READY := .venv-docs/.ready
$(SITE_READY): docs_site/mkdocs.lock.txt
	"$(PYTHON)" -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

conformance: $(READY)
	$(BIN)/python -m pytest

test: $(READY) $(PROXY_READY) $(SITE_READY) lint selftest detect-sample
	$(BIN)/python -m pytest

# For the time between two commits; `make test` has the last word.
check: $(READY) lint
	$(BIN)/python -m pytest -c selftests/pytest.ini --rootdir=selftests --confcutdir=selftests -n 2 --dist loadfile --no-loadscope-reorder \
	  selftests/unit selftests/balance
	$(BIN)/python -m selftests.detection --changed --report-dir reports/check

# Two workers: with more, the tests that signal a run at a given moment come too late on two cores.
selftest: $(READY) $(PROXY_READY) $(SITE_READY)
	$(BIN)/python -m pytest -c selftests/pytest.ini --rootdir=selftests --confcutdir=selftests -n 2 --dist loadfile --no-loadscope-reorder \
	  --durations 25 selftests

# Generated tests: twenty seeds against every right server, and the faults that only they find.
generated-trials: $(READY)
	$(BIN)/python -m selftests.generation seeds
	$(BIN)/python -m selftests.generation hidden

# The whole suite against faults and variations. Of the faults that repeat per operation or field each EVERYth
# is tried, so that it ends within 40 minutes on two cores; EVERY=1 tries them all.
EVERY ?= 6
detect: $(READY)
	$(BIN)/python -m selftests.detection --full --every $(EVERY)

# Of each fault only the tests that cite what it breaks; every variation, several at once.
detect-fast: $(READY)
	$(BIN)/python -m selftests.detection

# What `make test` has time for: of the faults that repeat per operation or field each SAMPLE-th, the others all, and of
# the bundles of variations each BUNDLES-th.
SAMPLE ?= 2
BUNDLES ?= 8
detect-sample: $(READY)
	$(BIN)/python -m selftests.detection --every $(SAMPLE) --bundles $(BUNDLES)

# Of every variation only the tests that show its choices: does the report name them?
behaviours: $(READY)
	$(BIN)/python -m selftests.detection --behaviours

# Takes tests away, picked at random, and shows that the balance or the matrix notices each: REMOVED="--seed 1".
remove-tests: $(READY)
	$(BIN)/python -m selftests.detection.removal $(REMOVED)

# What the watcher finds from the recording of a run alone, fault by fault, and that it blames no variation.
watch-trials: $(READY)
	$(BIN)/python -m selftests.watching.trials $(WATCH)

# A hundred whole runs, each in another order, with another seed and 0 to 4 workers: no verdict may differ.
repeat: $(READY)
	$(BIN)/python -m selftests.repeat $(REPEAT)

# Every small change of what judges has to be noticed by a unit test, or explained (docs/mutation-testing.md).
mutation: $(READY)
	$(BIN)/python -m selftests.mutation

bench: $(READY)
	$(BIN)/python -m benchmarks.bench $(BENCH)

# Writes meshi_conformance/plugin/planning/costs.json anew, after changes of what tests send.
.PHONY: costs
costs: $(READY)
	$(BIN)/python -m benchmarks.costs

# Goes on where it stopped: PEERS=--fresh begins anew, PEERS=--all takes every fault.
PEERS_READY := benchmarks/peers/.venv/.ready
$(PEERS_READY): benchmarks/peers/package-lock.json benchmarks/peers/tavern.lock.txt
	cd benchmarks/peers && npm ci --ignore-scripts
	"$(PYTHON)" -m venv benchmarks/peers/.venv
	benchmarks/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r benchmarks/peers/tavern.lock.txt
	touch $(PEERS_READY)

bench-peers: $(READY) $(PEERS_READY)
	$(BIN)/python -m benchmarks.peers $(PEERS)

# REALWORLD="'*proxy*'" tries the cases whose name fits.
MOCKS_READY := selftests/realworld/node_modules/.ready
$(MOCKS_READY): selftests/realworld/package-lock.json
	cd selftests/realworld && npm ci --ignore-scripts --no-audit --no-fund
	touch $(MOCKS_READY)

realworld: $(READY) $(MOCKS_READY)
	$(BIN)/python -m selftests.realworld --strict $(REALWORLD)

# Every bad client in every scenario, and every good one TIMES times: none may be missed, none blamed.
TIMES ?= 20
.PHONY: client-trials
client-trials: $(READY)
	$(BIN)/python -m selftests.clients --times $(TIMES)

# The documentation site in build/site; it can be read from the disk.
.PHONY: docs
docs: $(READY) $(SITE_READY)
	$(BIN)/python -m docs_site build/pages
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet --config-file docs_site/mkdocs.yml

# The wheel in an empty environment, through every command of its help in an empty folder; needs a package index.
.PHONY: check-wheel
check-wheel: $(READY)
	$(BIN)/python ci/check_wheel.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --quiet --schemafile requirements/requirements.schema.json requirements/*.yaml

# Writes the OpenAPI description anew as one document without references to other files.
openapi: $(READY)
	$(BIN)/python -m meshi_conformance openapi openapi/meshi-partner-v0.bundled.json

# Writes docs/requirements.md anew from the contract and the tests, and docs/open-questions.md from requirements/.
catalogue: $(READY)
	$(BIN)/python -m meshi_conformance catalogue
	$(BIN)/python -m meshi_conformance questions

# Writes the locks from pyproject.toml: versions and hashes, no index. lock.txt is for developers, lock-runtime.txt is
# the part of it that a run needs. Pinned versions stay; LOCK=--upgrade renews them.
lock: $(READY)
	$(BIN)/uv pip compile selftests/watching/proxy.in --universal --python-version 3.11 --generate-hashes --no-header \
	  --quiet --upgrade --output-file selftests/watching/proxy.lock.txt
	$(BIN)/uv pip compile docs_site/mkdocs.in --universal --python-version 3.11 --generate-hashes --no-header \
	  --quiet --upgrade --output-file docs_site/mkdocs.lock.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --quiet $(LOCK) --output-file lock.txt
	$(BIN)/uv pip compile pyproject.toml --extra install --constraint lock.txt --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --quiet --output-file lock-runtime.txt

clean:
	rm -rf $(VENV) .venv-proxy .venv-docs build dist
