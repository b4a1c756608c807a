/* row/row_bed.h: what row/'s tests share: random rows, and rows as text. Only for tests, which include its bodies with it.
 *
 * The text is that of tests/vectors/RowVectors.java. Random rows take most timestamps from a handful, so that ties are common, and
 * the rest from the extremes.
 */
#ifndef ROW_ROW_BED_H
#define ROW_ROW_BED_H

#include "row/fragment.h"
#include "row/merge.h"
#include "row/semantics.h"

#include <stdio.h>
#include <stdlib.h>

struct dice {
    uint64_t state;
};

static inline uint32_t roll(struct dice *dice, uint32_t sides)
{
    dice->state = dice->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((dice->state >> 32) * sides) >> 32);
}

static inline int64_t roll_timestamp(struct dice *dice)
{
    static const int64_t extremes[] = { INT64_MIN + 1, INT64_MIN + 2, TIMESTAMP_SERVER + 1, -1, 0,
                                        INT64_MAX,     INT64_MAX - 1, 1700000000000000 };

    return roll(dice, 8) ? 1 + roll(dice, 5) : extremes[roll(dice, ARRAY_SIZE(extremes))];
}

static inline int64_t roll_time(struct dice *dice)
{
    static const int64_t extremes[] = { 0, 4294967294, 1000000000, INT64_MAX - 1 };

    return roll(dice, 8) ? 1000000010 + roll(dice, 4) : extremes[roll(dice, ARRAY_SIZE(extremes))];
}

static inline struct bytes roll_bytes(struct dice *dice, struct arena *arena)
{
    static const char *const some[] = { "", "a", "ab", "b", "\xff", "\xff\xff", "\x7f" };
    uint8_t *run;

    if (roll(dice, 32))
        return bytes_of_string(some[roll(dice, ARRAY_SIZE(some))]);
    run = arena_alloc(arena, 70000);
    memset(run, roll(dice, 2) ? 0xFF : 0, 70000);
    return bytes_of(run, 127 + roll(dice, 2) * 65500 + roll(dice, 3));
}

static inline struct cell roll_cell(struct dice *dice, struct arena *arena, uint32_t column_id, struct bytes path)
{
    static const int32_t ttls[] = { 1, 100, TTL_SECONDS_MAX };
    struct cell cell = {
        .column_id = column_id, .timestamp_us = roll_timestamp(dice), .local_s = TIME_NONE, .path = path
    };

    switch (roll(dice, 4)) {
    case 0:
        cell.kind = CELL_TOMBSTONE;
        cell.local_s = roll_time(dice);
        return cell;
    case 1:
        cell.kind = CELL_EXPIRING;
        cell.local_s = roll_time(dice);
        cell.ttl_s = ttls[roll(dice, 3)];
        break;
    default: cell.kind = CELL_LIVE; break;
    }
    cell.value = roll_bytes(dice, arena);
    if (!bytes_is_null(path) && roll(dice, 4) == 0)
        cell.path_value = roll_bytes(dice, arena);
    return cell;
}

/* Columns 3 and 300 are simple, 5 and 70000 are collections. */
static inline struct row roll_row(struct dice *dice, struct arena *arena)
{
    static const uint32_t ids[] = { 3, 5, 300, 70000 };
    static const char *const paths[] = { "", "a", "ab", "b", "\xff" };
    struct row row = ROW_EMPTY;

    row.cells = arena_new_array(arena, struct cell, 16);
    row.complexes = arena_new_array(arena, struct complex_deletion, 4);
    if (roll(dice, 3))
        row.liveness = (struct liveness){ roll_timestamp(dice), TTL_NONE, TIME_NONE };
    if (row.liveness.timestamp_us != TIMESTAMP_NONE && roll(dice, 3) == 0) {
        row.liveness.ttl_s = 1 + (int32_t)roll(dice, 100);
        row.liveness.expires_s = roll_time(dice);
    }
    if (roll(dice, 4) == 0)
        row.deletion = (struct deletion){ roll_timestamp(dice), roll_time(dice) };
    row.has_range_tombstones = roll(dice, 10) == 0;
    if (roll(dice, 10) == 0)
        row.written_clustering = roll_bytes(dice, arena);
    for (uint32_t i = 0; i < ARRAY_SIZE(ids); i++) {
        if (roll(dice, 2))
            continue;
        if (i % 2 == 0) {
            row.cells[row.cell_count++] = roll_cell(dice, arena, ids[i], (struct bytes){ 0 });
            continue;
        }
        if (roll(dice, 2))
            row.complexes[row.complex_count++] =
                (struct complex_deletion){ ids[i], { roll_timestamp(dice), roll_time(dice) } };
        for (uint32_t p = 0; p < ARRAY_SIZE(paths); p++)
            if (roll(dice, 3) == 0)
                row.cells[row.cell_count++] = roll_cell(dice, arena, ids[i], bytes_of_string(paths[p]));
    }
    return row;
}

/* ---- text ---- */

static inline void print_hex(struct buffer *out, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buffer_printf(out, "%02x", bytes.data[i]);
}

static inline void print_cell(struct buffer *out, const struct cell *cell)
{
    buffer_printf(out, "%c/%u/", "CETN"[cell->kind], cell -> column_id);
    if (bytes_is_null(cell->path))
        buffer_append_u8(out, '.');
    print_hex(out, cell->path);
    buffer_printf(out, "/%lld/", (long long)cell->timestamp_us);
    if (cell->kind == CELL_EXPIRING)
        buffer_printf(out, "%d/", cell->ttl_s);
    if (cell->kind != CELL_LIVE && cell->kind != CELL_COUNTER)
        buffer_printf(out, "%lld%s", (long long)cell->local_s, cell->kind == CELL_EXPIRING ? "/" : "");
    print_hex(out, cell->value);
    buffer_append_u8(out, ' ');
}

