/* schema/arn.h: names of keyspaces and tables as AWS has them: printed, and read back.
 *
 *     arn:PARTITION:cassandra:REGION:ACCOUNT:/keyspace/KEYSPACE/
 *     arn:PARTITION:cassandra:REGION:ACCOUNT:/keyspace/KEYSPACE/table/TABLE
 *     arn:PARTITION:cassandra:REGION:ACCOUNT:/keyspace/KEYSPACE/table/TABLE/stream/LABEL
 *
 * The partition follows from the region: aws-cn for cn-*, aws-us-gov for us-gov-*, aws for all others.
 *
 * Shapes:  what is read is what is printed, byte by byte; only the '/' at a keyspace's end may be missing.
 * Owns:    parts point into the text.
 * Thread:  pure.
 */
#ifndef SCHEMA_ARN_H
#define SCHEMA_ARN_H

#include "base/arena.h"

/* Whose it is: 12 digits; and where: small letters, digits and '-'. */
struct arn_owner {
    struct bytes account, region;
};

struct arn {
    struct arn_owner owner;
    struct bytes keyspace;
    struct bytes table;  /* data NULL: a keyspace's */
    struct bytes stream; /* its label; data NULL: none */
};

const char *arn_partition(struct bytes region);
/* table, data NULL: the keyspace's. */
struct bytes arn_print(struct arena *arena, const struct arn_owner *owner, struct bytes keyspace, struct bytes table);
/* False: it is none of Keyspaces'. */
bool arn_parse(struct bytes text, struct arn *result);
bool arn_is_of(const struct arn *arn, const struct arn_owner *owner);

#endif
