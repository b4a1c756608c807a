/* iam/decide.h: may this caller do that to this? One function, which looks at all policies that are about it.
 *
 * As IAM decides: whatever a statement denies is denied. Else it must be allowed
 *
 *     by the resource's policy, if there is one and it names the caller itself: a user, a role's session, a federated user or everybody;
 *     or by it and boundary and session policy, if it names the role or user that the session is of;
 *     or by an identity policy, the boundary and a session policy, each where there is one.
 *
 * A resource's policy that names the account leaves it to the account's own policies. Across accounts both sides must allow. A trust
 * policy must allow in any case, so must a resource's policy that says so (is_required: a key of KMS). A service, an identity provider's user
 * and an anonymous caller have no policies of their own. The root of an account needs none.
 *
 * NotPrincipal exempts whom it names itself, a role's session by its own ARN: a role or an account in it exempts no session or user.
 *
 * What cannot be evaluated (context.h, condition.h) makes a statement allow nothing; a statement that denies applies then. The detail names
 * the keys.
 *
 * Shapes:  names of actions are in any case; of resources, principals and values the case counts. A resource is compared as IAM's documents
 *          say: '*' and '?' stand within a part of an ARN, only a '*' at its end may reach over the colon; behind the fifth colon all is one part.
 * Owns:    nothing is allocated; some 40 KB of stack at most. What the detail points to is of the policies and of the request.
 * Cost:    in proportion to the policies' values and the texts they are compared with; glob.h says how a pattern is matched.
 * Order:   of policies, statements and values changes neither the decision nor whose it is; of several statements that say the same the
 *          first is told.
 * Thread:  pure.
 */
#ifndef IAM_DECIDE_H
#define IAM_DECIDE_H

#include "base/buffer.h"
#include "iam/condition.h"
#include "iam/context.h"
#include "iam/policy.h"

enum iam_principal_kind {
    IAM_USER,
    IAM_ROOT,         /* of an account */
    IAM_ROLE_SESSION, /* who assumed a role */
    IAM_FEDERATED_USER,
    IAM_SERVICE,
    IAM_PROVIDER_USER, /* comes with a token of an identity provider, to assume a role */
    IAM_ANONYMOUS
};

/* Who asks. What a kind does not have is empty. */
struct iam_principal {
    enum iam_principal_kind kind;
    struct bytes arn;      /* of the user, the account's root, the session; a service's name */
    struct bytes base_arn; /* of a role's session: the role; of a federated user: the user who asked for it */
    struct bytes id;       /* AIDA.., AROA..: of the user, the role */
    struct bytes account;  /* 12 digits */
    struct bytes provider; /* of an identity provider's user: ARN or domain */
};

struct iam_request {
    struct bytes action;           /* "cassandra:Select" */
    struct bytes resource;         /* ARN; "*": the action has none */
    struct bytes resource_account; /* whose it is; empty: the caller's */
    struct iam_principal principal;
    iam_ask_fn *ask; /* of condition keys; NULL: there are none */
    void *context;
};

/* The policies that are about a request, by their type. */
enum iam_policy_type { IAM_IDENTITY_POLICY, IAM_BOUNDARY, IAM_SESSION_POLICY, IAM_RESOURCE_POLICY, IAM_POLICY_TYPES };

struct policy_group {
    struct policy *const *policies; /* borrowed */
    uint32_t count;
    bool is_there; /* of boundary and session policies: one without policies allows nothing */
};

/* Identity policies are the user's, his groups', the role's: inline or managed. The boundary is one policy; session policies are those that were
 * passed, as one. A resource's policy is one, of POLICY_RESOURCE or POLICY_TRUST; the rest are of POLICY_IDENTITY. */
struct policy_set {
    struct policy_group groups[IAM_POLICY_TYPES];
    bool is_required; /* the resource's policy must allow, as a trust policy must */
};

enum decision { IAM_ALLOWED, IAM_IMPLICIT_DENY, IAM_EXPLICIT_DENY };

/* A statement of a policy of the set. */
struct iam_matched {
    enum iam_policy_type type;
    uint32_t policy, statement;
    bool denies;
};

struct iam_missing {
    struct bytes key; /* as the policy has it */
    enum iam_obstacle obstacle;
};

/* Why it is so. The caller gives room for the two lists, or none; a list that is longer than its room is cut, and counted whole. With room
 * for either all statements are looked at, as a simulation wants it. */
struct decision_detail {
    struct iam_matched *matched; /* room of the caller's: each statement that applies */
    uint32_t matched_max;
    struct iam_missing *missing; /* room of the caller's: keys of statements for this action and resource, each once */
    uint32_t missing_max;

    enum decision decision;
    enum iam_policy_type
        type; /* allowed, explicit deny: of the policy that says so; implicit deny: that should have allowed */
    uint32_t policy, statement;           /* allowed, explicit deny: which */
    struct policy_position start, end;    /* allowed, explicit deny: where it stands */
    bool has_statement;                   /* false: nothing says so (implicit deny, the root) */
    bool is_allowed_by[IAM_POLICY_TYPES]; /* by one of the group, and not denied there; of groups that were looked at */
    bool is_trust;                        /* the resource's policy is a trust policy */
    bool depends_on_context;              /* a key was asked for; else it holds until a policy changes */
    uint32_t matched_count, missing_count;
};

/* detail may be NULL; else its rooms are set, and the rest need not be. */
enum decision iam_decide(const struct iam_request *request, const struct policy_set *set,
                         struct decision_detail *detail);

/* "User: ARN is not authorized to perform: ACTION on resource: ARN because no identity-based policy allows the ACTION action", of a decision
 * that is none to allow. */
void iam_denial_print(struct buffer *out, const struct iam_request *request, const struct decision_detail *detail);

#endif
