/* iam/keys.h: the condition keys that this server knows: what they are, and whether they have one value or several.
 *
 * A context answers IAM_UNKNOWN for all others, so that no condition on them allows anything. Who takes a policy in says so at once:
 * iam_key_trouble names what of it cannot be evaluated here.
 *
 * Shapes:  names in any case. A name that ends with '/' or ':' here has a tag's or a context's key behind it.
 * Thread:  pure.
 */
#ifndef IAM_KEYS_H
#define IAM_KEYS_H

#include "iam/policy.h"

enum iam_key_type { KEY_STRING, KEY_ARN, KEY_BOOL, KEY_NUMBER, KEY_DATE, KEY_ADDRESS };

struct iam_key {
    const char *name;
    enum iam_key_type type;
    bool has_several; /* values: it is asked for with ForAllValues or ForAnyValue */
    bool is_prefix;
};

/* NULL: it is not known. *rest is what stands behind a prefix, else empty. */
const struct iam_key *iam_key_find(struct bytes name, struct bytes *rest);

/* What is wrong with the use of a key here, in words to be put behind its name; NULL: nothing. */
const char *iam_key_trouble(const struct policy_key *key);

#endif
