/* Keyspaces' CUSTOM_PROPERTIES: a table says which property has which member, what kind
 * of value that is, where it lies in struct keyspaces_properties, and which words it
 * can be. Whoever acts on them gets a struct, and never looks at JSON. Unknown
 * properties and members are passed over: AWS adds some from time to time. */
#include "schema/keyspaces.h"

#include "schema/option.h"
#include "types/json.h"
#include "types/number.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* What a member's value is: one of its words, a number of units, or any text. */
enum member_kind { MEMBER_WORD, MEMBER_UNITS, MEMBER_TEXT };
enum { WORDS_MAX = 5 };

static const struct member {
    const char *property, *name;
    enum member_kind kind;
    size_t offset;
    const char *words[WORDS_MAX]; /* MEMBER_WORD: by its enum, NULL at the end */
} members[] = {
#define AT(member) offsetof(struct keyspaces_properties, member)
#define STATUS                \
    {                         \
        "disabled", "enabled" \
    }
    { "capacity_mode", "throughput_mode", MEMBER_WORD, AT(capacity.mode), { "PAY_PER_REQUEST", "PROVISIONED" } },
    { "capacity_mode", "read_capacity_units", MEMBER_UNITS, AT(capacity.read_units), { NULL } },
    { "capacity_mode", "write_capacity_units", MEMBER_UNITS, AT(capacity.write_units), { NULL } },
    { "encryption_specification",
      "encryption_type",
      MEMBER_WORD,
      AT(encryption.type),
      { "AWS_OWNED_KMS_KEY", "CUSTOMER_MANAGED_KMS_KEY" } },
    { "encryption_specification", "kms_key_identifier", MEMBER_TEXT, AT(encryption.key), { NULL } },
    { "point_in_time_recovery", "status", MEMBER_WORD, AT(point_in_time_recovery), STATUS },
    { "ttl", "status", MEMBER_WORD, AT(ttl), STATUS },
    { "client_side_timestamps", "status", MEMBER_WORD, AT(client_side_timestamps), STATUS },
    { "cdc_specification",
      "view_type",
      MEMBER_WORD,
      AT(cdc.view),
      { "NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY" } },
    { "cdc_specification", "propagate_tags", MEMBER_WORD, AT(cdc.propagate_tags), { "NONE", "TABLE" } },
    { "warm_throughput", "read_units_per_second", MEMBER_UNITS, AT(warm.read_units), { NULL } },
    { "warm_throughput", "write_units_per_second", MEMBER_UNITS, AT(warm.write_units), { NULL } },
#undef STATUS
#undef AT
};

/* A member's word is stored through an int pointer. */
static_assert(sizeof(enum throughput_mode) == sizeof(int) && sizeof(enum view_type) == sizeof(int),
              "words are stored as int");

/* What a table of Keyspaces can take from its first second on, unless it asks for more. */
enum { WARM_READ_UNITS = 12000, WARM_WRITE_UNITS = 4000 };

/* Names the member and its property. */
static enum status refuse(const struct member *member, struct bytes text, const char *what, struct error *err)
{
    return error_set(err, ERR_INVALID, "Invalid value '%.*s' of '%s' in custom property '%s': it should be %s",
                     BYTES(text), member->name, member->property, what);
}

/* The number of the word in its list is the value of its enum; the order of words must
 * be the enum's. */
static enum status set_word(const struct member *member, struct bytes text, int *at, struct error *err)
{
    char words[128];
    size_t size = 0;

    assert(member->kind == MEMBER_WORD && member->words[0]);
    for (int i = 0; i < WORDS_MAX && member->words[i]; i++) {
        if (bytes_is_ignoring_case(text, member->words[i])) {
            *at = i;
            return OK;
        }
        size += (size_t)snprintf(words + size, sizeof(words) - size, "%s%s", i ? " or " : "", member->words[i]);
        assert(size < sizeof(words));
    }
    return refuse(member, text, words, err);
}

