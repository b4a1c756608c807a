/* Pages go by positions, not by numbers: what is deleted or added between two pages moves nothing that stays. Whether
 * there is a next page is known when its first element is seen, so no token leads to an empty one unless that
 * element went meanwhile. */
#include "control/page.h"

#include "control/state.h"
#include "control/token.h"

#include <assert.h>

/* Each text behind its size. */
static void put(struct buffer *out, struct bytes text)
{
    buffer_append_be64(out, text.size);
    buffer_append_bytes(out, text);
}

/* Who asks and what, in a form that no two questions share. */
struct bytes page_scope(const struct api_call *call, const struct bytes *texts, uint32_t count)
{
    CLEANUP(buffer_fini) struct buffer scope = { 0 };

    put(&scope, call->caller.account);
    put(&scope, call->caller.region);
    put(&scope, bytes_of_string(call->operation->name));
    for (uint32_t i = 0; i < count; i++)
        put(&scope, texts[i]);
    return arena_copy(call->arena, buffer_bytes(&scope));
}

/* All lists of keyspaces have these two members. What they are about is a part of the scope, so that a page of one
 * keyspace never goes on in another. */
struct page_question page_question(const struct api_call *call, struct bytes about)
{
    return (struct page_question){ .token = "nextToken",
                                   .fault = "ValidationException",
                                   .elements = (uint32_t)tree_integer(call->input, "maxResults", PAGE_ELEMENTS),
                                   .scope = page_scope(call, &about, 1) };
}

/* Without a token at the beginning. A token is looked at before anything is given: it may be made up. */
bool page_begin(struct page *page, struct api_call *call, const struct page_question *question)
{
    struct bytes text = tree_string(call->input, question->token);

    assert(question->elements && question->scope.size);
    *page = (struct page){ .elements_left = question->elements, .bytes_left = PAGE_BYTES_MAX };
    if (!text.data || (!text.size && question->is_always_told))
        return true;
    if (token_read(call->arena, control_of(call)->keys, question->scope, text, &page->after))
        return true;
    if (!question->fault)
        return false;
    return api_fail(call, question->fault, "The %s is not one that was given for this request", question->token);
}

/* The position need not be there any more. */
bool page_is_behind(const struct page *page, struct bytes position)
{
    return !page->after.data || bytes_compare(position, page->after) > 0;
}

/* False: it is for the next page. Whatever its size, the first is taken, or there would be no next page. */
bool page_take(struct page *page, struct bytes position, size_t bytes)
{
    assert(page_is_behind(page, position));
    if (!page->elements_left || (page->has_any && bytes > page->bytes_left)) {
        page->is_full = true;
        return false;
    }
    page->elements_left--;
    page->bytes_left -= bytes < page->bytes_left ? bytes : page->bytes_left;
    page->after = position;
    page->has_any = true;
    return true;
}

/* A token is given only where there is something behind it. */
void page_end(const struct page *page, struct api_call *call, const struct page_question *question)
{
    if (page->is_full)
        tree_set_string(call->arena, call->output, question->token,
                        token_make(call->arena, control_of(call)->keys, question->scope, page->after));
    else if (question->is_always_told)
        tree_set_text(call->arena, call->output, question->token, "");
}
