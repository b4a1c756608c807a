/* Pages and limits of a SELECT: how much may still be given, whether the page is full, where
 * the next one begins. The rules are those of Cassandra's pagers, which clients see: a page
 * ends when it has page_size rows even if nothing follows, so the next may be empty; and a
 * state carries what is left of LIMIT and of PER PARTITION LIMIT. */
#include "query/page.h"

#include <assert.h>

enum { PAGE_BYTES_SOFT = 8 << 20 /* a paged reply ends past this many bytes */ };

/* LIMIT may be a marker. Unset is no limit; null is an error, zero too. */
enum status limit_evaluate(const struct expr *expr, struct eval *eval, uint32_t *limit, struct error *err)
{
    struct bytes value;
    enum status status;

    *limit = PAGING_NO_LIMIT;
    if (!expr)
        return OK;
    status = expr_evaluate(expr, eval, &value, err);
    /* From here on the words are Cassandra's. */
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

/* No limit stays no limit. */
void limit_count_down(uint32_t *limit)
{
    if (*limit != PAGING_NO_LIMIT && *limit)
        --*limit;
}

/* A row or a group was given: all three limits count it. The page also ends by its bytes, so
 * that a page of 5000 large rows does not become gigabytes, or when it has taken long: a state cannot tell the two. */
void page_count(struct page *page, size_t bytes, bool is_long)
{
    limit_count_down(&page->limits.remaining);
    limit_count_down(&page->limits.left_in_partition);
    if (!page->limits.is_paged)
        return;
    if (page->limits.page_left)
        page->limits.page_left--;
    page->limits.full_of_bytes = bytes > PAGE_BYTES_SOFT || is_long;
    page->limits.page_full = !page->limits.page_left || page->limits.full_of_bytes;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Keeps the position of the last row that was given. A static row alone has none. */
void page_remember(struct page *page, struct bytes clustering)
{
    page->position.has_clustering = !bytes_is_null(clustering);
    buffer_reset(page->position.clustering);
    buffer_append_bytes(page->position.clustering, clustering);
    /* A clustering of no bytes is still a position, so the buffer must not be NULL. */
    if (page->position.has_clustering && !page->position.clustering->data)
        buffer_reserve(page->position.clustering, 1);
    if (!page->select->clustering_slots)
        page->limits.left_in_partition = 0; /* it has no other row */
}

/* Reading enters another partition: what counts in a partition begins anew. */
void page_begin_partition(struct page *page, struct bytes key)
{
    assert(key.data || !key.size);
    buffer_reset(page->position.key);
    buffer_append_bytes(page->position.key, key);
    page->limits.left_in_partition = page->limits.per_partition;
    page->position.rows_met = page->position.distinct_met = false;
    page->position.has_clustering = false;
    page->position.in_partition = true;
}

/* Sets the position that a state brings. With an IN the keys before the state's are passed
 * over; a key that this statement does not name passes over all of them, which ends the
 * result, as in Cassandra. */
uint32_t page_resume(struct page *page, const struct paging_state *state, const struct partition_list *keys)
{
    uint32_t i = 0;

    assert(!page->position.in_partition);
    assert(!keys || keys->count);
    page->limits.remaining = state->remaining;
    if (keys && keys->count != 1)
        while (i < keys->count && !bytes_equal(keys->keys[i], state->partition_key))
            i++;
    if (keys && i == keys->count)
        return i;
    page_begin_partition(page, keys ? keys->keys[i] : state->partition_key);
    /* The state stands before the first row of this partition: nothing of it has been given. */
    if (keys && bytes_is_null(state->clustering) && state->left_in_partition)
        return i;
    /* Of DISTINCT's partition one row at most, whatever the statement was that made the
     * state. */
    page->limits.left_in_partition =
        least(state->left_in_partition, page->select->distinct ? 1 : page->limits.per_partition);
    if (!bytes_is_null(state->clustering)) {
        page->position.rows_met = true;
        page_remember(page, state->clustering);
    }
    return i;
}

/* The state for the next page, or false if there can be none. For IN, when its partition can
 * give no more rows, the state names the next key, and after the last key there is no next
 * page. */
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
