/* Counters, on the owner. A turn's additions to a row are gathered here: the row is read once, through the
 * turn's own batch, each command adds in memory, and one put of all that the row holds goes into the batch.
 * The put is of absolute shards: nothing is counted twice by a log that is replayed, and nothing is lost,
 * since the batch is whole or absent.
 *
 * What a deletion covers counts no more: the origin's shard begins again from zero, under a clock above the
 * one it had, so that it is the one that stays wherever the two meet. A deleted cell (not row) stays deleted,
 * whatever is added: row/merge.c.
 */
#include "table/counter.h"

#include "base/hash.h"
#include "row/counter.h"
#include "row/fragment.h"
#include "row/merge.h"

#include <assert.h>

enum { ROWS_MAX = 1024, PLACES = 4096, ARENA_BYTES = 64 << 10, ARENA_BYTES_MAX = 4 << 20 };

/* A row of counters that this turn adds to. */
struct counted {
    struct bytes key;
    struct row row; /* as stored, with what was added */
    struct deletion cover;
    bool changed;
    uint16_t place; /* in `places` */
};

struct counters {
    struct arena *arena; /* owned: keys and rows; reset when they are forgotten */
    struct buffer value;
    struct counted rows[ROWS_MAX];
    uint32_t row_count;
    uint16_t places[PLACES]; /* open addressing by the key's hash: index + 1 */
    struct hash_key hash_key;
};

struct counters *counters_new(void)
{
    struct counters *counters = xcalloc(1, sizeof(*counters));

    counters->arena = arena_new(ARENA_BYTES);
    hash_key_random(&counters->hash_key);
    return counters;
}

void counters_free(struct counters *counters)
{
    if (!counters)
        return;
    arena_free(counters->arena);
    buffer_fini(&counters->value);
    free(counters);
}

/* Where the key's index stands, or would stand. The table is never more than a quarter full
 * (ROWS_MAX of PLACES). */
static uint16_t *place_of(struct counters *counters, struct bytes key)
{
    uint32_t at = (uint32_t)hash_keyed(&counters->hash_key, key) % PLACES;

    assert(counters->row_count <= ROWS_MAX);
    while (counters->places[at] && !bytes_equal(counters->rows[counters->places[at] - 1].key, key))
        at = (at + 1) % PLACES;
    return &counters->places[at];
}

/* Memory is bounded as well as rows: a row of many counters is held whole. */
bool counters_has_room(const struct counters *counters, uint32_t row_count)
{
    assert(counters->row_count <= ROWS_MAX);
    return row_count <= ROWS_MAX - counters->row_count && arena_used(counters->arena) < ARENA_BYTES_MAX;
}

/* Nothing is noted if reading fails: the command can come again after a prefetcher has read the row. */
enum status counters_load(struct counters *counters, struct look *look, struct bytes key,
                          const struct command_fragment *fragment)
{
    struct counted *counted = &counters->rows[counters->row_count];
    uint16_t *place = place_of(counters, key);
    enum status status;

    if (*place)
        return OK;
    assert(counters->row_count < ROWS_MAX);
    *counted = (struct counted){ .row = ROW_EMPTY, .cover = DELETION_NONE };
    look->arena = counters->arena;
    status = look_read_row(look, fragment->kind, fragment->clustering, &counted->row, &counted->cover);
    if (status)
        return status;
    counted->key = arena_copy(counters->arena, key);
    counted->place = (uint16_t)(place - counters->places);
    *place = (uint16_t)++counters->row_count;
    return OK;
}

/* Whether a deletion, of the row or from outside, has already taken this cell away: then counting
 * begins again at zero. */
static bool is_covered(const struct counted *counted, const struct cell *cell)
{
    struct deletion deletion =
        deletion_supersedes(counted->row.deletion, counted->cover) ? counted->row.deletion : counted->cover;

    return deletion.timestamp_us != TIMESTAMP_NONE && cell->timestamp_us <= deletion.timestamp_us;
}

/* Rows of counters are small: a search one by one. */
static struct cell *find_cell(struct row *row, uint32_t column_id)
{
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].column_id == column_id)
            return &row->cells[i];
    return NULL;
}

/* The cell as it will stand after the addition. */
static struct cell count(struct counters *counters, struct counted *counted, const struct cell *asked, int64_t clock_us)
{
    const struct cell *old = find_cell(&counted->row, asked->column_id);
    struct bytes shards = old && old->kind == CELL_COUNTER && !is_covered(counted, old) ? old->value : bytes_of("", 0);
    struct cell cell = *asked;

    assert(asked->kind == CELL_COUNTER);
    cell.value = counter_add(counters->arena, shards, COUNTER_ORIGIN, clock_us, counter_delta(asked->value));
    return cell;
}

/* The command's bytes do not outlive this call, but the row does: what is kept of them is copied. */
void counters_add(struct counters *counters, struct bytes key, const struct row *asked, int64_t clock_us)
{
    const uint16_t *place = place_of(counters, key);
    struct counted *counted = &counters->rows[*place - 1];
    struct row added = *asked;

    assert(*place && *place <= counters->row_count); /* it was loaded */
    added.cells = arena_alloc(counters->arena, sizeof(*added.cells) * (asked->cell_count + 1));
    for (uint32_t i = 0; i < asked->cell_count; i++)
        added.cells[i] = count(counters, counted, &asked->cells[i], clock_us);
    if (!bytes_is_null(asked->written_clustering))
        added.written_clustering = arena_copy(counters->arena, asked->written_clustering);
    row_merge(counters->arena, &counted->row, &added);
    counted->changed = true;
}

/* Only the places that were used are cleared: the table is larger than most turns need. */
void counters_forget(struct counters *counters)
{
    for (uint32_t i = 0; i < counters->row_count; i++) {
        assert(counters->places[counters->rows[i].place] == i + 1);
        counters->places[counters->rows[i].place] = 0;
    }
    counters->row_count = 0;
    arena_reset(counters->arena);
}

/* Rows that were only loaded, by a command that then failed, are passed over. */
bool counters_next(struct counters *counters, uint32_t *at, struct bytes *key, struct bytes *value)
{
    assert(*at <= counters->row_count);
    while (*at < counters->row_count && !counters->rows[*at].changed)
        (*at)++;
    if (*at == counters->row_count)
        return false;
    buffer_reset(&counters->value);
    fragment_encode(&counters->value, &counters->rows[*at].row);
    *key = counters->rows[(*at)++].key;
    *value = buffer_bytes(&counters->value);
    return true;
}
