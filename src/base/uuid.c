/* UUIDs as RFC 9562 lays them out, of the two versions that CQL makes: 1, of a time, and 4, of randomness. A node is
 * never a network card's address: it is random, with the bit that says so. */
#include "base/uuid.h"

#include "base/random.h"

#include <assert.h>

enum { VERSION_TIME = 0x1000, VERSION_RANDOM = 0x40, VARIANT = 0x80, MULTICAST = 1 };

#define TICKS ((UINT64_C(1) << 60) - 1) /* what there is room for: until the year 5236 */

/* RFC 9562, 4.1: the two highest bits of byte 8 are 10. */
static void set_variant(uint8_t *at)
{
    *at = (uint8_t)((*at & 0x3f) | VARIANT);
}

/* RFC 9562, 5.4: all but version and variant is random. */
void uuid_set_random(uint8_t uuid[UUID_BYTES])
{
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | VERSION_RANDOM);
    set_variant(&uuid[8]);
}

/* RFC 9562, 5.1. The lowest bits of the time stand first, so UUIDs of version 1 do not sort by time
 * as bytes; CQL's timeuuid compares the time (types/value.c). */
void uuid_write_time(uint8_t uuid[UUID_BYTES], uint64_t ticks, uint64_t low)
{
    store_be32(uuid, (uint32_t)ticks);
    store_be16(uuid + 4, (uint16_t)(ticks >> 32));
    store_be16(uuid + 6, (uint16_t)(VERSION_TIME | (ticks >> 48)));
    store_be64(uuid + 8, low);
}

/* RFC 9562, 6.10: a node that is no network card's address has the multicast bit set, which no card
 * has. */
void uuid_set_time(uint8_t uuid[UUID_BYTES], uint64_t ticks)
{
    set_variant(&uuid[8]);
    uuid[10] |= MULTICAST;
    uuid_write_time(uuid, ticks & TICKS, load_be64(uuid + 8));
}

/* The version is masked away: 12 bits of the time stand beside it. */
static int64_t ticks_of(const uint8_t uuid[UUID_BYTES])
{
    return (int64_t)(((uint64_t)(load_be16(uuid + 6) & 0xefff) << 48) | ((uint64_t)load_be16(uuid + 4) << 32) |
                     load_be32(uuid));
}

/* By way of microseconds, as in Cassandra: none overflows. */
int64_t uuid_time_ms(const uint8_t uuid[UUID_BYTES])
{
    return (ticks_of(uuid) / 10 - UUID_EPOCH_TICKS / 10) / 1000;
}

/* ---- text ---- */

/* The groups are of 8, 4, 4, 4 and 12 digits. */
static bool is_dash_at(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* Strict, as Cassandra: 36 characters, no braces, no missing dashes. The result is written only
 * when all of it was good. */
bool uuid_parse(struct bytes text, uint8_t uuid[UUID_BYTES])
{
    uint8_t read[UUID_BYTES] = { 0 };
    size_t digits = 0;

    if (text.size != UUID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < UUID_TEXT_BYTES; i++) {
        int digit = hex_digit(text.data[i]);

        if (is_dash_at(i) ? text.data[i] != '-' : digit < 0)
            return false;
        if (is_dash_at(i))
            continue;
        read[digits / 2] = (uint8_t)(read[digits / 2] << 4 | digit);
        digits++;
    }
    assert(digits == 2 * UUID_BYTES);
    memcpy(uuid, read, UUID_BYTES);
    return true;
}

void uuid_print(struct buffer *out, const uint8_t uuid[UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < UUID_BYTES; i++) {
        /* Dashes stand behind bytes 4, 6, 8 and 10. */
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buffer_append_u8(out, '-');
        buffer_append_u8(out, (uint8_t)digits[uuid[i] >> 4]);
        buffer_append_u8(out, (uint8_t)digits[uuid[i] & 0x0f]);
    }
}

/* ---- of a time, each once ---- */

/* Node and clock sequence are drawn once for a process: two servers, or two runs of one whose clock
 * was set back, then make different UUIDs of the same time. */
void uuid_source_init(struct uuid_source *source)
{
    uint8_t random[8];

    random_bytes(random, sizeof(random));
    set_variant(&random[0]);
    random[2] |= MULTICAST;
    *source = (struct uuid_source){ .node = load_be64(random) };
}

/* Two UUIDs in one tick of 100 ns, or after the clock went back, must differ and ascend: then the
 * time is the last one's and one tick. A burst runs ahead of the clock by as many ticks as it has
 * UUIDs, which nobody notices below ten million a second. */
void uuid_make_time(struct uuid_source *source, int64_t now_us, uint8_t uuid[UUID_BYTES])
{
    uint64_t ticks = (uint64_t)(now_us * 10 + UUID_EPOCH_TICKS);

    assert(now_us >= -UUID_EPOCH_TICKS / 10);
    assert(source->node >> 62 == 2);
    if (ticks <= source->last_ticks)
        ticks = source->last_ticks + 1;
    source->last_ticks = ticks;
    uuid_write_time(uuid, ticks, source->node);
}
