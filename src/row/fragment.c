/* Rows to bytes and back: the stored form that row/fragment.h draws.
 *
 * The form is made for rows of few cells that were written together: one base timestamp and TTL for
 * all, and a cell that has just these costs its column, a zero and its value. Every size and count
 * is checked when bytes are read, since a disk may be damaged, and commands bring fragments from
 * elsewhere.
 *
 * What is acknowledged must never be refused by who reads it. So the two directions share the
 * predicates that say what may stand in a fragment, the encoder asserts them, and a debug build
 * decodes all that it encodes. The two faults that broke this rule in the past were duplicates and
 * timestamps at the edge: see mend.
 *
 * The format is laid down: golden bytes in fragment_test.c hold it, fragment_fuzz.c feeds foreign
 * bytes. */
#include "row/fragment.h"

#include "base/debug.h"
#include "row/merge.h"

#include <assert.h>

/* Bits of the liveness and of a cell, as drawn. KNOWN: with another bit set it is not of this
 * version. */
enum { LIVENESS_OWN_TIMESTAMP = 1, LIVENESS_BASE_TTL = 2, LIVENESS_OWN_TTL = 4, LIVENESS_KNOWN = 7 };
enum {
    CELL_KIND_MASK = 3,
    CELL_OWN_TIMESTAMP = 4,
    CELL_OWN_TTL = 8,
    CELL_PATH = 0x10,
    CELL_PATH_VALUE = 0x20,
    CELL_KNOWN = 0x3F
};
/* Where the base timestamp stands, which the owner patches, and what comes behind it. */
enum { BASE_AT = 2, BODY_AT = 10 };
static_assert(FRAGMENT_BYTES_MIN == BODY_AT + 1, "the shortest fragment has a head and a count of no cells");

/* ---- what may stand in a fragment: said once, for those who write and those who read ---- */

/* Timestamps that mean something else in memory: none, and "the owner's time". No client can ask for
 * them, so bytes that hold one as a number are damaged or not ours. */
static bool is_reserved(int64_t timestamp_us)
{
    return timestamp_us == TIMESTAMP_NONE || timestamp_is_server(timestamp_us);
}

/* Whether a timestamp may be in a fragment. A fragment that waits for its timestamp (`server`) holds
 * only such as wait, the others only real ones: a mixture could not be stamped by patching one
 * place. */
static bool may_stand(int64_t timestamp_us, bool server)
{
    return server ? timestamp_is_server(timestamp_us) : !is_reserved(timestamp_us);
}

/* Zero is said by leaving the TTL away. What is larger than an int32 does not come from CQL. */
static bool is_ttl(uint64_t ttl_s)
{
    return ttl_s && ttl_s <= INT32_MAX;
}

/* How a cell and the one before it stand: below 0 as they should, by (column, path) without
 * repetition. Merging relies on it. Most neighbours are of different columns, and their paths are
 * not looked at. */
static inline int compare_neighbours(const struct cell *before, const struct cell *cell)
{
    return before->column_id < cell->column_id ? -1 : cell_compare(before, cell);
}

/* Asked once for each row that is encoded or decoded; it is the only check of the order. */
static inline bool is_sorted(const struct row *row)
{
    for (uint32_t i = 1; i < row->cell_count; i++)
        if (compare_neighbours(&row->cells[i - 1], &row->cells[i]) >= 0)
            return false;
    for (uint32_t i = 1; i < row->complex_count; i++)
        if (row->complexes[i - 1].column_id >= row->complexes[i].column_id)
            return false;
    return true;
}

/* ---- encoding ---- */

