/* One struct for all kinds, with one way to the disk and back: what makes them different is who reads which part.
 *
 * A struct for each kind would be smaller in memory, and eleven ways to write one: for some ten thousand identities that is a few
 * megabytes against a fault in one of eleven decoders. */
#include "identity/identity.h"

#include <assert.h>
#include <ctype.h>

enum { VERSION = 1, HEAD_BYTES = 1 + 1 + 8 + 8 + 8, TEXTS = 7, SIZE_BYTES = 4 };

/* ---- the layout ---- */

/* Its texts in the order in which they stand. */
static void list_texts(const struct identity_parts *parts, struct bytes texts[TEXTS])
{
    const struct bytes all[TEXTS] = { parts->id,   parts->name,   parts->path, parts->text,
                                      parts->note, parts->secret, parts->alias };

    memcpy(texts, all, sizeof(all));
}

/* Each behind its size, so that a text may be anything. */
static void append_text(struct buffer *out, struct bytes text)
{
    assert(text.size <= UINT32_MAX);
    buffer_append_be32(out, (uint32_t)text.size);
    buffer_append_bytes(out, text);
}

/* Whatever the kind has of it: what it has not is an empty text. */
void identity_encode(struct buffer *out, const struct identity_parts *parts)
{
    struct bytes texts[TEXTS];

    assert(parts->tag_count <= IDENTITY_TAGS_MAX && parts->at.key.size);
    list_texts(parts, texts);
    buffer_append_u8(out, VERSION);
    buffer_append_u8(out, parts->is_on);
    buffer_append_be64(out, (uint64_t)parts->created_us);
    buffer_append_be64(out, (uint64_t)parts->changed_us);
    buffer_append_be64(out, (uint64_t)parts->number);
    for (int i = 0; i < TEXTS; i++)
        append_text(out, texts[i]);
    buffer_append_be32(out, parts->tag_count);
    for (uint32_t i = 0; i < parts->tag_count; i++) {
        append_text(out, parts->tags[i].name);
        append_text(out, parts->tags[i].value);
    }
}

/* False: less is left than it says. An empty text points to nothing, so that it does not look like one that is there. */
static bool take_text(struct bytes *rest, struct bytes *text)
{
    uint32_t size;

    if (rest->size < SIZE_BYTES)
        return false;
    size = load_be32(rest->data);
    *rest = bytes_of(rest->data + SIZE_BYTES, rest->size - SIZE_BYTES);
    if (rest->size < size)
        return false;
    *text = size ? bytes_of(rest->data, size) : bytes_of(NULL, 0);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return true;
}

/* More than there may be is damage: nothing was written so. */
static bool take_tags(struct bytes *rest, struct bytes_pair tags[IDENTITY_TAGS_MAX], uint32_t *count)
{
    bool good = rest->size >= SIZE_BYTES;

    /* Looked at before anything is read by it. */
    *count = good ? load_be32(rest->data) : 0;
    if (!good || *count > IDENTITY_TAGS_MAX)
        return false;
    *rest = bytes_of(rest->data + SIZE_BYTES, rest->size - SIZE_BYTES);
    for (uint32_t i = 0; i < *count && good; i++)
        good = take_text(rest, &tags[i].name) && take_text(rest, &tags[i].value);
    return good;
}

/* Into parts that point into the value; tags into the array. */
static bool take_parts(struct bytes value, struct identity_parts *parts, struct bytes_pair tags[IDENTITY_TAGS_MAX])
{
    struct bytes rest = value, texts[TEXTS];

    if (value.size < HEAD_BYTES || value.data[0] != VERSION || value.data[1] > 1)
        return false;
    /* The head's numbers, then texts in their order. */
    parts->is_on = value.data[1];
    parts->created_us = (int64_t)load_be64(value.data + 2);
    parts->changed_us = (int64_t)load_be64(value.data + 10);
    parts->number = (int64_t)load_be64(value.data + 18);
    rest = bytes_of(value.data + HEAD_BYTES, value.size - HEAD_BYTES);
    for (int i = 0; i < TEXTS; i++)
        if (!take_text(&rest, &texts[i]))
            return false;
    parts->id = texts[0];
    parts->name = texts[1];
    parts->path = texts[2];
    parts->text = texts[3];
    parts->note = texts[4];
    parts->secret = texts[5];
    parts->alias = texts[6];
    parts->tags = tags;
    return take_tags(&rest, tags, &parts->tag_count) && !rest.size;
}

/* ---- life ----
 *
 * Made once and never changed: threads share one without asking each other. */

