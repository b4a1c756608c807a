/* A run between two stars may stand anywhere behind the one before it, and the first place is as
 * good as any: what is found earlier leaves more for the rest. So there is nothing to come back
 * to, however many stars there are. The first run stands at the beginning, the last one at the
 * end.
 *
 * A '?' takes a character, which may have several bytes. Where a text is not ASCII, both sides are
 * made wide, so that all characters have as many; then places are compared by eight bytes at a time
 * under their marks, as they are in ASCII. */
#include "iam/glob.h"

#include "types/text.h"

#include <assert.h>

enum { ARN_COLONS = 5 };

static_assert(GLOB_LITERAL == 0xff && GLOB_ONE == 0, "marks are masks");

/* ---- making ---- */

/* Both rows grow together: each byte has its mark. */
static void append(struct buffer *bytes, struct buffer *marks, struct bytes text, enum glob_mark mark)
{
    buffer_append_bytes(bytes, text);
    memset(buffer_extend(marks, text.size), mark, text.size);
}

/* AWS writes a blank behind the comma, and people write others. */
static struct bytes trimmed(struct bytes text)
{
    while (text.size && text.data[0] == ' ')
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* What stands between the braces: a character that is special elsewhere, or a key and perhaps a
 * default. */
static const char *make_variable(struct bytes inside, struct buffer *bytes, struct buffer *marks)
{
    uint8_t has_default = 0;
    struct bytes key = inside, otherwise = { NULL, 0 };
    const uint8_t *comma = inside.size ? memchr(inside.data, ',', inside.size) : NULL;

    /* The three characters that mean something else: there is no other way to write them. */
    if (inside.size == 1 && strchr("*?$", inside.data[0])) {
        append(bytes, marks, inside, GLOB_LITERAL);
        return NULL;
    }
    if (comma) {
        key.size = (size_t)(comma - inside.data);
        otherwise = trimmed(bytes_of(comma + 1, inside.size - key.size - 1));
        if (otherwise.size < 2 || otherwise.data[0] != '\'' || otherwise.data[otherwise.size - 1] != '\'')
            return "the default of a variable must stand in single quotes";
        otherwise = bytes_of(otherwise.data + 1, otherwise.size - 2);
        has_default = 1;
    }
    key = trimmed(key);
    /* A name without a service is a slip: as a text it would fit nothing. */
    if (!key.size || !memchr(key.data, ':', key.size) || memchr(key.data, '$', key.size))
        return "a variable must name a condition key, like ${aws:username}";
    append(bytes, marks, bytes_of(&has_default, 1), GLOB_VARIABLE);
    append(bytes, marks, key, GLOB_KEY);
    append(bytes, marks, otherwise, GLOB_DEFAULT);
    return NULL;
}

/* Byte by byte: what is special is ASCII, and no part of a longer character. */
const char *glob_make(struct bytes text, unsigned syntax, struct buffer *bytes, struct buffer *marks)
{
    size_t begin = marks->size;

    for (size_t i = 0; i < text.size; i++) {
        struct bytes one = bytes_of(text.data + i, 1);
        const uint8_t *end;

        if (syntax & GLOB_WITH_VARIABLES && one.data[0] == '$' && i + 1 < text.size && one.data[1] == '{') {
            end = memchr(one.data + 2, '}', text.size - i - 2);
            if (!end)
                return "a variable is not closed with '}'";
            const char *wrong = make_variable(bytes_of(one.data + 2, (size_t)(end - one.data - 2)), bytes, marks);
            if (wrong)
                return wrong;
            i = (size_t)(end - text.data);
        } else if (syntax & GLOB_WITH_WILDCARDS && one.data[0] == '*') {
            /* Two stars are one. */
            if (marks->size == begin || marks->data[marks->size - 1] != GLOB_RUN)
                append(bytes, marks, one, GLOB_RUN);
        } else {
            append(bytes, marks, one, syntax & GLOB_WITH_WILDCARDS && one.data[0] == '?' ? GLOB_ONE : GLOB_LITERAL);
        }
    }
    return NULL;
}

/* The bytes that follow with this mark. */
static struct bytes take_marked(struct glob glob, size_t *at, enum glob_mark mark)
{
    size_t begin = *at;