/* A number in as few bytes as it needs, seven bits in each: at most ten. */
static void append_varint(struct buffer *out, uint64_t v)
{
    uint8_t *at = buffer_reserve(out, 10);
    size_t n = 0;

    while (v >= 0x80) {
        at[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    at[n++] = (uint8_t)v;
    assert(n <= 10);
    out->size += n;
}

/* Small numbers of either sign become small ones without (zigzag), so that differences cost a byte
 * or two. */
static void append_signed(struct buffer *out, int64_t v)
{
    append_varint(out, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void append_sized(struct buffer *out, struct bytes bytes)
{
    append_varint(out, bytes.size);
    buffer_append_bytes(out, bytes);
}

/* What every other timestamp is told as a difference to. The first that there is: a statement writes
 * all with one timestamp, so most of the others are equal to it and cost nothing. */
static int64_t base_timestamp(const struct row *row)
{
    if (row->liveness.timestamp_us != TIMESTAMP_NONE)
        return row->liveness.timestamp_us;
    if (row->cell_count)
        return row->cells[0].timestamp_us;
    if (row->deletion.timestamp_us != TIMESTAMP_NONE)
        return row->deletion.timestamp_us;
    if (row->complex_count)
        return row->complexes[0].deletion.timestamp_us;
    return 0;
}

/* What a fragment says once for all of its cells. */
struct base {
    int64_t timestamp_us;
    int32_t ttl_s;
    int64_t expires_s;
    bool server; /* timestamp_us is TIMESTAMP_SERVER */
};

/* Differences wrap: the extremes of a client's timestamps are further apart than an int64 reaches. */
static void append_delta(struct buffer *out, const struct base *base, int64_t timestamp_us)
{
    assert(may_stand(timestamp_us, base->server));
    append_signed(out, (int64_t)((uint64_t)timestamp_us - (uint64_t)base->timestamp_us));
}

static void append_ttl(struct buffer *out, int32_t ttl_s, int64_t expires_s)
{
    assert(is_ttl((uint64_t)(int64_t)ttl_s));
    append_varint(out, (uint32_t)ttl_s);
    append_signed(out, expires_s);
}

static void append_liveness(struct buffer *out, const struct base *base, const struct liveness *liveness)
{
    bool own_timestamp = liveness->timestamp_us != base->timestamp_us;
    bool base_ttl = liveness->ttl_s && liveness->ttl_s == base->ttl_s && liveness->expires_s == base->expires_s;
    bool own_ttl = liveness->ttl_s && !base_ttl;

    assert(liveness->timestamp_us != TIMESTAMP_NONE && !(base_ttl && own_ttl));
    buffer_append_u8(out, (own_timestamp ? LIVENESS_OWN_TIMESTAMP : 0) | (base_ttl ? LIVENESS_BASE_TTL : 0) |
                              (own_ttl ? LIVENESS_OWN_TTL : 0));
    if (own_timestamp)
        append_delta(out, base, liveness->timestamp_us);
    if (own_ttl)
        append_ttl(out, liveness->ttl_s, liveness->expires_s);
}

/* A cell says only what differs from the base. A tombstone has no value, and only it says when it
 * was made; of a cell that expires the time of expiry stands beside the TTL. */
static void append_cell(struct buffer *out, const struct base *base, const struct cell *cell)
{
    bool own_timestamp = cell->timestamp_us != base->timestamp_us;
    bool own_ttl = cell->kind == CELL_EXPIRING && !(cell->ttl_s == base->ttl_s && cell->local_s == base->expires_s);
    bool path = !bytes_is_null(cell->path), path_value = !bytes_is_null(cell->path_value);

    debug_assert(cell->kind <= CELL_COUNTER);
    debug_assert(own_timestamp || may_stand(cell->timestamp_us, base->server));
    append_varint(out, cell->column_id);
    buffer_append_u8(out, (uint8_t)cell->kind | (own_timestamp ? CELL_OWN_TIMESTAMP : 0) |
                              (own_ttl ? CELL_OWN_TTL : 0) | (path ? CELL_PATH : 0) |
                              (path_value ? CELL_PATH_VALUE : 0));
    if (own_timestamp)
        append_delta(out, base, cell->timestamp_us);
    if (cell->kind == CELL_TOMBSTONE)
        append_signed(out, cell->local_s);
    if (own_ttl)
        append_ttl(out, cell->ttl_s, cell->local_s);
    if (path)
        append_sized(out, cell->path);
    if (path_value)
        append_sized(out, cell->path_value);
    if (cell->kind != CELL_TOMBSTONE)
        append_sized(out, cell->value);
}

/* The base TTL is the liveness's, or else the first cell's: an INSERT has the first, an UPDATE only
 * the second. */
static struct base choose_base(const struct row *row)
{
    struct base base = { base_timestamp(row), row->liveness.ttl_s, row->liveness.expires_s };

    base.server = timestamp_is_server(base.timestamp_us);
    if (base.server)
        base.timestamp_us = TIMESTAMP_SERVER;
    debug_assert(row->cells || !row->cell_count);
    if (!base.ttl_s && row->cell_count && row->cells[0].kind == CELL_EXPIRING) {
        base.ttl_s = row->cells[0].ttl_s;
        base.expires_s = row->cells[0].local_s;
    }
    return base;
}

/* The rule of the head comment, checked where it costs too much for a release. */
#ifdef HELENUS_DEBUG
static void must_decode(struct bytes fragment)
{
    struct arena *arena = arena_new(1024);
    struct error err;
    struct row row;

    assert(fragment_decode(arena, fragment, &row, &err) == OK);
    arena_free(arena);
}
#else
static inline void must_decode(struct bytes fragment)
{
}
#endif

/* The order of what is appended is the format: the body first tells what is in the head's flags,
 * then the cells. */
void fragment_encode(struct buffer *out, const struct row *row)
{
    struct base base = choose_base(row);
    size_t begin = out->size;
    bool liveness = row->liveness.timestamp_us != TIMESTAMP_NONE,
         deletion = row->deletion.timestamp_us != TIMESTAMP_NONE;
    bool written = !bytes_is_null(row->written_clustering);

    assert(may_stand(base.timestamp_us, base.server) && is_sorted(row));
    buffer_append_u8(out, FRAGMENT_VERSION);
    buffer_append_u8(out, (base.server ? FRAGMENT_SERVER : 0) | (liveness ? FRAGMENT_LIVENESS : 0) |
                              (deletion ? FRAGMENT_DELETION : 0) | (base.ttl_s ? FRAGMENT_TTL : 0) |
                              (row->has_range_tombstones ? FRAGMENT_RANGES : 0) | (written ? FRAGMENT_WRITTEN : 0) |
                              (row->complex_count ? FRAGMENT_COMPLEX : 0));
    buffer_append_be64(out, base.server ? 0 : (uint64_t)base.timestamp_us);
    if (base.ttl_s)
        append_ttl(out, base.ttl_s, base.expires_s);
    if (liveness)
        append_liveness(out, &base, &row->liveness);
    if (deletion) {
        append_delta(out, &base, row->deletion.timestamp_us);
        append_signed(out, row->deletion.deleted_s);
    }
    if (written)
        append_sized(out, row->written_clustering);
    assert(row->complexes || !row->complex_count);
    if (row->complex_count) {
        append_varint(out, row->complex_count);
        for (uint32_t i = 0; i < row->complex_count; i++) {
            append_varint(out, row->complexes[i].column_id);
            append_delta(out, &base, row->complexes[i].deletion.timestamp_us);
            append_signed(out, row->complexes[i].deletion.deleted_s);
        }
    }
    append_varint(out, row->cell_count);
    for (uint32_t i = 0; i < row->cell_count; i++)
        append_cell(out, &base, &row->cells[i]);
    assert(out->size - begin >= FRAGMENT_BYTES_MIN);
    must_decode(bytes_of(out->data + begin, out->size - begin));
}

/* Stored fragments always are: who stores one that waits for its time would make it unreadable. */
bool fragment_is_stamped(struct bytes fragment)
{
    return fragment.size >= BODY_AT && !(fragment.data[1] & FRAGMENT_SERVER);
}

bool fragment_is_readable(struct bytes fragment)
{
    return fragment.size >= FRAGMENT_BYTES_MIN && fragment.data[0] == FRAGMENT_VERSION &&
           !(fragment.data[1] & FRAGMENT_SHADOWABLE);
}

/* Gives a fragment its timestamp by patching one number: all others are differences to it. In place
 * and without decoding, because the owner does it for every write. Cells "just before" have the
 * difference -1 and follow. */
void fragment_stamp(uint8_t *fragment, size_t size, int64_t timestamp_us)
{
    assert(size >= BODY_AT && fragment[0] == FRAGMENT_VERSION);
    if (!(fragment[1] & FRAGMENT_SERVER))
        return;
    assert(!is_reserved(timestamp_us));
    fragment[1] &= (uint8_t)~FRAGMENT_SERVER;
    store_be64(fragment + BASE_AT, (uint64_t)timestamp_us);
}

/* ---- decoding ---- */

/* Reading never stops at once: the first mistake is kept in `failed`, everything behind it is zero,
 * and one check at the end of the fragment finds it. This keeps the readers of single fields short. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed; /* set by the first read past the end; what is read after it is zero */
};

/* Ten bytes at most: one that goes on after the 64th bit is damaged. */
static uint64_t read_long_varint(struct cursor *c)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (c->at == c->end)
            break;
        byte = *c->at++;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return v;
    }
    c->failed = true;
    return 0;
}

/* Nearly all numbers are below 128: these are read without a call. */
static inline uint64_t read_varint(struct cursor *c)
{
    return c->at < c->end && *c->at < 0x80 ? *c->at++ : read_long_varint(c);
}

static int64_t read_signed(struct cursor *c)
{
    uint64_t v = read_varint(c);

    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint8_t read_u8(struct cursor *c)
{
    if (c->at == c->end) {
        c->failed = true;
        return 0;
    }
    return *c->at++;
}

/* An empty span has a pointer that is not NULL: an empty value is a value, and NULL means that there
 * is none. */
static inline struct bytes read_sized(struct cursor *c)
{
    uint64_t size = read_varint(c);
    struct bytes bytes;

    if (c->failed || size > (uint64_t)(c->end - c->at)) {
        c->failed = true;
        return bytes_of("", 0);
    }
    bytes = bytes_of(c->at, size);
    c->at += size;
    return bytes;
}

/* The opposite of append_delta. A sum that gives a reserved number is not what we wrote. */
static int64_t read_timestamp(struct cursor *c, const struct base *base)
{
    int64_t timestamp_us = (int64_t)((uint64_t)base->timestamp_us + (uint64_t)read_signed(c));

    if (!may_stand(timestamp_us, base->server))
        c->failed = true;
    return timestamp_us;
}

static void read_ttl(struct cursor *c, int32_t *ttl_s, int64_t *expires_s)
{
    uint64_t ttl = read_varint(c);

    if (!is_ttl(ttl))
        c->failed = true;
    *ttl_s = (int32_t)ttl;
    *expires_s = read_signed(c);
}

/* An absent TTL is TTL_NONE, whatever the base says: a row may be written without TTL and its cells
 * with one. */
static void read_liveness(struct cursor *c, const struct base *base, struct liveness *liveness)
{
    uint8_t bits = read_u8(c);

    if (bits & ~LIVENESS_KNOWN)
        c->failed = true;
    *liveness = (struct liveness){ base->timestamp_us, TTL_NONE, TIME_NONE };
    if (bits & LIVENESS_OWN_TIMESTAMP)
        liveness->timestamp_us = read_timestamp(c, base);
    if (bits & LIVENESS_BASE_TTL) {
        liveness->ttl_s = base->ttl_s;
        liveness->expires_s = base->expires_s;
    } else if (bits & LIVENESS_OWN_TTL) {
        read_ttl(c, &liveness->ttl_s, &liveness->expires_s);
    }
}

/* Reads every kind of cell but the plain one, which read_cell does itself: live, with the base
 * timestamp, of a simple column. The order of the fields is the format's. */
static void read_special_cell(struct cursor *c, const struct base *base, uint8_t bits, struct cell *cell)
{
    if (bits & ~CELL_KNOWN)
        c->failed = true;
    cell->kind = (enum cell_kind)(bits & CELL_KIND_MASK);
    cell->timestamp_us = bits & CELL_OWN_TIMESTAMP ? read_timestamp(c, base) : base->timestamp_us;
    cell->ttl_s = TTL_NONE;
    cell->local_s = TIME_NONE;
    cell->value = (struct bytes){ 0 };
    if (cell->kind == CELL_TOMBSTONE)
        cell->local_s = read_signed(c);
    if (cell->kind == CELL_EXPIRING && bits & CELL_OWN_TTL) {
        read_ttl(c, &cell->ttl_s, &cell->local_s);
    } else if (cell->kind == CELL_EXPIRING) {
        cell->ttl_s = base->ttl_s;
        cell->local_s = base->expires_s;
        if (!base->ttl_s)
            c->failed = true;
    }
    cell->path = bits & CELL_PATH ? read_sized(c) : (struct bytes){ 0 };
    cell->path_value = bits & CELL_PATH_VALUE ? read_sized(c) : (struct bytes){ 0 };
    if (cell->kind != CELL_TOMBSTONE)
        cell->value = read_sized(c);
}

/* This runs for every cell that is read from the store: the usual one takes a compare and no further
 * call. */
static inline void read_cell(struct cursor *c, const struct base *base, struct cell *cell)
{
    uint32_t column_id = (uint32_t)read_varint(c);
    uint8_t bits = read_u8(c);

    if (bits == CELL_LIVE)
        *cell = (struct cell){ .timestamp_us = base->timestamp_us, .local_s = TIME_NONE, .value = read_sized(c) };
    else
        read_special_cell(c, base, bits, cell);
    cell->column_id = column_id;
}

/* Reads the deletion of a collection. An earlier version wrote "the time before the statement's"
 * also for the least timestamp there is, which gave TIMESTAMP_NONE. That means no deletion, and mend
 * takes it out. */
static void read_complex(struct cursor *c, const struct base *base, struct complex_deletion *complex)
{
    complex->column_id = (uint32_t)read_varint(c);
    complex->deletion.timestamp_us = (int64_t)((uint64_t)base->timestamp_us + (uint64_t)read_signed(c));
    complex->deletion.deleted_s = read_signed(c);
    if (complex->deletion.timestamp_us != TIMESTAMP_NONE && !may_stand(complex->deletion.timestamp_us, base->server))
        c->failed = true;
}

/* A count of things that take at least least_bytes each. A larger count than the rest of the bytes
 * can hold is damage: found here, before memory is taken for it. */
static uint32_t read_count(struct cursor *c, size_t least_bytes)
{
    uint64_t count = read_varint(c);

    if (c->failed || count > (uint64_t)(c->end - c->at) / least_bytes || count > UINT32_MAX) {
        c->failed = true;
        return 0;
    }
    return (uint32_t)count;
}

/* A fragment whose base is TIMESTAMP_NONE has no cells, only a collection's deletion that is none
 * (read_complex): a cell without a timestamp cannot be merged. */
static uint32_t read_cell_count(struct cursor *c, const struct base *base)
{
    uint32_t count = read_count(c, 2);

    if (count && base->timestamp_us == TIMESTAMP_NONE)
        c->failed = true;
    return count;
}

/* Reads all that stands before the complex deletions. False: this code does not know the format (a
 * later version, or a flag that is reserved). Damage behind the first ten bytes is told by c->failed
 * instead. */
static bool read_head(struct cursor *c, struct bytes fragment, struct base *base, struct row *row)
{
    uint8_t flags;

    if (fragment.size < BODY_AT || fragment.data[0] != FRAGMENT_VERSION || fragment.data[1] & FRAGMENT_SHADOWABLE)
        return false;
    *c = (struct cursor){ fragment.data + BODY_AT, fragment.data + fragment.size, false };
    flags = fragment.data[1];
    *base = (struct base){ (int64_t)load_be64(fragment.data + BASE_AT), TTL_NONE, TIME_NONE, flags & FRAGMENT_SERVER };
    if (base->server)
        base->timestamp_us = TIMESTAMP_SERVER;
    else if (timestamp_is_server(base->timestamp_us) ||
             (base->timestamp_us == TIMESTAMP_NONE && flags & (FRAGMENT_LIVENESS | FRAGMENT_DELETION)))
        c->failed = true;
    *row = ROW_EMPTY;
    row->has_range_tombstones = flags & FRAGMENT_RANGES;
    if (flags & FRAGMENT_TTL)
        read_ttl(c, &base->ttl_s, &base->expires_s);
    if (flags & FRAGMENT_LIVENESS)
        read_liveness(c, base, &row->liveness);
    if (flags & FRAGMENT_DELETION) {
        row->deletion.timestamp_us = read_timestamp(c, base);
        row->deletion.deleted_s = read_signed(c);
    }
    if (flags & FRAGMENT_WRITTEN)
        row->written_clustering = read_sized(c);
    return true;
}

/* Repairs what earlier versions wrote and could not read again. They wrote what a statement said
 * twice (DELETE v, v) twice: neighbours that are of one cell, or of one collection. And they wrote
 * deletions that are none. Neither leaves a doubt about what is meant, so the rows are understood
 * instead of lost. False: it is not in order for another reason, and so damaged. */
static bool mend(struct row *row)
{
    uint32_t cells = 0, complexes = 0;

    for (uint32_t i = 0; i < row->complex_count; i++) {
        const struct complex_deletion *complex = &row->complexes[i];

        if (complex->deletion.timestamp_us == TIMESTAMP_NONE)
            continue;
        if (!complexes || row->complexes[complexes - 1].column_id != complex->column_id ||
            row->complexes[complexes - 1].deletion.timestamp_us != complex->deletion.timestamp_us)
            row->complexes[complexes++] = *complex;
    }
    row->complex_count = complexes;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];

        if (!cells || cell->kind != CELL_TOMBSTONE || row->cells[cells - 1].kind != CELL_TOMBSTONE ||
            row->cells[cells - 1].timestamp_us != cell->timestamp_us || cell_compare(&row->cells[cells - 1], cell))
            row->cells[cells++] = *cell;
    }
    assert(cells <= row->cell_count);
    row->cell_count = cells;
    return is_sorted(row);
}

