# The simulation: tests/sim/README.md.

comma    := ,
SIM_C    := $(wildcard tests/sim/*.c)
SIM_OBJ  := $(SIM_C:tests/%.c=$(BUILD)/obj/tests/%.o)
# What the server calls to start, lock, wait and sleep is the simulation's: tests/sim/fiber.h.
SIM_WRAPPED := pthread_create pthread_join pthread_mutex_lock pthread_mutex_unlock pthread_cond_wait pthread_cond_signal pthread_cond_broadcast \
               pthread_setname_np sched_yield usleep nanosleep poll random_bytes clock_thread_cpu_ns

$(BUILD)/obj/tests/%.o: tests/%.c | $(GENERATED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/sim: $(SIM_OBJ) $(BUILD)/libhelenus.a
	$(CXX) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(SIM_WRAPPED)) -o $@ $^ $(LIBS)

# make sim: SEEDS seeds, each fifth on RocksDB, the others on memory; STORE=memory or STORE=rocksdb: all of them. make sim SEED=42: that one, told
# step by step; if it fails it is made smaller, and what is left is told.
SEEDS ?= 10000
STORE ?= both
SIM_ONE := $(findstring command,$(origin SEED))$(findstring environment,$(origin SEED))
.PHONY: sim
sim: $(BUILD)/sim
	$(BUILD)/sim --store $(STORE) $(if $(SIM_ONE),--seed $(SEED) --trace,--seeds $(SEEDS))
