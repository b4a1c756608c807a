/* Counters, on the owner. A turn's additions to a row are gathered here: the row is read once, through the turn's own batch, each
 * command adds in memory, and one put of all that the row holds goes into the batch. The put is of absolute shards: nothing is
 * counted twice by a log that is replayed, and nothing is lost, since the batch is whole or absent.
 *
 * What a deletion covers counts no more: the origin's shard begins again from zero, under a clock above the one it had, so that it
 * is the one that stays wherever the two meet. A deleted cell (not row) stays deleted, whatever is added: row/merge.c.
 */
#include "table/add.h"

#include "base/hash.h"
#include "row/counter.h"
#include "row/fragment.h"
#include "row/merge.h"

#include <assert.h>

enum { ROWS_MAX = 1024, PLACES = 4096, ARENA_BYTES = 64 << 10, ARENA_BYTES_MAX = 4 << 20 };

struct counted {
    struct bytes key;
    struct row row; /* as stored, with what was added */
    struct deletion cover;
    bool changed;
};

struct counting {
    struct arena *arena; /* owned: keys and rows; reset when they are forgotten */
    struct buffer value;
    struct counted rows[ROWS_MAX];
    uint32_t row_count;
    uint16_t places[PLACES]; /* open addressing by the key's hash: index + 1 */
    struct hash_key hash_key;
};

struct counting *counting_new(void)
{
    struct counting *counting = xcalloc(1, sizeof(*counting));

    counting->arena = arena_new(ARENA_BYTES);
    hash_key_random(&counting->hash_key);
    return counting;
}

void counting_free(struct counting *counting)
{
    if (!counting)
        return;
    arena_free(counting->arena);
    buffer_fini(&counting->value);
    free(counting);
}

static uint16_t *place_of(struct counting *counting, struct bytes key)
{
    uint32_t at = (uint32_t)hash_keyed(&counting->hash_key, key) % PLACES;

    while (counting->places[at] && !bytes_equal(counting->rows[counting->places[at] - 1].key, key))
        at = (at + 1) % PLACES;
    return &counting->places[at];
}

bool counting_has_room(const struct counting *counting, uint32_t row_count)
{
    return row_count <= ROWS_MAX - counting->row_count && arena_used(counting->arena) < ARENA_BYTES_MAX;
}

enum status counting_load(struct counting *counting, struct look *look, struct bytes key,
                          const struct command_fragment *fragment)
{
    struct counted *counted = &counting->rows[counting->row_count];
    uint16_t *place = place_of(counting, key);
    enum status status;

    if (*place)
        return OK;
    assert(counting->row_count < ROWS_MAX);
    *counted = (struct counted){ .row = ROW_EMPTY, .cover = DELETION_NONE };
    look->arena = counting->arena;
    status = look_read_row(look, fragment->kind, fragment->clustering, &counted->row, &counted->cover);
    if (status)
        return status;
    counted->key = arena_copy(counting->arena, key);
    *place = (uint16_t)++counting->row_count;
    return OK;
}

static bool is_covered(const struct counted *counted, const struct cell *cell)
{
    struct deletion deletion =
        deletion_supersedes(counted->row.deletion, counted->cover) ? counted->row.deletion : counted->cover;

    return deletion.timestamp_us != TIMESTAMP_NONE && cell->timestamp_us <= deletion.timestamp_us;
}

static struct cell *find_cell(struct row *row, uint32_t column_id)
{
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].column_id == column_id)
            return &row->cells[i];
    return NULL;
}

/* The cell as it will stand after the addition. */
static struct cell count(struct counting *counting, struct counted *counted, const struct cell *asked, int64_t clock_us)
{
    const struct cell *old = find_cell(&counted->row, asked->column_id);
    struct bytes shards = old && old->kind == CELL_COUNTER && !is_covered(counted, old) ? old->value : bytes_of("", 0);
    struct cell cell = *asked;

    cell.value = counter_add(counting->arena, shards, COUNTER_ORIGIN, clock_us, counter_delta(asked->value));
    return cell;
}

void counting_add(struct counting *counting, struct bytes key, const struct row *asked, int64_t clock_us)
{
    struct counted *counted = &counting->rows[*place_of(counting, key) - 1];
    struct row added = *asked;

    added.cells = arena_alloc(counting->arena, sizeof(*added.cells) * (asked->cell_count + 1));
    for (uint32_t i = 0; i < asked->cell_count; i++)
        added.cells[i] = count(counting, counted, &asked->cells[i], clock_us);
    if (!bytes_is_null(asked->written_clustering))
        added.written_clustering = arena_copy(counting->arena, asked->written_clustering);
    row_merge(counting->arena, &counted->row, &added);
    counted->changed = true;
}

void counting_forget(struct counting *counting)
{
    if (!counting->row_count)
        return;
    counting->row_count = 0;
    memset(counting->places, 0, sizeof(counting->places));
    arena_reset(counting->arena);
}

bool counting_next(struct counting *counting, uint32_t *at, struct bytes *key, struct bytes *value)
{
    while (*at < counting->row_count && !counting->rows[*at].changed)
        (*at)++;
    if (*at == counting->row_count)
        return false;
    buffer_reset(&counting->value);
    fragment_encode(&counting->value, &counting->rows[*at].row);
    *key = counting->rows[(*at)++].key;
    *value = buffer_bytes(&counting->value);
    return true;
}