/* Rare: asked only so that mend is not called for rows that are as they should be. */
static bool has_deletion_of_none(const struct row *row)
{
    for (uint32_t i = 0; i < row->complex_count; i++)
        if (row->complexes[i].deletion.timestamp_us == TIMESTAMP_NONE)
            return true;
    return false;
}

/* What a caller may rely on after OK: cells and complex deletions are sorted, each once, with
 * timestamps that may stand; so merging needs no checks of its own. The arrays have one element of
 * room more, which also keeps them from being NULL when they are empty. */
enum status fragment_decode(struct arena *arena, struct bytes fragment, struct row *row, struct error *err)
{
    struct cursor c;
    struct base base;

    if (!read_head(&c, fragment, &base, row))
        return error_set(err, ERR_CORRUPT, "a row fragment of unknown format");
    if (fragment.data[1] & FRAGMENT_COMPLEX) {
        row->complex_count = read_count(&c, 3);
        row->complexes = arena_alloc(arena, sizeof(*row->complexes) * (row->complex_count + 1));
        for (uint32_t i = 0; i < row->complex_count; i++)
            read_complex(&c, &base, &row->complexes[i]);
    }
    debug_assert(c.at <= c.end);
    row->cell_count = read_cell_count(&c, &base);
    row->cells = arena_alloc(arena, sizeof(*row->cells) * (row->cell_count + 1));
    for (uint32_t i = 0; i < row->cell_count; i++)
        read_cell(&c, &base, &row->cells[i]);
    if (c.failed || c.at != c.end || ((!is_sorted(row) || has_deletion_of_none(row)) && !mend(row)))
        return error_set(err, ERR_CORRUPT, "a row fragment is damaged");
    return OK;
}

