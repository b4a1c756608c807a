/* server/admin/missing.h: `helenus api missing`: which operations of AWS's APIs a server was asked for and does not serve, and how often.
 *
 * Shapes:  lines "COUNT NAME", of the control socket (admin.h); or the counter helenus_api_unknown_total of a server's /metrics. Names
 *          are letters, digits, '.', '_' and '-': what else a peer sends as a name is passed over.
 * Limits:  MISSING_MAX names, MISSING_ANSWER_MAX bytes of an answer, MISSING_WAIT_S for each step of asking.
 * Errors:  ERR_CONFIG: the URL; ERR_IO: nobody answers, or another than a helenus with APIs.
 * Thread:  one.
 */
#ifndef SERVER_ADMIN_MISSING_H
#define SERVER_ADMIN_MISSING_H

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

enum { MISSING_MAX = 256, MISSING_NAME_MAX = 128, MISSING_ANSWER_MAX = 16 << 20, MISSING_WAIT_S = 10 };

struct missing {
    uint32_t count;
    struct missing_name {
        char name[MISSING_NAME_MAX + 1];
        uint64_t times;
    } names[MISSING_MAX];
};

/* "3 dynamodb.ListTables"; anything else, and what was asked for no times, is passed over. */
void missing_take(struct missing *missing, const char *line);
bool missing_is_url(const char *word);
/* http://HOST[:PORT], what stands behind it is not looked at. */
enum status missing_fetch(struct missing *missing, const char *url, struct error *err);
/* Most often first. */
void missing_print(struct missing *missing, FILE *out);

#endif
