/* What IAM refuses when a policy is put, element by element. Its own checks differ from element
 * to element, and so do its words; both are followed as far as they are known. Clients look at
 * some of them: Terraform tries again for minutes if it reads "Invalid principal in policy". */
#include "iam/wellformed.h"

#include "base/account_digits.h"
#include "types/text.h"

#include <ctype.h>

enum { QUOTE_MAX = 200, ARN_PARTS = 6, ID_MIN = 16, ID_MAX = 128 };

/* Never in the middle of a character: a message is UTF-8. */
struct bytes wellformed_quote(struct bytes text)
{
    return text_cut(text, QUOTE_MAX);
}

/* '${*}' is one here as well: where no wildcard may stand, no variable may either. */
static bool has_wildcard(struct bytes text)
{
    return text.size && (memchr(text.data, '*', text.size) || memchr(text.data, '?', text.size));
}

/* An empty text has none, whatever its address. */
static bool has_char(struct bytes text, char c)
{
    return text.size && memchr(text.data, c, text.size);
}

/* Letters, digits, '-' and '.': what services are called. */
static bool is_name(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum(text.data[i]) && text.data[i] != '-' && text.data[i] != '.')
            return false;
    return text.size > 0;
}

/* AWS's own. Another one is a slip, or somebody else's cloud. */
static bool is_partition(struct bytes text)
{
    static const char *const partitions[] = { "aws",       "aws-cn",    "aws-us-gov", "aws-iso",
                                              "aws-iso-b", "aws-iso-e", "aws-iso-f",  "aws-eusc" };

    for (size_t i = 0; i < ARRAY_SIZE(partitions); i++)
        if (bytes_is(text, partitions[i]))
            return true;
    return false;
}

/* The part before the next colon, which is taken as well; colons within a variable are the
 * variable's. False: there is none. */
static bool take_part(struct bytes *text, bool has_variables, struct bytes *part)
{
    for (size_t i = 0; i < text->size; i++) {
        if (has_variables && text->data[i] == '$' && i + 1 < text->size && text->data[i + 1] == '{') {
            const uint8_t *end = memchr(text->data + i, '}', text->size - i);

            i = end ? (size_t)(end - text->data) : text->size;
        } else if (text->data[i] == ':') {
            *part = bytes_of(text->data, i);
            *text = bytes_of(text->data + i + 1, text->size - i - 1);
            return true;
        }
    }
    return false;
}

/* Its parts, the last one with all colons that are left; how many. */
static int split_arn(struct bytes text, bool has_variables, struct bytes parts[ARN_PARTS])
{
    int count = 0;

    assert(text.data || !text.size);
    memset(parts, 0, ARN_PARTS * sizeof(*parts));
    while (count < ARN_PARTS - 1 && take_part(&text, has_variables, &parts[count]))
        count++;
    parts[count] = text;
    return count + 1;
}

/* ---- actions ---- */

/* A wildcard may stand in the name, or be all of the service. */
enum status wellformed_action(struct bytes action, enum policy_kind kind, struct error *err)
{
    const uint8_t *colon = action.size ? memchr(action.data, ':', action.size) : NULL;
    struct bytes vendor = bytes_of(action.data, colon ? (size_t)(colon - action.data) : action.size);

    /* A trust policy is about assuming the role, which is sts's; not even "*" may stand there. */
    if (kind == POLICY_TRUST && !bytes_is_ignoring_case(vendor, "sts"))
        return error_set(err, ERR_INVALID, "AssumeRole policy may only specify STS AssumeRole actions.");
    if (bytes_is(action, "*"))
        return OK;
    if (!colon)
        return error_set(err, ERR_INVALID,
                         "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    if (has_char(bytes_of(colon + 1, action.size - vendor.size - 1), ':'))
        return error_set(err, ERR_INVALID, "Actions/Condition can contain only one colon.");
    if (!bytes_is(vendor, "*") && !is_name(vendor))
        return error_set(err, ERR_INVALID, "Vendor %.*s is not valid", BYTES(wellformed_quote(vendor)));
    return OK;
}

/* ---- resources ---- */

/* IAM knows its own resources best: names without a type in front are a frequent slip. */
static enum status check_iam_resource(struct bytes resource, const struct bytes parts[ARN_PARTS], struct error *err)
{
    static const char *const types[] = { "user/",
                                         "federated-user/",
                                         "role/",
                                         "group/",
                                         "instance-profile/",
                                         "mfa/",
                                         "server-certificate/",
                                         "policy/",
                                         "sms-mfa/",
                                         "saml-provider/",
                                         "oidc-provider/",
                                         "report/",
                                         "access-report/" };

