/* control/iam_common.h: inside: what the handlers of IAM share: looking, changing, finding by name or ARN, telling; for iam_*.c alone.
 *
 *     CLEANUP(iam_end) struct iam iam = { 0 };                      or iam_look, for who changes nothing
 *     if (!iam_begin(&iam, call) || !(user = iam_find(&iam, &iam_user, name)))
 *         return false;
 *     ... identity_put(&iam.change, &parts) ...
 *     return iam_commit(&iam);
 *
 * Errors:  false, with the fault set, by names of the model.
 */
#ifndef CONTROL_IAM_COMMON_H
#define CONTROL_IAM_COMMON_H

#include "api/handler.h"
#include "control/page.h"
#include "iam/policy.h"
#include "identity/store.h"

/* IAM's quotas. Sizes are of documents without their blanks. */
enum {
    IAM_KEYS_MAX = 2,        /* of a user, and of the root */
    IAM_CREDENTIALS_MAX = 2, /* of a user, for a service */
    IAM_ATTACHED_MAX = 10,
    IAM_GROUPS_OF_USER_MAX = 10,
    IAM_VERSIONS_MAX = 5,
    IAM_POLICIES_MAX = 1500,
    IAM_POLICY_BYTES_MAX = 6144,
    IAM_TRUST_BYTES_MAX = 2048
};

struct iam {
    struct api_call *call;
    struct identities *set;        /* borrowed, or owned if it only looks */
    struct identity_change change; /* where it changes something */
    bool changes;
};

bool iam_look(struct iam *iam, struct api_call *call);
bool iam_begin(struct iam *iam, struct api_call *call);
/* Durable and in force, when it is true. */
bool iam_commit(struct iam *iam);
void iam_end(struct iam *iam);
static inline void iam_end_cleanup(struct iam *iam)
{
    iam_end(iam);
}

/* As api_fail, and of the few errors that AWS's model leaves out. */
bool iam_fail(struct api_call *call, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* LimitExceeded, if it is. `quota`: "UsersPerAccount". */
bool iam_check_quota(struct api_call *call, const char *quota, uint32_t count, uint32_t max);

/* ---- users, groups, roles ---- */

struct iam_sort {
    enum identity_kind kind;
    const char *word;                    /* "user": in ARNs and messages */
    const char *title;                   /* "User": in names of quotas */
    const char *name_member, *id_member; /* "UserName", "UserId" */
    const char *quota;                   /* "UsersPerAccount" */
    uint32_t count_max, inline_bytes_max;
};

extern const struct iam_sort iam_user, iam_group, iam_role;
/* Of the one that the operation is about. */
const struct iam_sort *iam_sort(const struct api_call *call);
/* Of a holder. */
const struct iam_sort *iam_sort_of(const struct identity *holder);

/* NULL, and NoSuchEntity. */
const struct identity *iam_find(const struct iam *iam, const struct iam_sort *sort, struct bytes name);
/* The one that the operation is about. */
const struct identity *iam_subject(const struct iam *iam, const struct iam_sort *sort);
struct bytes iam_arn(const struct api_call *call, const char *word, struct bytes path, struct bytes name);
/* Its path, "/" if it does not say. */
struct bytes iam_path(const struct api_call *call, const char *member);
/* The user that the input names, or the caller himself, if it names nobody; NULL in *user: the account's root. False: there is no such user. */
bool iam_find_user(const struct iam *iam, const struct identity **user);
/* A new one of that name: at its place, with an id and a path. EntityAlreadyExists, LimitExceeded. */
bool iam_make(const struct iam *iam, const struct iam_sort *sort, struct bytes name, struct identity_parts *parts);
/* UpdateUser, UpdateGroup: another name, another path. */
bool iam_rename(struct iam *iam, const struct iam_sort *sort, const struct identity *old, const char *new_name);
void iam_show(const struct iam *iam, struct tree *to, const struct identity *holder);
/* Tags, boundary: lists leave them out. */
void iam_show_whole(const struct iam *iam, struct tree *to, const struct identity *holder);
/* DeleteConflict, if it still has some of the kind. `what`: "delete access keys". */
bool iam_has_none(const struct iam *iam, const struct identity *holder, enum identity_kind kind, const char *what);

/* ---- policies ---- */

struct bytes iam_policy_arn(const struct api_call *call, const struct iam *iam, const struct identity *policy);
/* The account's or AWS's, in whatever case its name is written; NULL: there is none. */
const struct identity *iam_policy_of_arn(const struct iam *iam, struct bytes arn, bool *is_arn);
/* The same; NULL, and NoSuchEntity or InvalidInput. */
const struct identity *iam_find_policy(const struct iam *iam, struct bytes arn);
/* Whose id stands in a relation; NULL: none. */
const struct identity *iam_policy_by_id(const struct iam *iam, struct bytes id);
/* Versions of it, wherever they are. */
struct identity_list iam_versions(const struct iam *iam, const struct identity *policy);
/* MalformedPolicyDocument, LimitExceeded. */
bool iam_check_document(struct api_call *call, struct bytes text, enum policy_kind kind);
/* Without its blanks. */
size_t iam_document_size(struct bytes text);
/* Percent-encoded, as answers have documents. */
void iam_show_document(struct api_call *call, struct tree *to, const char *member, struct bytes text);
/* The input's PermissionsBoundary, if it has one. */
bool iam_put_boundary(struct iam *iam, struct bytes holder_id, struct bytes arn);

/* ---- tags ---- */

/* The tags of `old` (NULL: none) with those of the list (NULL: none) set; in the arena. */
bool iam_set_tags(struct api_call *call, const struct identity *old, const struct tree *list,
                  struct identity_parts *parts);
void iam_show_tags(struct api_call *call, struct tree *to, const struct identity *identity);

/* ---- pages ---- */

struct iam_page {
    struct page page;
    struct page_question question;
};

/* about: what is asked besides the operation. */
bool iam_page_begin(struct iam_page *page, struct api_call *call, struct bytes about);
/* 1: give it; 0: it was given; -1: the page is full. */
int iam_page_take(struct iam_page *page, struct bytes position, size_t bytes);
bool iam_page_end(struct iam_page *page, struct api_call *call);

#endif
