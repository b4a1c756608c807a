/* Ids in AWS's form, whose key says the account; secrets that open where they were sealed alone, and passwords. */
#include "identity/ids.h"
#include "identity/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define TEXT(s) BYTES_LITERAL(s)

static void ids_have_their_form(void **state)
{
    static const struct {
        enum identity_kind kind;
        const char *prefix;
    } kinds[] = { { IDENTITY_USER, "AIDA" },
                  { IDENTITY_GROUP, "AGPA" },
                  { IDENTITY_ROLE, "AROA" },
                  { IDENTITY_POLICY, "ANPA" },
                  { IDENTITY_CREDENTIAL, "ACCA" } };
    char id[IDS_BYTES], again[IDS_BYTES];

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ids_make(kinds[i].kind, id);
        ids_make(kinds[i].kind, again);
        assert_memory_equal(id, kinds[i].prefix, 4);
        assert_memory_not_equal(id, again, sizeof(id));
        for (int j = 4; j < IDS_BYTES; j++)
            assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", id[j], 32));
    }
}

static void a_key_says_its_account(void **state)
{
    static const char *const accounts[] = { "000000000000", "000000000001", "123456789012", "999999999999" };
    char key[IDS_KEY_BYTES], account[ACCOUNT_DIGITS + 1];

    for (size_t i = 0; i < 4 * 100; i++) {
        const char *wanted = accounts[i % 4];

        ids_make_key("AKIA", bytes_of_string(wanted), key);
        assert_true(ids_account_of_key(bytes_of(key, sizeof(key)), account));
        assert_string_equal(account, wanted);
    }
    assert_false(ids_account_of_key(TEXT("AKIDEXAMPLE"), account));
    assert_false(ids_account_of_key(TEXT("AKIAIOSFODNN7EXAMPL1"), account)); /* '1' is none of base32 */
    assert_false(ids_account_of_key(TEXT("AKIAAAAAAAAAAAAAAAAA"), account)); /* the first bit */
    assert_false(ids_account_of_key(TEXT("AKIA7777777777777777"), account)); /* no account has that number */
    assert_false(ids_account_of_key(bytes_of("AKIAI\0AAAAAAAAAAAAAA", 20), account));
}

/* ---- secrets ---- */

static struct keys *keys;
static struct arena *arena;

static enum status master(void *context, uint8_t key[KEYS_KEY_BYTES], struct error *err)
{
    memset(key, *(const int *)context, KEYS_KEY_BYTES);
    return OK;
}

static struct keys *open_keys(int seed)
{
    struct keys_provider provider = { master, &seed };
    struct keys *made = NULL;
    struct error err;

    assert_int_equal(keys_open_provider(&provider, &made, &err), OK);
    return made;
}

static int begin(void **state)
{
    keys = open_keys(1);
    arena = arena_new(1024);
    return 0;
}

static int end(void **state)
{
    keys_close(keys);
    arena_free(arena);
    return 0;
}

static struct identity *make_key(const char *user, const char *id, struct bytes secret)
{
    struct identity_parts parts = { .at = { IDENTITY_ACCESS_KEY, bytes_of_string(user), bytes_of_string(id) },
                                    .id = bytes_of_string(id),
                                    .secret = secret };
    struct error err;

    if (!secret.data)
        assert_int_equal(secrets_seal(keys, TEXT("000000000001"), &parts, TEXT("the secret"), arena, &err), OK);
    return identity_make(&parts);
}

static enum status open_secret(const struct keys *with, const char *account, const struct identity *key)
{
    CLEANUP(buffer_fini) struct buffer secret = { 0 };
    struct error err;
    enum status status = secrets_open(with, bytes_of_string(account), key, &secret, &err);

    assert_int_equal(status == OK, bytes_is(buffer_bytes(&secret), "the secret"));
    return status;
}

static void a_secret_opens_for_its_key_alone(void **state)
{
    struct identity *key = make_key("AIDA1", "AKIA1", bytes_of(NULL, 0));
    struct identity *others[] = { make_key("AIDA2", "AKIA1", key->is.secret),
                                  make_key("AIDA1", "AKIA2", key->is.secret), make_key("", "AKIA1", key->is.secret) };
    struct keys *other = open_keys(2);

    assert_null(memmem(key->is.secret.data, key->is.secret.size, "the secret", 10));
    assert_int_equal(open_secret(keys, "000000000001", key), OK);
    assert_int_equal(open_secret(keys, "000000000002", key), ERR_CORRUPT);
    assert_int_equal(open_secret(other, "000000000001", key), ERR_CONFIG);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(open_secret(keys, "000000000001", others[i]), ERR_CORRUPT);
        identity_unref(others[i]);
    }
    keys_close(other);
    identity_unref(key);
}

/* Each byte of it counts. */
static void a_changed_secret_does_not_open(void **state)
{
    struct identity *key = make_key("AIDA1", "AKIA1", bytes_of(NULL, 0));
    struct bytes sealed = arena_copy(arena, key->is.secret);

    for (size_t i = 0; i < sealed.size; i++) {
        struct bytes changed = arena_copy(arena, sealed), shorter = bytes_of(sealed.data, i ? i : 1);
        struct identity *damaged, *cut;

        ((uint8_t *)changed.data)[i] ^= 1;
        damaged = make_key("AIDA1", "AKIA1", changed);
        cut = make_key("AIDA1", "AKIA1", shorter);
        assert_int_not_equal(open_secret(keys, "000000000001", damaged), OK);
        assert_int_not_equal(open_secret(keys, "000000000001", cut), OK);
        identity_unref(damaged);
        identity_unref(cut);
    }
    identity_unref(key);
}

static void passwords(void **state)
{
    char password[IDS_PASSWORD_BYTES], other[IDS_PASSWORD_BYTES];
    struct identity_parts parts = { .at = { IDENTITY_CREDENTIAL, TEXT("AIDA1"), TEXT("ACCA1") }, .id = TEXT("ACCA1") };
    struct identity *credential, *without;
    uint8_t mac[KEYS_MAC_BYTES];

    ids_make_password(password);
    ids_make_password(other);
    without = identity_make(&parts);
    secrets_mac(keys, parts.id, bytes_of(password, sizeof(password)), mac);
    parts.secret = bytes_of(mac, sizeof(mac));
    credential = identity_make(&parts);
    assert_true(secrets_is_password(keys, credential, bytes_of(password, sizeof(password))));
    assert_false(secrets_is_password(keys, credential, bytes_of(password, sizeof(password) - 1)));
    assert_false(secrets_is_password(keys, credential, bytes_of(other, sizeof(other))));
    assert_false(secrets_is_password(keys, credential, TEXT("")));
    assert_false(secrets_is_password(keys, credential, bytes_of(arena_zalloc(arena, 5000), 5000)));
    assert_false(secrets_is_password(keys, without, bytes_of(password, sizeof(password))));
    identity_unref(credential);
    identity_unref(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_their_form),
        cmocka_unit_test(a_key_says_its_account),
        cmocka_unit_test(a_secret_opens_for_its_key_alone),
        cmocka_unit_test(a_changed_secret_does_not_open),
        cmocka_unit_test(passwords),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