    if (parts[3].size)
        return error_set(err, ERR_INVALID, "IAM resource %.*s cannot contain region information.",
                         BYTES(wellformed_quote(resource)));
    /* All of an account's resources. */
    if (bytes_is(parts[5], "*"))
        return OK;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (bytes_starts_with(parts[5], bytes_of_string(types[i])))
            return OK;
    return error_set(err, ERR_INVALID,
                     "IAM resource path must either be \"*\" or start with user/, federated-user/, role/, group/, "
                     "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
                     "report/, access-report/.");
}

/* "arn:aws:s3::bucket" has a colon too few, and would be about nothing. */
static bool has_empty_part(const struct bytes *parts, int count)
{
    for (int i = 0; i < count; i++)
        if (!parts[i].size)
            return true;
    return false;
}

/* In the order in which AWS finds fault. */
enum status wellformed_resource(struct bytes resource, bool has_variables, struct error *err)
{
    struct bytes parts[ARN_PARTS], quote = wellformed_quote(resource);
    int count = split_arn(resource, has_variables, parts);

    if (bytes_is(resource, "*"))
        return OK;
    if (!bytes_is(parts[0], "arn") || count < 2)
        return error_set(err, ERR_INVALID, "Resource %.*s must be in ARN format or \"*\".", BYTES(quote));
    if (!bytes_is(parts[1], "*") && !is_partition(parts[1]))
        return error_set(err, ERR_INVALID, "Partition \"%.*s\" is not valid for resource \"%.*s\".",
                         BYTES(wellformed_quote(parts[1])), BYTES(quote));
    /* IAM looks statements up by service, so it must be said. */
    if (count < 3 || has_wildcard(parts[2]))
        return error_set(err, ERR_INVALID, "Resource vendor must be fully qualified and cannot contain regexes.");
    for (int i = 2; has_variables && i < count && i < ARN_PARTS - 1; i++)
        if (has_char(parts[i], '$'))
            return error_set(err, ERR_INVALID, "Resource %.*s has a variable before its fifth colon.", BYTES(quote));
    /* What is short is taken, "arn:aws:cassandra:*", but not with a hole in it. */
    if (!parts[2].size || (count < ARN_PARTS && has_empty_part(parts, count - 1)))
        return error_set(err, ERR_INVALID, "The policy failed legacy parsing: %.*s is no ARN", BYTES(quote));
    if (bytes_is(parts[2], "iam"))
        return check_iam_resource(resource, parts, err);
    return OK;
}

/* ---- principals ---- */

/* A type alone names nobody. */
static bool starts_and_goes_on(struct bytes text, const char *prefix)
{
    struct bytes wanted = bytes_of_string(prefix);

    return bytes_starts_with(text, wanted) && text.size > wanted.size;
}

/* Of a user, a role, a role's session, a federated user. An account's root is the account. */
static bool read_principal_arn(struct bytes arn, enum principal_match *match, struct bytes *text)
{
    struct bytes parts[ARN_PARTS];

    if (split_arn(arn, false, parts) < ARN_PARTS || has_wildcard(arn) || !bytes_is(parts[0], "arn") ||
        !is_partition(parts[1]) || parts[3].size || !account_is_digits(parts[4]))
        return false;
    *match = MATCH_ARN;
    *text = arn;
    if (bytes_is(parts[2], "sts"))
        return starts_and_goes_on(parts[5], "assumed-role/") || starts_and_goes_on(parts[5], "federated-user/");
    if (!bytes_is(parts[2], "iam"))
        return false;
    /* It stands for all of the account, as its number does. */
    if (bytes_is(parts[5], "root")) {
        *match = MATCH_ACCOUNT;
        *text = parts[4];
        return true;
    }
    return starts_and_goes_on(parts[5], "user/") || starts_and_goes_on(parts[5], "role/");
}

/* AIDA.., AROA..: what IAM makes of an ARN whose user or role is gone. */
static bool is_unique_id(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isupper(text.data[i]) && !isdigit(text.data[i]))
            return false;
    return text.size >= ID_MIN && text.size <= ID_MAX;
}