    while (*at < glob.size && glob.marks[*at] == mark)
        (*at)++;
    return bytes_of(glob.bytes + begin, *at - begin);
}

/* *at stands at a variable, and then behind it. */
static void take_variable(struct glob glob, size_t *at, struct bytes *key, struct bytes *otherwise)
{
    bool has_default = glob.bytes[*at];

    assert(glob.marks[*at] == GLOB_VARIABLE);
    (*at)++;
    *key = take_marked(glob, at, GLOB_KEY);
    *otherwise = take_marked(glob, at, GLOB_DEFAULT);
    if (!has_default)
        otherwise->data = NULL;
    assert(key->size);
}

/* A mark of a variable stands at its beginning alone. */
bool glob_next_variable(struct glob glob, size_t *at, struct bytes *key, struct bytes *otherwise)
{
    const uint8_t *found = *at < glob.size ? memchr(glob.marks + *at, GLOB_VARIABLE, glob.size - *at) : NULL;

    if (!found)
        return false;
    *at = (size_t)(found - glob.marks);
    take_variable(glob, at, key, otherwise);
    return true;
}

/* ---- matching ---- */

/* In bytes a character has at most. */
enum { WIDE = 4 };

static bool is_inside(uint8_t byte)
{
    return (byte & 0xc0) == 0x80; /* of a character, not its first byte */
}

/* A part is a glob of its own. */
static struct glob glob_part(struct glob glob, size_t from, size_t to)
{
    assert(from <= to && to <= glob.size);
    return (struct glob){ glob.bytes + from, glob.marks + from, to - from };
}

/* Then places cannot be found by their bytes alone. */
static bool has_one(struct glob run)
{
    return run.size && memchr(run.marks, GLOB_ONE, run.size);
}

/* As many bytes of text as the run has. */
static bool equal_under_marks(struct glob run, const uint8_t *text)
{
    size_t i = 0;

    for (; i + 8 <= run.size; i += 8)
        if ((load_le64(text + i) ^ load_le64(run.bytes + i)) & load_le64(run.marks + i))
            return false;
    for (; i < run.size; i++)
        if ((text[i] ^ run.bytes[i]) & run.marks[i])
            return false;
    return true;
}

/* Does the run stand at this place? There may be less of the text. */
static bool stands_at(struct glob run, struct bytes text, size_t at)
{
    return at <= text.size && run.size <= text.size - at && equal_under_marks(run, text.data + at);
}

/* The first place of the run in the rest of the text, which is passed over. A character has `step` bytes. */
static bool find_run(struct glob run, struct bytes text, size_t step, size_t *at)
{
    /* memmem takes care that it does not take long. */
    if (step == 1 && !has_one(run)) {
        const uint8_t *found = memmem(text.data + *at, text.size - *at, run.bytes, run.size);

        if (found)
            *at = (size_t)(found - text.data) + run.size;
        return found;
    }
    for (; *at + run.size <= text.size; *at += step)
        if (equal_under_marks(run, text.data + *at)) {
            *at += run.size;
            return true;
        }
    return false;
}

/* Where the next star is; the size: there is none. */
static size_t next_star(struct glob glob, size_t from)
{
    const uint8_t *star = from < glob.size ? memchr(glob.marks + from, GLOB_RUN, glob.size - from) : NULL;

    return star ? (size_t)(star - glob.marks) : glob.size;
}

/* All characters have as many bytes as step says. The run before the first star, those between, the one
 * behind the last, which must not overlap. */
static bool matches(struct glob glob, struct bytes text, size_t step)
{
    size_t star = next_star(glob, 0), at = star, begin;

    if (!stands_at(glob_part(glob, 0, star), text, 0) || star == glob.size)
        return star == glob.size && text.size == glob.size && stands_at(glob, text, 0);
    for (;;) {
        begin = star + 1;
        star = next_star(glob, begin);
        if (star == glob.size)
            break;
        if (!find_run(glob_part(glob, begin, star), text, step, &at))
            return false;
    }
    size_t last = glob.size - begin;
    return last <= text.size - at && stands_at(glob_part(glob, begin, glob.size), text, text.size - last);
}

/* A glob and a text with four bytes for each character: its own, and zeros. */
struct wide {
    uint8_t text[WIDE * IAM_TEXT_MAX];
    uint8_t bytes[(WIDE + 1) * IAM_TEXT_MAX + 1], marks[(WIDE + 1) * IAM_TEXT_MAX + 1];
};

/* How many bytes the character has that begins the text; what is no UTF-8 is cut somehow, on both sides alike. */
static size_t character_size(const uint8_t *text, size_t size)
{
    size_t count = 1;

    while (count < size && count < WIDE && is_inside(text[count]))
        count++;
    return count;
}

static size_t widen_text(struct bytes text, uint8_t *out)
{
    size_t size = 0, one;

    for (size_t i = 0; i < text.size; i += one, size += WIDE) {
        one = character_size(text.data + i, text.size - i);
        memset(out + size, 0, WIDE);
        memcpy(out + size, text.data + i, one);
    }
    return size;
}

/* False: it has more characters than any text. Of stars there is at most one before each and one behind. */
static bool widen_glob(struct glob glob, struct wide *wide, size_t *size)
{
    size_t characters = 0, one;

    *size = 0;
    for (size_t i = 0; i < glob.size; i += one) {
        bool is_star = glob.marks[i] == GLOB_RUN;
        size_t room = is_star ? 1 : WIDE;

        one = 1;
        if (glob.marks[i] == GLOB_LITERAL)
            one = character_size(glob.bytes + i, glob.size - i);
        characters += !is_star;
        if (characters > IAM_TEXT_MAX)
            return false;
        assert(*size + room <= sizeof(wide->bytes));
        memset(wide->bytes + *size, 0, room);
        memcpy(wide->bytes + *size, glob.bytes + i, one);
        memset(wide->marks + *size, glob.marks[i], room);
        *size += room;
    }
    return true;
}

/* Not within its caller: most globs and texts do without this room. */
static __attribute__((noinline)) bool matches_wide(struct glob glob, struct bytes text)
{
    struct wide wide;
    size_t size, text_size = widen_text(text, wide.text);

    return widen_glob(glob, &wide, &size) &&
           matches((struct glob){ wide.bytes, wide.marks, size }, bytes_of(wide.text, text_size), WIDE);
}

/* A '?' is a byte of what is ASCII. Without one it does not matter what characters are. */
bool glob_matches(struct glob glob, struct bytes text)
{
    assert(text.size <= IAM_TEXT_MAX);
    if (has_one(glob) && !text_is_ascii(text))
        return matches_wide(glob, text);
    return matches(glob, text, 1);
}

/* ---- part by part ---- */

/* Up to the next colon, or to the end; false: there is no colon. */
static bool take_glob_part(struct glob *glob, struct glob *part)
{
    size_t i = 0;

    while (i < glob->size && !(glob->bytes[i] == ':' && glob->marks[i] == GLOB_LITERAL))
        i++;
    *part = glob_part(*glob, 0, i);
    *glob = i < glob->size ? glob_part(*glob, i + 1, glob->size) : glob_part(*glob, i, i);
    return glob->bytes != part->bytes + part->size;
}

/* A text has its colons where it has them: no mark says otherwise. */
static bool take_text_part(struct bytes *text, struct bytes *part)
{
    const uint8_t *colon = text->size ? memchr(text->data, ':', text->size) : NULL;

    if (!colon)
        return false;
    *part = bytes_of(text->data, (size_t)(colon - text->data));
    *text = bytes_of(colon + 1, text->size - part->size - 1);
    return true;
}

/* Each part is matched on its own, so no star can see the colon behind it. */
bool glob_matches_arn(struct glob glob, struct bytes text)
{
    /* Who writes "*" for an ARN means any. */
    if (glob.size == 1 && glob.marks[0] == GLOB_RUN)
        return true;
    for (int i = 0; i < ARN_COLONS; i++) {
        struct glob glob_piece;
        struct bytes text_piece;

        if (!take_glob_part(&glob, &glob_piece) || !take_text_part(&text, &text_piece) ||
            !glob_matches(glob_piece, text_piece))
            return false;
    }
    return glob_matches(glob, text);
}

/* ---- variables ---- */

/* A glob that is made, and how many bytes a text must have to match it. */
struct filling {
    struct glob_room *room;
    size_t size, needed;
};

/* A value's characters are literal, whatever they are; a policy's own keep their marks. */
static bool fill(struct filling *filling, struct bytes bytes, const uint8_t *marks)
{
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t mark = marks ? marks[i] : GLOB_LITERAL;

        if (mark == GLOB_RUN && filling->size && filling->room->marks[filling->size - 1] == GLOB_RUN)
            continue;
        filling->needed += mark != GLOB_RUN;
        if (filling->needed > IAM_TEXT_MAX)
            return false;
        /* At most one star before, between and behind what is needed. */
        assert(filling->size < sizeof(filling->room->bytes));
        filling->room->bytes[filling->size] = bytes.data[i];
        filling->room->marks[filling->size++] = mark;
    }
    return true;
}

