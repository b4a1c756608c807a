# Models of AWS's services become C strings, which the services include: NAME.model -> gen/api/NAME.model.inc.

API_MODELS := $(wildcard src/api/*.model)
GENERATED += $(API_MODELS:src/%=$(BUILD)/gen/%.inc)

# Each line a string; comments and empty lines stay, so that the parser's errors have the file's line numbers.
$(BUILD)/gen/api/%.model.inc: src/api/%.model
	@mkdir -p $(@D)
	sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< > $@
