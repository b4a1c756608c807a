/* Tokens as text. The MAC keeps clients from making up places, and from taking one list's for another's: a name in
 * it is one that was told to the same account before. Nothing is remembered for a token, so there may be any number
 * of them, for any time. */
#include "control/token.h"

#include "base/buffer.h"
#include "wire/aws/base64.h"

#include <assert.h>
#include <openssl/crypto.h>

enum { VERSION = 1, MAC_BYTES = 16, HEAD_BYTES = 1 + MAC_BYTES };

static_assert(MAC_BYTES <= (int)KEYS_MAC_BYTES, "a MAC is cut, never padded");
static_assert(4 * ((HEAD_BYTES + TOKEN_POSITION_MAX + 2) / 3) <= TOKEN_TEXT_MAX, "a token is within AWS's bound");

/* The scope's size stands before it: no two scopes and positions are the same bytes. */
static void make_mac(const struct keys *keys, struct bytes scope, struct bytes position, uint8_t mac[KEYS_MAC_BYTES])
{
    CLEANUP(buffer_fini) struct buffer all = { 0 };

    buffer_append_u8(&all, VERSION);
    buffer_append_be64(&all, scope.size);
    buffer_append_bytes(&all, scope);
    buffer_append_bytes(&all, position);
    keys_mac(keys, KEYS_TOKENS, buffer_bytes(&all), mac);
}

/* Not a secret: a name that the client was told. It is to be of use where it was given alone. */
struct bytes token_make(struct arena *arena, const struct keys *keys, struct bytes scope, struct bytes position)
{
    CLEANUP(buffer_fini) struct buffer raw = { 0 }, text = { 0 };
    uint8_t mac[KEYS_MAC_BYTES];

    assert(position.size <= TOKEN_POSITION_MAX);
    make_mac(keys, scope, position, mac);
    buffer_append_u8(&raw, VERSION);
    buffer_append(&raw, mac, MAC_BYTES);
    buffer_append_bytes(&raw, position);
    base64_encode(&text, buffer_bytes(&raw));
    assert(text.size <= TOKEN_TEXT_MAX);
    return arena_copy(arena, buffer_bytes(&text));
}

/* base64 has several texts for the same bytes: only the one that we write is a token. */
static bool is_as_written(struct bytes text, struct bytes raw)
{
    CLEANUP(buffer_fini) struct buffer again = { 0 };

    base64_encode(&again, raw);
    return bytes_equal(buffer_bytes(&again), text);
}

/* Nothing of it is looked at before the MAC is right, which is compared in constant time. */
bool token_read(struct arena *arena, const struct keys *keys, struct bytes scope, struct bytes text,
                struct bytes *position)
{
    uint8_t mac[KEYS_MAC_BYTES];
    struct bytes raw, place;

    if (text.size > TOKEN_TEXT_MAX || !base64_decode(arena, text, &raw) || raw.size < HEAD_BYTES ||
        raw.size > HEAD_BYTES + TOKEN_POSITION_MAX || raw.data[0] != VERSION || !is_as_written(text, raw))
        return false;
    place = bytes_of(raw.data + HEAD_BYTES, raw.size - HEAD_BYTES);
    make_mac(keys, scope, place, mac);
    if (CRYPTO_memcmp(mac, raw.data + 1, MAC_BYTES) != 0)
        return false;
    *position = place;
    return true;
}
