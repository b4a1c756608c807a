/* The key hierarchy, on OpenSSL's primitives: nothing of cryptography is invented here.
 *
 * The master key never encrypts data. HKDF-SHA256 (RFC 5869) derives from it an id, and for each
 * purpose a wrapping key and a MAC key: a key that is used for one thing cannot be turned against
 * another. A file's data key is random and stands beside the data, wrapped (RFC 3394): another
 * master key would need the data keys wrapped anew, and no data written again.
 *
 * Every copy of a secret on the stack is wiped before its function returns, also where it fails. */
#include "keys/keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Both halves are derived in one go: the first 32 bytes wrap, the rest is for MACs. */
struct purpose_keys {
    uint8_t wrap[KEYS_KEY_BYTES];
    uint8_t mac[KEYS_KEY_BYTES];
};

struct keys {
    uint8_t id[KEYS_ID_BYTES];
    struct purpose_keys purposes[KEYS_PURPOSE_COUNT]; /* by enum keys_purpose; 0 is not used */
};

/* For keys and IVs. A server that cannot draw them must stop: what it would write could be read by
 * others. */
void keys_random(void *out, size_t size)
{
    /* RAND_bytes takes an int. */
    assert(size <= INT32_MAX);
    assert(out || !size);
    if (size && RAND_bytes(out, (int)size) != 1)
        abort(); /* without randomness nothing may be written */
}

/* memset before free is removed by compilers, as nobody reads the memory again. This is not. */
void keys_wipe(void *data, size_t size)
{
    OPENSSL_cleanse(data, size);
}

/* HKDF without salt: the master key is random already, so extracting adds nothing; `info` is what
 * makes the derived keys independent of each other. */
static bool derive(const uint8_t master[KEYS_KEY_BYTES], const char *info, uint8_t *out, size_t out_size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)master, KEYS_KEY_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    bool done = ctx && EVP_KDF_derive(ctx, out, out_size, params) == 1;

    assert(out_size && strlen(info));
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done;
}

/* The purposes' numbers are part of the format: with others, nothing that was written could be
 * opened. */
static enum status keys_from_master(const uint8_t master[KEYS_KEY_BYTES], struct keys **result, struct error *err)
{
    struct keys *keys = xcalloc(1, sizeof(*keys));
    bool done = derive(master, "helenus key id", keys->id, sizeof(keys->id));

    for (int i = 1; i < KEYS_PURPOSE_COUNT && done; i++) {
        char info[64];

        snprintf(info, sizeof(info), "helenus purpose %d", i);
        done = derive(master, info, (uint8_t *)&keys->purposes[i], sizeof(keys->purposes[i]));
    }
    if (!done) {
        keys_close(keys);
        return error_set(err, ERR_SERVER, "Keys can't be derived: the cryptographic library refuses HKDF");
    }
    *result = keys;
    return OK;
}

/* The id is wiped with the keys, which costs nothing and asks no question. */
void keys_close(struct keys *keys)
{
    if (!keys)
        return;
    keys_wipe(keys, sizeof(*keys));
    free(keys);
}

/* Derived as the keys are, so it stands in plain text beside the data: it says whether this is the
 * right master key, and nothing of it. */
const uint8_t *keys_id(const struct keys *keys)
{
    return keys->id;
}

/* The provider's copy of the master key lives as long as it takes to derive from it. */
enum status keys_open_provider(const struct keys_provider *provider, struct keys **keys, struct error *err)
{
    uint8_t master[KEYS_KEY_BYTES];
    enum status status = provider->master(provider->context, master, err);

    if (status == OK)
        status = keys_from_master(master, keys, err);
    keys_wipe(master, sizeof(master));
    assert(status != OK || *keys);
    return status;
}

/* ---- the local provider ---- */

/* 32 bytes may be anything, also digits; 64 digits may have the newline that an editor or echo
 * leaves. No other length can be mistaken for either. */
