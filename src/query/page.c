/* Pages and limits; see page.h. */
#include "query/page.h"

#include <assert.h>

enum { PAGE_BYTES_SOFT = 8 << 20 /* a paged reply ends past this many bytes */ };

enum status limit_evaluate(const struct expr *expr, struct eval *eval, uint32_t *limit, struct error *err)
{
    struct bytes value;
    enum status status;

    *limit = PAGING_NO_LIMIT;
    if (!expr)
        return OK;
    status = expr_evaluate(expr, eval, &value, err);
    if (status || native_is_unset(value))
        return status;
    if (bytes_is_null(value))
        return error_set(err, ERR_INVALID, "Invalid null value of limit");
    if (value.size != 4)
        return error_set(err, ERR_INVALID, "Invalid limit value");
    int32_t number = (int32_t)load_be32(value.data);
    if (number <= 0)
        return error_set(err, ERR_INVALID, "LIMIT must be strictly positive");
    *limit = (uint32_t)number;
    return OK;
}

void limit_count_down(uint32_t *limit)
{
    if (*limit != PAGING_NO_LIMIT && *limit)
        --*limit;
}

void page_count(struct page *page, size_t bytes)
{
    limit_count_down(&page->limits.remaining);
    limit_count_down(&page->limits.left_in_partition);
    if (!page->limits.is_paged)
        return;
    if (page->limits.page_left)
        page->limits.page_left--;
    page->limits.full_of_bytes = bytes > PAGE_BYTES_SOFT;
    page->limits.page_full = !page->limits.page_left || page->limits.full_of_bytes;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void page_remember(struct page *page, struct bytes clustering)
{
    page->position.has_clustering = !bytes_is_null(clustering);
    buffer_reset(page->position.clustering);
    buffer_append_bytes(page->position.clustering, clustering);
    if (page->position.has_clustering && !page->position.clustering->data)
        buffer_reserve(page->position.clustering, 1);
    if (!page->select->clustering_slots)
        page->limits.left_in_partition = 0; /* it has no other row */
}

void page_begin_partition(struct page *page, struct bytes key)
{
    buffer_reset(page->position.key);
    buffer_append_bytes(page->position.key, key);
    page->limits.left_in_partition = page->limits.per_partition;
    page->position.rows_met = page->position.distinct_met = false;
    page->position.has_clustering = false;
    page->position.in_partition = true;
}

uint32_t page_resume(struct page *page, const struct paging_state *state, const struct partition_list *keys)
{
    uint32_t i = 0;

    assert(!page->position.in_partition);
    page->limits.remaining = state->remaining;
    if (keys && keys->count != 1)
        while (i < keys->count && !bytes_equal(keys->keys[i], state->partition_key))
            i++;
    if (keys && i == keys->count)
        return i;
    page_begin_partition(page, keys ? keys->keys[i] : state->partition_key);
    if (keys && bytes_is_null(state->clustering) && state->left_in_partition)
        return i;
    page->limits.left_in_partition =
        least(state->left_in_partition, page->select->distinct ? 1 : page->limits.per_partition);
    if (!bytes_is_null(state->clustering)) {
        page->position.rows_met = true;
        page_remember(page, state->clustering);
    }
    return i;
}

bool page_goes_on(const struct page *page, const struct partition_list *keys, struct paging_state *state)
{
    bool is_one = keys && keys->count == 1;

    assert(page->limits.page_full && page->limits.remaining);
    *state = (struct paging_state){
        .partition_key = is_one ? bytes_of(NULL, 0) : buffer_bytes(page->position.key),
        .clustering = page->position.has_clustering ? buffer_bytes(page->position.clustering) : bytes_of(NULL, 0),
        .remaining = page->limits.remaining,
        .left_in_partition = page->limits.left_in_partition,
        .full_of_bytes = page->limits.full_of_bytes,
    };
    if (!keys || page->limits.left_in_partition)
        return true;
    for (uint32_t i = 0; i + 1 < keys->count; i++)
        if (bytes_equal(keys->keys[i], buffer_bytes(page->position.key))) {
            assert(!is_one);
            state->partition_key = keys->keys[i + 1];
            state->clustering = bytes_of(NULL, 0);
            state->left_in_partition = page->limits.per_partition;
            return true;
        }
    return false;
}
