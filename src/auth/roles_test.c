/* Roles of one moment: who inherits what from whom, also where roles go in a ring; names of resources both ways and what lies in what;
 * addresses; and passwords, beside hashes that Cassandra 5.0.5 made. */
#include "auth/password.h"
#include "auth/roles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T(text) BYTES_LITERAL(text)

static struct role *add(struct roles *roles, const char *name, bool is_superuser)
{
    return roles_add(roles, bytes_of_string(name), bytes_of(NULL, 0), is_superuser, true);
}

/* ---- roles of roles ---- */

static void what_a_role_has_is_inherited(void **state)
{
    struct roles *roles = roles_new();
    struct arena *arena = arena_new(1024);
    struct role *low = add(roles, "low", false), *middle = add(roles, "middle", false);
    struct resource table = resource_table(T("k"), T("t"));
    struct role_set set;

    add(roles, "top", false);
    add(roles, "apart", true);
    roles_add_parent(roles, low, T("middle"));
    roles_add_parent(roles, low, T("gone")); /* no such role */
    roles_add_parent(roles, middle, T("top"));
    roles_add_grant(roles, T("top"), T("data/k/t"), PERMISSION_SELECT);
    roles_add_grant(roles, T("middle"), T("data/k/t"), PERMISSION_MODIFY);
    roles_add_grant(roles, T("gone"), T("data/k/t"), PERMISSION_DROP);
    roles_add_grant(roles, T("apart"), T("data/k/t"), PERMISSION_ALTER);
    roles_seal(roles);
    set = roles_collect(roles, roles_find(roles, T("low")), true, arena);
    assert_int_equal(set.count, 3);
    assert_true(bytes_is(set.items[0]->name, "low") && bytes_is(set.items[2]->name, "top"));
    assert_false(role_set_is_superuser(&set));
    assert_int_equal(roles_permissions(roles, &set, &table), PERMISSION_SELECT | PERMISSION_MODIFY);
    set = roles_collect(roles, roles_find(roles, T("low")), false, arena);
    assert_int_equal(set.count, 2);
    assert_true(role_set_has(&set, T("middle")));
    assert_false(role_set_has(&set, T("top")));
    set = roles_collect(roles, roles_find(roles, T("top")), true, arena);
    assert_int_equal(roles_permissions(roles, &set, &table), PERMISSION_SELECT);
    set = roles_collect(roles, roles_find(roles, T("apart")), true, arena);
    assert_true(role_set_is_superuser(&set));
    assert_int_equal(roles_permissions(roles, &set, &table), resource_permissions(RESOURCE_TABLE));
    assert_null(roles_find(roles, T("gone")));
    assert_int_equal(roles_granted(roles, T("middle"), T("data/k")), 0);
    arena_free(arena);
    roles_unref(roles);
}

/* GRANT makes none, but a hand in the table can. */
static void a_ring_of_roles_ends(void **state)
{
    struct roles *roles = roles_new();
    struct arena *arena = arena_new(1024);
    struct role *a = add(roles, "a", false), *b = add(roles, "b", false), *c = add(roles, "c", true);
    struct role_set set;

    roles_add_parent(roles, a, T("b"));
    roles_add_parent(roles, b, T("c"));
    roles_add_parent(roles, c, T("a"));
    roles_add_parent(roles, c, T("c"));
    roles_seal(roles);
    set = roles_collect(roles, roles_find(roles, T("a")), true, arena);
    assert_int_equal(set.count, 3);
    assert_true(role_set_is_superuser(&set));
    arena_free(arena);
    roles_unref(roles);
}

/* ---- resources ---- */

static void names_of_resources_go_both_ways(void **state)
{
    static const struct {
        const char *name, *shown, *up;
        enum resource_kind kind;
    } cases[] = {
        { "data", "<all keyspaces>", NULL, RESOURCE_ALL_KEYSPACES },
        { "data/k", "<keyspace k>", "data", RESOURCE_KEYSPACE },
        { "data/k/*", "<all tables in k>", "data/k", RESOURCE_ALL_TABLES },
        { "data/k/t", "<table k.t>", "data/k/*", RESOURCE_TABLE },
        { "roles", "<all roles>", NULL, RESOURCE_ALL_ROLES },
        { "roles/a/b", "<role a/b>", "roles", RESOURCE_ROLE },
        { "functions", "<all functions>", NULL, RESOURCE_ALL_FUNCTIONS },
        { "functions/k", "<all functions in k>", "functions", RESOURCE_FUNCTIONS_IN },
        { "functions/k/f[int]", "<function k.f[int]>", "functions/k", RESOURCE_FUNCTION },
        { "mbean", "<all mbeans>", NULL, RESOURCE_ALL_MBEANS },
        { "mbean/a:b=c", "<mbean a:b=c>", "mbean", RESOURCE_MBEAN },
    };
    struct buffer buffer = { 0 };
    struct resource resource;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(resource_parse(bytes_of_string(cases[i].name), &resource));
        assert_int_equal(resource.kind, cases[i].kind);
        buffer_reset(&buffer);
        resource_name(&buffer, &resource);
        assert_true(bytes_is(buffer_bytes(&buffer), cases[i].name));
        buffer_reset(&buffer);
        resource_print(&buffer, &resource);
        assert_true(bytes_is(buffer_bytes(&buffer), cases[i].shown));
        assert_int_equal(resource_up(&resource), cases[i].up != NULL);
        buffer_reset(&buffer);
        resource_name(&buffer, &resource);
        assert_true(bytes_is(buffer_bytes(&buffer), cases[i].up ? cases[i].up : cases[i].name));
    }
    assert_false(resource_parse(T("database"), &resource));
    assert_false(resource_parse(T(""), &resource));
    buffer_fini(&buffer);
}

