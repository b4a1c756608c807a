/* Each group of policies is looked through on its own: does it deny, does it allow? The decision
 * is then made of the groups' answers. A group that denies is enough, so only who wants to know
 * all has the rest looked at.
 *
 * Nothing is allocated and nothing recurses: what the policies can be long is bounded where they
 * are made, what a request can be long by context.h, and what is in between lies on the stack. */
#include "iam/decide.h"

#include <assert.h>

/* How far an Allow of a resource's policy goes, by how it names the caller. */
enum grant {
    GRANT_NONE,
    GRANT_ACCOUNT, /* the account: its own policies say the rest */
    GRANT_BASE,    /* what a session is of, a role or a user: boundary and session policies limit it */
    GRANT_DIRECT,  /* the caller itself */
};

/* What a group says. */
struct verdict {
    bool denies, allows;
    uint32_t deny_policy, deny_statement, allow_policy, allow_statement; /* the first of each */
    enum grant grant;                                                    /* of a resource's policy: the best */
};

struct deciding {
    const struct iam_request *request;
    struct decision_detail *detail;
    struct bytes action; /* in small letters; data NULL: too long to be an action */
    struct evaluation evaluation;
    struct verdict verdicts[IAM_POLICY_TYPES];
    bool wants_all;
    uint8_t small[IAM_ACTION_MAX];
};

/* ---- what is told ---- */

/* Each key once for each obstacle. */
static void note_missing(void *noter, struct bytes key, enum iam_obstacle obstacle)
{
    struct decision_detail *detail = noter;
    uint32_t kept = detail->missing_count < detail->missing_max ? detail->missing_count : detail->missing_max;

    /* Room is small, and keys that are missing are few: they are looked through. */
    for (uint32_t i = 0; i < kept; i++)
        if (detail->missing[i].obstacle == obstacle && iam_key_is(detail->missing[i].key, key))
            return;
    if (kept < detail->missing_max)
        detail->missing[kept] = (struct iam_missing){ key, obstacle };
    detail->missing_count++;
}

/* What no longer fits is counted all the same. */
static void note_matched(struct decision_detail *detail, struct iam_matched matched)
{
    if (detail->matched_count < detail->matched_max)
        detail->matched[detail->matched_count] = matched;
    detail->matched_count++;
}

/* ---- a statement ---- */

/* An action is never unknown: it is what the server was asked to do. */
static bool names_action(const struct deciding *deciding, const struct policy *policy,
                         const struct policy_statement *statement)
{
    bool is_named = false;

    for (uint32_t i = 0; !is_named && i < statement->actions.count; i++) {
        const struct policy_value *value = policy_value(policy, statement->actions, i);

        is_named = value->is_plain ? bytes_equal(policy_text(policy, value->text), deciding->action)
                                   : glob_matches(policy_glob(policy, value), deciding->action);
    }
    return is_named != statement->is_not_action;
}

/* Variables stand only behind the fifth colon, so a glob's parts are still its parts when it is
 * expanded. */
static enum truth resource_fits(struct deciding *deciding, const struct policy *policy,
                                const struct policy_value *value)
{
    struct bytes resource = deciding->request->resource;
    struct glob glob;
    enum truth truth;

    /* Most are: then it is one comparison. */
    if (value->is_plain)
        return truth_of(bytes_equal(policy_text(policy, value->text), resource));
    truth = condition_glob(&deciding->evaluation, policy, value, &glob);
    if (truth != TRUTH_TRUE)
        return truth;
    return truth_of(value->is_by_parts ? glob_matches_arn(glob, resource) : glob_matches(glob, resource));
}

/* A statement without the element is about the resource that has the policy. */
static enum truth names_resource(struct deciding *deciding, const struct policy *policy,
                                 const struct policy_statement *statement)
{
    enum truth truth = TRUTH_FALSE;

    if (!statement->resources.count)
        return TRUTH_TRUE;
    if (deciding->request->resource.size > IAM_TEXT_MAX)
        return TRUTH_UNKNOWN;
    for (uint32_t i = 0; i < statement->resources.count && (truth != TRUTH_TRUE || deciding->wants_all); i++)
        truth = truth_or(truth, resource_fits(deciding, policy, policy_value(policy, statement->resources, i)));
    return statement->is_not_resource ? truth_not(truth) : truth;
}

