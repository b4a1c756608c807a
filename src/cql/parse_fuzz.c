/* Any bytes: parsed or refused; what is parsed prints to what parses and prints the same. */
#include "cql/parse.h"
#include "cql/print.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool print(struct bytes text, struct buffer *out)
{
    struct arena *arena = arena_new(4096);
    struct cql_statement *statement;
    struct error err = { 0 };
    enum status status = cql_parse(arena, text, &statement, &err);

    if (status == OK)
        cql_print(out, statement);
    else if ((status != ERR_SYNTAX && status != ERR_PROTOCOL /* not UTF-8 */) || !err.message[0])
        abort();
    arena_free(arena);
    return status == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer first = { 0 };
    struct buffer second = { 0 };

    if (print(bytes_of(data, size), &first))
        if (!print(buffer_bytes(&first), &second) || !bytes_equal(buffer_bytes(&first), buffer_bytes(&second)))
            abort();
    buffer_fini(&first);
    buffer_fini(&second);
    return 0;
}