static void each_permission_has_its_name(void **state)
{
    for (uint32_t i = 0; i < PERMISSION_COUNT; i++)
        assert_int_equal(permission_parse(bytes_of_string(permission_name(i))), UINT32_C(1) << i);
    assert_int_equal(permission_parse(T("select")), 0);
    assert_int_equal(permission_parse(T("SELECTED")), 0);
}

/* ---- addresses ---- */

/* As the protocol has a set of tuples of an address and a length. */
static struct bytes networks(struct buffer *out, const char *bytes, uint32_t size, uint16_t bits)
{
    buffer_reset(out);
    buffer_append_be32(out, 1);
    buffer_append_be32(out, 4 + size + 4 + 2);
    buffer_append_be32(out, size);
    buffer_append(out, bytes, size);
    buffer_append_be32(out, 2);
    buffer_append_be16(out, bits);
    return buffer_bytes(out);
}

static bool admits(const char *network, uint32_t size, uint16_t bits, const char *address, uint32_t address_size)
{
    struct roles *roles = roles_new();
    struct buffer set = { 0 };
    bool is_admitted;

    add(roles, "r", false);
    roles_add_cidr_group(roles, T("g"), networks(&set, network, size, bits));
    roles_sort(roles);
    buffer_reset(&set);
    buffer_append(&set, "\0\0\0\1\0\0\0\1g", 9);
    assert_true(roles_set_cidr_groups(roles, T("r"), buffer_bytes(&set)));
    roles_seal(roles);
    is_admitted = roles_admit_address(roles, roles_find(roles, T("r")), bytes_of(address, address_size));
    buffer_fini(&set);
    roles_unref(roles);
    return is_admitted;
}

