# The lexer (re2c) and the grammar (lemon) become C that src/cql/lex.c and src/cql/parse.c include.

GENERATED += $(BUILD)/gen/cql/lexer.inc $(BUILD)/gen/cql/grammar.inc

$(BUILD)/gen/cql/lexer.inc: src/cql/lexer.re
	@mkdir -p $(@D)
	re2c -W -b -i --no-generation-date -o $@ $<

$(BUILD)/gen/cql/grammar.inc: src/cql/grammar.y
	@mkdir -p $(@D)
	lemon -q -l -d$(@D) $<
	@mv $(@D)/grammar.c $@
