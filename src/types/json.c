/* JSON, read in place: nothing is built of it. A text is checked once, whole and strictly (RFC
 * 8259), and then walked with spans that point into it; walking what was checked cannot fail, so it
 * needs no errors. The values of a row are few and flat: to walk them twice costs less than a tree.
 *
 * The grammar's recursion is limited, since a client chooses how deep its text is and the stack is
 * not its own. */
#include "types/json.h"

#include "types/text.h"

#include <assert.h>

/* A place in the text. The depth counts only while a text is checked: walking cannot go deeper. */
struct scanner {
    const uint8_t *at, *end;
    int depth;
    bool is_too_deep;
};

/* RFC 8259, 2: only these four are white space. */
static void skip_space(struct scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool accept(struct scanner *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != (uint8_t)c)
        return false;
    s->at++;
    return true;
}

/* Nothing must follow a word here: what does is no comma or bracket, and is refused there. */
static bool accept_word(struct scanner *s, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0)
        return false;
    s->at += size;
    return true;
}

/* A string with what it escapes; control characters must be escaped (RFC 8259, 7). A surrogate
 * without its other half is accepted, as by Java. */
static bool skip_string(struct scanner *s)
{
    if (!accept(s, '"'))
        return false;
    while (s->at < s->end) {
        uint8_t c = *s->at++;

        if (c == '"')
            return true;
        /* Also a line break: a string of JSON is on one line. */
        if (c < 0x20)
            return false;
        if (c != '\\')
            continue;
        if (s->at == s->end)
            return false;
        /* One of the eight letters of RFC 8259 or u; strchr would find the NUL at the end of its
         * list as well. */
        c = *s->at++;
        if (c == 'u') {
            for (int i = 0; i < 4; i++, s->at++)
                if (s->at == s->end || hex_digit(*s->at) < 0)
                    return false;
        } else if (!c || !strchr("\"\\/bfnrt", c)) {
            return false;
        }
    }
    return false;
}

static size_t skip_digits(struct scanner *s)
{
    const uint8_t *start = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return (size_t)(s->at - start);
}

/* RFC 8259, 6: no plus, no zeros in front, digits on both sides of a point. */
static bool skip_number(struct scanner *s)
{
    if (s->at < s->end && *s->at == '-')
        s->at++;
    bool leading_zero = s->at < s->end && *s->at == '0';
    size_t digits = skip_digits(s);
    /* A zero in front of other digits is refused: some would read an octal number. */
    if (digits == 0 || (leading_zero && digits > 1))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (skip_digits(s) == 0)
            return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (skip_digits(s) == 0)
            return false;
    }
    return true;
}

/* Arrays and objects hold values again, so this is declared before them. */
static bool skip_value(struct scanner *s);

/* An empty array has no comma; a comma is always followed by a value. */
static bool skip_array(struct scanner *s)
{
    s->at++;
    if (accept(s, ']'))
        return true;
    do {
        if (!skip_value(s))
            return false;
    } while (accept(s, ','));
    return accept(s, ']');
}

static bool skip_object(struct scanner *s)
{
    s->at++;
    if (accept(s, '}'))
        return true;
    do {
        if (!skip_string(s) || !accept(s, ':') || !skip_value(s))
            return false;
    } while (accept(s, ','));
    return accept(s, '}');
}

/* Tells apart by the first byte, which is enough in JSON. */
static bool skip_value(struct scanner *s)
{
    bool ok;

    skip_space(s);
    if (s->at == s->end)
        return false;
    /* Told apart from other mistakes, as it is a limit and none of JSON's rules. */
    if (s->depth == JSON_DEPTH_MAX) {
        s->is_too_deep = true;
        return false;
    }
    switch (*s->at) {
    case '[':
    case '{':
        s->depth++;
        ok = *s->at == '[' ? skip_array(s) : skip_object(s);
        s->depth--;
        return ok;
    case '"': return skip_string(s);
    case 't': return accept_word(s, "true");
    case 'f': return accept_word(s, "false");
    case 'n': return accept_word(s, "null");
    default: return skip_number(s);
    }
}

/* The error's offset is where reading stopped. */
enum status json_check(struct bytes text, struct bytes *trimmed, struct error *err)
{
    if (text.size == 0)
        return error_set(err, ERR_INVALID, "Error decoding JSON string: nothing to read");

    struct scanner s = { .at = text.data, .end = text.data + text.size };
    /* Checked whole at first, so that what is cut out of the text later is UTF-8 as well. */
    if (!text_is_utf8(text))
        return error_set(err, ERR_INVALID, "Error decoding JSON string: invalid UTF-8");
    skip_space(&s);
    const uint8_t *start = s.at;
    bool ok = skip_value(&s);
    const uint8_t *end = s.at;
    skip_space(&s);
    if (s.is_too_deep)
        return error_set(err, ERR_INVALID, "Error decoding JSON string: nested more than %d deep", JSON_DEPTH_MAX);
    if (!ok || s.at != s.end)
        return error_set(err, ERR_INVALID, "Error decoding JSON string: unexpected input at offset %zu",
                         (size_t)(s.at - text.data));
    *trimmed = bytes_of(start, (size_t)(end - start));
    return OK;
}

