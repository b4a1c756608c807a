/* One reader and one writer, so that what we tell is what we take. What is read comes from clients, and is nothing
 * but a name until the definitions have it. */
#include "schema/arn.h"

#include "base/account_digits.h"
#include "base/buffer.h"

#include <assert.h>
#include <ctype.h>

/* AWS's rule for all of its services: a region is of one partition, and its name says which. */
const char *arn_partition(struct bytes region)
{
    if (bytes_starts_with(region, BYTES_LITERAL("cn-")))
        return "aws-cn";
    return bytes_starts_with(region, BYTES_LITERAL("us-gov-")) ? "aws-us-gov" : "aws";
}

/* Names of keyspaces and tables are words, so nothing needs to be escaped. */
struct bytes arn_print(struct arena *arena, const struct arn_owner *owner, struct bytes keyspace, struct bytes table)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    assert(keyspace.size && (!table.data || table.size));
    buffer_printf(&text, "arn:%s:cassandra:%.*s:%.*s:/keyspace/%.*s/", arn_partition(owner->region),
                  BYTES(owner->region), BYTES(owner->account), BYTES(keyspace));
    if (table.data)
        buffer_printf(&text, "table/%.*s", BYTES(table));
    return arena_copy(arena, buffer_bytes(&text));
}

/* Takes what stands before the separator, and the separator; false: there is none, or nothing before it. */
static bool take_part(struct bytes *text, char separator, struct bytes *part)
{
    const uint8_t *end = text->size ? memchr(text->data, separator, text->size) : NULL;

    if (!end || end == text->data)
        return false;
    *part = bytes_of(text->data, (size_t)(end - text->data));
    *text = bytes_of(end + 1, text->size - part->size - 1);
    return true;
}

/* Goes on behind what must stand there, letter by letter: ARNs know no other spelling. */
static bool take_prefix(struct bytes *text, const char *prefix)
{
    struct bytes wanted = bytes_of_string(prefix);

    if (!bytes_starts_with(*text, wanted))
        return false;
    *text = bytes_of(text->data + wanted.size, text->size - wanted.size);
    return true;
}

/* As keyspaces and tables are called. */
static bool is_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum(text.data[i]) && text.data[i] != '_')
            return false;
    return text.size > 0;
}

/* What follows the account: "/keyspace/KS/", "/keyspace/KS", "/keyspace/KS/table/T" and a stream's. */
static bool parse_resource(struct bytes text, struct arn *arn)
{
    if (!take_prefix(&text, "/keyspace/"))
        return false;
    if (!take_part(&text, '/', &arn->keyspace)) {
        arn->keyspace = text;
        text.size = 0;
    }
    if (!is_word(arn->keyspace))
        return false;
    if (!text.size)
        return true;
    if (!take_prefix(&text, "table/"))
        return false;
    if (take_part(&text, '/', &arn->table)) {
        if (!take_prefix(&text, "stream/") || !text.size)
            return false;
        arn->stream = text;
    } else {
        arn->table = text;
    }
    return is_word(arn->table);
}

/* The region may be anything between two colons: it is compared with the caller's, never used. A partition that
 * does not fit it is another resource's, or a slip. */
bool arn_parse(struct bytes text, struct arn *result)
{
    struct arn arn = { 0 };
    struct bytes partition;

    assert(text.data || !text.size);
    if (!take_prefix(&text, "arn:") || !take_part(&text, ':', &partition) || !take_prefix(&text, "cassandra:") ||
        !take_part(&text, ':', &arn.owner.region) || !take_part(&text, ':', &arn.owner.account))
        return false;
    if (!bytes_is(partition, arn_partition(arn.owner.region)) || !account_is_digits(arn.owner.account) ||
        !parse_resource(text, &arn))
        return false;
    *result = arn;
    return true;
}

/* Of no other account or region is anything known here. */
bool arn_is_of(const struct arn *arn, const struct arn_owner *owner)
{
    return bytes_equal(arn->owner.account, owner->account) && bytes_equal(arn->owner.region, owner->region);
}
