/* Putting together what cells hold; see assemble.h. */
#include "query/assemble.h"

#include "types/value.h"
#include "wire/native.h"

#include <assert.h>

bool assemble_collection(struct buffer *out, const struct type *type, const struct cell *cells, uint32_t count)
{
    size_t at = out->size;
    struct error err;
    uint32_t kept = 0;

    if (type->kind == TYPE_UDT) {
        uint32_t next = 0;

        for (uint32_t i = 0; i < type->param_count; i++) {
            struct bytes value = { NULL, 0 };

            while (next < count && cells[next].path.size == 2 && load_be16(cells[next].path.data) < i)
                next++;
            if (next < count && cells[next].path.size == 2 && load_be16(cells[next].path.data) == i)
                value = cells[next].value;
            kept += !bytes_is_null(value);
            native_append_value(out, value);
        }
        if (!kept)
            out->size = at;
        return kept > 0;
    }
    if (!count)
        return false;
    buffer_append_be32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (type->kind != TYPE_LIST) {
            size_t size_at = out->size;

            buffer_append_be32(out, 0);
            if (!bytes_is_null(cells[i].path_value)) {
                buffer_append_bytes(out, cells[i].path_value);
            } else {
                struct bytes path = cells[i].path;

                if (value_decode_key(&path, type->params[0], false, out, &err))
                    out->size = size_at + 4;
            }
            store_be32(out->data + size_at, (uint32_t)(out->size - size_at - 4));
        }
        if (type->kind != TYPE_SET)
            native_append_value(out, cells[i].value);
    }
    return true;
}
