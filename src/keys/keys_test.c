/* keys/: derivation, wrap and MAC against vectors made by other programs; the master key file's life; wrong keys. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "keys/keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error err;

static enum status fixed_master(void *context, uint8_t master[KEYS_KEY_BYTES], struct error *e)
{
    memset(master, *(int *)context, KEYS_KEY_BYTES);
    return OK;
}

static struct keys *fixed(int byte)
{
    struct keys_provider provider = { fixed_master, &byte };
    struct keys *keys = NULL;

    assert_int_equal(keys_open_provider(&provider, &keys, &err), OK);
    return keys;
}

static void hex_equal(const uint8_t *data, size_t size, const char *hex)
{
    char text[256];

    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    assert_string_equal(text, hex);
}

/* Recorded with Python: hmac/hashlib for HKDF (RFC 5869) and HMAC, RFC 3394 step by step over AES-256-ECB. */
static void test_vectors(void **state)
{
    struct keys *keys = fixed(1);
    uint8_t key[KEYS_KEY_BYTES], wrapped[KEYS_WRAPPED_BYTES], mac[KEYS_MAC_BYTES];

    for (int i = 0; i < KEYS_KEY_BYTES; i++)
        key[i] = (uint8_t)i;
    hex_equal(keys_id(keys), KEYS_ID_BYTES, "018d08f4801ba5fab939d3215ccc5c05");
    assert_int_equal(keys_wrap(keys, KEYS_STORE_FILES, key, wrapped, &err), OK);
    hex_equal(wrapped, sizeof(wrapped),
              "1a9032b50b8e62555d98c7811d46a61a80a248fc2edf3eb1ed57d03a721dd3dab15d2e25be3a021d");
    keys_mac(keys, KEYS_STORE_FILES, bytes_of_string("abc"), mac);
    hex_equal(mac, sizeof(mac), "1f1fc64e8ce177cf13b44ca92fcf89316075fe6a7e5cdd9babdea313227e3c0b");
    keys_close(keys);
}

static void test_wrap_round_trip(void **state)
{
    struct keys *keys = fixed(1), *other = fixed(2);
    uint8_t key[KEYS_KEY_BYTES], back[KEYS_KEY_BYTES], wrapped[KEYS_WRAPPED_BYTES];

    keys_random(key, sizeof(key));
    assert_int_equal(keys_wrap(keys, KEYS_STORE_FILES, key, wrapped, &err), OK);
    assert_int_equal(keys_unwrap(keys, KEYS_STORE_FILES, wrapped, back, &err), OK);
    assert_memory_equal(key, back, sizeof(key));
    assert_int_equal(keys_unwrap(other, KEYS_STORE_FILES, wrapped, back, &err), ERR_CONFIG);
    assert_int_equal(keys_unwrap(keys, KEYS_PAGING, wrapped, back, &err), ERR_CONFIG);
    for (int i = 0; i < KEYS_WRAPPED_BYTES; i++) {
        wrapped[i] ^= 1;
        assert_int_equal(keys_unwrap(keys, KEYS_STORE_FILES, wrapped, back, &err), ERR_CONFIG);
        wrapped[i] ^= 1;
    }
    assert_memory_not_equal(keys_id(keys), keys_id(other), KEYS_ID_BYTES);
    keys_close(keys);
    keys_close(other);
}

static void test_directory(void **state)
{
    char directory[] = "/tmp/helenus-keys-XXXXXX", path[128];
    struct keys *a = NULL, *b = NULL;
    struct stat info;
    FILE *file;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/master.key", directory);
    assert_int_equal(keys_open_file(path, &a, &err), ERR_CONFIG);
    assert_int_equal(keys_open_directory(directory, false, &a, &err), ERR_CONFIG);
    assert_int_equal(stat(path, &info), -1);
    assert_int_equal(keys_open_directory(directory, true, &a, &err), OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 32);
    assert_int_equal(keys_open_directory(directory, false, &b, &err), OK);
    assert_memory_equal(keys_id(a), keys_id(b), KEYS_ID_BYTES);
    keys_close(a);
    keys_close(b);

    /* Others may read it. */
    chmod(path, 0644);
    assert_int_equal(keys_open_directory(directory, true, &a, &err), ERR_CONFIG);
    chmod(path, 0600);
    /* Cut short: never taken for a key, never replaced. */
    assert_int_equal(truncate(path, 31), 0);
    assert_int_equal(keys_open_directory(directory, true, &a, &err), ERR_CONFIG);
    /* Hexadecimal. */
    file = fopen(path, "w");
    for (int i = 0; i < 32; i++)
        fputs("01", file);
    fputc('\n', file);
    fclose(file);
    assert_int_equal(keys_open_file(path, &a, &err), OK);
    b = fixed(1);
    assert_memory_equal(keys_id(a), keys_id(b), KEYS_ID_BYTES);
    keys_close(a);
    keys_close(b);
    unlink(path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_wrap_round_trip),
        cmocka_unit_test(test_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
