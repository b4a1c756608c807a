/* Patterns, by PCRE2: the only file that knows it.
 *
 * A client chooses the text, we choose the patterns. Some of AWS's backtrack, so each match has a limit of steps
 * and of memory: a text that reaches one is taken for one that does not match. The just-in-time compiler is not
 * used: it would want memory that can be executed, and models are asked a few short texts for each request. */
#include "wire/aws/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>
#include <stdlib.h>

#include "base/buffer.h"

/* Far from what a text of the length that its shape allows takes, and a few milliseconds at most. */
enum { STEPS_MAX = 100000, DEPTH_MAX = 10000, HEAP_KIB_MAX = 4096 };

struct pattern {
    pcre2_code *code;            /* owned */
    pcre2_match_context *limits; /* owned; only read by a match */
};

/* Four digits exactly, as in Java: \u0041B is an A and a B. */
static bool read_unit(const char *at, uint32_t *unit)
{
    char digits[5] = { 0 }, *end;

    if (at[0] != '\\' || at[1] != 'u')
        return false;
    memcpy(digits, at + 2, strnlen(at + 2, 4));
    *unit = (uint32_t)strtoul(digits, &end, 16);
    return end == digits + 4;
}

/* Java's names of ASCII's classes: \p{Print}. PCRE2 has them in small letters, and within brackets alone. */
static bool append_class(struct buffer *out, const char **at, bool is_in_brackets)
{
    static const char *const names[] = { "Lower", "Upper", "Alpha", "Digit", "Alnum",  "Punct",
                                         "Graph", "Print", "Blank", "Cntrl", "XDigit", "Space" };

    if (strncmp(*at, "\\p{", 3) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t size = strlen(names[i]);

        if (strncmp(*at + 3, names[i], size) != 0 || (*at)[3 + size] != '}')
            continue;
        *at += size + 4;
        buffer_append_string(out, is_in_brackets ? "[:" : "[[:");
        for (const char *c = names[i]; *c; c++)
            buffer_append_u8(out, (uint8_t)(*c | 0x20));
        buffer_append_string(out, is_in_brackets ? ":]" : ":]]");
        return true;
    }
    return false;
}

/* \uXXXX is \x{XXXX} for PCRE2; two of them that are a surrogate pair are one character. Half a pair stays what it is,
 * and PCRE2 refuses it. */
static bool append_unit(struct buffer *out, const char **at)
{
    uint32_t unit, low;

    if (!read_unit(*at, &unit))
        return false;
    *at += 6;
    if (unit >= 0xD800 && unit < 0xDC00 && read_unit(*at, &low) && low >= 0xDC00 && low < 0xE000) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        *at += 6;
    }
    buffer_printf(out, "\\x{%X}", unit);
    return true;
}

/* What Java writes otherwise. In brackets it takes a hyphen behind \w for itself; PCRE2 wants to be told. False: Java
 * has a set of sets there, [a-z&&[^b]] or [a[b]], which PCRE2 would take for something else. */
static bool append_translated(struct buffer *out, const char *at)
{
    bool is_in_brackets = false;

    while (*at) {
        if (append_unit(out, &at) || append_class(out, &at, is_in_brackets))
            continue;
        if (*at == '\\' && at[1]) {
            bool is_class = strchr("wdsWDS", at[1]);

            /* An escaped backslash escapes nothing behind it. */
            buffer_append(out, at, 2);
            at += 2;
            if (is_class && is_in_brackets && *at == '-')
                buffer_append_u8(out, '\\');
            continue;
        }
        if (is_in_brackets && (*at == '[' || (at[0] == '&' && at[1] == '&')))
            return false;
        if (*at == '[')
            is_in_brackets = true;
        else if (*at == ']')
            is_in_brackets = false;
        buffer_append_u8(out, (uint8_t)*at++);
    }
    return true;
}

/* Compiled once at start. What PCRE2 refuses is told with its words, since a model's author must find
 * the place. */
enum status pattern_new(const char *text, struct pattern **result, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer translated = { 0 };
    PCRE2_SIZE offset = 0;
    int code = 0;

    if (!append_translated(&translated, text))
        return error_set(err, ERR_INVALID, "pattern %s: brackets within brackets", text);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    assert(context);
    /* Java's '.' takes neither \r nor \n; what it leaves out besides is beyond what a model means by it. */
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_code *compiled =
        pcre2_compile(translated.data, translated.size,
                      PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                      &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!compiled) {
        PCRE2_UCHAR message[128];

        pcre2_get_error_message(code, message, sizeof(message));
        return error_set(err, ERR_INVALID, "pattern %s: %s at offset %zu", text, (const char *)message, (size_t)offset);
    }
    struct pattern *pattern = xmalloc(sizeof(*pattern));
    *pattern = (struct pattern){ compiled, pcre2_match_context_create(NULL) };
    assert(pattern->limits);
    pcre2_set_match_limit(pattern->limits, STEPS_MAX);
    pcre2_set_depth_limit(pattern->limits, DEPTH_MAX);
    pcre2_set_heap_limit(pattern->limits, HEAP_KIB_MAX);
    *result = pattern;
    return OK;
}

/* NULL is fine, so that a model parsed half can be released. */
void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
    free(pattern);
}

/* Anything but a match is none: a text that is not UTF-8, one that reaches a limit. */
bool pattern_matches(const struct pattern *pattern, struct bytes text)
{
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);

    assert(found);
    int count = pcre2_match(pattern->code, text.size ? text.data : (const uint8_t *)"", text.size, 0, 0, found,
                            pattern->limits);
    pcre2_match_data_free(found);
    /* What matters most is never left to a wrong call of ours. */
    assert(count != PCRE2_ERROR_BADOPTION && count != PCRE2_ERROR_NULL && count != PCRE2_ERROR_BADMAGIC);
    return count >= 0;
}
