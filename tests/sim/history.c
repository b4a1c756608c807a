/* Whether a history could have been; see history.h. */
#include "history.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MAX = 2048, RESTARTS_MAX = 64, PENDING_MAX = 60, CONFIGS_MAX = 3000 };

struct history {
    uint64_t now;
    uint32_t count, restart_count;
    uint64_t restarts[RESTARTS_MAX];
    struct operation *operations[OPERATIONS_MAX]; /* owned */
};

struct history *history_new(void)
{
    return xcalloc(1, sizeof(struct history));
}

void history_free(struct history *history)
{
    for (uint32_t i = 0; i < history->count; i++)
        free(history->operations[i]);
    free(history);
}

struct operation *history_begin(struct history *history, uint32_t event)
{
    struct operation *operation = xcalloc(1, sizeof(*operation));

    assert(history->count < OPERATIONS_MAX);
    history->operations[history->count++] = operation;
    operation->event = event;
    operation->from = ++history->now;
    return operation;
}

void history_end(struct history *history, struct operation *operation, enum answer answer)
{
    assert(operation->answer == ANSWER_OPEN && answer != ANSWER_OPEN);
    operation->answer = answer;
    if (answer != ANSWER_UNKNOWN)
        operation->to = ++history->now;
}

void history_restarted(struct history *history)
{
    assert(history->restart_count < RESTARTS_MAX);
    history->restarts[history->restart_count++] = ++history->now;
}

static const char *name_of(enum answer answer)
{
    switch (answer) {
    case ANSWER_OPEN: return "open";
    case ANSWER_DONE: return "done";
    case ANSWER_NOTHING: return "nothing";
    case ANSWER_UNKNOWN: return "unknown";
    }
    return "";
}

static void print_operation(FILE *out, const struct operation *operation)
{
    fprintf(out, "  #%-3u %4llu-%-4llu %-8s %s   -> %s\n", operation->event, (unsigned long long)operation->from,
            (unsigned long long)operation->to, name_of(operation->answer), operation->text, operation->answered);
}

void history_print(FILE *out, const struct history *history)
{
    uint32_t restart = 0;

    for (uint32_t i = 0; i < history->count; i++) {
        while (restart < history->restart_count && history->restarts[restart] < history->operations[i]->from)
            fprintf(out, "  ---- started anew (%llu)\n", (unsigned long long)history->restarts[restart++]);
        print_operation(out, history->operations[i]);
    }
}

/* ---- one lane ---- */

/* A slot is a part that is pending: a read not yet answered, a write not yet known to have happened or not. */
struct slot {
    const struct operation *operation; /* NULL: free */
    const struct part *part;
    uint32_t reserve; /* of a batch of several partitions: which stamp; RESERVED_MAX: it has none of its own */
    bool is_closed;   /* decided, but for us to find out: of a batch of a server that is gone */
};
struct config {
    struct model_state state;
    uint64_t done; /* by slot */
};
struct lane {
    uint32_t index;
    struct slot slots[PENDING_MAX];
    uint64_t used, closed;
    uint32_t reserves;      /* in use, by bit */
    struct config *configs; /* owned */
    uint32_t count, capacity;
    uint32_t *table;     /* owned: of configs by hash, to find equals */
    uint32_t table_size; /* a power of two */
    bool given_up;
    const struct operation *failed_at;
    struct config *before; /* owned: what was possible before it failed */
    uint32_t before_count;
};