/* All variables are asked for, also behind one without a value: who lists missing keys wants
 * them all. */
enum truth glob_expand(struct glob glob, glob_value_fn *ask, void *context, struct glob_room *room, struct glob *result)
{
    struct filling filling = { .room = room };
    struct bytes key, value, otherwise;
    enum truth truth = TRUTH_TRUE;

    for (size_t at = 0; at < glob.size;) {
        if (glob.marks[at] != GLOB_VARIABLE) {
            if (!fill(&filling, bytes_of(glob.bytes + at, 1), glob.marks + at))
                return TRUTH_FALSE;
            at++;
            continue;
        }
        take_variable(glob, &at, &key, &otherwise);
        switch (ask(context, key, &value)) {
        case IAM_PRESENT: break;
        /* What comes before or behind may still settle that it fits nothing. */
        case IAM_UNKNOWN: truth = truth_and(truth, TRUTH_UNKNOWN); continue;
        case IAM_ABSENT:
            if (bytes_is_null(otherwise))
                truth = TRUTH_FALSE;
            value = otherwise;
        }
        if (truth == TRUTH_TRUE && !fill(&filling, value, NULL))
            return TRUTH_FALSE;
    }
    *result = (struct glob){ room->bytes, room->marks, filling.size };
    return truth;
}
