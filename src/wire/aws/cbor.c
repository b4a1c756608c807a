/* Smithy's RPC v2 CBOR (RFC 8949). An item is a head (three bits of what it is, five bits and up to eight bytes of
 * a number) and what belongs to it. Whatever a head claims, nothing is taken before its bytes are there, and no
 * memory for what is only claimed.
 *
 * Read: definite and indefinite lengths, integers and floats of every width for each other where nothing is lost,
 * time as tag 1 alone. Written: definite lengths, the shortest heads, times as tag 1 of an integer or a double. */
#include "base/cursor.h"
#include "base/debug.h"
#include "types/text.h"
#include "wire/aws/codec.h"
#include "wire/aws/walk.h"

#include <math.h>

enum major { UNSIGNED, NEGATIVE, BYTE_STRING, TEXT, ARRAY, MAP, TAG, SIMPLE };

enum {
    INDEFINITE = 31, /* instead of a length; of SIMPLE: the break that ends it */
    SIMPLE_FALSE = 20,
    SIMPLE_TRUE = 21,
    SIMPLE_NULL = 22,
    SIMPLE_UNDEFINED = 23,
    SIMPLE_NEXT_BYTE = 24,
    FLOAT16 = 25,
    FLOAT32 = 26,
    FLOAT64 = 27,
    BREAK = 0xFF,
    TAG_TIME = 1,
};

struct head {
    enum major major;
    uint8_t minor;
    uint64_t number; /* the value, the length, the tag, a float's bits */
};

struct cbor_reader {
    struct walk walk;
    struct cursor in;
    struct buffer scratch; /* strings in chunks */
};

/* What is left of a container. */
struct items {
    uint64_t left;
    bool is_indefinite;
    bool is_odd; /* of a map that is skipped: a name without its value */
    bool is_map;
};

/* ---- heads ---- */

/* Only heads that may be so have this: read_head refuses all others. */
static bool is_indefinite(struct head head)
{
    return head.minor == INDEFINITE;
}

/* Whatever it was that the message ends in: a head, a string, a container that claims more. */
static bool refuse_end(struct cbor_reader *r)
{
    return walk_refuse(&r->walk, "The message ends within a value");
}

/* Reserved numbers, a break where nothing is open, a simple value in a longer form than its own. */
static bool refuse_head(struct cbor_reader *r, uint8_t first)
{
    return walk_refuse(&r->walk, "Not CBOR: 0x%02x begins no value", first);
}

/* A break is none: it is looked for where one may stand. */
static bool read_head(struct cbor_reader *r, struct head *head)
{
    uint8_t first = cursor_u8(&r->in);

    /* Up to 23 the number is in the head itself. */
    *head = (struct head){ (enum major)(first >> 5), first & 31, first & 31 };
    switch (head->minor) {
    case 24: head->number = cursor_u8(&r->in); break;
    case 25: head->number = cursor_be16(&r->in); break;
    case 26: head->number = cursor_be32(&r->in); break;
    case 27: head->number = cursor_be64(&r->in); break;
    case 28:
    case 29:
    case 30: return r->in.failed ? refuse_end(r) : refuse_head(r, first);
    case INDEFINITE:
        if (head->major < BYTE_STRING || head->major > MAP)
            return refuse_head(r, first);
        break;
    default: break;
    }
    if (r->in.failed)
        return refuse_end(r);
    if (head->major == SIMPLE && head->minor == SIMPLE_NEXT_BYTE && head->number < 32)
        return refuse_head(r, first);
    /* Each item has a byte at least: a claim that is longer than the rest is refused at once. */
    if (head->major >= BYTE_STRING && head->major <= MAP && !is_indefinite(*head) && head->number > r->in.left)
        return refuse_end(r);
    return true;
}

/* Looked at before a head is read, where a container or string of indefinite length may end. */
static bool take_break(struct cbor_reader *r)
{
    if (!r->in.left || r->in.at[0] != BREAK)
        return false;
    cursor_u8(&r->in);
    return true;
}

/* Of an indefinite one the number says nothing. */
static struct items items_of(struct head head)
{
    return (struct items){ .left = head.number, .is_indefinite = is_indefinite(head), .is_map = head.major == MAP };
}

/* Is there one more? A container that ends with the message has one more, which then cannot be read. */
static bool next_item(struct cbor_reader *r, struct items *items)
{
    if (items->is_indefinite)
        return !take_break(r);
    return items->left && items->left--;
}

/* ---- strings ---- */

