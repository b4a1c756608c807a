/* server/native/login.h: passwords checked by threads of their own, so many at once.
 *
 *     login_submit -> (a thread: the account's roles, bcrypt) -> job.done on the connection's loop
 *
 * A check takes about 60 ms of a processor, whether the role is there or not. LOGIN_THREADS run; of one address at most half of them, so
 * that who tries passwords tries no more than some in a second, and does not keep others from their own. What waits has a bound, in all and
 * for an address.
 *
 * Owns:    a check lies in its request's arena; its login is the connection's, who takes it.
 * Errors:  check->error: ERR_CREDENTIALS in Cassandra's words; what reading roles says.
 * Thread:  login_submit: a loop's.
 */
#ifndef SERVER_NATIVE_LOGIN_H
#define SERVER_NATIVE_LOGIN_H

#include "auth/auth.h"
#include "net/workers.h"

struct logins;
struct catalog;
struct catalog_account;

enum { LOGIN_THREADS = 2, LOGIN_GROUPS = 64, LOGINS_WAITING_MAX = 1024, LOGINS_WAITING_OF_ADDRESS_MAX = 256 };

struct login_check {
    struct worker_job job; /* done and loop are the caller's */
    void *context;         /* the caller's */
    struct logins *logins;
    struct bytes user, password; /* borrowed from the request; the password is wiped */
    uint8_t address[16];
    uint8_t address_bytes;
    /* When it is done: */
    struct error error;
    struct catalog_account *account;
    struct auth_login *login; /* NULL: it failed */
};

enum status logins_open(struct auth *auth, struct catalog *catalog, struct logins **result, struct error *err);
/* After the loops have ended: no check is under way. NULL: nothing. */
void logins_close(struct logins *logins);
/* PLAIN: [authorization id] NUL name NUL password, taken apart as by Cassandra. */
enum status login_parse(struct bytes token, struct bytes *user, struct bytes *password, struct error *err);
/* False: too many wait, and nothing was done. */
bool login_submit(struct logins *logins, struct login_check *check);

#endif
