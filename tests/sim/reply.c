/* Bodies of RESULT; see reply.h. From the specification: doc/native_protocol_v4.spec, section 4.2.5.2. */
#include "reply.h"

#include <stddef.h>
#include <string.h>

enum { ROWS_KIND = 2, COLUMNS_MAX = 12, GLOBAL_TABLE = 1, MORE_PAGES = 2, NO_METADATA = 4 };
enum {
    TYPE_BIGINT = 2,
    TYPE_BOOLEAN = 4,
    TYPE_COUNTER = 5,
    TYPE_INT = 9,
    TYPE_LIST = 0x20,
    TYPE_MAP = 0x21,
    TYPE_SET = 0x22
};

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static const uint8_t *take(struct reader *reader, uint32_t size)
{
    static const uint8_t nothing[8];
    const uint8_t *at = reader->at;

    if ((uint64_t)(reader->end - reader->at) < size) {
        reader->failed = true;
        return size <= sizeof(nothing) ? nothing : at;
    }
    reader->at += size;
    return at;
}

static int64_t number(struct reader *reader, uint32_t size)
{
    const uint8_t *at = take(reader, size);
    uint64_t value = 0;

    for (uint32_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    if (size == 4)
        return (int32_t)value;
    return size == 2 ? (int64_t)(uint16_t)value : (int64_t)value;
}

struct column_of {
    char name[24];
    int64_t type;
};

static void read_type(struct reader *reader, struct column_of *column)
{
    column->type = number(reader, 2);
    if (column->type == TYPE_LIST || column->type == TYPE_SET)
        (void)number(reader, 2);
    if (column->type == TYPE_MAP)
        (void)number(reader, 4);
}

static void skip_string(struct reader *reader)
{
    (void)take(reader, (uint32_t)number(reader, 2));
}

/* ---- one row ---- */

struct values {
    int64_t p, c;
    bool has_c, applied;
    struct shown_row row;
    uint32_t list_count;
    int64_t list[LIST_MAX];
    struct model_seen a, s;
};

static int64_t element(struct reader *reader)
{
    if (number(reader, 4) != 4)
        reader->failed = true;
    return number(reader, 4);
}

static void read_collection(struct reader *reader, char name, struct values *values)
{
    struct shown_row *row = &values->row;
    int64_t count = number(reader, 4);

    if (count < 0 || count > (name == 'l' ? LIST_MAX : ELEMENTS)) {
        reader->failed = true;
        return;
    }
    for (int64_t i = 0; i < count && !reader->failed; i++) {
        if (name == 'm') {
            row->map_keys[row->map_count] = element(reader);
            row->map_values[row->map_count++] = element(reader);
        } else if (name == 'e') {
            row->set[row->set_count++] = element(reader);
        } else {
            values->list[values->list_count++] = element(reader);
        }
    }
}

static void take_number(struct values *values, const char *name, bool is_null, int64_t value)
{
    static const struct {
        char name;
        uint32_t bit;
    } known[] = { { 's', WITH_S }, { 'a', WITH_A }, { 'b', WITH_B }, { 'x', WITH_X }, { 'y', WITH_Y } };

    if (name[0] == 'p') {
        values->p = value;
    } else if (name[0] == 'c') {
        values->has_c = !is_null;
        values->c = value;
    }
    if (name[0] == 'a')
        values->a = (struct model_seen){ true, is_null, value };
    if (name[0] == 's')
        values->s = (struct model_seen){ true, is_null, value };
    for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]) && !is_null; i++)
        if (known[i].name == name[0]) {
            values->row.has |= (int32_t)known[i].bit;
            *(name[0] == 's'   ? &values->row.s
              : name[0] == 'a' ? &values->row.a
              : name[0] == 'b' ? &values->row.b
              : name[0] == 'x' ? &values->row.x
                               : &values->row.y) = value;
        }
}

static void read_value(struct reader *reader, const struct column_of *column, struct values *values)
{
    int64_t size = number(reader, 4);
    bool is_collection = column->type == TYPE_LIST || column->type == TYPE_SET || column->type == TYPE_MAP;
    int64_t value = 0;

    if (is_collection) {
        if (size >= 0)
            read_collection(reader, column->name[0], values);
        return;
    }
    if (size >= 0) {
        int64_t wanted = column->type == TYPE_BOOLEAN ? 1 : column->type == TYPE_INT ? 4 : 8;

        if (size != wanted)
            reader->failed = true;
        value = number(reader, (uint32_t)wanted);
    }
    if (!strcmp(column->name, "[applied]"))
        values->applied = value;
    else
        take_number(values, column->name, size < 0, value);
}

/* ---- all ---- */

bool reply_decode(const uint8_t *body, uint32_t size, struct reply *reply)
{
    struct reader reader = { body, body + size, false };
    struct column_of columns[COLUMNS_MAX];
    int64_t flags, count, rows;

    memset(reply, 0, sizeof(*reply));
    reply->last_p = reply->last_c = -1;
    if (number(&reader, 4) != ROWS_KIND)
        return !reader.failed;
    reply->is_rows = true;
    flags = number(&reader, 4);
    count = number(&reader, 4);
    if (count < 0 || count > COLUMNS_MAX || flags & NO_METADATA)
        return false;
    if (flags & MORE_PAGES) {
        int64_t bytes = number(&reader, 4);

        if (bytes <= 0 || bytes > PAGING_MAX)
            return false;
        memcpy(reply->paging, take(&reader, (uint32_t)bytes), (size_t)bytes);
        reply->paging_size = (uint32_t)bytes;
        reply->has_more = true;
    }
    if (flags & GLOBAL_TABLE) {
        skip_string(&reader);
        skip_string(&reader);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t length;

        if (!(flags & GLOBAL_TABLE)) {
            skip_string(&reader);
            skip_string(&reader);
        }
        length = number(&reader, 2);
        if (length >= (int64_t)sizeof(columns[i].name))
            return false;
        memcpy(columns[i].name, take(&reader, (uint32_t)length), (size_t)length);
        columns[i].name[length] = 0;
        reply->is_condition |= !strcmp(columns[i].name, "[applied]");
        read_type(&reader, &columns[i]);
    }
    rows = number(&reader, 4);
    for (int64_t i = 0; i < rows && !reader.failed; i++) {
        struct values values;
        struct shown *shown;

        memset(&values, 0, offsetof(struct values, list));
        values.a = values.s = (struct model_seen){ 0 };
        for (int64_t k = 0; k < count; k++)
            read_value(&reader, &columns[k], &values);
        if (reply->is_condition) {
            reply->applied = values.applied;
            reply->seen = values.a.known ? values.a : values.s;
            continue;
        }
        if (values.p < 0 || values.p >= REPLY_PARTITIONS_MAX)
            return false;
        shown = &reply->shown[values.p];
        if (shown->count == SHOWN_MAX)
            return false;
        values.row.c = values.has_c ? (int32_t)values.c : -1;
        shown->rows[shown->count++] = values.row;
        if (values.list_count && (values.row.c || shown->list_count))
            return false; /* row 0 alone has one */
        memcpy(shown->list + shown->list_count, values.list, values.list_count * sizeof(values.list[0]));
        shown->list_count += values.list_count;
        reply->row_count++;
        reply->last_p = (int32_t)values.p;
        reply->last_c = values.row.c;
    }
    return !reader.failed && reader.at == reader.end;
}
