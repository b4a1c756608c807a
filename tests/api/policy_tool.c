/* Policies for tests/api/policies.py: records on stdin, what helenus makes of each on stdout.
 *
 *     in    fields, each a length (4 bytes, big-endian) and that many bytes: kind ("identity", "trust"), document, action, resource, the
 *           caller's ARN, the number of keys in decimal; then a name and a value for each key
 *     out   fields of the same form: "allowed", "implicit", "denied" or "refused"; why it was refused
 *
 * With no action it is only looked whether the document is refused: "taken".
 */
#include "iam/decide.h"
#include "records.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

/* The fifth part of an ARN. */
static struct bytes account_of(struct bytes arn)
{
    for (int colons = 0; colons < 4 && arn.size; colons++) {
        const uint8_t *colon = memchr(arn.data, ':', arn.size);

        arn = colon ? bytes_of(colon + 1, arn.size - (size_t)(colon + 1 - arn.data)) : bytes_of("", 0);
    }
    const uint8_t *end = arn.size ? memchr(arn.data, ':', arn.size) : NULL;
    return end ? bytes_of(arn.data, (size_t)(end - arn.data)) : arn;
}

static struct iam_entries keys_of(struct arena *arena, struct cursor *input)
{
    uint32_t count = (uint32_t)strtoul(arena_string(arena, field(input)), NULL, 10);
    struct iam_entry *entries = arena_new_array(arena, struct iam_entry, count + 1);
    struct bytes *values = arena_new_array(arena, struct bytes, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        entries[i].name = field(input);
        values[i] = field(input);
        entries[i].values = (struct iam_values){ &values[i], 1 };
    }
    return (struct iam_entries){ entries, count };
}

static void answer(struct arena *arena, struct cursor *input)
{
    static const char *const words[] = { "allowed", "implicit", "denied" };
    enum policy_kind kind = bytes_is(field(input), "trust") ? POLICY_TRUST : POLICY_IDENTITY;
    struct bytes document = field(input);
    struct iam_request request = { .action = field(input), .resource = field(input) };
    CLEANUP(policy_unref) struct policy *policy = NULL;
    struct policy_set set = { 0 };
    struct iam_entries keys;
    struct error err;

    request.principal.arn = field(input);
    request.principal.account = account_of(request.principal.arn);
    keys = keys_of(arena, input);
    request.ask = iam_entries_ask;
    request.context = &keys;
    if (input->failed) {
        fprintf(stderr, "policy_tool: half a record\n");
        exit(1);
    }
    if (policy_parse(document, kind, &policy, &err)) {
        tell(BYTES_LITERAL("refused"));
        tell(bytes_of_string(err.message));
        return;
    }
    set.groups[kind == POLICY_TRUST ? IAM_RESOURCE_POLICY : IAM_IDENTITY_POLICY] =
        (struct policy_group){ .policies = &policy, .count = 1 };
    tell(bytes_of_string(request.action.size ? words[iam_decide(&request, &set, NULL)] : "taken"));
    tell(BYTES_LITERAL(""));
}

int main(void)
{
    CLEANUP(buffer_fini) struct buffer input = { 0 };
    size_t size;

    do {
        size = fread(buffer_reserve(&input, 65536), 1, 65536, stdin);
        input.size += size;
    } while (size);
    for (struct cursor cursor = cursor_of(buffer_bytes(&input)); cursor.left;) {
        CLEANUP(arena_free) struct arena *arena = arena_new(4096);

        answer(arena, &cursor);
    }
    return 0;
}