static inline void print_row(struct buffer *out, const struct row *row)
{
    size_t at = out->size;

    if (row->liveness.timestamp_us != TIMESTAMP_NONE)
        buffer_printf(out, "L/%lld/%d/%lld ", (long long)row->liveness.timestamp_us, row->liveness.ttl_s,
                      (long long)(row->liveness.ttl_s ? row->liveness.expires_s : 0));
    if (row->deletion.timestamp_us != TIMESTAMP_NONE)
        buffer_printf(out, "D/%lld/%lld ", (long long)row->deletion.timestamp_us, (long long)row->deletion.deleted_s);
    for (uint32_t i = 0; i < row->complex_count; i++)
        buffer_printf(out, "X/%u/%lld/%lld ", row->complexes[i].column_id,
                      (long long)row->complexes[i].deletion.timestamp_us,
                      (long long)row->complexes[i].deletion.deleted_s);
    for (uint32_t i = 0; i < row->cell_count; i++)
        print_cell(out, &row->cells[i]);
    if (out->size == at)
        buffer_append_string(out, "- ");
    out->size--; /* the last space */
}

static inline char *row_text(struct arena *arena, const struct row *row)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };

    print_row(&out, row);
    return arena_string(arena, buffer_bytes(&out));
}

static inline struct bytes parse_hex(struct arena *arena, const char *hex)
{
    size_t size = strlen(hex) / 2;
    uint8_t *at = arena_alloc(arena, size + 1);

    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;

        sscanf(hex + 2 * i, "%2x", &byte);
        at[i] = (uint8_t)byte;
    }
    return bytes_of(at, size);
}

/* The fields of one part; strtok would lose empty ones. */
static inline uint32_t split(char *text, char separator, char **fields, uint32_t limit)
{
    uint32_t count = 0;

    for (char *at = text; at && count < limit; count++) {
        char *end = strchr(at, separator);

        fields[count] = at;
        if (end)
            *end = 0;
        at = end ? end + 1 : NULL;
    }
    return count;
}

static inline struct cell parse_cell(struct arena *arena, char **fields)
{
    struct cell cell = { .column_id = (uint32_t)atoi(fields[1]),
                         .timestamp_us = atoll(fields[3]),
                         .local_s = TIME_NONE };

    if (strcmp(fields[2], ".") != 0)
        cell.path = parse_hex(arena, fields[2]);
    switch (fields[0][0]) {
    case 'T':
        cell.kind = CELL_TOMBSTONE;
        cell.local_s = atoll(fields[4]);
        break;
    case 'E':
        cell.kind = CELL_EXPIRING;
        cell.ttl_s = atoi(fields[4]);
        cell.local_s = atoll(fields[5]);
        cell.value = parse_hex(arena, fields[6]);
        break;
    default: cell.value = parse_hex(arena, fields[4]); break;
    }
    return cell;
}

static inline struct row parse_row(struct arena *arena, const char *text)
{
    char *copy = arena_string(arena, bytes_of_string(text)), *parts[64], *fields[8] = { 0 };
    uint32_t count = split(copy, ' ', parts, ARRAY_SIZE(parts));
    struct row row = ROW_EMPTY;

    row.cells = arena_new_array(arena, struct cell, count);
    row.complexes = arena_new_array(arena, struct complex_deletion, count);
    for (uint32_t i = 0; i < count; i++) {
        split(parts[i], '/', fields, ARRAY_SIZE(fields));
        switch (fields[0][0]) {
        case '-': break;
        case 'L':
            row.liveness =
                (struct liveness){ atoll(fields[1]), atoi(fields[2]), atoi(fields[2]) ? atoll(fields[3]) : TIME_NONE };
            break;
        case 'D': row.deletion = (struct deletion){ atoll(fields[1]), atoll(fields[2]) }; break;
        case 'X':
            row.complexes[row.complex_count++] =
                (struct complex_deletion){ (uint32_t)atoi(fields[1]), { atoll(fields[2]), atoll(fields[3]) } };
            break;
        default: row.cells[row.cell_count++] = parse_cell(arena, fields); break;
        }
    }
    return row;
}

/* The smallest timestamp in it; INT64_MAX if it has none. */
static inline int64_t row_min_timestamp_us(const struct row *row)
{
    int64_t least = INT64_MAX;

    if (row->liveness.timestamp_us != TIMESTAMP_NONE && row->liveness.timestamp_us < least)
        least = row->liveness.timestamp_us;
    if (row->deletion.timestamp_us != TIMESTAMP_NONE && row->deletion.timestamp_us < least)
        least = row->deletion.timestamp_us;
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (row->complexes[i].deletion.timestamp_us < least)
            least = row->complexes[i].deletion.timestamp_us;
    for (uint32_t i = 0; i < row->cell_count; i++)
        if (row->cells[i].timestamp_us < least)
            least = row->cells[i].timestamp_us;
    return least;
}

static inline struct bytes encode(struct arena *arena, const struct row *row)
{
    struct buffer out CLEANUP(buffer_fini) = { 0 };

    fragment_encode(&out, row);
    return arena_copy(arena, buffer_bytes(&out));
}

#endif