/* Flush and compaction ask this of every value, so it takes no memory: the cells are read one by one
 * and forgotten. Whether they are sorted is not looked at. */
bool fragment_summarize(struct bytes fragment, struct fragment_summary *summary)
{
    struct complex_deletion complex;
    struct cell cell;
    struct cursor c;
    struct base base;
    struct row row;
    uint32_t count = 0;
    int64_t least_us = INT64_MAX;

    if (!read_head(&c, fragment, &base, &row) || base.server)
        return false;
    if (row.liveness.timestamp_us != TIMESTAMP_NONE)
        least_us = row.liveness.timestamp_us;
    if (row.deletion.timestamp_us != TIMESTAMP_NONE && row.deletion.timestamp_us < least_us)
        least_us = row.deletion.timestamp_us;
    if (fragment.data[1] & FRAGMENT_COMPLEX)
        count = read_count(&c, 3);
    summary->can_shrink = row.liveness.ttl_s || row.deletion.timestamp_us != TIMESTAMP_NONE || count;
    for (uint32_t i = 0; i < count; i++) {
        read_complex(&c, &base, &complex);
        if (complex.deletion.timestamp_us != TIMESTAMP_NONE && complex.deletion.timestamp_us < least_us)
            least_us = complex.deletion.timestamp_us;
    }
    count = read_cell_count(&c, &base);
    for (uint32_t i = 0; i < count && !c.failed; i++) {
        read_cell(&c, &base, &cell);
        summary->can_shrink |= cell.kind == CELL_EXPIRING || cell.kind == CELL_TOMBSTONE;
        if (cell.timestamp_us < least_us)
            least_us = cell.timestamp_us;
    }
    debug_assert(c.at <= c.end);
    summary->min_timestamp_us = least_us;
    return !c.failed && c.at == c.end;
}