static bool parse_master(const uint8_t *text, size_t size, uint8_t master[KEYS_KEY_BYTES])
{
    if (size == KEYS_KEY_BYTES) {
        memcpy(master, text, KEYS_KEY_BYTES);
        return true;
    }
    while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size != 2 * KEYS_KEY_BYTES)
        return false;
    for (int i = 0; i < KEYS_KEY_BYTES; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        master[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The buffer takes a little more than the longest key file, so that a longer one is noticed and not
 * cut. ERR_NOT_FOUND is a status of its own: keys_open_directory may then make the key. */
static enum status read_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *err)
{
    const char *path = context;
    uint8_t text[2 * KEYS_KEY_BYTES + 4];
    size_t size = 0;
    struct stat info;
    enum status status = OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? error_set(err, ERR_NOT_FOUND, "The master key file %s does not exist", path)
                               : error_set_os(err, errno, "The master key file %s", path);
    if (fstat(fd, &info)) {
        status = error_set_os(err, errno, "The master key file %s", path);
        goto close;
    }
    /* ssh does the same with private keys: a key that others may read is no secret, and the server
     * says so before it encrypts with it. */
    if (info.st_mode & 077) {
        status = error_set(err, ERR_CONFIG, "The master key file %s may be read by others than its owner: chmod 600 it",
                           path);
        goto close;
    }
    while (size < sizeof(text)) {
        ssize_t got = read(fd, text + size, sizeof(text) - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = error_set_os(err, errno, "The master key file %s", path);
            goto close;
        }
        if (got == 0)
            break;
        size += (size_t)got;
    }
    if (!parse_master(text, size, master))
        status =
            error_set(err, ERR_CONFIG, "The master key file %s must hold 32 bytes, or 64 hexadecimal digits", path);
close:
    keys_wipe(text, sizeof(text));
    close(fd);
    return status;
}

/* Who names a file means it: here a missing one is a mistake in the configuration. */
enum status keys_open_file(const char *path, struct keys **keys, struct error *err)
{
    struct keys_provider provider = { read_master, (void *)path };
    enum status status = keys_open_provider(&provider, keys, err);

    assert(status != OK || *keys);
    if (status == ERR_NOT_FOUND)
        err->status = status = ERR_CONFIG;
    return status;
}

/* The key is on disk before its name is: a name without content, after a crash, would look like a
 * broken key, and data written meanwhile would be lost. */
static enum status write_synced(int fd, const char *path, const uint8_t *data, size_t size, struct error *err)
{
    while (size) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_set_os(err, errno, "The master key file %s", path);
        data += put;
        size -= (size_t)put;
    }
    if (fsync(fd))
        return error_set_os(err, errno, "The master key file %s", path);
    return OK;
}

/* Whole or not at all. The key is written under another name, synced, and then linked to its own:
 * link fails if another process was faster, where rename would replace that one's key, with which
 * it may have encrypted already. Then the directory is synced, so that the name outlives a crash. */
static enum status make_master(const char *directory, const char *path, struct error *err)
{
    uint8_t master[KEYS_KEY_BYTES];
    char beside[4096 + 32];
    enum status status;
    int fd;

    keys_random(master, sizeof(master));
    snprintf(beside, sizeof(beside), "%s.%ld", path, (long)getpid());
    /* Left by a process of the same id that died here. */
    unlink(beside);
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        keys_wipe(master, sizeof(master));
        return error_set_os(err, errno, "The master key file %s", path);
    }
    status = write_synced(fd, path, master, sizeof(master), err);
    keys_wipe(master, sizeof(master));
    close(fd);
    /* EEXIST: the other process' key is the one that is read afterwards. */
    if (status == OK && link(beside, path) && errno != EEXIST)
        status = error_set_os(err, errno, "The master key file %s", path);
    unlink(beside);
    if (status)
        return status;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd))
        status = error_set_os(err, errno, "The directory %s", directory);
    if (fd >= 0)
        close(fd);
    return status;
}

/* A key is made only for a directory in which nothing was encrypted yet: a new key in place of a
 * lost one would make all that is there unreadable, and hide why. */
enum status keys_open_directory(const char *directory, bool may_make, struct keys **keys, struct error *err)
{
    char path[4096];
    struct keys_provider provider = { read_master, path };
    enum status status;

    if (snprintf(path, sizeof(path), "%s/master.key", directory) >= (int)sizeof(path))
        return error_set(err, ERR_CONFIG, "The data directory's name is too long");
    status = keys_open_provider(&provider, keys, err);
    if (status != ERR_NOT_FOUND)
        return status;
    if (!may_make)
        return error_set(err, ERR_CONFIG,
                         "%s is missing: put it back, or name the key with --key-file; without it nothing can be read",
                         path);
    status = make_master(directory, path, err);
    if (status)
        return status;
    /* Read back from the file, and not taken from memory: what is used is what the next start will
     * find. */
    return keys_open_provider(&provider, keys, err);
}

/* ---- wrapping ---- */

/* AES key wrap checks itself: unwrapping with the wrong key, or of damaged bytes, fails but for one
 * case in 2^64. -1: it failed. */
static int wrap(const struct purpose_keys *purpose, bool seal, const uint8_t *from, int from_size, uint8_t *to)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int size = -1, rest = 0;

    if (!ctx)
        return -1;
    /* OpenSSL refuses to wrap unless it is told that this is meant: key wrap is deterministic and
     * would be wrong for data. */
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex(ctx, EVP_aes_256_wrap(), NULL, purpose->wrap, NULL, seal) != 1 ||
        EVP_CipherUpdate(ctx, to, &size, from, from_size) != 1 || EVP_CipherFinal_ex(ctx, to + size, &rest) != 1)
        size = -1;
    EVP_CIPHER_CTX_free(ctx);
    return size < 0 ? -1 : size + rest;
}

enum status keys_wrap(const struct keys *keys, enum keys_purpose purpose, const uint8_t key[KEYS_KEY_BYTES],
                      uint8_t wrapped[KEYS_WRAPPED_BYTES], struct error *err)
{
    if (wrap(&keys->purposes[purpose], true, key, KEYS_KEY_BYTES, wrapped) != KEYS_WRAPPED_BYTES)
        return error_set(err, ERR_SERVER, "A data key can't be wrapped: the cryptographic library refuses");
    return OK;
}

