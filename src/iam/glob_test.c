/* Wildcards and variables: beside a matcher that tries everything, on short random texts of ASCII and of longer characters; what a text
 * may be made of; patterns as long and as deep as a policy may have them. */
#include "iam/bed.h"

#include "base/random.h"

enum { RANDOM_ROUNDS = 300000, ALPHABET_SIZE = 6, SHORT_MAX = 9 };

static struct buffer bytes, marks;

static struct glob make(struct bytes text, unsigned syntax)
{
    buffer_reset(&bytes);
    buffer_reset(&marks);
    const char *wrong = glob_make(text, syntax, &bytes, &marks);
    if (wrong)
        fail_msg("%.*s: %s", BYTES(text), wrong);
    return (struct glob){ bytes.data, marks.data, marks.size };
}

static bool matches(const char *pattern, const char *text)
{
    return glob_matches(make(bytes_of_string(pattern), GLOB_WITH_WILDCARDS), bytes_of_string(text));
}

static void test_wildcards(void **state)
{
    static const char *const yes[][2] = {
        { "", "" },          { "*", "" },          { "*", "abc" },   { "a*", "a" },       { "*c", "abc" },
        { "a*c", "ac" },     { "a*b*c", "aXbYc" }, { "a?c", "abc" }, { "?", "\xc3\xa9" }, { "a?*", "ab" },
        { "**a", "a" },      { "*aab", "aaaab" },  { "a*?", "abc" }, { "*?*", "a" },      { "?*?", "\xc3\xa9\xc3\xa9" },
        { "*/x/*", "//x/" }, { "a*a", "aa" },      { "[a]", "[a]" },
    };
    static const char *const no[][2] = {
        { "", "a" },          { "a", "" },     { "a*a", "a" },   { "a?c", "ac" },  { "?", "" },
        { "??", "\xc3\xa9" }, { "a", "A" },    { "a*b", "abc" }, { "*b", "a" },    { "a*bc*c", "abc" },
        { "*?*?*", "a" },     { "ab", "abc" }, { "[a]", "a" },   { "a.c", "abc" }, { "*abab", "abaab" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (!matches(yes[i][0], yes[i][1]))
            fail_msg("%s does not match %s", yes[i][0], yes[i][1]);
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (matches(no[i][0], no[i][1]))
            fail_msg("%s matches %s", no[i][0], no[i][1]);
}

/* ---- beside one that tries everything ---- */

static size_t character(struct bytes text)
{
    size_t size = 1;

    while (size < text.size && (text.data[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static struct bytes behind(struct bytes text, size_t size)
{
    return bytes_of(text.data + size, text.size - size);
}

static bool matches_slowly(struct bytes pattern, struct bytes text)
{
    if (!pattern.size)
        return !text.size;
    if (pattern.data[0] == '*')
        return matches_slowly(behind(pattern, 1), text) || (text.size && matches_slowly(pattern, behind(text, 1)));
    if (!text.size)
        return false;
    if (pattern.data[0] == '?')
        return matches_slowly(behind(pattern, 1), behind(text, character(text)));
    return pattern.data[0] == text.data[0] && matches_slowly(behind(pattern, 1), behind(text, 1));
}

/* Of few letters, so that beginnings come again. */
static struct bytes random_text(struct random *random, const char *const alphabet[ALPHABET_SIZE], uint8_t *room)
{
    size_t count = random_below(random, SHORT_MAX + 1), size = 0;

    for (size_t i = 0; i < count; i++) {
        const char *one = alphabet[random_below(random, ALPHABET_SIZE)];

        memcpy(room + size, one, strlen(one));
        size += strlen(one);
    }
    return bytes_of(room, size);
}

static void test_random(void **state)
{
    static const char *const of_pattern[] = { "*", "?", "a", "b", "a", "\xc3\xa9" };
    static const char *const of_text[] = { "a", "b", "a", "b", "a", "\xc3\xa9" };
    static const char *const of_ascii[] = { "a", "b", "a", "b", "a", "c" };
    uint8_t pattern_room[4 * SHORT_MAX], text_room[4 * SHORT_MAX];
    struct random random;
    unsigned matched = 0;

    random_seed(&random, 5);
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        struct bytes pattern = random_text(&random, of_pattern, pattern_room);
        struct bytes text = random_text(&random, i % 2 ? of_text : of_ascii, text_room);
        bool right = matches_slowly(pattern, text);

        matched += right;
        if (glob_matches(make(pattern, GLOB_WITH_WILDCARDS), text) != right)
            fail_msg("%.*s and %.*s: %d", BYTES(pattern), BYTES(text), right);
    }
    assert_in_range(matched, RANDOM_ROUNDS / 20, RANDOM_ROUNDS);
}

/* ---- ARNs ---- */

static void test_parts(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool right;
    } cases[] = {
        { "*", "no ARN", true },
        { "arn:aws:s:*:1:x", "arn:aws:s:r:1:x", true },
        { "arn:aws:s:*:1:x/*", "arn:aws:s:r:2:y:1:x/z", false }, /* no star reaches over a colon */
        { "arn:aws:s:*:1:x*", "arn:aws:s:r:1:x:y:z", true },     /* but in the last part */
        { "arn:aws:s:*:*:*", "arn:aws:s:r:1", false },
        { "arn:aws:s:r?:1:x", "arn:aws:s:r:1:x", false },
        { "arn:aws:s:r:1:x", "arn:aws:s:r:1:x", true },
        { "arn:aws:s:r:1:x", "arn:aws:s:r:1:X", false },
        { "arn:aws:s:*", "arn:aws:s:r:1:x", false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (glob_matches_arn(make(bytes_of_string(cases[i].pattern), GLOB_WITH_WILDCARDS),
                             bytes_of_string(cases[i].text)) != cases[i].right)
            fail_msg("%s and %s", cases[i].pattern, cases[i].text);
}

/* ---- variables ---- */

static enum iam_answer value_of(void *context, struct bytes key, struct bytes *value)
{
    if (bytes_is(key, "x:long")) {
        *value = *(struct bytes *)context;
        return IAM_PRESENT;
    }
    *value = BYTES_LITERAL("v*");
    return bytes_is(key, "x:v") ? IAM_PRESENT : bytes_is(key, "x:unknown") ? IAM_UNKNOWN : IAM_ABSENT;
}

static void test_variables(void **state)
{
    static const struct {
        const char *pattern, *text;
        enum truth expanded;
        bool right;
    } cases[] = {
        { "a/${x:v}/b", "a/v*/b", TRUTH_TRUE, true },
        { "a/${x:v}/b", "a/vv/b", TRUTH_TRUE, false }, /* a star in a value is a star */
        { "*${x:v}*", "..v*..", TRUTH_TRUE, true },
        { "${x:v}${x:v}", "v*v*", TRUTH_TRUE, true },
        { "${ x:v }", "v*", TRUTH_TRUE, true },
        { "${x:none, 'a*'}", "a*", TRUTH_TRUE, true },
        { "${x:none, 'a*'}", "ab", TRUTH_TRUE, false },
        { "${x:none,''}c", "c", TRUTH_TRUE, true },
        { "${x:v, 'a'}", "v*", TRUTH_TRUE, true },
        { "*${x:none, ''}*", "", TRUTH_TRUE, true },
        { "${*}${?}${$}", "*?$", TRUTH_TRUE, true },
        { "${*}", "a", TRUTH_TRUE, false },
        { "$a$", "$a$", TRUTH_TRUE, true },
        { "${x:none}", "", TRUTH_FALSE, false },
        { "${x:unknown}", "", TRUTH_UNKNOWN, false },
        { "${x:unknown}${x:none}", "", TRUTH_FALSE, false },
        { "${x:unknown, 'a'}", "a", TRUTH_UNKNOWN, false },
    };
    static struct glob_room room;
    struct glob glob;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum truth truth =
            glob_expand(make(bytes_of_string(cases[i].pattern), GLOB_WITH_WILDCARDS | GLOB_WITH_VARIABLES), value_of,
                        NULL, &room, &glob);

        if (truth != cases[i].expanded ||
            (truth == TRUTH_TRUE && glob_matches(glob, bytes_of_string(cases[i].text)) != cases[i].right))
            fail_msg("%s and %s", cases[i].pattern, cases[i].text);
    }
    assert_true(glob_matches(make(BYTES_LITERAL("${x:v}"), GLOB_WITH_WILDCARDS), BYTES_LITERAL("${x:v}")));
}

static void test_malformed(void **state)
{
    static const char *const wrong[] = { "${",         "a${x:y",    "${}",       "${x}",    "${x:y, z}",
                                         "${x:y, 'z}", "${x:y, '}", "${${x:y}}", "${, 'a'}" };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        buffer_reset(&bytes);
        buffer_reset(&marks);
        if (!glob_make(bytes_of_string(wrong[i]), GLOB_WITH_VARIABLES, &bytes, &marks))
            fail_msg("%s is taken", wrong[i]);
    }
}

/* The room is as large as the largest glob that can match needs it: stars before, between and behind. */
static void test_room(void **state)
{
    static struct glob_room room;
    static uint8_t text[IAM_TEXT_MAX + 1];
    CLEANUP(buffer_fini) struct buffer pattern = { 0 };
    struct bytes all = bytes_of(text, IAM_TEXT_MAX), more = bytes_of(text, sizeof(text));
    struct glob glob;

    memset(text, 'a', sizeof(text));
    for (int i = 0; i < IAM_TEXT_MAX; i++)
        buffer_append_string(&pattern, "*a");
    buffer_append_string(&pattern, "*${x:none, ''}*");
    struct glob made = make(buffer_bytes(&pattern), GLOB_WITH_WILDCARDS | GLOB_WITH_VARIABLES);
    assert_int_equal(glob_expand(made, value_of, NULL, &room, &glob), TRUTH_TRUE);
    assert_int_equal(glob.size, sizeof(room.bytes));
    assert_true(glob_matches(glob, all));
    made = make(BYTES_LITERAL("${x:long}"), GLOB_WITH_VARIABLES);
    assert_int_equal(glob_expand(made, value_of, &all, &room, &glob), TRUTH_TRUE);
    assert_int_equal(glob_expand(made, value_of, &more, &room, &glob), TRUTH_FALSE);
}

/* What would take a matcher that comes back to each star longer than the world lasts. */
static void test_deep(void **state)
{
    static uint8_t text[IAM_TEXT_MAX];
    static const char *const runs[] = { "*a", "*a?", "*aaaaaaaaaaaaaaaaaaaa", "*?", "*a?a?a?a?a?a?a" };

    for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
        for (int is_ascii = 0; is_ascii < 2; is_ascii++) {
            CLEANUP(buffer_fini) struct buffer pattern = { 0 };
            size_t runs_max = (sizeof(text) - 4) / (strlen(runs[i]) - 1);

            memset(text, 'a', sizeof(text));
            if (!is_ascii)
                memcpy(text, "\xc3\xa9", 2);
            for (size_t run = 0; run < runs_max; run++)
                buffer_append_string(&pattern, runs[i]);
            buffer_append_string(&pattern, "*");
            assert_true(glob_matches(make(buffer_bytes(&pattern), GLOB_WITH_WILDCARDS), bytes_of(text, sizeof(text))));
            buffer_append_string(&pattern, "b");
            assert_false(glob_matches(make(buffer_bytes(&pattern), GLOB_WITH_WILDCARDS), bytes_of(text, sizeof(text))));
        }
}

static int tear_down(void **state)
{
    buffer_fini(&bytes);
    buffer_fini(&marks);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wildcards), cmocka_unit_test(test_random),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_malformed), cmocka_unit_test(test_room),
        cmocka_unit_test(test_deep),
    };

    return cmocka_run_group_tests_name("iam/glob", tests, NULL, tear_down);
}