/* For stored values. One that still waits for its time is refused: merging would otherwise compare
 * the number that stands for "the owner's time" with real timestamps. */
static enum status decode_stamped(struct arena *arena, struct bytes fragment, struct row *row, struct error *err)
{
    if (!fragment_is_stamped(fragment))
        return error_set(err, ERR_CORRUPT, "a stored row fragment without a timestamp");
    return fragment_decode(arena, fragment, row, err);
}

/* A fragment that cannot be read any more counts as deleted by a deletion that is not older than its
 * base. The other timestamps are unknown; but a statement's cells have the base's own, and without
 * this rule a damaged row could never be healed by deleting it. */
bool fragment_is_covered(struct bytes fragment, struct deletion deletion)
{
    int64_t base_us;

    if (!fragment_is_readable(fragment) || !fragment_is_stamped(fragment))
        return false;
    base_us = (int64_t)load_be64(fragment.data + BASE_AT);
    return !is_reserved(base_us) && base_us <= deletion.timestamp_us;
}

/* The fragments of a value, one after another. */
struct reading {
    struct arena *arena;
    struct row *row;
    bool any;
    struct bytes *unread; /* [unread_count], in the arena: what can't be read */
    uint32_t unread_count, unread_capacity;
    struct error *err; /* of the last of them */
};

