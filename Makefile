# helenus: every habit is one target. `make help` lists them.

BUILD   ?= build
ENGINE  ?= packaged
CC      ?= gcc
CXX     ?= g++
ifeq ($(origin CC),default)
CC = gcc
endif
ifeq ($(origin CXX),default)
CXX = g++
endif
PYTHON  ?= python3

# Later folders may include earlier ones only (make arrows).
LAYERS := base net types wire cql schema row plan keys iam store table catalog auth identity query api control server

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-unused-parameter -Wno-missing-field-initializers
WARNXX  := -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
OPT     ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -Isrc -I$(BUILD)/gen $(EXTRA_CPPFLAGS)
CFLAGS  += -std=gnu17 $(OPT) $(WARN) -fno-omit-frame-pointer -fstack-protector-strong -pthread $(SAN)
CXXFLAGS += -std=gnu++17 $(OPT) $(WARNXX) -fno-omit-frame-pointer -pthread $(SAN)
LDFLAGS += $(SAN) -pthread
ifeq ($(ENGINE),native)
# The same version as the package, built in Release mode by `make engine`. Its headers change with NDEBUG, so the thin C++
# must be compiled as it was; our own asserts are in C and stay.
ENGINE_DIR ?= build/engine
BUILD   := $(if $(filter build,$(BUILD)),build/native,$(BUILD))
CPPFLAGS += -isystem $(ENGINE_DIR)/include
CXXFLAGS += -DNDEBUG
ROCKSDB_LIBS := $(ENGINE_DIR)/lib/librocksdb.a -ldl
else
ROCKSDB_LIBS := -lrocksdb
endif
LIBS := $(ROCKSDB_LIBS) -lssl -lcrypto -lcrypt -llz4 -lsnappy -lzstd -lmpfr -lgmp -lmicrohttpd -lz -lpcre2-8 -lm

SRC_C   := $(foreach l,$(LAYERS),$(shell find src/$(l) -name '*.c' 2>/dev/null))
TEST_C  := $(filter %_test.c,$(SRC_C))
FUZZ_C  := $(filter %_fuzz.c,$(SRC_C))
LIB_C   := $(filter-out %_test.c %_fuzz.c %/main.c,$(SRC_C))
LIB_CC  := $(foreach l,$(LAYERS),$(shell find src/$(l) -name '*.cc' 2>/dev/null))
LIB_OBJ := $(LIB_C:src/%.c=$(BUILD)/obj/%.o) $(LIB_CC:src/%.cc=$(BUILD)/obj/%.o)
TESTS   := $(TEST_C:src/%.c=$(BUILD)/test/%)
FUZZERS := $(FUZZ_C:src/%.c=$(BUILD)/fuzz/%)

.PHONY: all
all: $(BUILD)/helenus

$(BUILD)/libhelenus.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/helenus: $(BUILD)/obj/server/main.o $(BUILD)/libhelenus.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS)

# Generated code. A folder with generated sources adds its rules in src/<folder>/rules.mk and its headers
# or included files to GENERATED, so that they exist before anything compiles.
GENERATED :=
-include $(wildcard src/*/rules.mk) tools/sim.mk tools/check.mk tools/test.mk

$(BUILD)/obj/%.o: src/%.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: src/%.cc | $(GENERATED)
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/%: $(BUILD)/obj/%.o $(BUILD)/libhelenus.a
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# T=folder or folder/name narrows the unit tests: make unit T=types
.PHONY: unit
unit: $(if $(T),$(filter $(BUILD)/test/$(T)%,$(TESTS)),$(TESTS))
	@for t in $^; do echo "== $$t"; CMOCKA_MESSAGE_OUTPUT=stdout $$t || exit 1; done

# The native engine: about twice as fast as the packaged one, 5 to 30 minutes to build, once.
.PHONY: engine
engine:
	tools/engine.sh

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: arrows
arrows:
	@$(PYTHON) tools/arrows.py