static uint64_t hash_of(const struct config *config)
{
    const uint64_t *word = (const uint64_t *)config;
    uint64_t hash = 14695981039346656037u;

    static_assert(sizeof(*config) % 8 == 0, "whole words");
    for (size_t i = 0; i < sizeof(*config) / 8; i++) {
        hash = (hash ^ word[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}

static void put_in_table(struct lane *lane, uint32_t index)
{
    uint32_t at = (uint32_t)hash_of(&lane->configs[index]) & (lane->table_size - 1);

    while (lane->table[at])
        at = (at + 1) & (lane->table_size - 1);
    lane->table[at] = index + 1;
}

static void make_table(struct lane *lane, uint32_t size)
{
    lane->table_size = size;
    lane->table = xrealloc(lane->table, size * sizeof(*lane->table));
    memset(lane->table, 0, size * sizeof(*lane->table));
    for (uint32_t i = 0; i < lane->count; i++)
        put_in_table(lane, i);
}

static void add(struct lane *lane, const struct config *config)
{
    uint32_t at = (uint32_t)hash_of(config) & (lane->table_size - 1);

    for (; lane->table[at]; at = (at + 1) & (lane->table_size - 1))
        if (!memcmp(&lane->configs[lane->table[at] - 1], config, sizeof(*config)))
            return;
    if (lane->count == CONFIGS_MAX) {
        lane->given_up = true;
        return;
    }
    if (lane->count == lane->capacity) {
        lane->capacity = lane->capacity ? 2 * lane->capacity : 16;
        lane->configs = xrealloc(lane->configs, lane->capacity * sizeof(*lane->configs));
    }
    lane->configs[lane->count++] = *config;
    lane->table[at] = lane->count;
    if (2 * lane->count > lane->table_size)
        make_table(lane, 2 * lane->table_size);
}

static void rebuild(struct lane *lane, bool (*keep)(struct config *config, uint64_t bit), uint64_t bit)
{
    uint32_t count = lane->count;

    lane->count = 0;
    make_table(lane, 64);
    for (uint32_t i = 0; i < count; i++) {
        struct config config = lane->configs[i];

        if (keep(&config, bit))
            add(lane, &config); /* never more than there were */
    }
}

static uint32_t slot_of(const struct lane *lane, const struct part *part)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++)
        if (lane->used >> i & 1 && lane->slots[i].part == part)
            return i;
    return PENDING_MAX;
}

/* All that can have come of what is pending; reads see it as soon as it shows what they saw. */
static void close_over(struct lane *lane)
{
    for (uint32_t at = 0; at < lane->count && !lane->given_up; at++) {
        uint64_t pending = lane->used & ~lane->closed;

        for (uint32_t i = 0; i < PENDING_MAX; i++) { /* reads first: they change nothing */
            const struct part *part = lane->slots[i].part;

            if (pending >> i & 1 && !(lane->configs[at].done >> i & 1) && part->is_read &&
                model_shows(&lane->configs[at].state, &part->read, &part->shown, part->has_more))
                lane->configs[at].done |= UINT64_C(1) << i;
        }
        for (uint32_t i = 0; i < PENDING_MAX && !lane->given_up; i++) {
            const struct part *part = lane->slots[i].part;
            struct config next;

            if (!(pending >> i & 1) || lane->configs[at].done >> i & 1 || part->is_read)
                continue;
            next = lane->configs[at];
            if (lane->slots[i].reserve < RESERVED_MAX) {
                if (next.state.reserved[lane->slots[i].reserve]) {
                    model_write_reserved(&next.state, lane->slots[i].reserve, &part->write);
                    next.done |= UINT64_C(1) << i;
                } else {
                    model_reserve(&next.state, lane->slots[i].reserve);
                }
                add(lane, &next);
                continue;
            }
            if (!model_write(&next.state, &part->write, part->outcome, &part->seen))
                continue;
            next.done |= UINT64_C(1) << i;
            add(lane, &next);
        }
    }
}

static bool is_done(struct config *config, uint64_t bit)
{
    if (!(config->done & bit))
        return false;
    config->done &= ~bit;
    return true;
}

static void remember(struct lane *lane)
{
    free(lane->before);
    lane->before_count = lane->count;
    lane->before = xmalloc((lane->count + 1) * sizeof(*lane->before));
    memcpy(lane->before, lane->configs, lane->count * sizeof(*lane->before));
}

static uint32_t reserve(struct lane *lane)
{
    for (uint32_t i = 0; i < RESERVED_MAX; i++)
        if (!(lane->reserves >> i & 1)) {
            lane->reserves |= 1u << i;
            return i;
        }
    lane->given_up = true;
    return 0;
}

/* Whoever had it has written, or never will. */
static void give_reserve(struct lane *lane, uint32_t which)
{
    uint32_t count = lane->count;

    if (which == RESERVED_MAX)
        return;
    lane->reserves &= ~(1u << which);
    lane->count = 0;
    make_table(lane, 64);
    for (uint32_t i = 0; i < count; i++) {
        struct config config = lane->configs[i];

        config.state.reserved[which] = 0;
        add(lane, &config);
    }
}

static bool begin_part(struct lane *lane, const struct operation *operation, const struct part *part)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++)
        if (!(lane->used >> i & 1)) {
            lane->slots[i] = (struct slot){ operation, part, RESERVED_MAX, false };
            if (operation->whole && operation->part_count > 1)
                lane->slots[i].reserve = reserve(lane);
            lane->used |= UINT64_C(1) << i;
            return true;
        }
    lane->given_up = true;
    return false;
}