/* ---- whom a statement names ---- */

/* Those that belong to an account. */
static bool is_of_aws(enum iam_principal_kind kind)
{
    return kind == IAM_USER || kind == IAM_ROOT || kind == IAM_ROLE_SESSION || kind == IAM_FEDERATED_USER;
}

/* One value of Principal. A service's name is no ARN and an account's number is no id, so that
 * none is taken for another. */
static enum grant grant_by(const struct iam_principal *principal, enum principal_match match, struct bytes text)
{
    bool is_session = principal->kind == IAM_ROLE_SESSION || principal->kind == IAM_FEDERATED_USER;

    assert(principal->kind <= IAM_ANONYMOUS);
    switch (match) {
    case MATCH_EVERYBODY: return GRANT_DIRECT;
    case MATCH_EVERY_AWS:
        return is_of_aws(principal->kind) || principal->kind == IAM_ANONYMOUS ? GRANT_DIRECT : GRANT_NONE;
    case MATCH_ACCOUNT:
        return is_of_aws(principal->kind) && bytes_equal(principal->account, text) ? GRANT_ACCOUNT : GRANT_NONE;
    case MATCH_ARN:
        if (!is_of_aws(principal->kind))
            return GRANT_NONE;
        if (bytes_equal(principal->arn, text))
            return GRANT_DIRECT;
        return is_session && bytes_equal(principal->base_arn, text) ? GRANT_BASE : GRANT_NONE;
    case MATCH_ID:
        if (!is_of_aws(principal->kind) || !bytes_equal(principal->id, text))
            return GRANT_NONE;
        return is_session ? GRANT_BASE : GRANT_DIRECT;
    case MATCH_SERVICE:
        return principal->kind == IAM_SERVICE && bytes_equal(principal->arn, text) ? GRANT_DIRECT : GRANT_NONE;
    case MATCH_FEDERATED:
        return principal->kind == IAM_PROVIDER_USER && bytes_equal(principal->provider, text) ? GRANT_DIRECT
                                                                                              : GRANT_NONE;
    }
    __builtin_unreachable();
}

/* An account in NotPrincipal is its root alone, and a role is no session of it: those are named
 * themselves. */
static bool is_exempt(const struct iam_principal *principal, enum principal_match match, enum grant grant)
{
    return grant == GRANT_DIRECT || (grant == GRANT_ACCOUNT && match == MATCH_ACCOUNT && principal->kind == IAM_ROOT);
}

/* GRANT_NONE: the statement is not about this caller. */
static enum grant names_principal(const struct deciding *deciding, const struct policy *policy,
                                  const struct policy_statement *statement)
{
    const struct iam_principal *principal = &deciding->request->principal;
    enum grant best = GRANT_NONE;

    for (uint32_t i = 0; i < statement->principals.count; i++) {
        const struct policy_value *value = policy_value(policy, statement->principals, i);
        enum grant grant = grant_by(principal, value->principal, policy_text(policy, value->text));

        /* One that exempts is enough, whoever else is listed. */
        if (statement->is_not_principal && is_exempt(principal, value->principal, grant))
            return GRANT_NONE;
        if (grant > best)
            best = grant;
    }
    return statement->is_not_principal ? GRANT_DIRECT : best;
}

/* All of them must; the first that does not is enough, unless all missing keys are wanted. */
static enum truth conditions_hold(struct deciding *deciding, const struct policy *policy,
                                  const struct policy_statement *statement)
{
    enum truth truth = TRUTH_TRUE;

    for (uint32_t i = 0; i < statement->test_count && (truth != TRUTH_FALSE || deciding->wants_all); i++)
        truth =
            truth_and(truth, condition_holds(&deciding->evaluation, policy, &policy->tests[statement->first_test + i]));
    return truth;
}

