/* Identities one by one and as a set: what is written is read, what is damaged is refused; each is found by place, by id and by what it leads
 * to, in sets that random changes made, beside a plain list that is looked through; a change leaves the set before it as it was.
 */
#include "identity/identities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define TEXT(s) BYTES_LITERAL(s)

static const struct bytes_pair two_tags[] = { { { (const uint8_t *)"k", 1 }, { (const uint8_t *)"v", 1 } },
                                              { { (const uint8_t *)"x", 1 }, { NULL, 0 } } };

static struct identity_parts whole(void)
{
    return (struct identity_parts){ .at = { IDENTITY_ROLE, TEXT(""), TEXT("reader") },
                                    .id = TEXT("AROA1"),
                                    .name = TEXT("Reader"),
                                    .path = TEXT("/a/"),
                                    .text = TEXT("no policy"),
                                    .note = TEXT("note"),
                                    .secret = TEXT("secret"),
                                    .alias = TEXT("alias"),
                                    .created_us = 1,
                                    .changed_us = -2,
                                    .number = INT64_MAX,
                                    .is_on = true,
                                    .tags = two_tags,
                                    .tag_count = 2 };
}

static void what_is_written_is_read(void **state)
{
    struct identity_parts parts = whole();
    struct identity *identity = identity_make(&parts);
    const struct identity_parts *is = &identity->is;

    assert_int_equal(identity_compare(&is->at, &parts.at), 0);
    assert_true(bytes_is(is->id, "AROA1") && bytes_is(is->name, "Reader") && bytes_is(is->path, "/a/"));
    assert_true(bytes_is(is->text, "no policy") && bytes_is(is->note, "note") && bytes_is(is->secret, "secret"));
    assert_true(bytes_is(is->alias, "alias") && is->created_us == 1 && is->changed_us == -2 && is->number == INT64_MAX);
    assert_true(is->is_on && is->tag_count == 2 && bytes_is(is->tags[0].value, "v") && !is->tags[1].value.size);
    assert_null(identity->policy);
    identity_unref(identity);
}

static void policies_are_compiled(void **state)
{
    static const char text[] =
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
    struct identity_parts parts = { .at = { IDENTITY_POLICY_VERSION, TEXT("p"), TEXT("00000001") },
                                    .text = bytes_of_string(text) };
    struct identity *off = identity_make(&parts), *on;

    assert_null(off->policy); /* nobody asks it */
    parts.is_on = true;
    on = identity_make(&parts);
    assert_non_null(on->policy);
    identity_unref(on);
    identity_unref(off);
}

/* Each prefix, each byte too many, and a changed version: never half of an identity. */
static void damage_is_refused(void **state)
{
    struct identity_parts parts = whole();
    struct buffer value = { 0 };
    struct identity *identity;
    struct error err;

    identity_encode(&value, &parts);
    for (size_t size = 0; size < value.size; size++)
        assert_int_equal(identity_decode(parts.at, bytes_of(value.data, size), &identity, &err), ERR_CORRUPT);
    buffer_append_u8(&value, 0);
    assert_int_equal(identity_decode(parts.at, buffer_bytes(&value), &identity, &err), ERR_CORRUPT);
    value.size--;
    assert_int_equal(identity_decode((struct identity_place){ IDENTITY_ROLE, TEXT(""), TEXT("") }, buffer_bytes(&value),
                                     &identity, &err),
                     ERR_CORRUPT);
    assert_int_equal(identity_decode((struct identity_place){ (enum identity_kind)99, TEXT(""), TEXT("k") },
                                     buffer_bytes(&value), &identity, &err),
                     ERR_CORRUPT);
    value.data[0]++;
    assert_int_equal(identity_decode(parts.at, buffer_bytes(&value), &identity, &err), ERR_CORRUPT);
    buffer_fini(&value);
}

static void names_differ_in_more_than_case(void **state)
{
    char key[IDENTITY_KEY_MAX];

    assert_true(bytes_is(identity_key(TEXT("Al+i=c,e.@-_9"), key), "al+i=c,e.@-_9"));
}

/* ---- sets ---- */

enum { USERS = 40, GROUPS = 7, ROUNDS = 3000 };

static struct identity *make(enum identity_kind kind, const char *scope, const char *key, const char *id)
{
    struct identity_parts parts = { .at = { kind, bytes_of_string(scope), bytes_of_string(key) },
                                    .id = bytes_of_string(id) };

