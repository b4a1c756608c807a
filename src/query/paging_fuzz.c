/* Foreign bytes as a paging state: with a right MAC put behind them too, decoding never reads outside, and what it accepts
 * encodes to the same bytes. */
#include "query/paging.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = "0123456789abcdef0123456789abcde";
    const struct paging_scope scope = { NULL, bytes_of(key, 32), BYTES_LITERAL("table") };
    struct paging_state state;
    struct error err;
    struct arena *arena = arena_new(1024);
    struct buffer all = { 0 }, signed_state = { 0 };
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_size;

    (void)paging_decode(bytes_of(data, size), &scope, &state, &err);

    buffer_append(&all, data, size);
    buffer_append_string(&all, "table");
    HMAC(EVP_sha256(), key, 32, all.data, all.size, digest, &digest_size);
    buffer_append(&signed_state, data, size);
    buffer_append(&signed_state, digest, PAGING_MAC_BYTES);
    if (paging_decode(buffer_bytes(&signed_state), &scope, &state, &err) == OK) {
        struct bytes again = paging_encode(arena, &scope, &state);
        struct paging_state second;

        if (paging_decode(again, &scope, &second, &err) != OK || second.remaining != state.remaining ||
            !bytes_equal(second.partition_key, state.partition_key) ||
            !bytes_equal(second.clustering, state.clustering))
            abort();
    }
    buffer_fini(&all);
    buffer_fini(&signed_state);
    arena_free(arena);
    return 0;
}
