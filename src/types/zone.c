/* Offsets of time zones at a local time. Which names there are is Java's and recorded
 * (zone_names.inc); the rules are the system's tzdata, read at each use: a literal with a zone is
 * rare, and a file read again is never out of date.
 *
 * A zone's file (TZif, RFC 8536) lists the changes of the past and ends with a rule for the future
 * in POSIX's form. A local time that a clock shows twice is the first of the two; one that it skips
 * has the offset before. Nothing of a file is trusted: each count is checked against its size. */
#include "types/zone.h"

#include "base/buffer.h"
#include "types/calendar.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 64, RULES_BYTES_MAX = 256 << 10, SECONDS_PER_DAY = 86400 };

/* ---- names ---- */

static const struct zone_name {
    const char *name, *zone; /* NULL: not taken */
} names[] = {
#include "types/zone_names.inc"
};

/* The table is sorted by bytes, which the generator saw to. */
static int compare_names(const void *key, const void *entry)
{
    return bytes_compare(*(const struct bytes *)key, bytes_of_string(((const struct zone_name *)entry)->name));
}

/* A path below the directory of zones, which leads nowhere else: no dot is allowed, so no "..", and
 * the first character is a capital letter, so no slash. */
static bool is_path(struct bytes name)
{
    if (name.size == 0 || name.size > NAME_BYTES_MAX || name.data[0] < 'A' || name.data[0] > 'Z')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("_/+-", c, 4)))
            return false;
    }
    return !bytes_equal(name, BYTES_LITERAL("Factory")) && !bytes_equal(name, BYTES_LITERAL("ROC")); /* not Java's */
}

/* The zone that a name means; NULL data: none. Names that Java knows and means otherwise than
 * tzdata, or does not know, stand in the table. */
static struct bytes zone_of_name(struct bytes name)
{
    const struct zone_name *found = bsearch(&name, names, ARRAY_SIZE(names), sizeof(names[0]), compare_names);

    if (found)
        return found->zone ? bytes_of_string(found->zone) : bytes_of(NULL, 0);
    return is_path(name) ? name : bytes_of(NULL, 0);
}

/* ---- the system's files ---- */

/* TZDIR as the C library has it: for tests, and for machines that have tzdata elsewhere. */
static const char *directory(void)
{
    const char *given = getenv("TZDIR");

    return given && *given ? given : "/usr/share/zoneinfo";
}

/* False also for a file that is longer than any zone's: then it is something else. */
static bool read_rules(struct bytes zone, struct buffer *out)
{
    char path[512];
    int size = snprintf(path, sizeof(path), "%s/%.*s", directory(), BYTES(zone));
    int fd = size > 0 && (size_t)size < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t count = -1;

    if (fd < 0)
        return false;
    do {
        if (out->size > RULES_BYTES_MAX)
            break;
        count = read(fd, buffer_reserve(out, 4096), 4096);
        out->size += count > 0 ? (size_t)count : 0;
    } while (count > 0);
    close(fd);
    return count == 0;
}

/* Whether the name is wrong or the rules are missing is told by looking for UTC's, which every
 * tzdata has. */
enum status zone_offset(struct bytes name, int64_t local_s, int64_t *offset_s, struct error *err)
{
    struct bytes zone = zone_of_name(name);
    struct buffer rules = { 0 };
    enum status status;

    if (bytes_is_null(zone))
        return error_set(err, ERR_INVALID, "No time zone is called '%.*s'", BYTES(name));
    if (read_rules(zone, &rules))
        status = zone_offset_in(buffer_bytes(&rules), local_s, offset_s, err);
    else if (bytes_equal(zone, name) && (buffer_reset(&rules), read_rules(BYTES_LITERAL("Etc/UTC"), &rules)))
        status = error_set(err, ERR_INVALID, "No time zone is called '%.*s'", BYTES(name));
    else
        status = error_set(err, ERR_CONFIG, "the rules of time zone %.*s are not on this server: install tzdata",
                           BYTES(zone));
    buffer_fini(&rules);
    return status;
}

/* ---- rules for ever: the POSIX form at a file's end, "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

/* What is left of the text. Each take_ function advances on success; callers give up at the first
 * failure. */
struct text {
    const char *at, *end;
};