/* A string's bytes: in the message, or in the arena if they came in chunks. Text is UTF-8, each chunk by itself. */
static bool read_string(struct cbor_reader *r, struct head head, struct bytes *string)
{
    if (!is_indefinite(head)) {
        *string = cursor_take(&r->in, head.number);
        debug_assert(string->data); /* read_head looked whether it is there */
        if (head.major == TEXT && !text_is_utf8(*string))
            return walk_refuse(&r->walk, "A string is not UTF-8");
        return true;
    }
    buffer_reset(&r->scratch);
    while (!take_break(r)) {
        struct head chunk;

        if (!read_head(r, &chunk))
            return false;
        if (chunk.major != head.major || is_indefinite(chunk))
            return walk_refuse(&r->walk, "A chunk of a string is of another kind");
        struct bytes bytes = cursor_take(&r->in, chunk.number);
        if (head.major == TEXT && !text_is_utf8(bytes))
            return walk_refuse(&r->walk, "A string is not UTF-8");
        buffer_append_bytes(&r->scratch, bytes);
    }
    *string = arena_copy(r->walk.arena, buffer_bytes(&r->scratch));
    return true;
}

/* ---- what the shape does not have ---- */

/* One head of what is skipped: a string is passed over, a container opened. */
static bool skip_head(struct cbor_reader *r, struct head head, struct items *open, uint32_t *depth)
{
    struct bytes ignored;

    if (head.major == BYTE_STRING || head.major == TEXT)
        return read_string(r, head, &ignored);
    if (head.major != ARRAY && head.major != MAP)
        return true;
    if (r->walk.depth + *depth >= TREE_DEPTH_MAX)
        return walk_refuse(&r->walk, "Nested more than %d deep", TREE_DEPTH_MAX);
    open[*depth] = items_of(head);
    /* A map's names are items as well; its length was compared with the message's, so it does not overflow. */
    if (head.major == MAP)
        open[*depth].left *= 2;
    (*depth)++;
    return true;
}

/* A value with all that is in it, well-formed as any other. A loop, since nobody says how deep it is. */
static bool skip_value(struct cbor_reader *r, struct head head)
{
    struct items open[TREE_DEPTH_MAX];
    uint32_t depth = 0;

    for (;;) {
        if (!skip_head(r, head, open, &depth))
            return false;
        /* What a tag belongs to is one value with it. */
        if (head.major != TAG) {
            while (depth && !next_item(r, &open[depth - 1])) {
                depth--;
                if (open[depth].is_map && open[depth].is_odd)
                    return walk_refuse(&r->walk, "A name in a map has no value");
            }
            if (!depth)
                return true;
            open[depth - 1].is_odd = !open[depth - 1].is_odd;
        }
        if (!walk_count(&r->walk) || !read_head(r, &head))
            return false;
    }
}

/* ---- scalars ---- */

/* AWS's names of what is not of the shape's kind, as far as JSON has it too. */
static const char *found_name(struct head head)
{
    switch (head.major) {
    case UNSIGNED:
    case NEGATIVE: return "NUMBER_VALUE";
    case BYTE_STRING: return "BINARY_VALUE";
    case TEXT: return "STRING_VALUE";
    case ARRAY: return "[";
    case MAP: return "{";
    case TAG: return "TAG_VALUE";
    case SIMPLE: break;
    }
    if (head.minor == SIMPLE_TRUE || head.minor == SIMPLE_FALSE)
        return head.minor == SIMPLE_TRUE ? "TRUE_VALUE" : "FALSE_VALUE";
    return head.minor >= FLOAT16 ? "DECIMAL_VALUE" : "SIMPLE_VALUE";
}

/* Three widths, all of them taken for each other. */
static bool is_float(struct head head)
{
    return head.major == SIMPLE && head.minor >= FLOAT16 && head.minor <= FLOAT64;
}

/* What number_of can make a double of. Tags 2 to 5, big numbers and decimals, are none: no shape here
 * could hold them. */
static bool is_number(struct head head)
{
    return head.major == UNSIGNED || head.major == NEGATIVE || is_float(head);
}

/* IEEE 754's binary16: a sign, five bits of exponent, ten of fraction. */
static double half_of(uint64_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = (double)(bits & 1023), value;

    if (exponent == 31)
        value = fraction != 0 ? (double)NAN : (double)INFINITY;
    else
        value = exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24);
    return bits & 0x8000 ? -value : value;
}

