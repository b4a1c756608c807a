/* Version 1 uuids; see uuid.h. The node is random and said to be: no address of this machine leaves it. */
#include "plan/uuid.h"

#include "types/calendar.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdlib.h>

void uuid_source_init(struct uuid_source *source)
{
    uint8_t random[8];

    if (RAND_bytes(random, sizeof(random)) != 1)
        abort();
    random[0] = (uint8_t)((random[0] & 0x3f) | 0x80); /* variant */
    random[2] |= 1;                                   /* multicast: not a real address */
    source->node = load_be64(random);
    source->last_ticks = 0;
}

/* As in Cassandra, a time of more than 60 bits runs into the version: that is no UUID of version 1, and only SELECT shows it. */
void uuid_write_time(uint8_t out[16], uint64_t ticks, uint64_t low)
{
    store_be32(out, (uint32_t)ticks);
    store_be16(out + 4, (uint16_t)(ticks >> 32));
    store_be16(out + 6, (uint16_t)(0x1000 | (ticks >> 48)));
    store_be64(out + 8, low);
}

void uuid_make_time(struct uuid_source *source, int64_t now_us, uint8_t out[16])
{
    uint64_t ticks = (uint64_t)(now_us * 10 + UUID_EPOCH_TICKS);

    assert(source->node >> 63); /* it was initialised: the variant is there */
    if (ticks <= source->last_ticks)
        ticks = source->last_ticks + 1;
    source->last_ticks = ticks;
    uuid_write_time(out, ticks, source->node);
}

int64_t uuid_ticks(struct bytes uuid)
{
    return (int64_t)(((uint64_t)(load_be16(uuid.data + 6) & 0xefff) << 48) |
                     ((uint64_t)load_be16(uuid.data + 4) << 32) | load_be32(uuid.data));
}

int64_t uuid_time_ms(struct bytes uuid)
{
    return (uuid_ticks(uuid) / 10 - UUID_EPOCH_TICKS / 10) /
           1000; /* by way of microseconds, as in Cassandra: none overflows */
}