/* Does it apply, and what does it grant then? What is not known allows nothing, and denies. */
static bool applies(struct deciding *deciding, const struct policy *policy, const struct policy_statement *statement,
                    enum grant *grant)
{
    enum truth truth;

    assert(statement->actions.count && statement->first_test + statement->test_count <= policy->test_count);
    *grant = GRANT_DIRECT;
    /* The cheapest question first: most statements are about other actions. */
    if (!bytes_is_null(deciding->action) && !names_action(deciding, policy, statement))
        return false;
    if (statement->principals.count)
        *grant = names_principal(deciding, policy, statement);
    if (*grant == GRANT_NONE)
        return false;
    truth = bytes_is_null(deciding->action) ? TRUTH_UNKNOWN : TRUTH_TRUE;
    truth = truth_and(truth, names_resource(deciding, policy, statement));
    if (truth != TRUTH_FALSE)
        truth = truth_and(truth, conditions_hold(deciding, policy, statement));
    return statement->denies ? truth != TRUTH_FALSE : truth == TRUTH_TRUE;
}

/* ---- groups ---- */

/* A deny is a deny; of those that allow one may grant more than another. */
static void count_statement(struct verdict *verdict, uint32_t policy, uint32_t statement, bool denies, enum grant grant)
{
    assert(grant != GRANT_NONE);
    if (denies && !verdict->denies) {
        verdict->denies = true;
        verdict->deny_policy = policy;
        verdict->deny_statement = statement;
    }
    /* The statement that grants most is the one that is told. */
    if (!denies && grant > verdict->grant) {
        verdict->allows = true;
        verdict->grant = grant;
        verdict->allow_policy = policy;
        verdict->allow_statement = statement;
    }
}

/* Statements that could say nothing new are passed over, unless all are asked for. */
static void look_at_policy(struct deciding *deciding, enum iam_policy_type type, uint32_t number,
                           const struct policy *policy)
{
    struct verdict *verdict = &deciding->verdicts[type];
    enum grant grant;

    for (uint32_t i = 0; i < policy->statement_count; i++) {
        const struct policy_statement *statement = &policy->statements[i];
        /* A group that denies has said all; one that allows may still grant more. */
        bool is_settled = statement->denies ? verdict->denies : verdict->grant == GRANT_DIRECT;

        if ((is_settled && !deciding->wants_all) || !applies(deciding, policy, statement, &grant))
            continue;
        count_statement(verdict, number, i, statement->denies, grant);
        if (deciding->detail)
            note_matched(deciding->detail, (struct iam_matched){ type, number, i, statement->denies });
    }
}

/* False: it is denied, and who asks wants to know no more. */
static bool look_at_group(struct deciding *deciding, enum iam_policy_type type, const struct policy_group *group)
{
    for (uint32_t i = 0; i < group->count; i++) {
        assert((type == IAM_RESOURCE_POLICY) == (group->policies[i]->kind != POLICY_IDENTITY));
        look_at_policy(deciding, type, i, group->policies[i]);
        if (deciding->verdicts[type].denies && !deciding->wants_all)
            return false;
    }
    return true;
}

/* ---- the decision ---- */

/* What is made of the groups' verdicts: a decision, and the type of policy that it is owed to. */
struct outcome {
    enum decision decision;
    enum iam_policy_type type;
};

/* Boundary and session policies limit where they are. */
static bool is_limit(const struct deciding *deciding, const struct policy_set *set, enum iam_policy_type type)
{
    /* A federated user has the permissions that were passed to him, and no others. */
    if (type == IAM_SESSION_POLICY && deciding->request->principal.kind == IAM_FEDERATED_USER)
        return true;
    return set->groups[type].is_there || set->groups[type].count;
}

/* The caller's own side: an identity policy, unless that is not asked for, and what limits it. */
static struct outcome decide_own(const struct deciding *deciding, const struct policy_set *set, bool asks_identity,
                                 enum iam_policy_type allowed_by)
{
    static const enum iam_policy_type limits[] = { IAM_BOUNDARY, IAM_SESSION_POLICY };

