/* Definitions at rest: the same decoding as at a start, of rows that somebody else has read
 * (`helenus check`). So a directory that passes here can be opened.
 *
 * The directory may be of format 2, or have rows of it that were not removed yet: both tables are
 * looked at, and the new one is believed once its first row is there, as that is written last
 * (forward.c). */
#include "catalog/account.h"
#include "catalog/definitions.h"
#include "catalog/forward.h"
#include "catalog/loading.h"
#include "catalog/rows.h"
#include "catalog/state.h"

#include <assert.h>
#include <stdlib.h>

struct catalog_check {
    const struct catalog *catalog;
    struct table_def *old_table; /* owned reference */
    struct loading now, old;
    char digits[ACCOUNT_DIGITS + 1]; /* of the account of the table that was asked for last */
    bool is_ended;
    enum status status; /* of the end */
    struct error error;
};

struct catalog_check *catalog_check_new(struct catalog *catalog)
{
    struct catalog_check *check = xcalloc(1, sizeof(*check));

    check->catalog = catalog;
    check->old_table = forward_old_table();
    loading_init(&check->now);
    loading_init(&check->old);
    return check;
}

/* Rows come in the order in which they stand, which is the order that loading needs: keyspaces
 * before what is in them. */
enum status catalog_check_row(struct catalog_check *check, uint64_t table_id, struct bytes clustering,
                              const struct row *row, struct error *err)
{
    bool is_old = table_id == CATALOG_OLD_TABLE_ID;
    struct arena *arena;
    struct rows_view view;
    enum status status;

    assert(!check->is_ended);
    if ((!is_old && table_id != CATALOG_TABLE_ID) || !row->cell_count)
        return OK;
    arena = arena_new(1024);
    status = rows_view(&view, is_old ? check->old_table : check->catalog->own_table, clustering, row, arena, err);
    if (!status && !bytes_is_null(rows_get(&view, "value"))) /* else it was dropped */
        status = is_old ? forward_take(&check->old, &view, err) : definitions_take(&check->now, &view, err);
    arena_free(arena);
    return status;
}

/* The same choice as a start makes. */
static const struct loading *believed(const struct catalog_check *check)
{
    return check->old.has_meta && !check->now.has_meta ? &check->old : &check->now;
}

/* All rows were handed over. Once: whoever asks first ends the loading, and the end itself can find
 * something wrong. Of the table that is not believed an error does not count: half a new table
 * beside a whole old one is what an interrupted start leaves. */
static const struct loading *ended(struct catalog_check *check)
{
    if (!check->is_ended) {
        bool goes_by_old = believed(check) == &check->old;
        struct error other; /* half a new table beside a whole old one is an interrupted start's */

        check->is_ended = true;
        check->status = loading_end(&check->old, goes_by_old ? &check->error : &other);
        if (goes_by_old)
            loading_end(&check->now, &other);
        else
            check->status = loading_end(&check->now, &check->error);
    }
    return believed(check);
}

/* For who checks other tables' rows, and must know their columns; whose they are, to name them. */
const struct table_def *catalog_check_table(struct catalog_check *check, uint64_t table_id, struct bytes *account)
{
    const struct loading_account *whose;
    const struct table_def *def = loading_find_table(ended(check), table_id, &whose);

    if (def)
        account_print(whose->number, check->digits);
    *account = bytes_of(check->digits, def && whose->number ? ACCOUNT_DIGITS : 0);
    return def;
}

bool catalog_check_any(struct catalog_check *check, bool (*is_wanted)(const struct table_def *table))
{
    const struct loading *l = ended(check);

    for (uint32_t i = 0; i < l->keyspace_count; i++)
        for (uint32_t j = 0; j < l->keyspaces[i]->table_count; j++)
            if (is_wanted(l->keyspaces[i]->tables[j]))
                return true;
    return false;
}

/* Frees the check. Its error was kept, since the end may have been asked for long before. */
enum status catalog_check_end(struct catalog_check *check, struct error *err)
{
    enum status status;

    ended(check);
    status = check->status;
    if (status)
        *err = check->error;
    loading_fini(&check->now);
    loading_fini(&check->old);
    table_def_unref(check->old_table);
    free(check);
    return status;
}