/* Four forms; only an ARN has a colon. */
static bool read_aws(struct bytes principal, enum principal_match *match, struct bytes *text)
{
    *text = principal;
    *match = bytes_is(principal, "*") ? MATCH_EVERY_AWS : account_is_digits(principal) ? MATCH_ACCOUNT : MATCH_ID;
    return *match != MATCH_ID || is_unique_id(principal) || read_principal_arn(principal, match, text);
}

/* SAML and OpenID Connect, by ARN, or a provider by its domain. */
static bool is_provider(struct bytes principal)
{
    struct bytes parts[ARN_PARTS];

    if (has_wildcard(principal))
        return false;
    if (!bytes_starts_with(principal, BYTES_LITERAL("arn:")))
        return is_name(principal) && has_char(principal, '.');
    return split_arn(principal, false, parts) == ARN_PARTS && is_partition(parts[1]) && bytes_is(parts[2], "iam") &&
           account_is_digits(parts[4]) &&
           (starts_and_goes_on(parts[5], "saml-provider/") || starts_and_goes_on(parts[5], "oidc-provider/"));
}

/* AWS writes kinds in capitals when it complains. */
enum status wellformed_principal(struct bytes type, struct bytes principal, enum principal_match *match,
                                 struct bytes *text, struct error *err)
{
    const char *shown;
    bool is_well;

    assert(match && text && err);
    *text = principal;
    if (bytes_is(type, "AWS")) {
        shown = "AWS";
        is_well = read_aws(principal, match, text);
    } else if (bytes_is(type, "Service")) {
        shown = "SERVICE";
        *match = MATCH_SERVICE;
        is_well = is_name(principal) && has_char(principal, '.');
    } else if (bytes_is(type, "Federated")) {
        shown = "FEDERATED";
        *match = MATCH_FEDERATED;
        is_well = is_provider(principal);
    } else {
        return error_set(err, ERR_INVALID, "Syntax errors in policy. Unknown kind of principal \"%.*s\"",
                         BYTES(wellformed_quote(type)));
    }
    if (is_well)
        return OK;
    return error_set(err, ERR_INVALID, "Invalid principal in policy: \"%s\":\"%.*s\"", shown,
                     BYTES(wellformed_quote(principal)));
}

/* ---- the rest ---- */

/* Tags' keys may hold colons themselves, so there may be more than one. */
enum status wellformed_key(struct bytes key, struct error *err)
{
    const uint8_t *colon = key.size ? memchr(key.data, ':', key.size) : NULL;

    if (colon && colon > key.data && colon + 1 < key.data + key.size)
        return OK;
    return error_set(err, ERR_INVALID,
                     "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: \"%.*s\"",
                     BYTES(wellformed_quote(key)));
}

/* Resources' own services are less strict. */
enum status wellformed_sid(struct bytes sid, enum policy_kind kind, struct error *err)
{
    for (size_t i = 0; kind != POLICY_RESOURCE && i < sid.size; i++)
        if (!isalnum(sid.data[i]))
            return error_set(err, ERR_INVALID,
                             "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
                             "expression [0-9A-Za-z]*");
    return OK;
}