    /* The first that is missing is the one that is told, in the order in which IAM asks. */
    if (asks_identity && !deciding->verdicts[IAM_IDENTITY_POLICY].allows)
        return (struct outcome){ IAM_IMPLICIT_DENY, IAM_IDENTITY_POLICY };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (is_limit(deciding, set, limits[i]) && !deciding->verdicts[limits[i]].allows)
            return (struct outcome){ IAM_IMPLICIT_DENY, limits[i] };
    return (struct outcome){ IAM_ALLOWED, allowed_by };
}

/* Who does not say whose the resource is means the caller's own account. */
static bool is_in_own_account(const struct iam_request *request)
{
    return !request->resource_account.size || bytes_equal(request->resource_account, request->principal.account);
}

/* Must the resource's policy allow, whatever other policies say? */
static bool is_resource_asked(const struct deciding *deciding, const struct policy_set *set)
{
    const struct policy_group *group = &set->groups[IAM_RESOURCE_POLICY];

    return !is_of_aws(deciding->request->principal.kind) || !is_in_own_account(deciding->request) || set->is_required ||
           (group->count && group->policies[0]->kind == POLICY_TRUST);
}

/* Nothing denies. */
static struct outcome decide_allowed(const struct deciding *deciding, const struct policy_set *set)
{
    const struct iam_principal *principal = &deciding->request->principal;
    enum grant grant = deciding->verdicts[IAM_RESOURCE_POLICY].grant;

    if (grant == GRANT_NONE && is_resource_asked(deciding, set))
        return (struct outcome){ IAM_IMPLICIT_DENY, IAM_RESOURCE_POLICY };
    if (!is_of_aws(principal->kind))
        return (struct outcome){ IAM_ALLOWED, IAM_RESOURCE_POLICY };
    /* Its own account denies a root nothing: no policy can be attached to it. */
    if (principal->kind == IAM_ROOT)
        return (struct outcome){ IAM_ALLOWED, grant == GRANT_NONE ? IAM_IDENTITY_POLICY : IAM_RESOURCE_POLICY };
    /* The other account has agreed. What is granted to this caller there does not spare it its
     * own. */
    if (!is_in_own_account(deciding->request))
        return decide_own(deciding, set, true, IAM_IDENTITY_POLICY);
    /* Nothing of its own limits what is granted to the caller by name. */
    if (grant == GRANT_DIRECT)
        return (struct outcome){ IAM_ALLOWED, IAM_RESOURCE_POLICY };
    if (grant == GRANT_BASE)
        return decide_own(deciding, set, false, IAM_RESOURCE_POLICY);
    return decide_own(deciding, set, true, IAM_IDENTITY_POLICY);
}

/* Where several deny, the caller's own policies are told first. */
static struct outcome decide_all(const struct deciding *deciding, const struct policy_set *set)
{
    for (int type = 0; type < IAM_POLICY_TYPES; type++)
        if (deciding->verdicts[type].denies)
            return (struct outcome){ IAM_EXPLICIT_DENY, (enum iam_policy_type)type };
    return decide_allowed(deciding, set);
}

/* Places are looked up only for the statement that is told. */
static void tell(const struct deciding *deciding, const struct policy_set *set, struct outcome outcome)
{
    struct decision_detail *detail = deciding->detail;
    const struct verdict *verdict = &deciding->verdicts[outcome.type];
    const struct policy_group *resource = &set->groups[IAM_RESOURCE_POLICY];
    bool is_denied = outcome.decision == IAM_EXPLICIT_DENY;

    detail->decision = outcome.decision;
    detail->type = outcome.type;
    detail->is_trust = resource->count && resource->policies[0]->kind == POLICY_TRUST;
    detail->depends_on_context = deciding->evaluation.has_asked;
    for (int type = 0; type < IAM_POLICY_TYPES; type++)
        detail->is_allowed_by[type] = deciding->verdicts[type].allows && !deciding->verdicts[type].denies;
    detail->has_statement = is_denied || (outcome.decision == IAM_ALLOWED && verdict->allows);
    if (!detail->has_statement)
        return;
    assert(is_denied ? verdict->denies : verdict->allows);
    detail->policy = is_denied ? verdict->deny_policy : verdict->allow_policy;
    detail->statement = is_denied ? verdict->deny_statement : verdict->allow_statement;
    struct policy_statement_view view =
        policy_statement_at(set->groups[outcome.type].policies[detail->policy], detail->statement);
    detail->start = view.start;
    detail->end = view.end;
}

