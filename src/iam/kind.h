/* iam/kind.h: what kinds of policies there are, how large one may be, and places in its text.
 */
#ifndef IAM_KIND_H
#define IAM_KIND_H

#include <stdint.h>

/* Together they bound what a policy takes of memory: less than a megabyte. */
enum {
    POLICY_TEXT_MAX = 128 * 1024,
    POLICY_STATEMENTS_MAX = 1000,
    POLICY_TESTS_MAX = 2000,     /* keys in conditions */
    POLICY_VARIABLES_MAX = 1000, /* keys in ${} */
    POLICY_VALUES_MAX = 10000    /* of all lists */
};

enum policy_kind {
    POLICY_IDENTITY, /* of users, groups and roles; boundaries and session policies are so too */
    POLICY_TRUST,    /* of a role: who may assume it */
    POLICY_RESOURCE, /* of a resource */
};

/* Where a reader of the text stood, as AWS tells it of statements: line and column count from 1, and the place is the one behind what was
 * read. A statement begins behind the '[' or the statement before it, one that stands alone behind its own '{'; it ends behind its '}'. */
struct policy_position {
    uint32_t line, column;
};

#endif
