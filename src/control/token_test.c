/* Tokens: read where they were made, and refused everywhere else, cut anywhere, with any character changed, written in another way, or made
 * under another key. */
#include "control/token.h"

#include "base/buffer.h"
#include "wire/aws/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SCOPE BYTES_LITERAL("what is asked")

static uint8_t secret;

static enum status master_key(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    memset(master, secret, KEYS_KEY_BYTES);
    return OK;
}

static struct keys *keys_of(uint8_t byte)
{
    const struct keys_provider provider = { .master = master_key };
    struct keys *keys;
    struct error err;

    secret = byte;
    assert_int_equal(keys_open_provider(&provider, &keys, &err), OK);
    return keys;
}

static void positions_come_back(void **state)
{
    static uint8_t longest[TOKEN_POSITION_MAX];
    const struct bytes positions[] = { BYTES_LITERAL(""), BYTES_LITERAL("a"), bytes_of("a\0b", 3),
                                       bytes_of(longest, sizeof(longest)) };
    struct arena *arena = arena_new(4096);
    struct keys *keys = keys_of(1), *others = keys_of(2), *again = keys_of(1);

    for (size_t i = 0; i < ARRAY_SIZE(positions); i++) {
        struct bytes text = token_make(arena, keys, SCOPE, positions[i]), position;

        assert_true(text.size <= TOKEN_TEXT_MAX);
        assert_true(token_read(arena, again, SCOPE, text, &position)); /* another start of the server */
        assert_true(bytes_equal(position, positions[i]) && position.data);
        assert_false(token_read(arena, others, SCOPE, text, &position));
        assert_false(token_read(arena, keys, BYTES_LITERAL("what is aske"), text, &position));
        assert_false(token_read(arena, keys, BYTES_LITERAL(""), text, &position));
    }
    keys_close(keys);
    keys_close(others);
    keys_close(again);
    arena_free(arena);
}

/* The border between the two is not a part of what they are made of. */
static void a_scope_is_no_part_of_a_position(void **state)
{
    struct arena *arena = arena_new(4096);
    struct keys *keys = keys_of(1);
    CLEANUP(buffer_fini) struct buffer raw = { 0 }, text = { 0 };
    struct bytes made, position;

    assert_true(base64_decode(arena, token_make(arena, keys, BYTES_LITERAL("ab"), BYTES_LITERAL("c")), &made));
    buffer_append(&raw, made.data, made.size - 1);
    buffer_append_string(&raw, "bc");
    base64_encode(&text, buffer_bytes(&raw));
    assert_false(token_read(arena, keys, BYTES_LITERAL("a"), buffer_bytes(&text), &position));
    keys_close(keys);
    arena_free(arena);
}

static void nothing_else_is_a_token(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_ ";
    struct arena *arena = arena_new(4096);
    struct keys *keys = keys_of(1);
    char *text = arena_string(arena, token_make(arena, keys, SCOPE, BYTES_LITERAL("name")));
    struct bytes position;

    for (size_t i = 0; i < strlen(text); i++)
        assert_false(token_read(arena, keys, SCOPE, bytes_of(text, i), &position));
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];

        for (size_t j = 0; alphabet[j]; j++) {
            text[i] = alphabet[j];
            if (alphabet[j] != was && token_read(arena, keys, SCOPE, bytes_of_string(text), &position))
                fail_msg("%s", text);
        }
        text[i] = was;
    }
    assert_true(token_read(arena, keys, SCOPE, bytes_of_string(text), &position));
    keys_close(keys);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_come_back),
        cmocka_unit_test(a_scope_is_no_part_of_a_position),
        cmocka_unit_test(nothing_else_is_a_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