/* One fragment of a value: merged into what was read before, or noted as one that cannot be read. */
static void read_one(struct reading *r, struct bytes fragment)
{
    struct row next;

    if (decode_stamped(r->arena, fragment, &next, r->err)) {
        r->unread = arena_room(r->arena, r->unread, r->unread_count, &r->unread_capacity, 4, sizeof(*r->unread));
        assert(r->unread_count < r->unread_capacity);
        r->unread[r->unread_count++] = fragment;
        return;
    }
    assert(r->row && &next != r->row);
    if (r->any)
        row_merge(r->arena, r->row, &next);
    else
        *r->row = next;
    r->any = true;
}

/* A value is a list only while one of its fragments cannot be read by this version:
 * row_semantics_merge keeps such a fragment beside the others, for a later version or for `helenus
 * check --repair`. */
static enum status read_list(struct reading *r, struct bytes list)
{
    const uint8_t *at = list.data + 1, *end = list.data + list.size;

    if (at == end)
        return error_set(r->err, ERR_CORRUPT, "an empty list of row fragments");
    while (at < end) {
        uint32_t size;

        if (end - at < 4 || (size = load_be32(at)) > (size_t)(end - at - 4))
            return error_set(r->err, ERR_CORRUPT, "a list of row fragments is damaged");
        read_one(r, bytes_of(at + 4, size));
        at += 4 + size;
    }
    return OK;
}