static bool take(struct text *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

/* Stops as soon as it is too large, so that it cannot overflow. */
static bool take_number(struct text *text, int64_t max, int64_t *number)
{
    const char *start = text->at;

    assert(max > 0 && max < INT64_MAX / 20);
    *number = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9' && *number <= max)
        *number = *number * 10 + (*text->at++ - '0');
    return text->at > start && *number <= max;
}

/* Names of offsets (CET, or <+03>) say nothing to us. */
static bool skip_name(struct text *text)
{
    const char *start = text->at;

    if (take(text, '<')) {
        while (text->at < text->end && *text->at != '>')
            text->at++;
        return take(text, '>');
    }
    while (text->at < text->end && ((*text->at >= 'a' && *text->at <= 'z') || (*text->at >= 'A' && *text->at <= 'Z')))
        text->at++;
    return text->at > start;
}

/* [+-]hh[:mm[:ss]] in seconds. Hours go to 167, which lets a change be on another day of the week
 * (RFC 8536, 3.3.1). */
static bool take_time(struct text *text, int64_t *seconds)
{
    bool is_negative = take(text, '-');
    int64_t hours, minutes = 0, rest = 0;

    if (!is_negative)
        take(text, '+');
    if (!take_number(text, 167, &hours) || (take(text, ':') && !take_number(text, 59, &minutes)) ||
        (take(text, ':') && !take_number(text, 59, &rest)))
        return false;
    *seconds = (is_negative ? -1 : 1) * (hours * 3600 + minutes * 60 + rest);
    return true;
}

/* A day of each year, and the second of it. */
struct yearly {
    char form; /* 'M': the week's day of a month; 'J': of 365, without February 29; 'n': of all, from 0 */
    int64_t month, week, day;
    int64_t time_s;
};

/* Without a time of its own a change is at two in the morning. */
static bool take_yearly(struct text *text, struct yearly *yearly)
{
    bool ok;

    *yearly = (struct yearly){ .form = 'n', .time_s = 7200 };
    if (take(text, 'M')) {
        yearly->form = 'M';
        ok = take_number(text, 12, &yearly->month) && yearly->month > 0 && take(text, '.') &&
             take_number(text, 5, &yearly->week) && yearly->week > 0 && take(text, '.') &&
             take_number(text, 6, &yearly->day);
    } else if (take(text, 'J')) {
        yearly->form = 'J';
        ok = take_number(text, 365, &yearly->day) && yearly->day > 0;
    } else {
        ok = take_number(text, 365, &yearly->day);
    }
    return ok && (!take(text, '/') || take_time(text, &yearly->time_s));
}

/* As a clock shows it before the change. Week 5 is the last one of the month, whether it has five
 * or not. */
static int64_t yearly_local(const struct yearly *yearly, int64_t year)
{
    int64_t first = calendar_days(year, 1, 1), days;
    bool is_leap = calendar_days(year, 3, 1) - calendar_days(year, 2, 1) == 29;

    assert(yearly->form == 'M' || yearly->form == 'J' || yearly->form == 'n');
    if (yearly->form == 'M') {
        int64_t month = calendar_days(year, (int)yearly->month, 1);
        int64_t after =
            yearly->month == 12 ? calendar_days(year + 1, 1, 1) : calendar_days(year, (int)yearly->month + 1, 1);
        int64_t weekday = ((month + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */

        days = month + (yearly->day - weekday + 7) % 7 + (yearly->week - 1) * 7;
        if (days >= after)
            days -= 7;
    } else if (yearly->form == 'J') {
        days = first + yearly->day - 1 + (is_leap && yearly->day > 59);
    } else {
        days = first + yearly->day;
    }
    return days * SECONDS_PER_DAY + yearly->time_s;
}

struct change {
    int64_t at_s, before_s, after_s; /* when, in UTC; offsets */
};

/* In time; start and end of summer time are in another order in the southern half. */
static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

/* Has the change been, for a clock that shows this? A clock that is set back shows an hour twice:
 * it is past only after the second. One that is set forward never shows what it skips: until its
 * end the offset before holds. */
static bool is_past(const struct change *change, int64_t local_s)
{
    return local_s >= change->at_s + (change->before_s > change->after_s ? change->before_s : change->after_s);
}

/* Without a second name there is no summer time. Changes of the year before and after are looked at
 * too: the local year is not always the one in UTC, and the last change may have been in the year
 * before. */
static bool offset_by_posix(struct bytes rules, int64_t local_s, int64_t *offset_s)
{
    struct text text = { (const char *)rules.data, (const char *)rules.data + rules.size };
    struct yearly start, end;
    int64_t standard, summer;

    if (!skip_name(&text) || !take_time(&text, &standard))
        return false;
    standard = -standard; /* POSIX counts westwards */
    *offset_s = standard;
    if (text.at == text.end)
        return true;
    summer = standard + 3600;
    if (!skip_name(&text))
        return false;
    if (text.at < text.end && *text.at != ',') {
        if (!take_time(&text, &summer))
            return false;
        summer = -summer;
    }
    if (!take(&text, ',') || !take_yearly(&text, &start) || !take(&text, ',') || !take_yearly(&text, &end) ||
        text.at != text.end)
        return false;

    struct change changes[6];
    int64_t year = calendar_year(local_s / SECONDS_PER_DAY - (local_s % SECONDS_PER_DAY < 0));
    for (int i = 0; i < 3; i++) {
        changes[2 * i] = (struct change){ yearly_local(&start, year + i - 1) - standard, standard, summer };
        changes[2 * i + 1] = (struct change){ yearly_local(&end, year + i - 1) - summer, summer, standard };
    }
    qsort(changes, ARRAY_SIZE(changes), sizeof(changes[0]), compare_changes);
    *offset_s = changes[0].before_s;
    for (size_t i = 0; i < ARRAY_SIZE(changes) && is_past(&changes[i], local_s); i++)
        *offset_s = changes[i].after_s;
    return true;
}

/* ---- TZif ----
 *
 *     "TZif" version 15 zeros | counts: isut isstd leap time type char (4 bytes each)
 *     time x times (8 bytes; 4 in the first block) | time x type index
 *     | type x (offset 4, is summer 1, name 1) | char | leap x (12; 8) | isstd | isut
 *
 * Twice, the second time with 64 bits (from version 2 on), then "\n" POSIX rules "\n".
 */

enum { HEADER_BYTES = 44, TYPE_BYTES = 6 };

struct block {
    const uint8_t *times, *indexes, *types;
    uint32_t time_count, type_count;
    size_t size; /* with its header */
};

/* False: the block does not fit the file. Counts are bounded first, so that their sum cannot
 * overflow. */
static bool read_block(struct bytes file, uint32_t time_bytes, struct block *block)
{
    uint32_t counts[6];
    uint64_t size = HEADER_BYTES;

    if (file.size < HEADER_BYTES || memcmp(file.data, "TZif", 4) != 0)
        return false;
    for (int i = 0; i < 6; i++)
        if ((counts[i] = load_be32(file.data + 20 + 4 * i)) > RULES_BYTES_MAX)
            return false;
    block->time_count = counts[3];
    block->type_count = counts[4];
    block->times = file.data + size;
    size += (uint64_t)counts[3] * time_bytes;
    block->indexes = file.data + size;
    size += counts[3];
    block->types = file.data + size;
    size +=
        (uint64_t)counts[4] * TYPE_BYTES + counts[5] + (uint64_t)counts[2] * (time_bytes + 4) + counts[1] + counts[0];
    block->size = (size_t)size;
    return size <= file.size && block->type_count > 0;
}

/* Of a type that exists: the indexes were checked when the file was read. */
static int64_t type_offset(const struct block *block, uint32_t type)
{
    assert(type < block->type_count);
    return (int32_t)load_be32(block->types + (size_t)type * TYPE_BYTES);
}

/* False: the file's changes are behind this time, and its last rule holds. Walked from the oldest:
 * a few hundred at most. */
static bool offset_by_changes(const struct block *block, int64_t local_s, int64_t *offset_s)
{
    *offset_s = type_offset(block, 0);
    for (uint32_t i = 0; i < block->time_count; i++) {
        struct change change = { (int64_t)load_be64(block->times + 8 * (size_t)i), *offset_s,
                                 type_offset(block, block->indexes[i]) };

        if (!is_past(&change, local_s))
            return true;
        *offset_s = change.after_s;
    }
    return false;
}

/* The first block has 32 bits and is only stepped over (RFC 8536, 3.1): version 1 alone has no
 * other, and is refused. */
enum status zone_offset_in(struct bytes rules, int64_t local_s, int64_t *offset_s, struct error *err)
{
    struct bytes rest, posix;
    struct block block;
    bool ok = read_block(rules, 4, &block) && rules.data[4] >= '2';

    if (ok) {
        rest = bytes_of(rules.data + block.size, rules.size - block.size);
        ok = read_block(rest, 8, &block);
    }
    for (uint32_t i = 0; ok && i < block.time_count; i++)
        ok = block.indexes[i] < block.type_count;
    if (ok) {
        posix = bytes_of(rest.data + block.size, rest.size - block.size);
        ok = posix.size >= 2 && posix.data[0] == '\n' && posix.data[posix.size - 1] == '\n';
    }
    if (!ok)
        return error_set(err, ERR_CONFIG, "a time zone's rules on this server can't be read");
    if (offset_by_changes(&block, local_s, offset_s) || posix.size == 2 ||
        offset_by_posix(bytes_of(posix.data + 1, posix.size - 2), local_s, offset_s))
        return OK;
    return error_set(err, ERR_CONFIG, "a time zone's rules on this server can't be read");
}
