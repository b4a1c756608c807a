# Models of AWS's services become C strings, which the services include: NAME.model -> gen/control/NAME.model.inc.

MODELS := $(wildcard src/control/*.model)
GENERATED += $(MODELS:src/%=$(BUILD)/gen/%.inc)

# Each line a string; comments and empty lines stay, so that the parser's errors have the file's line numbers.
$(BUILD)/gen/control/%.model.inc: src/control/%.model
	@mkdir -p $(@D)
	sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< > $@
