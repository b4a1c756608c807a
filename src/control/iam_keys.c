/* Access keys, and passwords for a service.
 * Each secret is told once, in the answer that made it, and is on the disk only sealed (a key's,
 * which signatures are checked with) or as a MAC (a password, which is drawn here from 256 bits: nobody finds it by trying). */
#include "control/iam.h"

#include "control/iam_common.h"
#include "control/state.h"
#include "identity/ids.h"
#include "identity/secrets.h"

#include <assert.h>

#define SERVICE "cassandra.amazonaws.com"
enum { DAY_S = 24 * 60 * 60 };

/* ---- whose ----
 *
 * A user's, or the account's root's: who names no user asks for himself. */

/* A root's key belongs to no user, and so to no id. */
static struct bytes scope_of(const struct identity *user)
{
    return user ? user->is.id : bytes_of(NULL, 0);
}

/* The root has no name to be told. */
static void show_user(struct api_call *call, struct tree *to, const struct identity *user)
{
    if (user)
        tree_set_string(call->arena, to, "UserName", user->is.name);
}

/* In AWS's words. */
static const char *status_of(const struct identity *key)
{
    return key->is.is_on ? "Active" : "Inactive";
}

/* Status of the input: on, off. */
static bool read_status(struct api_call *call, bool *is_on)
{
    struct bytes status = tree_string(call->input, "Status");

    *is_on = bytes_is(status, "Active");
    return *is_on || bytes_is(status, "Inactive") ||
           iam_fail(call, "InvalidInputException", "A key cannot be set to %.*s.", BYTES(status));
}

/* Of the owner, by its id in that member. NULL, and NoSuchEntity. */
static const struct identity *find_key(const struct iam *iam, enum identity_kind kind, const char *member,
                                       const char *what, const struct identity **user)
{
    struct bytes id = tree_string(iam->call->input, member);
    const struct identity *found = NULL;

    if (!iam_find_user(iam, user))
        return NULL;
    found = identities_find(iam->set, kind, scope_of(*user), id);
    if (!found)
        iam_fail(iam->call, "NoSuchEntityException", "The %s with id %.*s cannot be found.", what, BYTES(id));
    return found;
}

/* ---- access keys ----
 *
 * Two for each, so that one can be changed for another: make the second, use it everywhere, make the first inactive, see that nothing
 * misses it, delete it. */

/* The account's number is in it, so that who is asked with a key knows where to look; there are 2^39 in an account. */
bool iam_create_key(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct tree *shown = tree_member(call->arena, call->output, "AccessKey");
    char id[IDS_KEY_BYTES], secret[IDS_SECRET_BYTES];
    struct identity_parts parts = { .id = bytes_of(id, sizeof(id)), .is_on = true };
    const struct identity *user;
    struct error err;

    if (!iam_begin(&iam, call) || !iam_find_user(&iam, &user) ||
        !iam_check_quota(call, "AccessKeysPerUser", identities_in(iam.set, IDENTITY_ACCESS_KEY, scope_of(user)).count,
                         IAM_KEYS_MAX))
        return false;
    /* 39 random bits beside the account: the second try is for who likes to be sure. */
    do
        ids_make_key("AKIA", call->caller.account, id);
    while (identities_by_id(iam.set, parts.id));
    ids_make_secret(secret);
    parts.at = (struct identity_place){ IDENTITY_ACCESS_KEY, scope_of(user), parts.id };
    parts.created_us = iam.change.now_us;
    if (secrets_seal(control_of(call)->keys, call->caller.account, &parts, bytes_of(secret, sizeof(secret)),
                     call->arena, &err))
        return iam_fail(call, "ServiceFailureException", "%s", err.message);
    identity_put(&iam.change, &parts);
    /* Durable before it is told, so that nobody is given a key that a crash takes away. */
    if (!iam_commit(&iam))
        return false;
    assert(parts.secret.size > sizeof(secret)); /* sealed */
    show_user(call, shown, user);
    tree_set_string(call->arena, shown, "AccessKeyId", parts.id);
    tree_set_text(call->arena, shown, "Status", "Active");
    tree_set_string(call->arena, shown, "SecretAccessKey", bytes_of(secret, sizeof(secret)));
    tree_set_time(call->arena, shown, "CreateDate", parts.created_us);
    keys_wipe(secret, sizeof(secret));
    return true;
}