/* Of checked text: the first byte tells, and for a number whether it has a fraction or an exponent. */
enum json_kind json_kind_of(struct bytes value)
{
    assert(value.size > 0);
    switch (value.data[0]) {
    case 'n': return JSON_NULL;
    case 't':
    case 'f': return JSON_BOOLEAN;
    case '"': return JSON_STRING;
    case '[': return JSON_ARRAY;
    case '{': return JSON_OBJECT;
    default:
        for (size_t i = 0; i < value.size; i++)
            if (value.data[i] == '.' || value.data[i] == 'e' || value.data[i] == 'E')
                return JSON_FLOAT;
        return JSON_INTEGER;
    }
}

/* RFC 3629. What comes here is no surrogate. */
static void append_utf8(struct buffer *out, uint32_t c)
{
    assert(c <= 0x10FFFF && !(c >= 0xD800 && c < 0xE000));
    if (c < 0x80) {
        buffer_append_u8(out, (uint8_t)c);
    } else if (c < 0x800) {
        buffer_append_u8(out, (uint8_t)(0xC0 | c >> 6));
        buffer_append_u8(out, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buffer_append_u8(out, (uint8_t)(0xE0 | c >> 12));
        buffer_append_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        buffer_append_u8(out, (uint8_t)(0x80 | (c & 63)));
    } else {
        buffer_append_u8(out, (uint8_t)(0xF0 | c >> 18));
        buffer_append_u8(out, (uint8_t)(0x80 | (c >> 12 & 63)));
        buffer_append_u8(out, (uint8_t)(0x80 | (c >> 6 & 63)));
        buffer_append_u8(out, (uint8_t)(0x80 | (c & 63)));
    }
}

/* Of checked text, so there are four, and digits all of them. */
static uint32_t four_digits(const uint8_t *at)
{
    return (uint32_t)hex_digit(at[0]) << 12 | (uint32_t)hex_digit(at[1]) << 8 | (uint32_t)hex_digit(at[2]) << 4 |
           (uint32_t)hex_digit(at[3]);
}

/* `string` is the whole of it, with its quotes. */
void json_unescape(struct buffer *out, struct bytes string)
{
    const uint8_t *at = string.data + 1, *end = string.data + string.size - 1;

    assert(string.size >= 2 && string.data[0] == '"' && string.data[string.size - 1] == '"');
    while (at < end) {
        if (*at != '\\') {
            buffer_append_u8(out, *at++);
            continue;
        }
        uint8_t c = at[1];
        at += 2;
        if (c != 'u') {
            buffer_append_u8(out, c == 'b'   ? '\b'
                                  : c == 'f' ? '\f'
                                  : c == 'n' ? '\n'
                                  : c == 'r' ? '\r'
                                  : c == 't' ? '\t'
                                             : c);
            continue;
        }
        /* A character beyond 16 bits is written as two, a surrogate pair. */
        uint32_t unit = four_digits(at);
        at += 4;
        if (unit >= 0xD800 && unit < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
            uint32_t low = four_digits(at + 2);

            if (low >= 0xDC00 && low < 0xE000) {
                append_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
                at += 6;
                continue;
            }
        }
        /* Half a pair cannot be written in UTF-8: Java writes '?'. */
        append_utf8(out, unit >= 0xD800 && unit < 0xE000 ? '?' : unit);
    }
}

/* Steps over the bracket or comma before the next part; false at the closing bracket. So the first
 * call, at the opening bracket, needs no case of its own. */
static bool step(struct scanner *s)
{
    skip_space(s);
    if (s->at == s->end || *s->at == ']' || *s->at == '}')
        return false;
    if (*s->at == ',' || *s->at == '[' || *s->at == '{')
        s->at++;
    skip_space(s);
    return s->at < s->end && *s->at != ']' && *s->at != '}';
}

/* The next value, whatever it is. */
static struct bytes take_value(struct scanner *s)
{
    skip_space(s);
    const uint8_t *start = s->at;
    skip_value(s);
    return bytes_of(start, (size_t)(s->at - start));
}

/* What follows an element is a comma or the end: *at then begins there, so an inner bracket is never mistaken. */
bool json_next_element(struct bytes *at, struct bytes *element)
{
    struct scanner s = { .at = at->data, .end = at->data + at->size };

    if (!step(&s))
        return false;
    *element = take_value(&s);
    *at = bytes_of(s.at, (size_t)(s.end - s.at));
    return true;
}

/* The same for an object; the name is a JSON string still. */
bool json_next_member(struct bytes *at, struct bytes *name, struct bytes *value)
{
    struct scanner s = { .at = at->data, .end = at->data + at->size };

    if (!step(&s))
        return false;
    *name = take_value(&s);
    accept(&s, ':');
    *value = take_value(&s);
    *at = bytes_of(s.at, (size_t)(s.end - s.at));
    return true;
}

/* The first byte tells what it is, and checked text has nothing else there. */
struct bytes json_next_token(struct bytes *at)
{
    struct scanner s = { .at = at->data, .end = at->data + at->size };

    while (skip_space(&s), s.at < s.end && (*s.at == ',' || *s.at == ':'))
        s.at++;
    if (s.at == s.end)
        return bytes_of(NULL, 0);
    const uint8_t *start = s.at;
    if (strchr("[]{}", *start))
        s.at++;
    else
        skip_value(&s);
    assert(s.at > start);
    *at = bytes_of(s.at, (size_t)(s.end - s.at));
    return bytes_of(start, (size_t)(s.at - start));
}
