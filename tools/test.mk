# Building, running and testing on a machine that has git and make.

RUN_DATA  ?= ./data
CQL_PORT  ?= 9042
HTTP_PORT ?= 9080

.PHONY: help deps deps-test run test test-unit test-cql test-drivers test-wire example-cities golden fresh

help:
	@echo "make                 build the server, build/helenus"
	@echo "make run             install what is missing, build, serve on loopback with data in ./data"
	@echo "make test            install what is missing, build, run every test"
	@echo "make test-unit       the one-minute loop: unit tests and recorded statements"
	@echo "make test-cql        recorded statements (T=name for one file), on both stores"
	@echo "make modes           recorded statements all at once, pipelined, and with nothing in memory; san-modes, tsan-modes"
	@echo "make test-drivers    drivers of every language and cqlsh, unchanged, in every mode"
	@echo "make test-wire       the driver reads what wire/ encodes"
	@echo "make unit T=folder   unit tests of one folder"
	@echo "make example-cities  135 233 places, loaded, asked, checked, killed, checked"
	@echo "make golden          record tests/cql/*.expected from Apache Cassandra"
	@echo "make fresh           make test and make run on a bare Debian 12 in a chroot (root)"
	@echo "make check           what a change passes: arrows style format-check lint sim san tsan san-modes tsan-modes fuzz mutants"
	@echo "make style           words, asserts, lengths and circles of files in src/, beside their floors (T=folder: file by file)"
	@echo "make sim             the simulation, 10 000 seeds (SEEDS=n); SEED=n: one, told step by step, shrunk if it fails: tests/sim"
	@echo "make peers           the tests of gocql, cdrs-tokio and scylla, beside what Cassandra makes of them"
	@echo "make fuzz T=folder   fuzzers; make crash, hostile, plaintext: the server under attack"
	@echo "make mutants         one-line sabotages, each of which a named test must see"
	@echo "make state            rewrite what README says works, from the tests"
	@echo "make configuration   rewrite docs/configuration.md from the options the binary has"
	@echo "make instructions    what a request costs in instructions, beside BEFORE=path of another build's server"
	@echo "make package         a .deb with the native engine, systemd unit and configuration, in build/package"
	@echo "make test-package    installs, starts, upgrades and removes it in a bare Debian 12 in a chroot (root)"
	@echo "make bench           side by side with Apache Cassandra; make engine: RocksDB in Release mode"
	@echo "make deps deps-test  only install; make clean"

deps:
	@tools/deps.sh build

# The test clients come from PyPI into a virtual environment of their own.
deps-test: deps
	@tools/deps.sh test
	@$(MAKE) -s $(VENV)/installed

# Through a link --clear would empty what others use, and only then fail.
$(VENV)/installed: tests/requirements.txt
	@mkdir -p build
	@if [ -L $(VENV) ]; then echo "$(VENV) is a link to another tree's clients: remove the link, or bring those up to date there"; exit 1; fi
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

run: deps
	@$(MAKE) -s -j$$(nproc) build/helenus
	@sh tools/run.sh $(RUN_DATA) $(CQL_PORT) $(HTTP_PORT)

test: deps
	@$(PYTHON) tools/test_run.py all

test-unit: deps
	@$(PYTHON) tools/test_run.py fast

test-cql:
	@$(PYTHON) tools/test_run.py cql $(T)

test-drivers:
	@$(PYTHON) tools/test_run.py drivers

test-wire:
	@$(PYTHON) tools/test_run.py wire

example-cities:
	@$(PYTHON) tools/test_run.py cities

GOLDEN := build/cassandra/golden
GOLDEN_PORT := 19142
golden: deps-test
	@tools/deps.sh golden
	@$(PYTHON) bench/cassandra/cassandra.py start --fresh --features --dir $(GOLDEN) --port $(GOLDEN_PORT)
	@trap '$(PYTHON) bench/cassandra/cassandra.py stop --dir $(GOLDEN)' EXIT; set -e; \
	    $(VENV)/bin/python tests/cql/run.py --record --target 127.0.0.1:$(GOLDEN_PORT); \
	    $(VENV)/bin/python tests/cql/run.py --record --roles; \
	    CQL_TARGET=127.0.0.1:$(GOLDEN_PORT) RECORD=1 $(VENV)/bin/python -m pytest -q tests/drivers/python/test_metadata.py tests/drivers/python/test_tracing.py; \
	    $(VENV)/bin/python tests/drivers/matrix.py --target 127.0.0.1:$(GOLDEN_PORT) --record

fresh:
	@sh tools/fresh.sh

# README's table of what works, from the tests.
.PHONY: state
state:
	@$(PYTHON) tools/state.py

# The table of options in docs/configuration.md, from the binary.
.PHONY: configuration
configuration: $(BUILD)/helenus
	@HELENUS=$(BUILD)/helenus $(PYTHON) tools/configuration.py

# A Debian package of the server with the native engine, in build/package.
.PHONY: package
package: deps
	@tools/deps.sh package
	@$(MAKE) -s ENGINE=native engine
	@$(MAKE) -s -j$$(nproc) ENGINE=native build/native/helenus
	@tools/package.sh build/native/helenus build/package

# Installs, starts, upgrades, removes it in a chroot: root and debootstrap.
.PHONY: test-package
test-package: package
	@$(PYTHON) tests/process/package.py $$(ls -t build/package/helenus_*.deb | head -1)

# For tools/test_run.py: the unit test programs, and their names.
.PHONY: test-programs test-list
test-programs: $(TESTS) $(API_TOOLS)
test-list:
	@echo $(TESTS)
