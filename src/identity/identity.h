/* identity/identity.h: what an account's identities are made of: users, groups, roles, policies, keys, and who has which of them.
 *
 * All are one struct, found by kind, scope and key; what is in the others goes by the kind:
 *
 *     kind             scope         key              besides
 *     USER             -             name, small      id name path tags
 *     GROUP            -             name, small      id name path
 *     ROLE             -             name, small      id name path tags text (trust policy) note number (seconds of a session)
 *     POLICY           -             name, small      id name path tags note number (of the newest version)
 *     POLICY_VERSION   policy's id   number, 8 digits text number is_on (the default one)
 *     INLINE           holder's id   name             name text
 *     ATTACHMENT       holder's id   policy's id
 *     BOUNDARY         holder's id   policy's id
 *     MEMBERSHIP       user's id     group's id
 *     ACCESS_KEY       user's id     id               id secret (sealed) is_on; scope "": of the account's root
 *     CREDENTIAL       user's id     id               id name (service) alias (its user name) secret (MAC of the password) is_on number (when
 *                                                     it expires, seconds since 1970; 0: never)
 *
 * All have created_us, and changed_us if they can be changed. A holder is a user, a group or a role. So what has a name that can be changed is
 * named by its id everywhere else.
 *
 * On the disk it is a row (catalog.h: catalog_identities_table) whose value is
 *
 *     version (1) = 1 | is_on (1) | created_us (8) | changed_us (8) | number (8) | id name path text note secret alias: size (4), bytes
 *     | tags (4) | of each name and value: size (4), bytes
 *
 * Owns:    an identity is never changed, and counted; what it points to is its own. It is made by reading what was written, so there is
 *          none that could not be read again.
 * Errors:  identity_decode: ERR_CORRUPT.
 * Thread:  any.
 */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "iam/policy.h"

#include <stdatomic.h>

/* Numbers are on the disk. */
enum identity_kind {
    IDENTITY_USER = 1,
    IDENTITY_GROUP = 2,
    IDENTITY_ROLE = 3,
    IDENTITY_POLICY = 4,
    IDENTITY_POLICY_VERSION = 5,
    IDENTITY_INLINE = 6,
    IDENTITY_ATTACHMENT = 7,
    IDENTITY_BOUNDARY = 8,
    IDENTITY_MEMBERSHIP = 9,
    IDENTITY_ACCESS_KEY = 10,
    IDENTITY_CREDENTIAL = 11
};
enum { IDENTITY_KINDS = 12 };

enum { IDENTITY_TAGS_MAX = 50, IDENTITY_KEY_MAX = 128, IDENTITY_VERSION_KEY = 8 /* digits */ };

struct identity_place {
    enum identity_kind kind;
    struct bytes scope, key;
};

/* As who makes one says it. */
struct identity_parts {
    struct identity_place at;
    struct bytes id, name, path, text, note, secret, alias;
    int64_t created_us, changed_us, number;
    bool is_on;
    const struct bytes_pair *tags;
    uint32_t tag_count;
};

struct identity {
    atomic_uint references;
    struct identity_parts is;
    struct policy *
        policy; /* owned: of its text, compiled. NULL: it has none, or one that is not understood (any more): that allows nothing,
                              and denies */
    uint8_t *memory; /* owned: what `is` points to */
};

/* Copies. */
struct identity *identity_make(const struct identity_parts *parts);
enum status identity_decode(struct identity_place at, struct bytes value, struct identity **result, struct error *err);
/* What stands in its row. */
void identity_encode(struct buffer *out, const struct identity_parts *parts);

struct identity *identity_ref(const struct identity *identity);
void identity_unref(struct identity *identity);

/* By kind, scope and key. */
int identity_compare(const struct identity_place *a, const struct identity_place *b);
/* Is it a relation: of its scope to what its key names? */
bool identity_is_relation(enum identity_kind kind);
/* Has it a policy's text: which kind of policy? */
bool identity_has_policy(const struct identity_parts *parts, enum policy_kind *kind);

/* "Bob" as a key: names differ in more than their case. In the buffer. */
struct bytes identity_key(struct bytes name, char buffer[IDENTITY_KEY_MAX]);

#endif
