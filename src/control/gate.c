/* Each request is decided by the identities that are in force as it comes: a key that was made inactive, a policy that was detached count from
 * the answer on that said so. */
#include "control/gate.h"

#include "base/clock.h"
#include "control/needs.h"
#include "control/state.h"
#include "identity/ids.h"
#include "identity/rights.h"
#include "identity/signing.h"
#include "schema/arn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

/* ---- whose a key is ----
 *
 * A key is found by its id alone: the account is in it, and in the account's set the key, whose scope is its user. Nothing is read from a
 * disk, so who sends keys that are none costs no more than looking through three arrays by halves. */

/* Who asks, as policies name him. A user's ARN has the path and name that he has now.
 *
 * The names lie in the arena: the set may be let go. */
static const struct iam_principal *make_principal(struct arena *arena, struct bytes account, struct bytes region,
                                                  const struct identity *user)
{
    struct iam_principal *principal = arena_new_struct(arena, struct iam_principal);
    const char *head = arena_printf(arena, "arn:%s:iam::%.*s:", arn_partition(region), BYTES(account));

    principal->account = account;
    if (!user) {
        principal->kind = IAM_ROOT;
        principal->id = account;
        principal->arn = bytes_of_string(arena_printf(arena, "%sroot", head));
        return principal;
    }
    principal->kind = IAM_USER;
    principal->id = arena_copy(arena, user->is.id);
    principal->arn =
        bytes_of_string(arena_printf(arena, "%suser%.*s%.*s", head, BYTES(user->is.path), BYTES(user->is.name)));
    return principal;
}

/* A key of a user who is there, or of the root. NULL: there is no such key, or it is not active. */
static const struct identity *find_key(const struct identities *set, struct bytes id, const struct identity **user)
{
    const struct identity *key = identities_by_id(set, id);

    if (!key || key->is.at.kind != IDENTITY_ACCESS_KEY || !key->is.is_on)
        return NULL;
    *user = key->is.at.scope.size ? identities_by_id(set, key->is.at.scope) : NULL;
    return key->is.at.scope.size && !*user ? NULL : key;
}

/* The region becomes a part of resources' names, and policies are about names: whoever could choose it would choose what is
 * not denied. IAM and STS are of all regions, and signed for the first. */
static bool is_served_region(const struct control *control, const struct sigv4 *signed_by)
{
    bool is_global = bytes_is(signed_by->service, "iam") || bytes_is(signed_by->service, "sts");

    return bytes_is(signed_by->region, control->region) || (is_global && bytes_is(signed_by->region, "us-east-1"));
}

/* Sessions are not built yet, so no token is one. */
static enum gate_answer find(void *context, struct arena *arena, const struct sigv4 *signed_by,
                             struct api_caller *caller, uint8_t key[SIGV4_KEY_BYTES])
{
    struct control *control = context;
    CLEANUP(identities_unref) struct identities *set = NULL;
    const struct identity *found, *user = NULL;
    char digits[ACCOUNT_DIGITS + 1];
    struct bytes account;
    struct error err;

    if (!is_served_region(control, signed_by))
        return GATE_REGION;
    /* Told apart from a key that is none only by the name of the answer. */
    if (signed_by->session_token.data)
        return GATE_TOKEN_WRONG;
    if (!ids_account_of_key(signed_by->access_key, digits))
        return GATE_NO_KEY;
    account = arena_copy(arena, bytes_of_string(digits));
    /* Of an account that has nothing the set is empty. */
    set = identity_set(control->identities, account);
    found = find_key(set, signed_by->access_key, &user);
    if (!found)
        return GATE_NO_KEY;
    if (signing_key(control->signing, account, found, signed_by, key, &err))
        return GATE_BROKEN;
    caller->account = account;
    caller->principal = make_principal(arena, account, signed_by->region, user);
    return GATE_OPEN;
}

/* The space's clock, by which rows expire, too. */
static int64_t now_s(void *context)
{
    const struct control *control = context;

    return clock_realtime_us(control->clock) / 1000000;
}

