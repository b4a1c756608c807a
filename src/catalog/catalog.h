/* catalog/catalog.h: the durable set of definitions, the schema in force, and the system tables.
 *
 * Opening has two phases, because the table space asks the catalog for definitions while it opens:
 *
 *     catalog_new            checks the data directory's format, makes the system keyspaces: catalog_table_by_id works
 *     (catalog_register)     computed tables of others, e.g. system_views.clients
 *     table_space_open       with .table_by_id = catalog_table_by_id, .context = catalog
 *     catalog_open           brings an older format forward, reads the definitions, goes on with jobs that were interrupted
 *     ... serve ...
 *     catalog_close          before table_space_close; catalog_table_by_id still works
 *     catalog_free           after table_space_close
 *
 * The durable form: a row per keyspace, type and table in the internal table system.helenus_definitions, one partition, so that
 * one write command makes a change whole or not at all; drawn in catalog/definitions.h. system_schema.* is computed from
 * the schema in force.
 *
 * Accounts: names of keyspaces are unique within an account, and each has a schema of its own. The system keyspaces are there in all of them:
 * those that are computed show what the account has, and of those that are stored each account has tables of its own. Versions of all
 * schemas come from one counter. An account is durable from its first change on.
 *
 * Rows of dropped and truncated tables are removed behind the answer, by a durable job (catalog/job.h), many tables at once.
 *
 * Reading a schema: each loop or worker keeps a struct catalog_view and calls catalog_view_schema for each request: one
 * atomic load while nothing has changed in any account. What it returns is borrowed until the view's next call; whoever keeps
 * definitions longer takes references.
 *
 * Errors:  ERR_CORRUPT "...": definitions can't be read, or are of a newer format. Changes: those of schema/ddl.h, and
 *          those of table_apply_wait.
 * Thread:  any, but a view belongs to one thread. catalog_change and catalog_truncate wait for the disk: never on a loop.
 */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "base/account_digits.h"
#include "base/clock.h"
#include "schema/ddl.h"
#include "schema/schema.h"
#include "table/table.h"

struct cql_statement; /* cql/ast.h */
struct job_kind;      /* catalog/job.h */

struct catalog;
struct catalog_account;

struct catalog_options {
    const char *directory;    /* its FORMAT file is checked, or made in an empty one. NULL: memory only */
    const char *cluster_name; /* NULL: "Test Cluster" */
    const char *region;       /* NetworkTopologyStrategy may name it, as datacenter1. NULL: none */
    uint8_t address[16];      /* what system.local tells clients: the CQL listener's */
    bool address_is_ipv6;
    uint16_t cql_port;
    bool wants_password;                                   /* system_views.settings says so, */
    bool has_roles;                                        /* and this */
    const struct clock *clock;                             /* borrowed */
    void (*random)(void *context, void *out, size_t size); /* NULL: getrandom */
    void *random_context;
    /* Kinds of jobs besides the catalog's own (catalog/job.h). Borrowed until catalog_close */
    const struct job_kind *const *job_kinds;
    uint32_t job_kind_count;
    /* For tests, which end the process there: each step of bringing a directory forward. NULL: not wanted */
    void (*reached)(void *context, const char *step);
    void *reached_context;
};

enum status catalog_new(const struct catalog_options *options, struct catalog **result, struct error *err);
/* Borrows the space until catalog_close. */
enum status catalog_open(struct catalog *catalog, struct table_space *space, struct error *err);
void catalog_close(struct catalog *catalog);
void catalog_free(struct catalog *catalog);

/* table_space_options.table_by_id, with the catalog as context: a new reference, or NULL. */
struct table_def *catalog_table_by_id(void *catalog, uint64_t table_id);

/* Where identity/ keeps its rows: in no schema, so no client reads or changes it. Partition key account (text); clustering kind (int), scope
 * (text), name (text); value (blob). Borrowed. */
const struct table_def *catalog_identities_table(const struct catalog *catalog);

/* Definitions at rest: hand every row of a directory over (struct table_check.row), in order. The catalog is one without a directory that
 * was not opened. ERR_CORRUPT: a definition does not decode. _end frees it and says whether they are whole. */
struct catalog_check;
struct catalog_check *catalog_check_new(struct catalog *catalog);
enum status catalog_check_row(struct catalog_check *check, uint64_t table_id, struct bytes clustering,
                              const struct row *row, struct error *err);
/* Once all rows were handed over: a table's definition, and its account's digits, empty for the default one's; borrowed. NULL: there is
 * none. Is any a table of this sort? */