static void addresses_are_admitted_by_their_first_bits(void **state)
{
    assert_true(admits("\12\0\0\0", 4, 8, "\12\1\2\3", 4));
    assert_false(admits("\12\0\0\0", 4, 8, "\13\1\2\3", 4));
    assert_true(admits("\12\0\0\0", 4, 0, "\377\1\2\3", 4));
    assert_true(admits("\12\1\2\3", 4, 32, "\12\1\2\3", 4));
    assert_false(admits("\12\1\2\3", 4, 32, "\12\1\2\2", 4));
    assert_true(admits("\12\1\200\0", 4, 17, "\12\1\377\3", 4));
    assert_false(admits("\12\1\200\0", 4, 17, "\12\1\177\3", 4));
    assert_false(admits("\12\0\0\0", 4, 33, "\12\0\0\0", 4)); /* no such length */
    assert_false(admits("\12\0\0\0", 4, 8, "\12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
    assert_true(admits("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16, 32, "\x20\1\xd\xb8\7\0\0\0\0\0\0\0\0\0\0\1", 16));
}

/* Sets that are cut off, or say more than there is, are none. */
static void broken_sets_give_nothing(void **state)
{
    static const char whole[] = "\0\0\0\2\0\0\0\1a\0\0\0\1b";

    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        struct roles *roles = roles_new();
        char *cut = malloc(size + 1);

        memcpy(cut, whole, size);
        add(roles, "r", false);
        roles_sort(roles);
        assert_false(roles_set_datacenters(roles, T("r"), bytes_of(cut, size)));
        assert_false(roles_set_datacenters(roles, T("none"), bytes_of(whole, sizeof(whole) - 1)));
        free(cut);
        roles_unref(roles);
    }
}

/* ---- passwords ---- */

static void hashes_of_cassandra_are_right(void **state)
{
    static const struct {
        const char *password, *hash;
    } cases[] = {
        { "cassandra", "$2a$10$yvBqZShsxpvUIQAHYQqeuuEGpr4AMZfhdAy2l8AhOm.tTy41Iyivy" },
        { "p\xc3\xa4ssw\xc3\xb6rd\xe2\x82\xac", "$2a$10$PmY7z2nXplLoJHMgBJLi5O42Sp/K5tYL7BDMrNC.MqOHWQfBGFUaG" },
        { "\xc3\xbf\xc2\xa3"
          "345",
          "$2a$10$zVm/uQlNLslwCTY.5rssRu8xR9S/DMz9oulM5iXDAG28Uy.81muPG" },
        { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
          "$2a$10$h4F2gGtxqsYAsEhwMgPfTOfwcr4HaJ/qgSUusF0Qsnt75Xhvy1kam" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char hash[PASSWORD_HASH_BYTES + 1];

        assert_true(password_is_hash(bytes_of_string(cases[i].hash)));
        assert_true(password_check(bytes_of_string(cases[i].password), bytes_of_string(cases[i].hash)));
        assert_false(password_check(bytes_of(cases[i].password, 3), bytes_of_string(cases[i].hash)));
        /* Each byte of a hash counts. */
        strcpy(hash, cases[i].hash);
        hash[PASSWORD_HASH_BYTES - 1 - i] = hash[PASSWORD_HASH_BYTES - 1 - i] == 'A' ? 'B' : 'A';
        assert_false(password_check(bytes_of_string(cases[i].password), bytes_of_string(hash)));
    }
}

static void what_is_hashed_is_found_again(void **state)
{
    char one[PASSWORD_HASH_BYTES + 1], other[PASSWORD_HASH_BYTES + 1];
    struct error err;

    assert_int_equal(password_hash(T("secret"), one, &err), OK);
    assert_int_equal(password_hash(T("secret"), other, &err), OK);
    assert_string_not_equal(one, other); /* salted */
    assert_memory_equal(one, "$2a$10$", 7);
    assert_true(password_check(T("secret"), bytes_of_string(one)));
    assert_false(password_check(T("Secret"), bytes_of_string(one)));
    assert_false(password_check(T("secret"), bytes_of(NULL, 0)));
    assert_false(password_check(T("secret"), T("")));
    assert_false(password_check(T("secret"), T("secret")));
}

static void only_hashes_of_bcrypt_are_taken(void **state)
{
    static const char good[] = "$2a$10$PmY7z2nXplLoJHMgBJLi5O42Sp/K5tYL7BDMrNC.MqOHWQfBGFUaG";
    static const struct {
        size_t at;
        char is;
    } bad[] = { { 0, '%' }, { 1, '3' }, { 2, 'b' }, { 3, '1' }, { 4, '3' },
                { 5, 'x' }, { 6, '1' }, { 7, '$' }, { 59, ' ' } };
    char hash[sizeof(good)];

    assert_true(password_is_hash(T("$2a$04$PmY7z2nXplLoJHMgBJLi5O42Sp/K5tYL7BDMrNC.MqOHWQfBGFUaG")));
    assert_false(password_is_hash(T("$2a$03$PmY7z2nXplLoJHMgBJLi5O42Sp/K5tYL7BDMrNC.MqOHWQfBGFUaG")));
    assert_false(password_is_hash(T("$2a$15$PmY7z2nXplLoJHMgBJLi5O42Sp/K5tYL7BDMrNC.MqOHWQfBGFUaG")));
    assert_false(password_is_hash(bytes_of(good, sizeof(good) - 2)));
    assert_false(password_is_hash(bytes_of(good, sizeof(good))));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        memcpy(hash, good, sizeof(good));
        hash[bad[i].at] = bad[i].is;
        assert_false(password_is_hash(bytes_of_string(hash)));
    }
}

static void generated_passwords_differ(void **state)
{
    char one[PASSWORD_GENERATED_BYTES + 1], other[PASSWORD_GENERATED_BYTES + 1];

    password_generate(one);
    password_generate(other);
    assert_int_equal(strlen(one), PASSWORD_GENERATED_BYTES);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_role_has_is_inherited),
        cmocka_unit_test(a_ring_of_roles_ends),
        cmocka_unit_test(names_of_resources_go_both_ways),
        cmocka_unit_test(each_permission_has_its_name),
        cmocka_unit_test(addresses_are_admitted_by_their_first_bits),
        cmocka_unit_test(broken_sets_give_nothing),
        cmocka_unit_test(hashes_of_cassandra_are_right),
        cmocka_unit_test(what_is_hashed_is_found_again),
        cmocka_unit_test(only_hashes_of_bcrypt_are_taken),
        cmocka_unit_test(generated_passwords_differ),
    };

    return cmocka_run_group_tests_name("auth/roles", tests, NULL, NULL);
}