/* What a reader uses. Nearly all values are one fragment that can be read: that way has no list and
 * no bookkeeping. The rest decides whether damage matters: what a deletion hides need not be read. */
enum status row_decode_under(struct arena *arena, struct bytes value, struct deletion cover, struct row *row,
                             struct error *err)
{
    bool is_list = value.size && value.data[0] == FRAGMENT_LIST;
    struct reading r;

    if (__builtin_expect(!is_list && !decode_stamped(arena, value, row, err), 1))
        return OK;
    r = (struct reading){ .arena = arena, .row = row, .err = err };
    if (!is_list)
        read_one(&r, value);
    else if (read_list(&r, value))
        return ERR_CORRUPT;
    assert(r.any || r.unread_count);
    if (!r.unread_count)
        return OK;
    if (!r.any)
        *row = ROW_EMPTY;
    /* The newest deletion counts, the row's own or the one from outside. */
    if (deletion_supersedes(row->deletion, cover))
        cover = row->deletion;
    for (uint32_t i = 0; i < r.unread_count; i++)
        if (!fragment_is_covered(r.unread[i], cover))
            return ERR_CORRUPT;
    return OK;
}

/* For `helenus check --repair` and for who must go on: gives what there is, and says how much is
 * missing. A list whose sizes do not fit counts as one more. */
uint32_t row_decode_rest(struct arena *arena, struct bytes value, struct row *row)
{
    struct error ignored;
    struct reading r = { .arena = arena, .row = row, .err = &ignored };

    assert(value.data || !value.size);
    *row = ROW_EMPTY;
    if (!value.size || value.data[0] != FRAGMENT_LIST)
        read_one(&r, value);
    else if (read_list(&r, value))
        return r.unread_count + 1;
    return r.unread_count;
}

enum status row_decode(struct arena *arena, struct bytes value, struct row *row, struct error *err)
{
    return row_decode_under(arena, value, DELETION_NONE, row, err);
}
