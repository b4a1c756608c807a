/* The model; see model.h. */
#include "model.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 4 }; /* between two stamps of the server: what clears a collection is just below its write */

/* ---- one form ---- */

static void visit_cells(struct model_state *state, void (*visit)(void *context, int64_t *at), void *context)
{
    for (int i = 0; i < RESERVED_MAX; i++)
        visit(context, &state->reserved[i]);
    visit(context, &state->static_deleted_at);
    visit(context, &state->s.at);
    for (int i = 0; i < ROWS; i++) {
        struct model_row *row = &state->rows[i];

        visit(context, &row->marked_at);
        visit(context, &row->deleted_at);
        visit(context, &row->a.at);
        visit(context, &row->b.at);
        visit(context, &row->map_deleted_at);
        visit(context, &row->set_deleted_at);
        visit(context, &row->list_deleted_at);
        for (int k = 0; k < ELEMENTS; k++) {
            visit(context, &row->map[k].at);
            visit(context, &row->set[k].at);
        }
    }
    for (int64_t k = 0; k < state->list_count; k++)
        visit(context, &state->list[k].at);
}

struct times {
    uint32_t count;
    int64_t at[RESERVED_MAX + 1 + 1 + ROWS * (7 + 2 * ELEMENTS) + LIST_MAX];
};

