/* query/page.h: where a SELECT stands between the partitions and rows that it reads, how many it may still give, and where its page began
 * and ends.
 *
 * Owns:    nothing; the position lies in the context's buffers.
 * Errors:  ERR_INVALID of LIMIT.
 * Source:  org.apache.cassandra.service.pager, release 5.0.
 */
#ifndef QUERY_PAGE_H
#define QUERY_PAGE_H

#include "plan/plan.h"
#include "query/paging.h"

/* The partition, and its last row that was given. */
struct position {
    struct buffer *key, *clustering; /* the context's */
    bool has_clustering;
    bool in_partition; /* key is set and the partition may go on */
    bool rows_met;     /* in it: if nothing more comes, it was not a static row alone */
    bool distinct_met; /* in it, for DISTINCT beside aggregates */
};

/* What may still be given: rows; groups when there are any. PAGING_NO_LIMIT: all. */
struct limits {
    uint32_t remaining, left_in_partition;
    uint32_t per_partition; /* what each begins with */
    uint32_t page_left;     /* of a page's rows */
    bool is_paged, page_full, full_of_bytes;
};

struct page {
    const struct select_plan *select;
    struct position position;
    struct limits limits;
};

/* LIMIT and PER PARTITION LIMIT. expr NULL: none. */
enum status limit_evaluate(const struct expr *expr, struct eval *eval, uint32_t *limit, struct error *err);
void limit_count_down(uint32_t *limit);

void page_begin_partition(struct page *page, struct bytes key);
/* The last row that was given; NULL data: a static row alone. */
void page_remember(struct page *page, struct bytes clustering);
/* A row was given, or a group that is closed; so many bytes of rows there are now. */
void page_count(struct page *page, size_t bytes, bool is_long);
static inline bool page_is_full(const struct page *page)
{
    return page->limits.page_full || page->limits.remaining == 0;
}

/* Of several partitions, which to begin with; as many as there are: with none of them. One partition alone is not looked for. */
uint32_t page_resume(struct page *page, const struct paging_state *state, const struct partition_list *keys);
/* Whether to say that there is more, and where, as Cassandra's pagers do: a page that is full has a next one, which may turn out to be
 * empty, unless LIMIT is reached or the partition cannot have another row. */
bool page_goes_on(const struct page *page, const struct partition_list *keys, struct paging_state *state);
static inline bool page_has_more(const struct page *page, const struct partition_list *keys, struct paging_state *state)
{
    return page->limits.page_full && page->limits.remaining && page_goes_on(page, keys, state);
}

#endif
