/* Any bytes as a policy and a request: kind (one byte), the document, NUL, action, NUL, resource, NUL, then keys: name, '=', value, NUL. The
 * document is refused with words, or it is a policy in bounds, whose decisions are the same however they are asked for, and which a deny
 * of everything denies. */
#include "base/arena.h"
#include "iam/decide.h"
#include "iam/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEYS_MAX = 16, LISTS = 8, POLICY_BYTES_MAX = 1 << 20 };

/* What stands before the next NUL, which is taken as well. */
static struct bytes cut(struct bytes *rest)
{
    const uint8_t *end = rest->size ? memchr(rest->data, 0, rest->size) : NULL;
    struct bytes part = bytes_of(rest->data, end ? (size_t)(end - rest->data) : rest->size);

    *rest = end ? bytes_of(end + 1, rest->size - part.size - 1) : bytes_of("", 0);
    return part;
}

struct keys {
    struct iam_entry entries[KEYS_MAX];
    struct bytes values[KEYS_MAX];
    struct iam_entries all;
};

static void read_keys(struct bytes rest, struct keys *keys)
{
    while (rest.size && keys->all.count < KEYS_MAX) {
        struct bytes name = cut(&rest);
        const uint8_t *equals = name.size ? memchr(name.data, '=', name.size) : NULL;
        uint32_t i = keys->all.count++;

        if (equals) {
            keys->values[i] = bytes_of(equals + 1, name.size - (size_t)(equals - name.data) - 1);
            name.size = (size_t)(equals - name.data);
        }
        keys->entries[i] = (struct iam_entry){ name, { &keys->values[i], equals ? 1 : 0 } };
    }
    keys->all.entries = keys->entries;
}

static struct policy *must_parse(const char *text)
{
    struct policy *policy = NULL;
    struct error err;

    if (policy_parse(bytes_of_string(text), POLICY_IDENTITY, &policy, &err))
        __builtin_trap();
    return policy;
}

static void look(const struct policy *policy)
{
    if (policy_bytes(policy) > POLICY_BYTES_MAX)
        __builtin_trap();
    for (uint32_t i = 0; i < policy_statement_count(policy); i++) {
        struct policy_statement_view view = policy_statement_at(policy, i);

        if (!view.start.line || view.end.line < view.start.line)
            __builtin_trap();
    }
    for (uint32_t i = 0; i < policy_key_count(policy); i++) {
        struct policy_key key = policy_key_at(policy, i);

        if (!key.name.size || key.statement >= policy_statement_count(policy))
            __builtin_trap();
        (void)iam_key_trouble(&key);
    }
}

static void decide(struct policy *policy, const struct iam_request *request)
{
    static struct policy *denial, *permission; /* kept where leaks are looked for */
    struct iam_missing missing[LISTS];
    struct iam_matched matched[LISTS];
    struct decision_detail detail = {
        .missing = missing, .missing_max = LISTS, .matched = matched, .matched_max = LISTS
    };
    enum iam_policy_type type = policy_kind_of(policy) == POLICY_IDENTITY ? IAM_IDENTITY_POLICY : IAM_RESOURCE_POLICY;
    struct policy_set set = { 0 };
    CLEANUP(buffer_fini) struct buffer words = { 0 };

    if (!denial) {
        denial = must_parse("{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}}");
        permission = must_parse("{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}");
    }
    set.groups[type] = (struct policy_group){ .policies = &policy, .count = 1 };
    enum decision decision = iam_decide(request, &set, NULL);
    if (iam_decide(request, &set, &detail) != decision || detail.decision != decision)
        __builtin_trap();
    if (decision != IAM_ALLOWED)
        iam_denial_print(&words, request, &detail);
    set.groups[IAM_SESSION_POLICY] = (struct policy_group){ .policies = &permission, .count = 1 };
    if (type == IAM_IDENTITY_POLICY && request->principal.kind != IAM_FEDERATED_USER &&
        request->resource.size <= IAM_TEXT_MAX && request->action.size <= IAM_ACTION_MAX &&
        iam_decide(request, &set, NULL) != decision)
        __builtin_trap();
    set.groups[IAM_SESSION_POLICY].policies = &denial;
    if (iam_decide(request, &set, NULL) != IAM_EXPLICIT_DENY)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, size), text;
    struct keys keys = { 0 };
    struct policy *policy = NULL;
    struct error err = { 0 };
    struct iam_request request = { .ask = iam_entries_ask, .context = &keys.all };

    if (!size)
        return 0;
    enum policy_kind kind = (enum policy_kind)(data[0] % 3);
    rest = bytes_of(data + 1, size - 1);
    text = cut(&rest);
    request.action = cut(&rest);
    request.resource = cut(&rest);
    request.principal = (struct iam_principal){ .kind = (enum iam_principal_kind)(data[0] / 3 % 7),
                                                .arn = BYTES_LITERAL("arn:aws:iam::111122223333:user/u"),
                                                .account = BYTES_LITERAL("111122223333") };
    read_keys(rest, &keys);
    if (policy_parse(text, kind, &policy, &err)) {
        if (policy || !err.message[0])
            __builtin_trap();
        return 0;
    }
    look(policy);
    decide(policy, &request);
    policy_unref(policy);
    return 0;
}