/* Where it stands, or would stand, among those gathered. */
static uint32_t place_of(const struct times *times, int64_t at)
{
    uint32_t low = 0, high = times->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (times->at[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void gather(void *context, int64_t *at)
{
    struct times *times = context;
    uint32_t place;

    if (*at < MODEL_SERVER)
        return;
    place = place_of(times, *at);
    if (place < times->count && times->at[place] == *at)
        return;
    memmove(times->at + place + 1, times->at + place, (times->count - place) * sizeof(*times->at));
    times->at[place] = *at;
    times->count++;
}

static void renumber(void *context, int64_t *at)
{
    if (*at >= MODEL_SERVER)
        *at = MODEL_SERVER + GAP * (int64_t)(place_of(context, *at) + 1);
}

static void newest(void *context, int64_t *at)
{
    if (*at > *(int64_t *)context)
        *(int64_t *)context = *at;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void cover(struct model_cell *cell, int64_t deleted_at)
{
    if (cell->kind && cell->at <= deleted_at)
        *cell = (struct model_cell){ 0 };
}

static void tidy_list(struct model_state *state)
{
    int64_t deleted_at = max(state->rows[0].list_deleted_at, state->rows[0].deleted_at), kept = 0;

    for (int64_t k = 0; k < state->list_count; k++)
        if (state->list[k].at > deleted_at)
            state->list[kept++] = state->list[k];
    memset(state->list + kept, 0, (size_t)(state->list_count - kept) * sizeof(*state->list));
    state->list_count = kept;
}

/* What is deleted goes, so that it can't tell two histories apart. */
static void tidy(struct model_state *state)
{
    struct times times = { 0 };

    cover(&state->s, state->static_deleted_at);
    for (int i = 0; i < ROWS; i++) {
        struct model_row *row = &state->rows[i];

        if (row->marked_at <= row->deleted_at)
            row->marked_at = row->marked_expires_s = 0;
        cover(&row->a, row->deleted_at);
        cover(&row->b, row->deleted_at);
        row->map_deleted_at = row->map_deleted_at <= row->deleted_at ? 0 : row->map_deleted_at;
        row->set_deleted_at = row->set_deleted_at <= row->deleted_at ? 0 : row->set_deleted_at;
        row->list_deleted_at = row->list_deleted_at <= row->deleted_at ? 0 : row->list_deleted_at;
        for (int k = 0; k < ELEMENTS; k++) {
            cover(&row->map[k], max(row->map_deleted_at, row->deleted_at));
            cover(&row->set[k], max(row->set_deleted_at, row->deleted_at));
        }
    }
    tidy_list(state);
    visit_cells(state, gather, &times);
    visit_cells(state, renumber, &times);
}

/* ---- writing ---- */

static bool is_live(const struct model_cell *cell, int64_t now_s)
{
    return cell->kind == CELL_VALUE && (!cell->expires_s || now_s < cell->expires_s);
}

/* The later one stays. Of two of one time (in one batch): the deletion, else the one that expires, and later, else the larger value. */
static void put(struct model_cell *cell, struct model_cell other)
{
    bool is_lesser = other.value <= cell->value;

    if (cell->kind && cell->at > other.at)
        return;
    if (!!cell->expires_s != !!other.expires_s)
        is_lesser = !other.expires_s;
    else if (cell->expires_s != other.expires_s)
        is_lesser = other.expires_s < cell->expires_s;
    if (cell->kind && cell->at == other.at && (cell->kind == CELL_DEAD || (other.kind != CELL_DEAD && is_lesser)))
        return;
    *cell = other;
}

/* Items of one place: as put. */
static void put_item(struct model_state *state, int64_t place, struct model_cell cell)
{
    struct model_item item = { cell.at, (int32_t)place, (int32_t)cell.value, (int32_t)cell.expires_s,
                               (int32_t)cell.kind };
    int64_t low = 0, high = state->list_count;

    while (low < high) {
        int64_t middle = (low + high) / 2;

        if (state->list[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < state->list_count && state->list[low].place == place) {
        if (state->list[low].at < item.at || (state->list[low].at == item.at && item.kind == CELL_DEAD))
            state->list[low] = item;
        return;
    }
    if (state->list_count == LIST_MAX) {
        fprintf(stderr, "the model's list is too short\n");
        abort();
    }
    memmove(state->list + low + 1, state->list + low, (size_t)(state->list_count - low) * sizeof(*state->list));
    state->list_count++;
    state->list[low] = item;
}

static bool item_is_live(const struct model_item *item, int64_t now_s)
{
    return item->kind == CELL_VALUE && (!item->expires_s || now_s < item->expires_s);
}

/* The n-th that is shown; NULL: there are not so many. */
static struct model_item *nth(struct model_state *state, int64_t n, int64_t now_s)
{
    for (int64_t i = 0; i < state->list_count; i++)
        if (item_is_live(&state->list[i], now_s) && n-- == 0)
            return &state->list[i];
    return NULL;
}

static void delete_row(struct model_row *row, int64_t at)
{
    row->deleted_at = max(row->deleted_at, at);
    row->counted = row->x = row->y = 0;
}

static void change(struct model_state *state, const struct mutation *m, int64_t server_at, int64_t now_s)
{
    int64_t at = m->at ? m->at : server_at;
    struct model_row *row = &state->rows[m->row];
    struct model_cell value = { at, m->ttl_s ? now_s + m->ttl_s : 0, m->value, CELL_VALUE },
                      dead = { at, 0, 0, CELL_DEAD };

    switch (m->kind) {
    case PUT_MARK:
        if (at > row->marked_at) {
            row->marked_at = at;
            row->marked_expires_s = value.expires_s;
        }
        break;
    case PUT_A: put(&row->a, value); break;
    case PUT_B: put(&row->b, value); break;
    case PUT_S: put(&state->s, value); break;
    case MAP_CLEAR: row->map_deleted_at = max(row->map_deleted_at, at - 1); break;
    case MAP_DELETE: row->map_deleted_at = max(row->map_deleted_at, at); break;
    case MAP_PUT: put(&row->map[m->key], value); break;
    case MAP_REMOVE: put(&row->map[m->key], dead); break;
    case SET_CLEAR: row->set_deleted_at = max(row->set_deleted_at, at - 1); break;
    case SET_DELETE: row->set_deleted_at = max(row->set_deleted_at, at); break;
    case SET_PUT:
        value.value = 0;
        put(&row->set[m->key], value);
        break;
    case SET_REMOVE: put(&row->set[m->key], dead); break;
    case LIST_CLEAR:
        row->list_deleted_at = max(row->list_deleted_at, at - 1);
        tidy_list(state); /* it makes room for what follows */
        break;
    case LIST_DELETE: row->list_deleted_at = max(row->list_deleted_at, at); break;
    case LIST_PUT: put_item(state, m->key, value); break;
    case LIST_FILL:
        for (int64_t i = 0; i < m->value; i++) {
            value.value = model_fill(i);
            put_item(state, m->key + i, value);
        }
        break;
    case LIST_SET_AT: put_item(state, nth(state, m->key, now_s)->place, value); break;
    case LIST_REMOVE_AT: put_item(state, nth(state, m->key, now_s)->place, dead); break;
    case LIST_DISCARD:
        for (int64_t i = 0; i < state->list_count; i++)
            if (item_is_live(&state->list[i], now_s) && state->list[i].value == m->value)
                put_item(state, state->list[i].place, dead);
        break;
    case DELETE_A: put(&row->a, dead); break;
    case DELETE_B: put(&row->b, dead); break;
    case DELETE_S: put(&state->s, dead); break;
    case DELETE_ROW: delete_row(row, at); break;
    case DELETE_RANGE:
        for (int64_t i = m->key; i <= m->value; i++)
            delete_row(&state->rows[i], at);
        break;
    case DELETE_PARTITION:
        state->static_deleted_at = max(state->static_deleted_at, at);
        for (int i = 0; i < ROWS; i++)
            delete_row(&state->rows[i], at);
        break;
    case ADD_X:
        row->counted |= 1;
        row->x += m->value;
        break;
    case ADD_Y:
        row->counted |= 2;
        row->y += m->value;
        break;
    case DROP_B:
        for (int i = 0; i < ROWS; i++)
            state->rows[i].b = (struct model_cell){ 0 };
        break;
    case TRUNCATE:
        memset(&state->static_deleted_at, 0, sizeof(*state) - offsetof(struct model_state, static_deleted_at));
        break;
    }
}

static bool row_exists(const struct model_state *state, const struct model_row *row, int64_t now_s)
{
    bool any =
        row->counted || (row->marked_at > row->deleted_at && (!row->marked_expires_s || now_s < row->marked_expires_s));

    any |= is_live(&row->a, now_s) && row->a.at > row->deleted_at;
    any |= is_live(&row->b, now_s) && row->b.at > row->deleted_at;
    for (int k = 0; k < ELEMENTS; k++) {
        any |= is_live(&row->map[k], now_s) && row->map[k].at > max(row->map_deleted_at, row->deleted_at);
        any |= is_live(&row->set[k], now_s) && row->set[k].at > max(row->set_deleted_at, row->deleted_at);
    }
    for (int64_t k = 0; k < state->list_count && row == &state->rows[0]; k++)
        any |= item_is_live(&state->list[k], now_s);
    return any;
}

static bool one_holds(const struct model_state *state, const struct model_condition *condition, int64_t now_s,
                      const struct model_seen *seen, bool *seen_fits)
{
    const struct model_row *row = &state->rows[condition->row];
    const struct model_cell *cell = condition->kind == CONDITION_S_IS ? &state->s : &row->a;
    bool live = is_live(cell, now_s);

    switch (condition->kind) {
    case CONDITION_NOT_EXISTS: return !row_exists(state, row, now_s);
    case CONDITION_EXISTS: return row_exists(state, row, now_s);
    case CONDITION_A_IS:
    case CONDITION_S_IS:
        if (seen && seen->known)
            *seen_fits &= seen->is_null ? !live : live && seen->value == cell->value;
        return live && cell->value == condition->value;
    }
    return false;
}

static bool holds(const struct model_state *state, const struct model_write *write, const struct model_seen *seen,
                  bool *seen_fits)
{
    bool all = true;

    *seen_fits = true;
    for (uint32_t i = 0; i < write->condition_count; i++)
        all &= one_holds(state, &write->conditions[i], write->now_s, seen, seen_fits);
    return all;
}

static bool has_place(struct model_state *state, const struct model_write *write)
{
    for (uint32_t i = 0; i < write->count; i++) {
        const struct mutation *m = &write->mutations[i];

        if ((m->kind == LIST_SET_AT || m->kind == LIST_REMOVE_AT) && !nth(state, m->key, write->now_s))
            return false;
    }
    return true;
}

bool model_write(struct model_state *state, const struct model_write *write, enum outcome outcome,
                 const struct model_seen *seen)
{
    int64_t at = MODEL_SERVER;
    bool seen_fits, held = holds(state, write, seen, &seen_fits);

    if (!held)
        return outcome == OUTCOME_ANY || (outcome == OUTCOME_REFUSED && seen_fits);
    if (outcome == OUTCOME_REFUSED)
        return false;
    if (!has_place(state, write))
        return outcome == OUTCOME_ANY || outcome == OUTCOME_NO_PLACE;
    if (outcome == OUTCOME_NO_PLACE)
        return false;
    visit_cells(state, newest, &at);
    for (uint32_t i = 0; i < write->count; i++)
        change(state, &write->mutations[i], at + GAP, write->now_s);
    tidy(state);
    return true;
}

void model_reserve(struct model_state *state, uint32_t which)
{
    int64_t at = MODEL_SERVER;

    assert(which < RESERVED_MAX && !state->reserved[which]);
    visit_cells(state, newest, &at);
    state->reserved[which] = at + GAP;
    tidy(state);
}

void model_write_reserved(struct model_state *state, uint32_t which, const struct model_write *write)
{
    int64_t at = state->reserved[which];

    assert(at && !write->condition_count);
    state->reserved[which] = 0;
    for (uint32_t i = 0; i < write->count; i++)
        change(state, &write->mutations[i], at, write->now_s);
    tidy(state);
}

/* ---- reading ---- */

static void show_row(const struct model_state *state, int c, uint32_t columns, int64_t now_s, struct shown_row *shown)
{
    const struct model_row *row = c < 0 ? NULL : &state->rows[c];

    *shown = (struct shown_row){ .c = c };
    if (columns & WITH_S && is_live(&state->s, now_s)) {
        shown->has |= WITH_S;
        shown->s = state->s.value;
    }
    if (!row)
        return;
    if (columns & WITH_A && is_live(&row->a, now_s)) {
        shown->has |= WITH_A;
        shown->a = row->a.value;
    }
    if (columns & WITH_B && is_live(&row->b, now_s)) {
        shown->has |= WITH_B;
        shown->b = row->b.value;
    }
    if (columns & WITH_X && row->counted & 1) {
        shown->has |= WITH_X;
        shown->x = row->x;
    }
    if (columns & WITH_Y && row->counted & 2) {
        shown->has |= WITH_Y;
        shown->y = row->y;
    }
    for (int k = 0; k < ELEMENTS; k++) {
        if (columns & WITH_MAP && is_live(&row->map[k], now_s)) {
            shown->map_keys[shown->map_count] = k;
            shown->map_values[shown->map_count++] = row->map[k].value;
        }
        if (columns & WITH_SET && is_live(&row->set[k], now_s))
            shown->set[shown->set_count++] = k;
    }
}

static void show_list(const struct model_state *state, int64_t now_s, struct shown *shown)
{
    for (int64_t k = 0; k < state->list_count; k++)
        if (item_is_live(&state->list[k], now_s))
            shown->list[shown->list_count++] = state->list[k].value;
}

void model_read(const struct model_state *state, const struct model_read *read, struct shown *shown)
{
    memset(shown, 0, sizeof(*shown));
    if (!read->distinct)
        for (int i = 0; i < ROWS; i++) {
            int c = read->reversed ? ROWS - 1 - i : i;

            if (c < read->from || c > read->to || !row_exists(state, &state->rows[c], read->now_s))
                continue;
            if (read->limit && shown->count == read->limit)
                return;
            show_row(state, c, read->columns, read->now_s, &shown->rows[shown->count++]);
            if (c == 0 && read->columns & WITH_LIST)
                show_list(state, read->now_s, shown);
        }
    if (shown->count || !(read->whole || read->distinct))
        return;
    if (read->distinct) { /* any row will do */
        bool any = is_live(&state->s, read->now_s);

        for (int i = 0; i < ROWS; i++)
            any |= row_exists(state, &state->rows[i], read->now_s);
        if (!any)
            return;
    } else if (!is_live(&state->s, read->now_s)) {
        return;
    }
    show_row(state, -1, read->columns, read->now_s, &shown->rows[shown->count++]);
}

bool model_shows(const struct model_state *state, const struct model_read *read, const struct shown *got, bool has_more)
{
    struct shown expected;

    model_read(state, read, &expected);
    if (has_more ? got->count > expected.count : got->count != expected.count)
        return false;
    if (has_more && !got->list_count && expected.count && expected.rows[expected.count - 1].c == 0)
        expected.list_count = 0; /* the row that has it is on a page to come */
    return expected.list_count == got->list_count &&
           !memcmp(expected.list, got->list, got->list_count * sizeof(expected.list[0])) &&
           !memcmp(expected.rows, got->rows, got->count * sizeof(expected.rows[0]));
}

static void print_one(FILE *out, bool has, int64_t value, const char *name)
{
    if (has)
        fprintf(out, " %s=%lld", name, (long long)value);
}

void model_print_shown(FILE *out, const struct shown *shown, uint32_t columns)
{
    if (!shown->count)
        fprintf(out, "nothing");
    for (uint32_t i = 0; i < shown->count; i++) {
        const struct shown_row *row = &shown->rows[i];

        fprintf(out, "%s[", i ? " " : "");
        if (row->c < 0)
            fprintf(out, "static");
        else
            fprintf(out, "%d", row->c);
        print_one(out, row->has & WITH_S, row->s, "s");
        print_one(out, row->has & WITH_A, row->a, "a");
        print_one(out, row->has & WITH_B, row->b, "b");
        print_one(out, row->has & WITH_X, row->x, "x");
        print_one(out, row->has & WITH_Y, row->y, "y");
        for (int k = 0; k < row->map_count; k++)
            fprintf(out, "%s%lld:%lld", k ? "," : " m=", (long long)row->map_keys[k], (long long)row->map_values[k]);
        for (int k = 0; k < row->set_count; k++)
            fprintf(out, "%s%lld", k ? "," : " e=", (long long)row->set[k]);
        for (uint32_t k = 0; k < shown->list_count && row->c == 0; k++)
            fprintf(out, "%s%lld", k ? "," : " l=", (long long)shown->list[k]);
        fprintf(out, "]");
    }
}