/* ---- what conditions ask for ----
 *
 * Nothing is prepared: most policies ask for none of these, and a few cost something to make. What a request has is told as it is, what
 * it has not as absent, and what this server cannot know as unknown, by which nobody is let in. */

struct asked {
    const struct api_call *call;
    const struct http_request *request;
    const struct identity *user; /* NULL: the root */
    int64_t now_us;
};

/* The one value is kept in the arena. */
static enum iam_answer tell(const struct asked *asked, struct bytes value, struct iam_values *values)
{
    struct bytes *kept = arena_new_array(asked->call->arena, struct bytes, 1);

    *kept = value;
    *values = (struct iam_values){ kept, 1 };
    return IAM_PRESENT;
}

/* A text that outlives the decision. */
static enum iam_answer tell_text(const struct asked *asked, const char *value, struct iam_values *values)
{
    return tell(asked, bytes_of_string(value), values);
}

/* To the second, in either form that conditions read. */
static enum iam_answer tell_time(const struct asked *asked, bool is_epoch, struct iam_values *values)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    if (is_epoch)
        return tell_text(asked, arena_printf(asked->call->arena, "%lld", (long long)(asked->now_us / 1000000)), values);
    time_write_iso8601(&text, asked->now_us / 1000000 * 1000000);
    return tell(asked, arena_copy(asked->call->arena, buffer_bytes(&text)), values);
}

/* Who has no address that can be written is unknown: a condition on it then lets nobody in. */
static enum iam_answer tell_address(const struct asked *asked, struct iam_values *values)
{
    const struct sockaddr *peer = asked->request->peer;
    char *text = arena_alloc(asked->call->arena, INET6_ADDRSTRLEN);
    const void *address = NULL;

    if (peer && peer->sa_family == AF_INET)
        address = &((const struct sockaddr_in *)(const void *)peer)->sin_addr;
    if (peer && peer->sa_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    if (!address || !inet_ntop(peer->sa_family, address, text, INET6_ADDRSTRLEN))
        return IAM_UNKNOWN;
    return tell_text(asked, text, values);
}

/* Of IAM's handlers, and of keyspaces': they name members by another case. */
static const struct tree *tags_of(const struct asked *asked)
{
    const struct shape *input = asked->call->input->shape;

    if (shape_member_find(input, BYTES_LITERAL("Tags")))
        return tree_get(asked->call->input, "Tags");
    return shape_member_find(input, BYTES_LITERAL("tags")) ? tree_get(asked->call->input, "tags") : NULL;
}

/* AWS's services write it one way or the other. */
static struct bytes tag_part(const struct tree *tag, const char *small, const char *large)
{
    return tree_string(tag, shape_member_find(tag->shape, bytes_of_string(small)) ? small : large);
}

/* aws:RequestTag/NAME. Tags that are a map are the tagging API's. Cassandra's differ in case alone, where this key does not: then nobody can
 * say which of them is meant. */
static enum iam_answer tell_request_tag(const struct asked *asked, struct bytes name, struct iam_values *values)
{
    const struct tree *tags = tags_of(asked);
    struct bytes told = { NULL, 0 };
    bool is_told = false;

    for (uint32_t i = 0; tags && i < tags->count; i++) {
        bool is_map = tags->shape->kind == SHAPE_MAP;
        const struct tree *tag = tags->entries[i].value;

        struct bytes value = is_map ? tag->bytes : tag_part(tag, "value", "Value");

        if (!iam_key_is(is_map ? tags->entries[i].key : tag_part(tag, "key", "Key"), name))
            continue;
        if (is_told && !bytes_equal(told, value))
            return IAM_UNKNOWN;
        told = value;
        is_told = true;
    }
    return is_told ? tell(asked, told, values) : IAM_ABSENT;
}

/* aws:PrincipalTag/NAME */
static enum iam_answer tell_principal_tag(const struct asked *asked, struct bytes name, struct iam_values *values)
{
    for (uint32_t i = 0; asked->user && i < asked->user->is.tag_count; i++)
        if (iam_key_is(asked->user->is.tags[i].name, name))
            return tell(asked, asked->user->is.tags[i].value, values);
    return IAM_ABSENT;
}

/* Is it one of a family, as aws:RequestTag/NAME? Then what is behind is left. */
static bool takes(struct bytes *key, const char *prefix)
{
    size_t size = strlen(prefix);

    if (key->size < size || !iam_key_is(bytes_of(key->data, size), bytes_of_string(prefix)))
        return false;
    *key = bytes_of(key->data + size, key->size - size);
    return true;
}

/* Keys are the same in any case. */
static bool is(struct bytes key, const char *name)
{
    return iam_key_is(key, bytes_of_string(name));
}

/* What is not here nobody can say: see iam/context.h. Keys are long-term, so nobody was asked for a second factor. */
static enum iam_answer ask(void *context, struct bytes key, struct iam_values *values)
{
    const struct asked *asked = context;
    const struct api_caller *caller = &asked->call->caller;