/* Sets what the member stands for. */
static enum status set_member(struct arena *arena, const struct member *member, struct bytes text,
                              struct keyspaces_properties *result, struct error *err)
{
    void *at = (uint8_t *)result + member->offset;

    switch (member->kind) {
    case MEMBER_WORD: return set_word(member, text, at, err);
    case MEMBER_UNITS:
        /* Units are stored as 64 bits. */
        return integer_parse(text, 1, INT64_MAX, at) ? OK : refuse(member, text, "an integer from 1 on", err);
    case MEMBER_TEXT:
        if (!text.size)
            return refuse(member, text, "a text", err);
        *(struct bytes *)at = arena_copy(arena, text);
        return OK;
    }
    abort();
}

/* A name or a leaf as characters. Leaves of CQL are strings; from an API they may be
 * numbers and booleans. */
static struct bytes plain(struct arena *arena, struct bytes json)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };

    if (json_kind_of(json) != JSON_STRING)
        return json;
    json_unescape(&out, json);
    return arena_copy(arena, buffer_bytes(&out));
}

/* Names are taken in any case. */
static const struct member *find_member(struct bytes property, struct bytes name)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (bytes_is_ignoring_case(property, members[i].property) && bytes_is_ignoring_case(name, members[i].name))
            return &members[i];
    return NULL;
}

/* Is there such a property at all? */
static bool is_known(struct bytes property)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (bytes_is_ignoring_case(property, members[i].property))
            return true;
    return false;
}

/* A property is a map of members; a value that is itself a map is refused. */
static enum status read_property(struct arena *arena, struct bytes property, struct bytes map,
                                 struct keyspaces_properties *result, struct error *err)
{
    struct bytes name, value;

    if (json_kind_of(map) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "Custom property '%.*s' should be a map", BYTES(property));
    while (json_next_member(&map, &name, &value)) {
        const struct member *member = find_member(property, plain(arena, name));
        enum status status;

        /* A member of a later version of the service. */
        if (!member)
            continue;
        if (json_kind_of(value) == JSON_OBJECT || json_kind_of(value) == JSON_ARRAY)
            return refuse(member, value, "a word or a number", err);
        status = set_member(arena, member, plain(arena, value), result, err);
        if (status)
            return status;
    }
    return OK;
}

/* What must hold between members. */
static enum status check_whole(const struct keyspaces_properties *properties, struct error *err)
{
    /* Zero says that it was not given: units begin at 1. */
    bool has_units = properties->capacity.read_units && properties->capacity.write_units;

    if (properties->capacity.mode == THROUGHPUT_PROVISIONED && !has_units)
        return error_set(
            err, ERR_INVALID,
            "Provisioned capacity needs 'read_capacity_units' and 'write_capacity_units' in 'capacity_mode'");
    if (properties->encryption.type == ENCRYPTION_CUSTOMER_MANAGED_KEY && !properties->encryption.key.size)
        return error_set(err, ERR_INVALID, "A customer's key needs 'kms_key_identifier' in 'encryption_specification'");
    return OK;
}

/* *result is set only on success. Nothing given is all defaults. */
enum status keyspaces_properties_read(struct arena *arena, struct bytes custom_properties,
                                      struct keyspaces_properties *result, struct error *err)
{
    struct keyspaces_properties properties = { .warm = { WARM_READ_UNITS, WARM_WRITE_UNITS } };
    struct bytes rest = custom_properties, name, value;
    enum status status = OK;

    assert(result && (custom_properties.data || !custom_properties.size));
    if (custom_properties.size) {
        status = json_check(custom_properties, &rest, err);
        if (!status && json_kind_of(rest) != JSON_OBJECT)
            status = error_set(err, ERR_INVALID, "Custom properties should be a map");
        while (!status && json_next_member(&rest, &name, &value)) {
            struct bytes property = plain(arena, name);

            /* A property that we do not know is kept as text, and not looked at. */
            if (is_known(property))
                status = read_property(arena, property, value, &properties, err);
        }
    }
    if (!status)
        status = check_whole(&properties, err);
    if (!status)
        *result = properties;
    return status;
}