/* Of versions of a policy only the default one is ever asked. */
bool identity_has_policy(const struct identity_parts *parts, enum policy_kind *kind)
{
    *kind = parts->at.kind == IDENTITY_ROLE ? POLICY_TRUST : POLICY_IDENTITY;
    return parts->at.kind == IDENTITY_ROLE || parts->at.kind == IDENTITY_INLINE ||
           (parts->at.kind == IDENTITY_POLICY_VERSION && parts->is_on);
}

/* Which one was there is told to who wrote it, before it was. */
static struct policy *compile(const struct identity_parts *parts)
{
    struct policy *policy = NULL;
    enum policy_kind kind;
    struct error err;

    if (!identity_has_policy(parts, &kind) || policy_parse(parts->text, kind, &policy, &err))
        return NULL;
    return policy;
}

/* One after another into the identity's one piece of memory. */
static struct bytes copy_to(uint8_t **at, struct bytes text)
{
    struct bytes copy = bytes_of(*at, text.size);

    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

/* One piece of memory: the tags' places, where it stands, the value. */
enum status identity_decode(struct identity_place at, struct bytes value, struct identity **result, struct error *err)
{
    struct bytes_pair tags[IDENTITY_TAGS_MAX], *kept;
    struct identity *identity = xcalloc(1, sizeof(*identity));
    struct identity_parts *is = &identity->is;
    uint8_t *to;

    if (at.kind < IDENTITY_USER || (int)at.kind >= IDENTITY_KINDS || !at.key.size || !take_parts(value, is, tags)) {
        free(identity);
        return error_set(err, ERR_CORRUPT, "An identity of kind %d, '%.*s' in '%.*s', does not decode", (int)at.kind,
                         BYTES(at.key), BYTES(at.scope));
    }
    identity->memory =
        xmalloc(is->tag_count * sizeof(struct bytes_pair) + at.scope.size + at.key.size + value.size + 1);
    kept = (struct bytes_pair *)identity->memory;
    to = identity->memory + is->tag_count * sizeof(struct bytes_pair);
    /* Where it stands, which is not in the value. */
    is->at = (struct identity_place){ at.kind, copy_to(&to, at.scope), copy_to(&to, at.key) };
    value = copy_to(&to, value);
    /* Once more, into the copy: it was whole before. */
    if (!take_parts(value, is, tags))
        assert(!"a copy reads as what it was copied from");
    if (is->tag_count)
        memcpy(kept, tags, is->tag_count * sizeof(struct bytes_pair));
    is->tags = kept;
    identity->policy = compile(is);
    atomic_init(&identity->references, 1);
    *result = identity;
    return OK;
}

/* What cannot be read back must not be written. */
struct identity *identity_make(const struct identity_parts *parts)
{
    struct buffer value = { 0 };
    struct identity *identity = NULL;
    struct error err;
    enum status status;

    identity_encode(&value, parts);
    status = identity_decode(parts->at, buffer_bytes(&value), &identity, &err);
    assert(!status && identity);
    buffer_fini(&value);
    return identity;
}

/* Whoever holds a set holds what is in it; this is for who keeps one longer. */
struct identity *identity_ref(const struct identity *identity)
{
    struct identity *counted = (struct identity *)identity;

    atomic_fetch_add_explicit(&counted->references, 1, memory_order_relaxed);
    return counted;
}

/* The policy may live longer, in a decision that is being made. */
void identity_unref(struct identity *identity)
{
    assert(identity);
    if (atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) != 1)
        return;
    if (identity->policy)
        policy_unref(identity->policy);
    free(identity->memory);
    free(identity);
}

/* ---- places ---- */

/* Kinds first, so that all of a kind stand together; a scope's too. */
int identity_compare(const struct identity_place *a, const struct identity_place *b)
{
    int order = (a->kind > b->kind) - (a->kind < b->kind);

    if (!order)
        order = bytes_compare(a->scope, b->scope);
    return order ? order : bytes_compare(a->key, b->key);
}

/* Those are asked from both ends. */
bool identity_is_relation(enum identity_kind kind)
{
    return kind == IDENTITY_ATTACHMENT || kind == IDENTITY_BOUNDARY || kind == IDENTITY_MEMBERSHIP;
}

/* Names are ASCII, as the API's models say. */
struct bytes identity_key(struct bytes name, char buffer[IDENTITY_KEY_MAX])
{
    size_t size = name.size < IDENTITY_KEY_MAX ? name.size : IDENTITY_KEY_MAX;

    for (size_t i = 0; i < size; i++)
        buffer[i] = (char)tolower(name.data[i]);
    return bytes_of(buffer, size);
}