    if (takes(&key, "aws:PrincipalTag/"))
        return tell_principal_tag(asked, key, values);
    if (takes(&key, "aws:RequestTag/"))
        return tell_request_tag(asked, key, values);
    if (is(key, "aws:CurrentTime") || is(key, "aws:EpochTime"))
        return tell_time(asked, is(key, "aws:EpochTime"), values);
    if (is(key, "aws:PrincipalArn"))
        return tell(asked, caller->principal->arn, values);
    if (is(key, "aws:PrincipalAccount"))
        return tell(asked, caller->account, values);
    if (is(key, "aws:userid"))
        return tell(asked, caller->principal->id, values);
    if (is(key, "aws:username"))
        return asked->user ? tell(asked, asked->user->is.name, values) : IAM_ABSENT;
    if (is(key, "aws:RequestedRegion"))
        return tell(asked, caller->region, values);
    if (is(key, "aws:SourceIp"))
        return tell_address(asked, values);
    if (is(key, "aws:ViaAWSService"))
        return tell_text(asked, "false", values);
    if (is(key, "aws:MultiFactorAuthPresent") || is(key, "aws:SourceVpc") || is(key, "aws:SourceVpce"))
        return IAM_ABSENT;
    return IAM_UNKNOWN;
}

/* ---- may he? ----
 *
 * An operation may need several actions, and each is decided by itself: the first that is refused is told. */

/* NULL: yes. */
static const char *refuse_need(struct asked *asked, const struct rights *rights, const struct need *need)
{
    const struct iam_request request = { .action = need->action,
                                         .resource = need->resource,
                                         .principal = *asked->call->caller.principal,
                                         .ask = ask,
                                         .context = asked };
    CLEANUP(buffer_fini) struct buffer why = { 0 };
    struct decision_detail detail = { 0 };

    if (iam_decide(&request, &rights->policies, &detail) == IAM_ALLOWED && !rights->is_broken)
        return NULL;
    if (rights->is_broken)
        return "One of the policies that are about the caller is not understood by this server: it may nothing until it is written anew";
    iam_denial_print(&why, &request, &detail);
    return arena_string(asked->call->arena, buffer_bytes(&why));
}

/* The user may be gone since the key was looked up: then he may nothing. */
static const char *refuse(void *context, const struct api_call *call, const struct http_request *request)
{
    struct control *control = context;
    const struct iam_principal *principal = call->caller.principal;
    CLEANUP(identities_unref) struct identities *set = identity_set(control->identities, call->caller.account);
    struct asked asked = { .call = call, .request = request, .now_us = clock_realtime_us(control->clock) };
    struct rights rights = { 0 };
    const struct need *needs;
    const char *why = NULL;
    uint32_t count;

    assert(principal);
    if (principal->kind == IAM_USER) {
        asked.user = identities_by_id(set, principal->id);
        if (!asked.user)
            return "The user who signed the request was deleted";
        rights_of_user(call->arena, set, identity_managed(control->identities), asked.user, &rights);
    }
    /* The root is asked like everybody: that he needs no policy is the decision's to know. */
    needs = needs_of(call, &count);
    for (uint32_t i = 0; i < count && !why; i++)
        why = refuse_need(&asked, &rights, &needs[i]);
    return why;
}

const struct api_gate control_gate = { .find = find, .refuse = refuse, .now_s = now_s };
