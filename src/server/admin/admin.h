/* server/admin/admin.h: the control socket of a server: what the command line asks of the process that has a directory open.
 *
 *     DIR/control     a Unix stream socket, mode 0600. Who connects must be root or the server's own user (SO_PEERCRED).
 *
 * Lines of text, each at most ADMIN_LINE_MAX bytes with its '\n'. A connection asks one thing, and is told:
 *
 *     -> flush | sweep | compact | compact NAME | snapshot | clock | clock SECONDS | missing | tls reload | password USER
 *     <- progress DONE TOTAL UNIT         any number of times
 *     <- count N NAME                     so, too: of missing
 *     <- done TEXT                        or
 *     <- error TEXT                       nothing was done, or not all of it
 *
 *     flush      what all shards hold in memory goes to sorted files (tables share a shard's memory: there is no flush of one)
 *     compact    sorted files into as few as can be, and what may be purged is; of a table, a keyspace or all. NAME: KEYSPACE or
 *                KEYSPACE.TABLE of the default account, of another one ACCOUNT/KEYSPACE or ACCOUNT/KEYSPACE.TABLE
 *     sweep      a round of the sweeper to its end
 *     snapshot   TEXT is the name of a directory in DIR: all shards as they were at one moment (table_checkpoint). It is the asker's to
 *                copy, until the connection ends: then it is removed
 *     clock      TEXT says the server's real time. SECONDS: it goes on from as many later, of rows and timestamps too, until the server ends;
 *                then the sweeper does what has come due. In developer mode only
 *     tls reload the certificate, its key and clients' authority are read again, for sessions that begin then (net/tls.h). What does not
 *                fit is an error, and changes nothing
 *     password   USER (a role of the default account, or ROLE-at-ACCOUNT) gets a new password, which TEXT is; it is a superuser and may log in
 *                from now on, and is made if it is not there. With roles only
 *     missing    operations of AWS's APIs that were asked for and are not served (api/unknown.h), how often
 *
 * Names are as stored, not quoted. What is under way is shown by system_views.sstable_tasks; keyspace_name and table_name are "*" when
 * it is not of one table, and then all accounts see it; else the table's. A thread for each connection, ADMIN_ASKED_MAX at once, one snapshot at a time.
 *
 * Errors:  admin_open: ERR_IO.
 * Thread:  open and close: main's.
 */
#ifndef SERVER_ADMIN_ADMIN_H
#define SERVER_ADMIN_ADMIN_H

#include "base/clock.h"
#include "catalog/catalog.h"
#include "table/table.h"

#include <pthread.h>

struct api;
struct tls;
struct auth;

enum { ADMIN_LINE_MAX = 1024, ADMIN_ASKED_MAX = 8 };
#define ADMIN_ADVANCE_MAX_S UINT64_C(10000000000)
#define ADMIN_SOCKET        "control"
#define ADMIN_STAGE         "snapshot.stage" /* what a snapshot that did not end leaves in DIR: the next start removes it */

/* What is under way. */
struct admin_task {
    bool is_used;
    const struct catalog_account *account; /* borrowed: who may see its names; NULL: it has none, and all may */
    char kind[16];
    char keyspace[64], table[64];
    uint8_t id[16]; /* a timeuuid */
    uint64_t done, total;
    const char *unit;
};

struct admin_view { /* the rows of system_views.sstable_tasks */
    struct virtual_table table;
    pthread_mutex_t lock;
    struct admin_task tasks[ADMIN_ASKED_MAX]; /* under the lock */
};
extern const char admin_create_table[];
void admin_view_init(struct admin_view *view);
void admin_view_fini(struct admin_view *view);

struct admin;
/* All is borrowed until admin_close. */
struct admin_options {
    const char *directory;
    struct table_space *space;
    struct catalog *catalog;
    struct admin_view *view;
    struct clock_ahead *clock;
    bool may_advance;  /* developer mode: the clock may be moved */
    struct api *api;   /* NULL: none is served */
    struct tls *tls;   /* NULL: plain text alone */
    struct auth *auth; /* NULL: there are no roles */
};
enum status admin_open(const struct admin_options *options, struct admin **result, struct error *err);
/* What is under way ends: compactions are stopped. NULL: nothing. */
void admin_close(struct admin *admin);

#endif