/* Names of actions are compared in small letters. */
static void set_action(struct deciding *deciding, struct bytes action)
{
    if (action.size > sizeof(deciding->small))
        return;
    for (size_t i = 0; i < action.size; i++)
        deciding->small[i] = action.data[i] >= 'A' && action.data[i] <= 'Z' ? action.data[i] | 0x20 : action.data[i];
    deciding->action = bytes_of(deciding->small, action.size);
}

/* The groups one after the other; what each says is kept until all have been heard. */
enum decision iam_decide(const struct iam_request *request, const struct policy_set *set,
                         struct decision_detail *detail)
{
    struct deciding deciding;
    struct outcome outcome;

    /* Not the whole of it: 8 KB are room for globs. */
    deciding.request = request;
    deciding.detail = detail;
    deciding.action = bytes_of(NULL, 0);
    deciding.wants_all = detail && (detail->matched_max || detail->missing_max);
    deciding.evaluation.ask = request->ask;
    deciding.evaluation.context = request->context;
    deciding.evaluation.has_asked = false;
    deciding.evaluation.noter = detail;
    deciding.evaluation.note = detail && detail->missing_max ? note_missing : NULL;
    memset(deciding.verdicts, 0, sizeof(deciding.verdicts));
    set_action(&deciding, request->action);
    /* Only the rooms are kept of what it was. */
    if (detail)
        *detail = (struct decision_detail){ .matched = detail->matched,
                                            .matched_max = detail->matched_max,
                                            .missing = detail->missing,
                                            .missing_max = detail->missing_max };
    for (int type = 0; type < IAM_POLICY_TYPES; type++)
        if (!look_at_group(&deciding, (enum iam_policy_type)type, &set->groups[type]))
            break;
    outcome = decide_all(&deciding, set);
    if (detail)
        tell(&deciding, set, outcome);
    return outcome.decision;
}

/* ---- the words ---- */

/* As AWS tells it: an explicit deny is in a policy, an implicit one is that no policy allows. */
void iam_denial_print(struct buffer *out, const struct iam_request *request, const struct decision_detail *detail)
{
    static const char *const names[] = { [IAM_IDENTITY_POLICY] = "identity-based policy",
                                         [IAM_BOUNDARY] = "permissions boundary",
                                         [IAM_SESSION_POLICY] = "session policy",
                                         [IAM_RESOURCE_POLICY] = "resource-based policy" };
    bool is_trust = detail->type == IAM_RESOURCE_POLICY && detail->is_trust;
    const char *name = is_trust ? "role trust policy" : names[detail->type];

    assert(detail->decision != IAM_ALLOWED);
    buffer_printf(out, "User: %.*s is not authorized to perform: %.*s", BYTES(request->principal.arn),
                  BYTES(request->action));
    /* AWS leaves it out where an action has no resource. */
    if (request->resource.size && !bytes_is(request->resource, "*"))
        buffer_printf(out, " on resource: %.*s", BYTES(request->resource));
    if (detail->decision == IAM_EXPLICIT_DENY)
        buffer_printf(out, " with an explicit deny in %s %s",
                      is_trust                              ? "the"
                      : detail->type == IAM_IDENTITY_POLICY ? "an"
                                                            : "a",
                      name);
    else
        buffer_printf(out, " because no %s allows the %.*s action", name, BYTES(request->action));
}