    return identity_make(&parts);
}

/* Is user u in group g? And is there user u? */
struct model {
    bool is_there[USERS], is_in[USERS][GROUPS];
};

static void assert_same(const struct identities *set, const struct model *model)
{
    uint32_t users = 0, members = 0;
    char text[32], other[32];

    for (int u = 0; u < USERS; u++) {
        uint32_t groups = 0;

        snprintf(text, sizeof(text), "user%02d", u);
        snprintf(other, sizeof(other), "AIDA%02d", u);
        assert_int_equal(identities_find(set, IDENTITY_USER, TEXT(""), bytes_of_string(text)) != NULL,
                         model->is_there[u]);
        assert_int_equal(identities_by_id(set, bytes_of_string(other)) != NULL, model->is_there[u]);
        users += model->is_there[u];
        for (int g = 0; g < GROUPS; g++)
            groups += model->is_in[u][g];
        members += groups;
        assert_int_equal(identities_in(set, IDENTITY_MEMBERSHIP, bytes_of_string(other)).count, groups);
    }
    for (int g = 0; g < GROUPS; g++) {
        struct identity_list list;
        uint32_t count = 0;

        snprintf(text, sizeof(text), "AGPA%d", g);
        list = identities_to(set, IDENTITY_MEMBERSHIP, bytes_of_string(text));
        for (int u = 0; u < USERS; u++)
            count += model->is_in[u][g];
        assert_int_equal(list.count, count);
        for (uint32_t i = 0; i < list.count; i++)
            assert_true(bytes_is(list.items[i]->is.at.key, text));
    }
    assert_int_equal(identities_in(set, IDENTITY_USER, TEXT("")).count, users);
    assert_int_equal(identities_of(set, IDENTITY_USER).count, users);
    assert_int_equal(identities_of(set, IDENTITY_MEMBERSHIP).count, members);
    assert_null(identities_find(set, IDENTITY_GROUP, TEXT(""), TEXT("user01")));
}

static void random_changes(void **state)
{
    struct identities *set = identities_new(NULL, 0);
    struct model model = { 0 }, before;
    unsigned seed = 7;

    for (int round = 0; round < ROUNDS; round++) {
        int u = rand_r(&seed) % USERS, g = rand_r(&seed) % GROUPS;
        bool is_user = rand_r(&seed) % 2;
        bool *is = is_user ? &model.is_there[u] : &model.is_in[u][g];
        char id[32], key[32];
        struct identity_edit edit = { 0 };
        struct identity *made;
        struct identities *after;

        before = model;
        snprintf(id, sizeof(id), "AIDA%02d", u);
        snprintf(key, sizeof(key), is_user ? "user%02d" : "AGPA%d", is_user ? u : g);
        made = is_user ? make(IDENTITY_USER, "", key, id) : make(IDENTITY_MEMBERSHIP, id, key, "");
        edit.at = made->is.at;
        edit.put = *is && rand_r(&seed) % 3 ? NULL : made; /* what is there may be put once more */
        *is = edit.put != NULL;
        after = identities_edit(set, &edit, 1);
        if (round % 50 == 0)
            assert_same(set, &before);
        if (round % 50 == 0)
            assert_same(after, &model);
        identity_unref(made);
        identities_unref(set);
        set = after;
    }
    identities_unref(set);
}

/* A credential is found by its id and by its user's name. */
static void two_names(void **state)
{
    struct identity_parts parts = { .at = { IDENTITY_CREDENTIAL, TEXT("AIDA1"), TEXT("ACCA1") },
                                    .id = TEXT("ACCA1"),
                                    .alias = TEXT("alice-at-1") };
    struct identity *made = identity_make(&parts);
    struct identities *set = identities_new(&made, 1);

    assert_ptr_equal(identities_by_id(set, TEXT("ACCA1")), made);
    assert_ptr_equal(identities_by_id(set, TEXT("alice-at-1")), made);
    assert_null(identities_by_id(set, TEXT("alice-at-2")));
    identities_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read), cmocka_unit_test(policies_are_compiled),
        cmocka_unit_test(damage_is_refused),       cmocka_unit_test(names_differ_in_more_than_case),
        cmocka_unit_test(random_changes),          cmocka_unit_test(two_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