/* For shapes that hold a double anyhow. A 64 bit integer is rounded as it would be in a JSON text. */
static double number_of(struct head head)
{
    debug_assert(is_number(head));
    /* Integers lose digits beyond 2^53, as they do for each client that has only doubles. */
    if (head.major == UNSIGNED)
        return (double)head.number;
    if (head.major == NEGATIVE)
        return -1 - (double)head.number;
    if (head.minor == FLOAT16)
        return half_of(head.number);
    if (head.minor == FLOAT32) {
        uint32_t bits = (uint32_t)head.number;
        float narrow;

        memcpy(&narrow, &bits, sizeof(narrow));
        return (double)narrow;
    }
    double wide;
    memcpy(&wide, &head.number, sizeof(wide));
    return wide;
}

/* A float is taken if it is a whole number: some clients know no other kind. Beyond 2^63 there is none
 * that a Long could hold. */
static bool read_integer(struct cbor_reader *r, struct head head, struct tree *tree)
{
    if (!is_number(head))
        return walk_refuse_kind(&r->walk, found_name(head), tree->shape);
    if (is_float(head)) {
        double value = number_of(head);

        /* So written that what is no number is no integer either. */
        if (!(value >= -0x1p63 && value < 0x1p63) || value != trunc(value))
            return walk_refuse_kind(&r->walk, "DECIMAL_VALUE", tree->shape);
        return walk_set_integer(&r->walk, tree, (int64_t)value);
    }
    if (head.number > INT64_MAX)
        return walk_refuse(&r->walk, "A number is out of the range of a Long");
    return walk_set_integer(&r->walk, tree, head.major == UNSIGNED ? (int64_t)head.number : -1 - (int64_t)head.number);
}

/* Tag 1 and nothing else: a number by itself may mean anything. */
static bool read_timestamp(struct cbor_reader *r, struct head head, struct tree *tree)
{
    if (head.major != TAG || head.number != TAG_TIME)
        return walk_refuse_kind(&r->walk, found_name(head), tree->shape);
    if (!read_head(r, &head))
        return false;
    if (!is_number(head) || !time_of_epoch(number_of(head), &tree->microseconds))
        return walk_refuse(&r->walk, "Not a time");
    return true;
}

/* What is not of the shape's kind falls out of the switch, and is refused in one place. */
static bool read_scalar(struct cbor_reader *r, struct head head, struct tree *tree)
{
    enum shape_kind kind = tree->shape->kind;

    switch (kind) {
    case SHAPE_STRING:
    case SHAPE_BLOB:
        if (head.major != (kind == SHAPE_BLOB ? BYTE_STRING : TEXT))
            break;
        return read_string(r, head, &tree->bytes);
    case SHAPE_BOOLEAN:
        if (head.major != SIMPLE || (head.minor != SIMPLE_FALSE && head.minor != SIMPLE_TRUE))
            break;
        tree->boolean = head.minor == SIMPLE_TRUE;
        return true;
    case SHAPE_INTEGER:
    case SHAPE_LONG: return read_integer(r, head, tree);
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
        if (!is_number(head))
            break;
        return walk_set_number(&r->walk, tree, number_of(head));
    case SHAPE_TIMESTAMP: return read_timestamp(r, head, tree);
    case SHAPE_DOCUMENT: /* model_parse lets none into a service with CBOR */
    case SHAPE_STRUCTURE:
    case SHAPE_LIST:
    case SHAPE_MAP: assert(false);
    }
    return walk_refuse_kind(&r->walk, found_name(head), tree->shape);
}

/* ---- containers ---- */

/* They hold values again, so this is declared before them. *result NULL: null or undefined. */
static bool read_value(struct cbor_reader *r, const struct shape *shape, struct tree **result);

/* Names and keys are text, definite or in chunks; they count for no value of their own. */
static bool read_name(struct cbor_reader *r, struct bytes *name)
{
    struct head head;

    if (!read_head(r, &head))
        return false;
    if (head.major != TEXT)
        return walk_refuse(&r->walk, "A name in a map is no text");
    if (!read_string(r, head, name))
        return false;
    walk_member(&r->walk, *name);
    return true;
}

/* Of a name that comes twice the last counts, null too. */
static bool read_structure(struct cbor_reader *r, struct items items, struct tree *tree)
{
    while (next_item(r, &items)) {
        struct bytes name = { NULL, 0 };
        struct head head;

        if (!read_name(r, &name))
            return false;
        const struct model_member *member = shape_member_on_wire(tree->shape, name);
        if (member) {
            if (!read_value(r, member->shape, &tree->members[member - tree->shape->members]))
                return false;
        } else if (!walk_count(&r->walk) || !read_head(r, &head) || !skip_value(r, head)) {
            return false;
        }
    }
    return true;
}