/* Never a secret: nobody is told it a second time. */
bool iam_list_keys(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct tree *shown = tree_member(call->arena, call->output, "AccessKeyMetadata");
    const struct identity *user;
    struct identity_list all;
    struct iam_page page;

    if (!iam_look(&iam, call) || !iam_find_user(&iam, &user) || !iam_page_begin(&page, call, scope_of(user)))
        return false;
    all = identities_in(iam.set, IDENTITY_ACCESS_KEY, scope_of(user));
    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *key = all.items[i];
        int taken = iam_page_take(&page, key->is.id, key->is.id.size);
        struct tree *item;

        if (taken < 0)
            break;
        if (!taken)
            continue;
        item = tree_append(call->arena, shown);
        show_user(call, item, user);
        tree_set_string(call->arena, item, "AccessKeyId", key->is.id);
        tree_set_text(call->arena, item, "Status", status_of(key));
        tree_set_time(call->arena, item, "CreateDate", key->is.created_us);
    }
    return iam_page_end(&page, call);
}

/* Of a key or a credential; found NULL: the fault is set. Its secret or password stays as it is, for when it is active again. */
static bool change_status(struct iam *iam, const struct identity *found)
{
    struct identity_parts parts;

    assert(iam->changes);
    if (!found)
        return false;
    parts = found->is;
    if (!read_status(iam->call, &parts.is_on))
        return false;
    parts.changed_us = iam->change.now_us;
    identity_put(&iam->change, &parts);
    return iam_commit(iam);
}

/* For ever. found NULL: the fault is set. */
static bool drop(struct iam *iam, const struct identity *found)
{
    assert(iam->changes);
    if (!found)
        return false;
    identity_drop(&iam->change, found);
    return iam_commit(iam);
}

/* An inactive key can be made active again. */
bool iam_update_key(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;

    return iam_begin(&iam, call) &&
           change_status(&iam, find_key(&iam, IDENTITY_ACCESS_KEY, "AccessKeyId", "Access Key", &user));
}

/* Its secret goes with its row. */
bool iam_delete_key(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;

    return iam_begin(&iam, call) && drop(&iam, find_key(&iam, IDENTITY_ACCESS_KEY, "AccessKeyId", "Access Key", &user));
}

/* Nothing is noted of uses yet: as AWS answers for a key that was not used since it notes them. */
bool iam_get_key_last_used(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct bytes id = tree_string(call->input, "AccessKeyId");
    struct tree *shown = tree_member(call->arena, call->output, "AccessKeyLastUsed");
    const struct identity *key;

    if (!iam_look(&iam, call))
        return false;
    key = identities_by_id(iam.set, id);
    if (!key || key->is.at.kind != IDENTITY_ACCESS_KEY)
        return iam_fail(call, "NoSuchEntityException", "The Access Key with id %.*s cannot be found.", BYTES(id));
    if (key->is.at.scope.size)
        show_user(call, call->output, identities_by_id(iam.set, key->is.at.scope));
    tree_set_text(call->arena, shown, "ServiceName", "N/A");
    tree_set_text(call->arena, shown, "Region", "N/A");
    return true;
}

/* ---- passwords of a service ----
 *
 * For programs that know a user and a password, and nothing of signatures: what a driver sends by PLAIN. The user's name in them has the
 * account in it, as a connection of CQL has nothing else that could say it. */

/* The one service here that takes a name and a password. */
static bool check_service(struct api_call *call)
{
    struct bytes service = tree_string(call->input, "ServiceName");

    return !service.data || bytes_is(service, SERVICE) ||
           iam_fail(call, "ServiceNotSupportedException",
                    "No such service %.*s is supported for Service Specific Credentials", BYTES(service));
}

/* "alice-at-123456789012", the second "alice+1-at-123456789012": whatever name the user has later. */
static struct bytes make_alias(const struct iam *iam, const struct identity *user)
{
    const struct api_call *call = iam->call;
    const char *alias = arena_printf(call->arena, "%.*s-at-%.*s", BYTES(user->is.name), BYTES(call->caller.account));

    assert(user->is.at.kind == IDENTITY_USER);
    for (uint32_t i = 1; identities_by_id(iam->set, bytes_of_string(alias)); i++)
        alias = arena_printf(call->arena, "%.*s+%u-at-%.*s", BYTES(user->is.name), i, BYTES(call->caller.account));
    return bytes_of_string(alias);
}

/* All but the password. */
static void show_credential(struct api_call *call, struct tree *to, const struct identity *user,
                            const struct identity_parts *is)
{
    assert(user && is->alias.size);
    show_user(call, to, user);
    tree_set_text(call->arena, to, "Status", is->is_on ? "Active" : "Inactive");
    tree_set_string(call->arena, to, "ServiceUserName", is->alias);
    tree_set_time(call->arena, to, "CreateDate", is->created_us);
    if (is->number)
        tree_set_time(call->arena, to, "ExpirationDate", is->number * 1000000);
    tree_set_string(call->arena, to, "ServiceSpecificCredentialId", is->id);
    tree_set_string(call->arena, to, "ServiceName", is->name);
}