static void end_part(struct lane *lane, const struct operation *operation, const struct part *part)
{
    uint32_t i = slot_of(lane, part);

    assert(i < PENDING_MAX);
    close_over(lane);
    if (lane->given_up)
        return;
    remember(lane);
    rebuild(lane, is_done, UINT64_C(1) << i);
    lane->used &= ~(UINT64_C(1) << i);
    give_reserve(lane, lane->slots[i].reserve);
    if (!lane->count)
        lane->failed_at = operation;
}

static bool forget_bit(struct config *config, uint64_t bit)
{
    config->done &= ~bit;
    return true;
}

/* What is pending has happened by now, or never will. */
static void restart_lane(struct lane *lane)
{
    close_over(lane);
    for (uint32_t i = 0; i < PENDING_MAX && !lane->given_up; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (!(lane->used & bit) || lane->closed & bit || lane->slots[i].operation->answer != ANSWER_UNKNOWN)
            continue;
        if (lane->slots[i].operation->whole) {
            lane->closed |= bit;
            lane->slots[i].is_closed = true;
            give_reserve(lane, lane->slots[i].reserve);
            continue;
        }
        rebuild(lane, forget_bit, bit);
        lane->used &= ~bit;
    }
}

/* ---- all of them ---- */

struct moment {
    uint64_t at;
    const struct operation *operation; /* NULL: a restart */
    bool is_end;
};

static int compare_moments(const void *a, const void *b)
{
    uint64_t x = ((const struct moment *)a)->at, y = ((const struct moment *)b)->at;

    return (x > y) - (x < y);
}

static void check_lane(const struct history *history, struct lane *lane)
{
    struct moment *moments = xmalloc((2 * history->count + history->restart_count + 1) * sizeof(*moments));
    uint32_t count = 0;
    struct config first;

    memset(&first, 0, sizeof(first));
    for (uint32_t i = 0; i < history->count; i++) {
        const struct operation *operation = history->operations[i];
        bool touches = false;

        for (uint32_t k = 0; k < operation->part_count; k++)
            touches |= operation->parts[k].lane == lane->index;
        if (!touches || operation->answer == ANSWER_NOTHING || operation->answer == ANSWER_OPEN)
            continue;
        if (operation->answer == ANSWER_UNKNOWN && operation->part_count && operation->parts[0].is_read)
            continue;
        moments[count++] = (struct moment){ operation->from, operation, false };
        if (operation->to)
            moments[count++] = (struct moment){ operation->to, operation, true };
    }
    for (uint32_t i = 0; i < history->restart_count; i++)
        moments[count++] = (struct moment){ history->restarts[i], NULL, false };
    qsort(moments, count, sizeof(*moments), compare_moments);
    make_table(lane, 64);
    add(lane, &first);
    for (uint32_t i = 0; i < count && !lane->given_up && !lane->failed_at; i++) {
        const struct operation *operation = moments[i].operation;

        if (!operation) {
            restart_lane(lane);
            continue;
        }
        for (uint32_t k = 0; k < operation->part_count && !lane->given_up && !lane->failed_at; k++) {
            if (operation->parts[k].lane != lane->index)
                continue;
            if (moments[i].is_end)
                end_part(lane, operation, &operation->parts[k]);
            else
                begin_part(lane, operation, &operation->parts[k]);
        }
    }
    free(moments);
}