/* No memory is taken for what is only claimed: entries grow with what is really there. */
static bool read_elements(struct cbor_reader *r, struct items items, struct tree *tree)
{
    bool is_map = tree->shape->kind == SHAPE_MAP;

    while (next_item(r, &items)) {
        struct bytes key = { NULL, 0 };
        struct tree *value = NULL;

        if (!is_map)
            walk_element(&r->walk, tree->count);
        else if (!read_name(r, &key))
            return false;
        if (!read_value(r, tree->shape->element, &value))
            return false;
        tree_add(r->walk.arena, tree, key, value);
    }
    if (is_map)
        tree_settle(r->walk.arena, tree);
    return true;
}

/* The head is read once here; containers go on with their items, which come back here for each. As
 * deep as the walk lets them. */
static bool read_value(struct cbor_reader *r, const struct shape *shape, struct tree **result)
{
    bool is_container = shape->kind == SHAPE_STRUCTURE || shape->kind == SHAPE_LIST || shape->kind == SHAPE_MAP;
    struct head head;

    *result = NULL;
    if (!walk_count(&r->walk) || !read_head(r, &head))
        return false;
    if (head.major == SIMPLE && (head.minor == SIMPLE_NULL || head.minor == SIMPLE_UNDEFINED))
        return true;
    /* A list for a map or a scalar for either; a scalar's kind is looked at where it is read. */
    if (is_container && head.major != (shape->kind == SHAPE_LIST ? ARRAY : MAP))
        return walk_refuse_kind(&r->walk, found_name(head), shape);
    struct tree *tree = tree_new(r->walk.arena, shape);
    *result = tree;
    if (!is_container)
        return read_scalar(r, head, tree);
    if (!walk_enter(&r->walk))
        return false;
    if (!(shape->kind == SHAPE_STRUCTURE ? read_structure(r, items_of(head), tree)
                                         : read_elements(r, items_of(head), tree)))
        return false;
    walk_leave(&r->walk);
    return walk_check_union(&r->walk, tree);
}

/* Operations without an input send no body at all, so an empty one is a structure without members.
 * Behind the map nothing may follow: two messages in one body would be read differently by others. */
bool cbor_read(struct arena *arena, const struct shape *shape, struct bytes body, struct tree **result,
               struct api_fault *fault)
{
    struct cbor_reader r = { .walk = { .arena = arena, .fault = fault }, .in = cursor_of(body) };
    struct tree *tree = NULL;

    assert(shape->kind == SHAPE_STRUCTURE);
    if (body.size == 0) {
        *result = tree_new(arena, shape);
        return true;
    }
    /* The shape is a structure, so what is read is a map, or null. */
    bool ok = read_value(&r, shape, &tree);
    buffer_fini(&r.scratch);
    if (ok && !tree)
        return walk_refuse(&r.walk, "The body is not a map");
    if (ok && r.in.left)
        return walk_refuse(&r.walk, "%zu bytes follow the message", r.in.left);
    if (ok)
        *result = tree;
    return ok;
}

/* ---- writing ---- */

/* The shortest that holds the number. */
static void write_head(struct buffer *out, enum major major, uint64_t number)
{
    uint8_t first = (uint8_t)(major << 5);

    if (number < 24) {
        buffer_append_u8(out, first | (uint8_t)number);
    } else if (number <= UINT8_MAX) {
        buffer_append_u8(out, first | 24);
        buffer_append_u8(out, (uint8_t)number);
    } else if (number <= UINT16_MAX) {
        buffer_append_u8(out, first | 25);
        buffer_append_be16(out, (uint16_t)number);
    } else if (number <= UINT32_MAX) {
        buffer_append_u8(out, first | 26);
        buffer_append_be32(out, (uint32_t)number);
    } else {
        buffer_append_u8(out, first | 27);
        buffer_append_be64(out, number);
    }
}

/* Both kinds differ in the head alone. */
static void write_string(struct buffer *out, enum major major, struct bytes string)
{
    debug_assert(major == BYTE_STRING || text_is_utf8(string));
    write_head(out, major, string.size);
    buffer_append_bytes(out, string);
}

/* A negative number n is written as -1 - n, which has no sign and never overflows. */
static void write_integer(struct buffer *out, int64_t value)
{
    if (value >= 0)
        write_head(out, UNSIGNED, (uint64_t)value);
    else
        write_head(out, NEGATIVE, (uint64_t) - (value + 1));
}

