/* One table, in the order of AWS's lists: the global ones, then those of services. A key that
 * comes to be answered somewhere gets a line here, and is then no longer named as unknown. */
#include "iam/keys.h"

#include "iam/context.h"

#include <assert.h>

/* Types are those in which AWS's documents give them; a tag's value is a text, whatever it looks
 * like. Of all of them only TagKeys has several values. */
static const struct iam_key keys[] = {
    { "aws:CurrentTime", KEY_DATE },
    { "aws:EpochTime", KEY_DATE },
    { "aws:MultiFactorAuthPresent", KEY_BOOL },
    { "aws:PrincipalAccount", KEY_STRING },
    { "aws:PrincipalArn", KEY_ARN },
    { "aws:PrincipalTag/", KEY_STRING, .is_prefix = true },
    { "aws:RequestedRegion", KEY_STRING },
    { "aws:RequestTag/", KEY_STRING, .is_prefix = true },
    { "aws:ResourceTag/", KEY_STRING, .is_prefix = true },
    { "aws:SecureTransport", KEY_BOOL },
    { "aws:SourceIp", KEY_ADDRESS },
    { "aws:SourceVpc", KEY_STRING },
    { "aws:SourceVpce", KEY_STRING },
    { "aws:TagKeys", KEY_STRING, .has_several = true },
    { "aws:userid", KEY_STRING },
    { "aws:username", KEY_STRING },
    { "aws:ViaAWSService", KEY_BOOL },
    { "kms:EncryptionContext:", KEY_STRING, .is_prefix = true },
    { "kms:ViaService", KEY_STRING },
    { "sts:ExternalId", KEY_STRING },
};

/* A prefix alone names no tag. */
const struct iam_key *iam_key_find(struct bytes name, struct bytes *rest)
{
    assert(rest);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct bytes known = bytes_of_string(keys[i].name);

        if (name.size < known.size + keys[i].is_prefix || (!keys[i].is_prefix && name.size > known.size) ||
            !iam_key_is(known, bytes_of(name.data, known.size)))
            continue;
        *rest = bytes_of(name.data + known.size, name.size - known.size);
        return &keys[i];
    }
    return NULL;
}

/* Only what is certain is told: that a key is sometimes absent is no trouble. */
const char *iam_key_trouble(const struct policy_key *key)
{
    struct bytes rest;
    const struct iam_key *known = iam_key_find(key->name, &rest);

    /* It may be AWS's own or a slip: nobody here can tell. */
    if (!known)
        return "is a condition key that has no value here";
    if (known->has_several && key->wants_one)
        return "has several values: it needs ForAllValues or ForAnyValue, and is no variable";
    return NULL;
}
