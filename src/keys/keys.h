/* keys/keys.h: the key hierarchy: a master key, a key per purpose, a data key per file.
 *
 *     provider -> master key (32 bytes, named by a key id)
 *                   HKDF-SHA256, info = purpose -> wrapping key + MAC key
 *                      AES-256 key wrap (RFC 3394) -> a random data key per sealed thing, wrapped beside it
 *
 * A data key is drawn at random for each file and never used for another; so no (key, IV) pair occurs twice.
 *
 * Shapes:  keys are 32 bytes; a wrapped key has 40.
 * Owns:    struct keys owns the secrets and wipes them.
 * Errors:  ERR_CONFIG: no or a malformed master key, or not the one this was wrapped with. ERR_IO.
 * Thread:  immutable once open: any thread.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

enum { KEYS_KEY_BYTES = 32, KEYS_WRAPPED_BYTES = 40, KEYS_ID_BYTES = 16, KEYS_MAC_BYTES = 32 };

/* Each purpose has keys of its own; numbers go into the derivation: never changed, only added. */
enum keys_purpose {
    KEYS_STORE_FILES = 1, /* data keys of the store's files */
    KEYS_PAGING = 2,      /* MAC over paging states */
    KEYS_TOKENS = 3,      /* MAC over tokens of AWS's APIs */
    KEYS_SECRETS = 4,     /* secrets of identities, sealed; MAC over passwords that are told once */
};
enum { KEYS_PURPOSE_COUNT = 5 };

struct keys;

/* Where the master key comes from. Local today; a KMS is another body. */
struct keys_provider {
    /* Fills the master key, all 32 bytes, and may block. */
    enum status (*master)(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err);
    void *context;
};

/* A file with the key: 32 raw bytes or 64 hexadecimal digits (and a newline). It must be readable by its owner only. */
enum status keys_open_file(const char *path, struct keys **keys, struct error *err);
/* Developer mode: `directory`/master.key. If it is missing it is made where it may be (mode 0600, atomic, synced): where
 * nothing was encrypted yet. */
enum status keys_open_directory(const char *directory, bool may_make, struct keys **keys, struct error *err);
enum status keys_open_provider(const struct keys_provider *provider, struct keys **keys, struct error *err);
void keys_close(struct keys *keys);
DEFINE_CLEANUP(struct keys *, keys_close)

/* Names the master key without telling it. */
const uint8_t *keys_id(const struct keys *keys);

enum status keys_wrap(const struct keys *keys, enum keys_purpose purpose, const uint8_t key[KEYS_KEY_BYTES],
                      uint8_t wrapped[KEYS_WRAPPED_BYTES], struct error *err);
/* ERR_CONFIG: wrapped with another key. */
enum status keys_unwrap(const struct keys *keys, enum keys_purpose purpose, const uint8_t wrapped[KEYS_WRAPPED_BYTES],
                        uint8_t key[KEYS_KEY_BYTES], struct error *err);
/* A short secret as it is stored, appended: AES-256-GCM under a key of its own, which is wrapped beside it:
 *
 *     version (1) = 1 | wrapped key (40) | ciphertext | tag (16)
 *
 * `about` is authenticated with it: it opens only where it was sealed for. */
enum { KEYS_SEAL_BYTES = 1 + KEYS_WRAPPED_BYTES + 16, KEYS_SECRET_MAX = 4096 };
enum status keys_seal(const struct keys *keys, enum keys_purpose purpose, struct bytes secret, struct bytes about,
                      struct buffer *out, struct error *err);
/* Appends the secret. ERR_CORRUPT: it was changed, or is about something else. ERR_CONFIG: sealed under another master key. */
enum status keys_unseal(const struct keys *keys, enum keys_purpose purpose, struct bytes sealed, struct bytes about,
                        struct buffer *secret, struct error *err);

/* HMAC-SHA256 with the purpose's MAC key. */
void keys_mac(const struct keys *keys, enum keys_purpose purpose, struct bytes data, uint8_t mac[KEYS_MAC_BYTES]);
bool keys_mac_equal(const uint8_t a[KEYS_MAC_BYTES], const uint8_t b[KEYS_MAC_BYTES]);

/* Cryptographic randomness; aborts if the machine has none. */
void keys_random(void *out, size_t size);
/* Wipes secrets from memory. */
void keys_wipe(void *data, size_t size);

#endif
