/* iam/policy.h: a policy document, checked and compiled, as it is kept and shared.
 *
 * A document is IAM's JSON: Version ("2012-10-17"; without it "2008-10-17", which knows no variables), Id, Statement: one or a list of
 *
 *     Sid                        letters and digits, once in a policy; in a resource's policy any characters
 *     Effect                     Allow, Deny
 *     Action, NotAction          "cassandra:Sel*", in any case; "*"
 *     Resource, NotResource      ARNs with wildcards, and variables behind the fifth colon; "*". Not in a trust policy
 *     Principal, NotPrincipal    "*", {"AWS": account, ARN, id or "*", "Service": .., "Federated": ..}; not in an identity's policy, where
 *                                it is who has it. NotPrincipal only denies
 *     Condition                  {operator: {key: values}}: condition.h
 *
 * Values stand alone or in lists. Names of elements and operators, and Effect, are in the documents' own case; names of keys are in any.
 *
 * Shapes:  what a text may be long is POLICY_TEXT_MAX; characters are those that IAM allows: tab, line breaks, U+0020 to U+00FF, others
 *          only escaped.
 * Owns:    a policy is one piece of memory, and keeps nothing of the text. It is counted: policy_ref, policy_unref.
 * Errors:  policy_parse: ERR_INVALID, ERR_LIMIT: what AWS answers as MalformedPolicyDocument and LimitExceeded, in AWS's words where it has
 *          some, and where: "... (line 3, column 7)".
 * Thread:  never changed: any.
 */
#ifndef IAM_POLICY_H
#define IAM_POLICY_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "iam/kind.h"

struct policy;

enum status policy_parse(struct bytes text, enum policy_kind kind, struct policy **result, struct error *err);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy);
DEFINE_CLEANUP(struct policy *, policy_unref)

enum policy_kind policy_kind_of(const struct policy *policy);
/* What it takes of memory. */
size_t policy_bytes(const struct policy *policy);
uint32_t policy_statement_count(const struct policy *policy);

struct policy_statement_view {
    struct bytes sid; /* empty: none; borrowed from the policy */
    bool denies;
    struct policy_position start, end;
};

struct policy_statement_view policy_statement_at(const struct policy *policy, uint32_t index);

/* The condition keys that it asks for, one for each time, in the order of the text: what GetContextKeysForCustomPolicy lists, and what
 * keys.h says can be answered here. */
struct policy_key {
    struct bytes name; /* as it is written; borrowed */
    uint32_t statement;
    bool wants_one; /* asked for its one value: in a variable, or without ForAllValues and ForAnyValue */
};

uint32_t policy_key_count(const struct policy *policy);
struct policy_key policy_key_at(const struct policy *policy, uint32_t index);

#endif