/* The plain key goes through a buffer of our own, as OpenSSL may write a block more than it
 * returns. */
enum status keys_unwrap(const struct keys *keys, enum keys_purpose purpose, const uint8_t wrapped[KEYS_WRAPPED_BYTES],
                        uint8_t key[KEYS_KEY_BYTES], struct error *err)
{
    uint8_t plain[KEYS_WRAPPED_BYTES + 16];
    enum status status = OK;

    if (wrap(&keys->purposes[purpose], false, wrapped, KEYS_WRAPPED_BYTES, plain) == KEYS_KEY_BYTES)
        memcpy(key, plain, KEYS_KEY_BYTES);
    else
        status = error_set(err, ERR_CONFIG, "The master key is not the one this data was encrypted with");
    keys_wipe(plain, sizeof(plain));
    return status;
}

/* ---- sealing ---- */

enum { SEAL_VERSION = 1, TAG_BYTES = 16, SEAL_HEAD_BYTES = 1 + KEYS_WRAPPED_BYTES };

static_assert((int)KEYS_SEAL_BYTES == (int)SEAL_HEAD_BYTES + (int)TAG_BYTES, "the header says what a seal adds");

/* The IV is zero: a key seals one thing, once. False: it did not succeed, of what is opened because the tag is wrong. */
static bool gcm(bool seal, const uint8_t key[KEYS_KEY_BYTES], struct bytes from, struct bytes about, uint8_t *to,
                uint8_t tag[TAG_BYTES])
{
    static const uint8_t iv[12];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int size = 0, rest = 0;
    bool done;

    assert(from.size <= KEYS_SECRET_MAX && about.size <= KEYS_SECRET_MAX);
    done = ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv, seal) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &size, about.data, (int)about.size) == 1 &&
           EVP_CipherUpdate(ctx, to, &size, from.data, (int)from.size) == 1 &&
           (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1) &&
           EVP_CipherFinal_ex(ctx, to + size, &rest) == 1 &&
           (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return done;
}

/* A key for each secret, so that no two share one, and rewrapping is all that another master key needs. */
enum status keys_seal(const struct keys *keys, enum keys_purpose purpose, struct bytes secret, struct bytes about,
                      struct buffer *out, struct error *err)
{
    uint8_t key[KEYS_KEY_BYTES], wrapped[KEYS_WRAPPED_BYTES], tag[TAG_BYTES];
    enum status status;

    assert(secret.size && secret.size <= KEYS_SECRET_MAX);
    keys_random(key, sizeof(key));
    status = keys_wrap(keys, purpose, key, wrapped, err);
    if (!status) {
        buffer_append_u8(out, SEAL_VERSION);
        buffer_append(out, wrapped, sizeof(wrapped));
        if (!gcm(true, key, secret, about, buffer_extend(out, secret.size), tag))
            abort(); /* only out of memory */
        buffer_append(out, tag, sizeof(tag));
    }
    keys_wipe(key, sizeof(key));
    return status;
}

/* What is opened is appended only when its tag was right. */
enum status keys_unseal(const struct keys *keys, enum keys_purpose purpose, struct bytes sealed, struct bytes about,
                        struct buffer *secret, struct error *err)
{
    uint8_t key[KEYS_KEY_BYTES], tag[TAG_BYTES];
    enum status status;
    size_t size;

    if (sealed.size <= KEYS_SEAL_BYTES || sealed.size > KEYS_SEAL_BYTES + KEYS_SECRET_MAX ||
        sealed.data[0] != SEAL_VERSION)
        return error_set(err, ERR_CORRUPT, "A sealed secret is damaged");
    status = keys_unwrap(keys, purpose, sealed.data + 1, key, err);
    if (status)
        return status;
    size = sealed.size - KEYS_SEAL_BYTES;
    memcpy(tag, sealed.data + sealed.size - TAG_BYTES, TAG_BYTES);
    if (gcm(false, key, bytes_of(sealed.data + SEAL_HEAD_BYTES, size), about, buffer_reserve(secret, size), tag))
        secret->size += size;
    else
        status = error_set(err, ERR_CORRUPT, "A sealed secret is damaged, or is not this one");
    keys_wipe(key, sizeof(key));
    return status;
}

/* OpenSSL's HMAC fails only if it has no memory. */
void keys_mac(const struct keys *keys, enum keys_purpose purpose, struct bytes data, uint8_t mac[KEYS_MAC_BYTES])
{
    unsigned size = 0;

    if (!HMAC(EVP_sha256(), keys->purposes[purpose].mac, KEYS_KEY_BYTES, data.data, data.size, mac, &size))
        abort(); /* only out of memory */
    assert(size == KEYS_MAC_BYTES);
}

/* In constant time: memcmp would tell by its duration how many bytes of a forged MAC are right. */
bool keys_mac_equal(const uint8_t a[KEYS_MAC_BYTES], const uint8_t b[KEYS_MAC_BYTES])
{
    return CRYPTO_memcmp(a, b, KEYS_MAC_BYTES) == 0;
}
