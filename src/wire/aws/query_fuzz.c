/* Any bytes as a form: read or refused, in memory in proportion to the bytes; what is read becomes XML without a character that XML does
 * not have. */
#include "types/text.h"
#include "wire/aws/codec_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_xml(struct bytes text)
{
    if (!text_is_utf8(text))
        __builtin_trap();
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' && text.data[i] != '\t' && text.data[i] != '\n')
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(4096);
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    const struct shape *shape = codec_bed_shape("All");
    const struct model_operation operation = { .name = "Do", .input = shape, .output = shape };
    struct api_fault fault = { 0 }, again = { 0 };
    struct bytes form = bytes_of(data, size);
    struct tree *tree = NULL;
    bool is_read = query_read(arena, shape, form, &tree, &fault);

    if (is_read != (tree != NULL) || is_read == (fault.name != NULL))
        __builtin_trap();
    if (arena_used(arena) > CODEC_BED_BYTES + size * CODEC_BED_BYTES_FOR_ONE)
        __builtin_trap();
    query_field(arena, query_form_of_target(arena, form), "Action");
    if (is_read) {
        tree_check(tree, &again);
        query_write(&out, NULL, &operation, tree, "r");
    } else {
        query_write_fault(&out, NULL, &fault, "r");
    }
    check_xml(buffer_bytes(&out));
    return 0;
}
