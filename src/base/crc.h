/* base/crc.h: cyclic redundancy checks of bytes: against accidents on the way, never against anybody.
 *
 * crc32 is IEEE 802.3's (zlib); crc24 is the one of Cassandra's segments: 24 bits, highest bit first, polynomial 0x1974F0B.
 * Both go on from what they are given, so that parts can be checked one after another.
 *
 * Thread:  pure.
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include "base/bytes.h"

uint32_t crc32_more(uint32_t crc, struct bytes bytes); /* begin with 0 */
uint32_t crc24_more(uint32_t crc, struct bytes bytes);

#endif