/* Always whole: half the width would do for many numbers, and some clients were seen to read only this
 * one. */
static void write_double(struct buffer *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    buffer_append_u8(out, SIMPLE << 5 | FLOAT64);
    buffer_append_be64(out, bits);
}

/* A float's own width: nothing of it is lost and nothing invented. */
static void write_float(struct buffer *out, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    buffer_append_u8(out, SIMPLE << 5 | FLOAT32);
    buffer_append_be32(out, bits);
}

/* Whole seconds as an integer, since a double's bits would be longer and say no more. */
static void write_timestamp(struct buffer *out, int64_t microseconds)
{
    write_head(out, TAG, TAG_TIME);
    if (microseconds % 1000000)
        write_double(out, (double)microseconds / 1e6);
    else
        write_integer(out, microseconds / 1000000);
}

/* Values in values again. */
static void write_value(struct buffer *out, const struct tree *tree);

/* A definite length stands before the members, so they are counted first. What REST puts elsewhere is
 * none. */
static uint64_t count_members(const struct tree *tree)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < tree->shape->member_count; i++)
        count += tree->members[i] && tree->shape->members[i].place == PLACE_BODY;
    return count;
}

/* Of a structure, without the head. */
static void write_members(struct buffer *out, const struct tree *tree)
{
    for (uint32_t i = 0; i < tree->shape->member_count; i++) {
        if (!tree->members[i] || tree->shape->members[i].place != PLACE_BODY)
            continue;
        write_string(out, TEXT, bytes_of_string(tree->shape->members[i].wire_name));
        write_value(out, tree->members[i]);
    }
}

/* A map's keys stand as they were put: CBOR asks for no order. */
static void write_elements(struct buffer *out, const struct tree *tree)
{
    bool is_map = tree->shape->kind == SHAPE_MAP;

    write_head(out, is_map ? MAP : ARRAY, tree->count);
    for (uint32_t i = 0; i < tree->count; i++) {
        if (is_map)
            write_string(out, TEXT, tree->entries[i].key);
        write_value(out, tree->entries[i].value);
    }
}

/* As deep as the tree: what clients sent was limited when it was read, what we make has no depth to
 * speak of. */
static void write_value(struct buffer *out, const struct tree *tree)
{
    if (!tree) {
        buffer_append_u8(out, SIMPLE << 5 | SIMPLE_NULL);
        return;
    }
    switch (tree->shape->kind) {
    case SHAPE_STRUCTURE:
        write_head(out, MAP, count_members(tree));
        write_members(out, tree);
        break;
    case SHAPE_LIST:
    case SHAPE_MAP: write_elements(out, tree); break;
    case SHAPE_STRING: write_string(out, TEXT, tree->bytes); break;
    case SHAPE_BLOB: write_string(out, BYTE_STRING, tree->bytes); break;
    case SHAPE_BOOLEAN: buffer_append_u8(out, SIMPLE << 5 | (tree->boolean ? SIMPLE_TRUE : SIMPLE_FALSE)); break;
    case SHAPE_INTEGER:
    case SHAPE_LONG: write_integer(out, tree->integer); break;
    case SHAPE_FLOAT: write_float(out, (float)tree->number); break;
    case SHAPE_DOUBLE: write_double(out, tree->number); break;
    case SHAPE_TIMESTAMP: write_timestamp(out, tree->microseconds); break;
    case SHAPE_DOCUMENT: assert(false); /* model_parse lets none into a service with CBOR */
    }
}

/* Without an output there is an empty map: a client of this protocol reads one for each operation. */
void cbor_write(struct buffer *out, const struct tree *tree)
{
    if (tree)
        write_value(out, tree);
    else
        write_head(out, MAP, 0);
}

/* The type comes first, as all servers have it, though no client may rely on it. */
void cbor_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault)
{
    CLEANUP(buffer_fini) struct buffer type = { 0 };

    fault_print_type(&type, service, fault);
    write_head(out, MAP, 2 + (fault->details ? count_members(fault->details) : 0));
    write_string(out, TEXT, BYTES_LITERAL("__type"));
    write_string(out, TEXT, buffer_bytes(&type));
    write_string(out, TEXT, bytes_of_string(fault_message_name(fault)));
    write_string(out, TEXT, bytes_of_string(fault->message));
    if (fault->details)
        write_members(out, fault->details);
}
