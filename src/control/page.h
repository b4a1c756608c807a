/* control/page.h: a page of a list that is in order: where it begins, how much it takes, and the token of the next one.
 *
 *     struct page page;
 *     if (!page_begin(&page, call, &question))
 *         return false;
 *     for (each element, in the order of positions)
 *         if (page_is_behind(&page, position)) {      not given yet
 *             if (!page_take(&page, position, bytes))
 *                 break;                              the page is full: there is a next one
 *             give the element
 *         }
 *     page_end(&page, call, &question);
 *
 * Shapes:  positions are compared as bytes; each element has another one.
 * Errors:  a token that is not of this question: the question's fault.
 * Limits:  elements as asked, PAGE_BYTES_MAX of the names that are given; one element at least.
 */
#ifndef CONTROL_PAGE_H
#define CONTROL_PAGE_H

#include "api/handler.h"

enum { PAGE_ELEMENTS = 1000, PAGE_BYTES_MAX = 1 << 20 };

struct page_question {
    const char *token;   /* its member, in the input and in the output */
    const char *fault;   /* of a token that is none of ours; NULL: the caller sets one */
    uint32_t elements;   /* that are wanted at most */
    struct bytes scope;  /* what is asked: all but the number of elements */
    bool is_always_told; /* the last page's token is "", not absent; and "" asks for the first */
};

struct page {
    struct bytes after; /* the position of the last that was given; data NULL: none was */
    uint32_t elements_left;
    size_t bytes_left;
    bool is_full; /* and there is more */
    bool has_any;
};

/* What is asked by an operation of the caller: account, region, operation, then these texts. */
struct bytes page_scope(const struct api_call *call, const struct bytes *texts, uint32_t count);
/* nextToken and maxResults, as keyspaces' lists have them. */
struct page_question page_question(const struct api_call *call, struct bytes about);

bool page_begin(struct page *page, struct api_call *call, const struct page_question *question);
bool page_is_behind(const struct page *page, struct bytes position);
bool page_take(struct page *page, struct bytes position, size_t bytes);
void page_end(const struct page *page, struct api_call *call, const struct page_question *question);

#endif
