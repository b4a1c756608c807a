/* catalog/rows.h: rows of our own in stored system tables: built from names and C values, and read back the same way.
 *
 *     rows_begin(&rows, def, arena, now_s, ttl_s)
 *     rows_put(&rows, "key", ...)                      the partition's key: before the first row
 *     rows_add(&rows)                                  a row: what is put now is of it, its clustering columns too
 *     rows_put(...), rows_put_number(...), rows_put_entry(...)
 *     rows_encode(&rows, &command)                     one command: all rows, or none
 *
 * Names and types are those of the definition: a name that it doesn't have, a value that isn't of the column's type, or a key
 * without all its columns, or a thing put twice is a programmer's error, and asserted. Owners give the timestamps.
 *
 * Owns:    nothing: what is put is copied to the arena; the definition is borrowed.
 * Errors:  reading: ERR_CORRUPT, and those of table_read. Writing: those of table_apply_wait.
 * Thread:  one at a time; rows_save and rows_read wait for the disk: not on a loop.
 */
#ifndef CATALOG_ROWS_H
#define CATALOG_ROWS_H

#include "table/table.h"

enum { ROWS_KEY_COLUMNS_MAX = 4 }; /* of the partition key, and of the clustering */

/* ---- writing: rows of one partition ---- */

struct rows {
    struct arena *arena;
    const struct table_def *def;
    int64_t now_s;
    int32_t ttl_s; /* TTL_NONE: they stay */
    struct bytes key[ROWS_KEY_COLUMNS_MAX];
    struct bytes clustering[ROWS_KEY_COLUMNS_MAX]; /* of the last row, while it is built */
    struct table_fragment *fragments;
    uint32_t count, capacity;
    struct cell *cells; /* of the last row */
    uint32_t cell_count, cell_capacity;
    bool is_open; /* the last row is not complete */
};

void rows_begin(struct rows *rows, const struct table_def *def, struct arena *arena, int64_t now_s, int32_t ttl_s);
void rows_add(struct rows *rows);
/* A row too, of which only cells are written: it is there as long as one of them is, as after an UPDATE. */
void rows_update(struct rows *rows);
/* The row is deleted instead: nothing but its clustering columns may be put. */
void rows_delete(struct rows *rows);
/* A value as the native protocol has it. */
void rows_put(struct rows *rows, const char *column, struct bytes value);
/* int, bigint, boolean, timestamp (milliseconds): as many bytes as the type has, and it fits. */
void rows_put_number(struct rows *rows, const char *column, int64_t value);
/* One entry of a map that is stored cell by cell. No two have the same key. */
void rows_put_entry(struct rows *rows, const char *column, struct bytes key, struct bytes value);
/* One element of a set that is stored cell by cell: it is in it, or no more. Neither twice. */
void rows_put_element(struct rows *rows, const char *column, struct bytes element);
void rows_remove_element(struct rows *rows, const char *column, struct bytes element);

/* Ends the last row and gives the command's bytes, and the token that routes it. */
int64_t rows_encode(struct rows *rows, struct buffer *command);
/* Encodes, submits, waits. */
enum status rows_save(struct rows *rows, struct table_port *port, struct error *err);

/* ---- reading ---- */

struct rows_view {
    const struct table_def *def;
    const struct row *row;                         /* borrowed */
    struct bytes clustering[ROWS_KEY_COLUMNS_MAX]; /* decoded */
};

/* ERR_CORRUPT: its clustering, or the size of a value, is not the definition's. */
enum status rows_view(struct rows_view *view, const struct table_def *def, struct bytes clustering,
                      const struct row *row, struct arena *arena, struct error *err);
/* NULL data: null. Of columns that aren't stored cell by cell. */
struct bytes rows_get(const struct rows_view *view, const char *column);
int64_t rows_get_number(const struct rows_view *view, const char *column); /* null: 0 */
/* NULL data: there is no such entry. */
struct bytes rows_get_entry(const struct rows_view *view, const char *column, struct bytes key);

/* All live rows of a partition as they are at one moment, in order, `key` being its serialized key: `row` is called for each, and what it returns ends the reading.
 * The arena is emptied after some rows. */
enum status rows_read(struct table_port *port, const struct table_def *def, struct bytes key, int64_t now_s,
                      enum status (*row)(void *context, const struct rows_view *view, struct error *err), void *context,
                      struct error *err);

/* All live rows of a table, in the order of tokens; `key` is each one's serialized partition key. Else as rows_read. */
enum status rows_scan(struct table_port *port, const struct table_def *def, int64_t now_s,
                      enum status (*row)(void *context, struct bytes key, const struct rows_view *view,
                                         struct error *err),
                      void *context, struct error *err);
/* Each element of such a set, in order; `element` is called with bytes that last as long as the call. */
enum status rows_elements(const struct rows_view *view, const char *column,
                          void (*element)(void *context, struct bytes element), void *context, struct error *err);
/* When the first of its cells expires, in seconds since 1970; INT64_MAX: none does. */
int64_t rows_expire_s(const struct rows_view *view);

#endif
