/* control/arn.h: names of resources: printed, and read back.
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
#ifndef CONTROL_ARN_H
#define CONTROL_ARN_H

#include "api/handler.h"

struct arn {
    struct bytes region, account, keyspace;
    struct bytes table;  /* data NULL: a keyspace's */
    struct bytes stream; /* its label; data NULL: none */
};

const char *arn_partition(struct bytes region);
/* Of the caller's region and account. table, data NULL: the keyspace's. */
struct bytes arn_print(struct arena *arena, const struct api_caller *caller, struct bytes keyspace, struct bytes table);
/* False: it is none of Keyspaces'. */
bool arn_parse(struct bytes text, struct arn *result);
/* Is it of the caller's account and region? */
bool arn_is_of(const struct arn *arn, const struct api_caller *caller);

#endif