/* A new password, durable before it is told. */
static bool put_password(struct iam *iam, const struct identity *user, struct identity_parts *parts)
{
    struct api_call *call = iam->call;
    struct tree *shown = tree_member(call->arena, call->output, "ServiceSpecificCredential");
    char password[IDS_PASSWORD_BYTES];
    uint8_t mac[KEYS_MAC_BYTES];

    assert(user && parts->id.size);
    ids_make_password(password);
    secrets_mac(control_of(call)->keys, parts->id, bytes_of(password, sizeof(password)), mac);
    parts->secret = bytes_of(mac, sizeof(mac));
    parts->changed_us = iam->change.now_us;
    identity_put(&iam->change, parts);
    if (!iam_commit(iam))
        return false;
    show_credential(call, shown, user, parts);
    tree_set_string(call->arena, shown, "ServicePassword", bytes_of(password, sizeof(password)));
    keys_wipe(password, sizeof(password));
    return true;
}

/* By AWS's model a credential may expire; without an age it never does. */
bool iam_create_credential(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    int64_t days = tree_integer(call->input, "CredentialAgeDays", 0);
    char id[IDS_BYTES];
    struct identity_parts parts = { .id = bytes_of(id, sizeof(id)), .name = BYTES_LITERAL(SERVICE), .is_on = true };
    const struct identity *user;

    if (!check_service(call) || !iam_begin(&iam, call) || !(user = iam_subject(&iam, &iam_user)) ||
        !iam_check_quota(call, "ServiceSpecificCredentialsPerUser",
                         identities_in(iam.set, IDENTITY_CREDENTIAL, user->is.id).count, IAM_CREDENTIALS_MAX))
        return false;
    ids_make(IDENTITY_CREDENTIAL, id);
    parts.at = (struct identity_place){ IDENTITY_CREDENTIAL, user->is.id, parts.id };
    parts.alias = make_alias(&iam, user);
    parts.created_us = iam.change.now_us;
    parts.number = days ? iam.change.now_us / 1000000 + days * DAY_S : 0;
    return put_password(&iam, user, &parts);
}

/* Positions are ids, whosever they are: behind the user's, so that those of all users are in one order. AWS lists all of an account's
 * for who looks after it. */
bool iam_list_credentials(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    struct tree *shown = tree_member(call->arena, call->output, "ServiceSpecificCredentials");
    bool of_all = tree_boolean(call->input, "AllUsers", false);
    const struct identity *user = NULL;
    struct identity_list all;
    struct iam_page page;

    if (!check_service(call) || !iam_look(&iam, call) || (!of_all && !iam_find_user(&iam, &user)) ||
        !iam_page_begin(&page, call, of_all ? BYTES_LITERAL("all") : scope_of(user)))
        return false;
    all = of_all ? identities_of(iam.set, IDENTITY_CREDENTIAL)
                 : identities_in(iam.set, IDENTITY_CREDENTIAL, scope_of(user));
    for (uint32_t i = 0; i < all.count; i++) {
        const struct identity *found = all.items[i];
        const char *position = arena_printf(call->arena, "%.*s%.*s", BYTES(found->is.at.scope), BYTES(found->is.id));
        int taken = iam_page_take(&page, bytes_of_string(position), found->is.alias.size);

        if (taken < 0)
            break;
        if (taken)
            show_credential(call, tree_append(call->arena, shown), identities_by_id(iam.set, found->is.at.scope),
                            &found->is);
    }
    return iam_page_end(&page, call);
}

/* As keys are found: by owner and id, so nobody reaches another user's. */
static const struct identity *find_credential(const struct iam *iam, const struct identity **user)
{
    return find_key(iam, IDENTITY_CREDENTIAL, "ServiceSpecificCredentialId", "Service Specific Credential", user);
}

/* The old password is none from then on; name and id stay. */
bool iam_reset_credential(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user, *found;
    struct identity_parts parts;

    if (!iam_begin(&iam, call) || !(found = find_credential(&iam, &user)))
        return false;
    parts = found->is;
    return put_password(&iam, user, &parts);
}

bool iam_update_credential(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;

    return iam_begin(&iam, call) && change_status(&iam, find_credential(&iam, &user));
}

/* Its user name is free again for the next one. */
bool iam_delete_credential(struct api_call *call)
{
    CLEANUP(iam_end) struct iam iam = { 0 };
    const struct identity *user;

    return iam_begin(&iam, call) && drop(&iam, find_credential(&iam, &user));
}
