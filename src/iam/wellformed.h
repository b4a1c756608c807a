/* iam/wellformed.h: is what stands in an element of a policy what may stand there? In AWS's words where it has some.
 *
 * What is not here is whether it exists: an action, a role, an account.
 *
 * Errors:  ERR_INVALID.
 * Thread:  pure.
 */
#ifndef IAM_WELLFORMED_H
#define IAM_WELLFORMED_H

#include "base/error.h"
#include "iam/compiled.h"

/* For messages: not more of a text than shows which it is. */
struct bytes wellformed_quote(struct bytes text);

/* "cassandra:Sel*" or "*". In a trust policy: an action of sts. */
enum status wellformed_action(struct bytes action, enum policy_kind kind, struct error *err);
/* An ARN, of which only what stands behind the fifth colon may have variables, or "*". */
enum status wellformed_resource(struct bytes resource, bool has_variables, struct error *err);
/* type: "AWS", "Service", "Federated". *match is whom it means, *text the part of it that is compared. */
enum status wellformed_principal(struct bytes type, struct bytes principal, enum principal_match *match,
                                 struct bytes *text, struct error *err);
/* "service:name" */
enum status wellformed_key(struct bytes key, struct error *err);
enum status wellformed_sid(struct bytes sid, enum policy_kind kind, struct error *err);

#endif
