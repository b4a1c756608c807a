#include "base/crc.h"

#include <zlib.h>

uint32_t crc32_more(uint32_t crc, struct bytes bytes)
{
    return (uint32_t)crc32_z(crc, bytes.data, bytes.size);
}

/* What four bits at the top become when they leave: headers have 3 or 5 bytes, so a small table is enough. */
static const uint32_t nibbles[16] = {
    0x000000, 0x974F0B, 0xB9D11D, 0x2E9E16, 0xE4ED31, 0x73A23A, 0x5D3C2C, 0xCA7327,
    0x5E9569, 0xC9DA62, 0xE74474, 0x700B7F, 0xBA7858, 0x2D3753, 0x03A945, 0x94E64E,
};

uint32_t crc24_more(uint32_t crc, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (uint32_t)bytes.data[i] << 16;
        crc = (crc << 4 & 0xFFFFFF) ^ nibbles[crc >> 20];
        crc = (crc << 4 & 0xFFFFFF) ^ nibbles[crc >> 20];
    }
    return crc;
}
