# What a change passes before it is offered: sanitizers, lint, format, arrows, fuzzers, crashes, sabotages.

VENV         ?= build/venv
FUZZ_SECONDS ?= 60
FUZZ_BUILD   := build/fuzz
ALL_C        := $(filter-out $(BUILD)/%,$(SRC_C)) $(wildcard bench/*.c)
ALL_CXX      := $(LIB_CC)

$(BUILD)/fuzz/%: $(BUILD)/obj/%.o $(BUILD)/libhelenus.a
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

# make fuzz T=cql/parse: one fuzzer for FUZZ_SECONDS; without T: each of them, as many at a time as there are cores.
.PHONY: fuzz fuzz-one
fuzz:
	@$(MAKE) -s BUILD=$(FUZZ_BUILD) CC=clang CXX=clang++ SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" EXTRA_CPPFLAGS="$(DEBUG_CPP)" fuzzers
	@printf '%s\n' $(patsubst src/%.c,%,$(if $(T),$(filter src/$(T)%,$(FUZZ_C)),$(FUZZ_C))) | xargs -P $$(nproc) -I {} $(MAKE) -s fuzz-one NAME={}
fuzz-one:
	@corpus=$(FUZZ_BUILD)/corpus/$(NAME); seeds=tests/corpus/$$(basename $(NAME) _fuzz); log=$(FUZZ_BUILD)/$$(basename $(NAME)).log; mkdir -p $$corpus; \
	$(FUZZ_BUILD)/fuzz/$(NAME) -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=$(FUZZ_BUILD)/ $$corpus $$( [ -d $$seeds ] && echo $$seeds ) 2> $$log \
	    || { echo "== $(NAME): FAILED"; tail -40 $$log; exit 1; }; \
	echo "== $(NAME), $(FUZZ_SECONDS) s: $$(sed -n 's/.*number_of_executed_units: *//p' $$log) inputs"

DEBUG_OPT  := -O1 -g
DEBUG_CPP  := -DHELENUS_DEBUG
ASAN_BUILD := BUILD=build/asan SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" OPT="$(DEBUG_OPT)" EXTRA_CPPFLAGS="$(DEBUG_CPP)"
TSAN_BUILD := BUILD=build/tsan SAN="-fsanitize=thread" OPT="$(DEBUG_OPT)" EXTRA_CPPFLAGS="$(DEBUG_CPP)"
TSAN_SET   := TSAN_OPTIONS="suppressions=$(CURDIR)/tools/tsan.supp ignore_noninstrumented_modules=1 exitcode=66"
CQL_CHECK  := $(VENV)/bin/python tests/cql/run.py --check
ON_MEMORY  := --server-arg=--store --server-arg=memory

# The server under sanitizers answers the recorded statements; a report on its stderr, a leak at its end too, fails the run. With T
# only the unit tests of T.
.PHONY: san tsan san-cql tsan-cql san-wire tsan-wire
san:
	$(MAKE) -s $(ASAN_BUILD) unit T=$(T)
	$(if $(T),,$(MAKE) -s san-cql san-wire)
tsan:
	$(TSAN_SET) $(MAKE) -s $(TSAN_BUILD) unit T=$(if $(T),$(T),table)
	$(if $(T),,$(MAKE) -s tsan-cql tsan-wire)
# Statements prepared, tables changed, connections closed while requests are under way.
san-wire:
	$(MAKE) -s $(ASAN_BUILD) build/asan/helenus
	@echo "== pipelined requests and schema changes, address and undefined"
	HELENUS=$(CURDIR)/build/asan/helenus $(PYTHON) tests/wire/lifetimes.py
	HELENUS=$(CURDIR)/build/asan/helenus $(PYTHON) tests/wire/unprepared.py
tsan-wire: $(VENV)/installed
	$(MAKE) -s $(TSAN_BUILD) build/tsan/helenus
	@echo "== pipelined requests and schema changes, thread"
	$(TSAN_SET) HELENUS=$(CURDIR)/build/tsan/helenus $(PYTHON) tests/wire/lifetimes.py
	$(TSAN_SET) HELENUS=$(CURDIR)/build/tsan/helenus $(VENV)/bin/python tests/wire/events.py
san-cql: $(VENV)/installed
	$(MAKE) -s $(ASAN_BUILD) build/asan/helenus
	@echo "== recorded statements, address and undefined, store rocksdb"
	$(CQL_CHECK) --helenus build/asan/helenus
	@echo "== recorded statements, address and undefined, store memory"
	$(CQL_CHECK) --helenus build/asan/helenus $(ON_MEMORY)
tsan-cql: $(VENV)/installed
	$(MAKE) -s $(TSAN_BUILD) build/tsan/helenus
	@echo "== recorded statements, thread, store memory"
	$(TSAN_SET) $(CQL_CHECK) --helenus build/tsan/helenus $(ON_MEMORY)

# The recorded statements all at once, on one connection and on one each, and from a store that has nothing in memory: tests/cql/README.md.
# SEED=7 draws another game.
SEED     ?= 1
COPIES   ?= 2
TOGETHER := --copies $(COPIES) --server-arg=--loops --server-arg=2 --server-arg=--shards --server-arg=4 --seed $(SEED)
.PHONY: san-server tsan-server modes san-modes tsan-modes
san-server:
	$(MAKE) -s $(ASAN_BUILD) build/asan/helenus build/asan/helenus-switches
tsan-server:
	$(MAKE) -s $(TSAN_BUILD) build/tsan/helenus build/tsan/helenus-switches
modes: $(BUILD)/helenus $(BUILD)/helenus-switches $(VENV)/installed
	@for mode in pipelined concurrent; do for cold in 0 3; do \
	    echo "== recorded statements, $$mode, cold $$cold, $(BUILD)"; \
	    $(CQL_CHECK) --helenus $(BUILD)/helenus-switches --mode $$mode --cold $$cold $(TOGETHER) $(T) || exit 1; done; done
	@for cold in 1 3; do \
	    echo "== recorded statements, one at a time, cold $$cold, $(BUILD)"; \
	    $(CQL_CHECK) --helenus $(BUILD)/helenus-switches --cold $$cold $(TOGETHER) $(T) || exit 1; done
san-modes: san-server
	$(MAKE) -s $(ASAN_BUILD) modes
tsan-modes: tsan-server
	$(TSAN_SET) $(MAKE) -s $(TSAN_BUILD) COPIES=1 modes

.PHONY: format format-check lint
format:
	clang-format -i $(shell git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'bench/*.c' 'tests/sim/*.c' 'tests/sim/*.h' 'tests/api/*.c' 'tests/api/*.h')
format-check:
	@clang-format --dry-run -Werror $(shell git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'bench/*.c' 'tests/sim/*.c' 'tests/sim/*.h' 'tests/api/*.c' 'tests/api/*.h')

# What drives our codecs and signatures with other people's test suites: tests/api.
API_TOOLS := $(patsubst tests/api/%.c,$(BUILD)/test/tests/api/%,$(wildcard tests/api/*_tool.c))

# All of gcc's and clang's warnings as errors, tests and fuzzers too, then clang-tidy's bug finders.
.PHONY: objects
objects: $(LIB_OBJ) $(SIM_OBJ) $(API_TOOLS:$(BUILD)/test/%=$(BUILD)/obj/%.o) $(TEST_C:src/%.c=$(BUILD)/obj/%.o) $(FUZZ_C:src/%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/server/main.o
lint:
	$(MAKE) -s BUILD=build/lint-gcc CC=gcc CXX=g++ EXTRA_CPPFLAGS=-Werror OPT="-O2" objects
	$(MAKE) -s BUILD=build/lint-clang CC=clang CXX=clang++ EXTRA_CPPFLAGS=-Werror OPT="-O1" objects
	@printf '%s\n' $(filter-out %_test.c %_fuzz.c,$(SRC_C)) | xargs -P $$(nproc) -n 1 sh -c \
	    'clang-tidy --quiet "$$1" -- $(CPPFLAGS) -Ibuild/lint-clang/gen -std=gnu17 2>/dev/null' tidy > build/lint-clang/tidy.txt || true
	@! grep -E "warning:|error:" build/lint-clang/tidy.txt | grep -v ^build/ # what lemon and re2c wrote is theirs

# The server with the switches that tests use to show that they would notice: no encryption, no sync. Never shipped.
$(BUILD)/obj/switches/%.o: src/server/%.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DHELENUS_TEST_SWITCHES $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/helenus-switches: $(BUILD)/obj/server/main.o $(BUILD)/obj/switches/server.o $(BUILD)/obj/switches/step.o $(BUILD)/libhelenus.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS)

# kill -9 with requests in flight, and the file system that forgets what was not synced.
CRASH_ROUNDS ?= 200
.PHONY: crash
crash: $(BUILD)/helenus $(BUILD)/helenus-switches $(BUILD)/test/table/crash_test $(BUILD)/test/table/sweep_test $(VENV)/installed
	HELENUS_CRASH_ROUNDS=$(CRASH_ROUNDS) $(BUILD)/test/table/crash_test
	HELENUS_CRASH_ROUNDS=$(CRASH_ROUNDS) $(BUILD)/test/table/sweep_test
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(PYTHON) tests/crash/kill.py --rounds $(CRASH_ROUNDS)
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(PYTHON) tests/crash/cas.py --rounds $(CRASH_ROUNDS)
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(PYTHON) tests/crash/batch.py --rounds $(CRASH_ROUNDS)
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(PYTHON) tests/crash/sweep.py --rounds $$(($(CRASH_ROUNDS) / 8 + 1))
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(VENV)/bin/python tests/crash/definitions.py --rounds $(CRASH_ROUNDS)

# The drivers' own tests, with what Cassandra makes of them as the baseline: tests/peers. Fetches and builds them, and starts Cassandra.
.PHONY: peers
peers: $(BUILD)/helenus $(VENV)/installed
	@tools/deps.sh golden
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(VENV)/bin/python tests/peers/peers.py $(T)

.PHONY: hostile plaintext
hostile: $(BUILD)/helenus $(VENV)/installed
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(VENV)/bin/python tests/hostile/hostile.py
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(VENV)/bin/python tests/hostile/tls.py
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(VENV)/bin/python tests/hostile/apis.py
plaintext: $(BUILD)/helenus $(BUILD)/helenus-switches
	HELENUS=$(CURDIR)/$(BUILD)/helenus $(PYTHON) tests/security/plaintext.py

# One-line sabotages of the server, each of which a named test must see: tests/mutants.toml. T="a deleted counter|LIMIT" are two names.
.PHONY: mutants
mutants:
	@$(PYTHON) tools/mutants.py $(if $(T),"$(T)")

# Words, asserts, lengths and circles of files in src/, folder by folder: the floors are in the tool.
.PHONY: style
style:
	@$(PYTHON) tools/style.py --self-test
	@$(PYTHON) tools/style.py $(if $(T),--long --folder $(T))

# The cheap steps first. The last line says that all passed, or which did not.
CHECK_STEPS := arrows style format-check lint sim san tsan san-modes tsan-modes fuzz mutants
.PHONY: check
check:
	@n=0; for step in $(CHECK_STEPS); do \
	    n=$$((n + 1)); begin=$$(date +%s); echo "==== check $$n of $(words $(CHECK_STEPS)): $$step"; \
	    $(MAKE) -s $$step || { echo "make check: FAILED in $$step"; exit 1; }; \
	    echo "==== $$step passed in $$(($$(date +%s) - begin)) s"; \
	done; echo "make check: all passed ($(CHECK_STEPS))"

build/load: bench/load.c
	@mkdir -p build
	$(CC) -O2 -Wall -Wextra -std=gnu17 -o $@ $< -lssl -lcrypto -lz

$(BUILD)/obj/bench/floor.o: bench/floor.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/floor: $(BUILD)/obj/bench/floor.o $(BUILD)/libhelenus.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS)

# What a request costs in instructions, beside another build: make instructions BEFORE=/tmp/before/build/helenus
.PHONY: instructions
instructions: build/load
	$(MAKE) -s build/helenus
	$(PYTHON) bench/instructions.py $(if $(BEFORE),before=$(BEFORE)) now=build/helenus

# Side by side with Apache Cassandra; hours with every server (BENCH=--dry-run says how long). BENCH passes options, e.g. BENCH="--rows 200000".
.PHONY: bench
bench: engine build/load
	$(MAKE) -s build/helenus
	$(MAKE) -s ENGINE=native build/native/helenus build/native/floor
	$(PYTHON) bench/bench.py $(BENCH)