/* Whether the lane allows that the batch has happened (1), that it has not (2). */
static uint32_t allows(const struct lane *lane, const struct operation *batch)
{
    uint32_t allowed = 0;

    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        if (!(lane->closed >> i & 1) || lane->slots[i].operation != batch)
            continue;
        for (uint32_t k = 0; k < lane->count; k++)
            allowed |= lane->configs[k].done >> i & 1 ? 1 : 2;
        return allowed;
    }
    return 3;
}

static bool is_as_wanted(struct config *config, uint64_t bit)
{
    return config->done & bit;
}
static bool is_not_as_wanted(struct config *config, uint64_t bit)
{
    return !(config->done & bit);
}

/* True: something became impossible. */
static bool restrict_lane(struct lane *lane, const struct operation *batch, uint32_t allowed)
{
    uint32_t count = lane->count;

    for (uint32_t i = 0; i < PENDING_MAX; i++)
        if (lane->closed >> i & 1 && lane->slots[i].operation == batch)
            rebuild(lane, allowed == 1 ? is_as_wanted : is_not_as_wanted, UINT64_C(1) << i);
    return lane->count != count;
}

/* A batch that is known to have happened in one lane has so in all. NULL: that can be. */
static const struct operation *check_batches(const struct history *history, struct lane *lanes)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < history->count; i++) {
            const struct operation *batch = history->operations[i];
            uint32_t allowed = 3;

            if (!batch->whole || batch->answer != ANSWER_UNKNOWN)
                continue;
            for (uint32_t l = 0; l < LANES_MAX; l++)
                if (!lanes[l].given_up)
                    allowed &= allows(&lanes[l], batch);
            if (!allowed)
                return batch;
            for (uint32_t l = 0; l < LANES_MAX && allowed != 3; l++)
                if (!lanes[l].given_up)
                    changed |= restrict_lane(&lanes[l], batch, allowed);
        }
    }
    return NULL;
}

static void print_possible(FILE *out, const struct lane *lane)
{
    struct model_read read = { .to = ROWS - 1, .whole = true, .columns = 255 };

    for (uint32_t i = 0; i < lane->before_count && i < 8; i++) {
        struct shown shown;

        model_read(&lane->before[i].state, &read, &shown);
        fprintf(out, "  could be  ");
        model_print_shown(out, &shown, 255);
        fprintf(out, "  (all that has a time to live, as if it had none to lose)\n");
    }
}

static char *tell(const struct history *history, const struct lane *lane)
{
    char *words = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&words, &size);

    fprintf(out, "#%u could not be answered so, in partition %u:\n", lane->failed_at->event, lane->index);
    print_operation(out, lane->failed_at);
    for (uint32_t i = 0; i < lane->failed_at->part_count; i++) {
        const struct part *part = &lane->failed_at->parts[i];

        if (part->lane != lane->index || !part->is_read)
            continue;
        fprintf(out, "  got       ");
        model_print_shown(out, &part->shown, part->read.columns);
        fprintf(out, "%s  (columns %u, at %lld s)\n", part->has_more ? ", and more" : "", part->read.columns,
                (long long)part->read.now_s);
    }
    print_possible(out, lane);
    fclose(out);
    return words;
}

char *history_check(const struct history *history, uint32_t *too_open)
{
    struct lane *lanes = xcalloc(LANES_MAX, sizeof(*lanes));
    const struct operation *cut;
    char *words = NULL;

    *too_open = 0;
    for (uint32_t i = 0; i < LANES_MAX && !words; i++) {
        lanes[i].index = i;
        check_lane(history, &lanes[i]);
        *too_open += lanes[i].given_up;
        if (lanes[i].failed_at)
            words = tell(history, &lanes[i]);
    }
    cut = words ? NULL : check_batches(history, lanes);
    if (cut) {
        size_t size = 0;
        FILE *out = open_memstream(&words, &size);

        fprintf(out, "#%u, a logged batch, was done in part:\n", cut->event);
        print_operation(out, cut);
        fclose(out);
    }
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        free(lanes[i].configs);
        free(lanes[i].before);
        free(lanes[i].table);
    }
    free(lanes);
    return words;
}