const struct table_def *catalog_check_table(struct catalog_check *check, uint64_t table_id, struct bytes *account);
bool catalog_check_any(struct catalog_check *check, bool (*is_wanted)(const struct table_def *table));
enum status catalog_check_end(struct catalog_check *check, struct error *err);

/* ---- accounts ---- */

/* An account takes about 16 KiB of memory, whether it has made anything or not, and stays until the catalog is freed. */
enum { CATALOG_ACCOUNTS_MAX = 4096 };

/* Found, or made; nothing is written for it. Always the same pointer for the same digits, borrowed for the catalog's life. Not on a
 * request's way: it takes a lock. ERR_INVALID: not ACCOUNT_DIGITS digits. ERR_OVERLOADED: there are CATALOG_ACCOUNTS_MAX already. */
enum status catalog_account(struct catalog *catalog, struct bytes digits, struct catalog_account **result,
                            struct error *err);
/* NULL: these are no digits of an account that was named since the start, or has definitions. */
struct catalog_account *catalog_find_account(struct catalog *catalog, struct bytes digits);
/* 000000000000: of who names none. */
struct catalog_account *catalog_account_default(struct catalog *catalog);
struct bytes catalog_account_name(const struct catalog_account *account); /* its digits */

/* ---- the schemas in force ---- */

/* Of each account that was asked for, by the account's own number. */
struct catalog_seen {
    const struct catalog_account *account;
    struct schema *schema; /* owned reference; NULL: not asked for since it changed */
};
struct catalog_view {          /* zeroed to begin with */
    struct catalog_seen *seen; /* owned */
    uint32_t count;
    uint64_t version; /* catalog_version when all of them were looked at */
};
/* Borrowed until the next call with this view, for whichever account. */
const struct schema *catalog_view_schema(struct catalog *catalog, struct catalog_view *view,
                                         const struct catalog_account *account);
void catalog_view_fini(struct catalog_view *view);
/* A new reference, for who has no view. Takes a lock. */
struct schema *catalog_ref_schema(struct catalog *catalog, const struct catalog_account *account);
/* The same by an account's digits, which are digits: of one that nobody has named it is made for the moment, and no account of it. */
struct schema *catalog_ref_schema_of(struct catalog *catalog, struct bytes digits);
/* Changes of all accounts are counted: schema_version_number of the schema that changed last. One atomic load. */
uint64_t catalog_version(const struct catalog *catalog);

/* ---- changes ---- */

/* Saves and puts in force what a CREATE, ALTER or DROP of a KEYSPACE, TABLE or TYPE asks in an account. `change` lives in the arena;
 * change->happened false: nothing to do. On OK every later catalog_view_schema sees it, and listeners have been told. */
enum status catalog_change(struct catalog *catalog, struct catalog_account *account, struct table_port *port,
                           const struct cql_statement *statement, struct bytes current_keyspace, struct arena *arena,
                           struct ddl_change *change, struct error *err);
/* The table gets a new internal id; its old rows are removed. No schema event. */
enum status catalog_truncate(struct catalog *catalog, struct catalog_account *account, struct table_port *port,
                             struct bytes keyspace, struct bytes table, struct error *err);

/* Dropped and truncated tables whose rows are not removed yet. Any thread. */
uint64_t catalog_removal_count(struct catalog *catalog);

/* Called for each change, on the thread that made it, in the order of changes. Must not call the catalog's changes. */
struct catalog_listener {
    struct catalog_listener *next; /* the catalog's */
    void (*changed)(struct catalog_listener *listener, struct catalog_account *account,
                    const struct ddl_change *change);
};
void catalog_listen(struct catalog *catalog, struct catalog_listener *listener);
void catalog_unlisten(struct catalog *catalog, struct catalog_listener *listener);

/* ---- computed tables ---- */

/* Adds a virtual table, e.g. "CREATE TABLE system_views.clients (...)". Between catalog_new and catalog_open only. The body is
 * borrowed for the catalog's life; its rows() is called on any thread, with the account that asks as the emitter's viewer: what it emits
 * has no name of another's. Replaces the body of an existing virtual table of that name. */
enum status catalog_register(struct catalog *catalog, const char *create_table, const struct virtual_table *body,
                             struct error *err);

/* ---- facts of this node ---- */
const uint8_t *catalog_host_id(const struct catalog *catalog); /* 16 bytes */
struct bytes catalog_cluster_name(const struct catalog *catalog);
struct bytes catalog_address(const struct catalog *catalog); /* 4 or 16 bytes: as system.local has it */
enum { CATALOG_STORAGE_PORT = 7000 };                        /* Cassandra's for other nodes: shown, never listened to */

#endif
