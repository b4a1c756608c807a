/* Foreign bytes as stored values: decoding never reads past the end; what decodes comes back the same when encoded and merged with
 * itself; merging never fails and is commutative whatever the bytes; the filter survives everything. The input is two values:
 * size of the first (1) | first | second. */
#include "row/key.h"
#include "row/row_bed.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct buffer *a, const struct buffer *b)
{
    assert(bytes_equal(buffer_bytes(a), buffer_bytes(b)));
}

static void merge_two(struct bytes a, struct bytes b, struct buffer *out)
{
    struct bytes both[2] = { a, b };

    buffer_reset(out);
    row_semantics_merge((struct bytes){ 0 }, both, 2, out);
}

static void check_decode(struct bytes value)
{
    struct arena *arena CLEANUP(arena_free) = arena_new(4096);
    struct buffer again CLEANUP(buffer_fini) = { 0 };
    struct fragment_summary summary;
    struct row row, back;
    struct error err;

    if (fragment_decode(arena, value, &row, &err)) {
        assert(err.status == ERR_CORRUPT);
        return;
    }
    fragment_encode(&again, &row);
    assert(fragment_decode(arena, buffer_bytes(&again), &back, &err) == OK);
    assert(!strcmp(row_text(arena, &row), row_text(arena, &back)));
    if (fragment_is_stamped(value)) {
        assert(fragment_summarize(value, &summary));
        assert(summary.min_timestamp_us == row_min_timestamp_us(&row));
    }
    row_hide(&row, DELETION_NONE, 1000000000);
    row_text(arena, &row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer ab CLEANUP(buffer_fini) = { 0 }, ba CLEANUP(buffer_fini) = { 0 }, twice CLEANUP(buffer_fini) = { 0 };
    struct buffer key CLEANUP(buffer_fini) = { 0 };
    size_t first;
    struct bytes a, b;

    if (size < 2)
        return 0;
    first = data[0] < size - 1 ? data[0] : size - 1;
    a = bytes_of(data + 1, first);
    b = bytes_of(data + 1 + first, size - 1 - first);
    check_decode(a);
    check_decode(b);
    merge_two(a, b, &ab);
    merge_two(b, a, &ba);
    check_same(&ab, &ba);
    merge_two(buffer_bytes(&ab), buffer_bytes(&ab), &twice);
    check_same(&ab, &twice);
    key_encode(&key, &(struct key_parts){ .table_id = 7, .kind = KEY_ROW });
    buffer_reset(&twice);
    row_semantics_filter(buffer_bytes(&key), buffer_bytes(&ab), 1000000000000000, INT64_MAX, 0, &twice);
    row_semantics_min_timestamp_us(buffer_bytes(&ab));
    return 0;
}
