/* base/poison.h: memory of ours that nobody may use now: what an arena has not given out yet, or a pool has taken back.
 *
 * malloc's memory the sanitizers know; what we cut it into they are told here. With AddressSanitizer a use is reported at once, not when
 * the memory happens to be used again. In a debug build without it, what is taken back is filled, so that it reads as nonsense.
 * Otherwise nothing is done.
 *
 * Thread:  the memory's owner's.
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define BUILT_WITH_ASAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define BUILT_WITH_ASAN
#endif

/* POISON_IS_SEEN: then pools also give back to free() what they would keep, as it stays longest out of use there.
 * POISON_GAP_BYTES: left behind each allocation. */
#ifdef BUILT_WITH_ASAN
#include <sanitizer/asan_interface.h>
enum { POISON_IS_SEEN = 1, POISON_GAP_BYTES = 32 };
static inline void poison(const void *memory, size_t size)
{
    ASAN_POISON_MEMORY_REGION(memory, size);
}
static inline void unpoison(const void *memory, size_t size)
{
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
}
#else
enum { POISON_IS_SEEN = 0, POISON_GAP_BYTES = 0, POISON_FILL = 0xA5 };
static inline void poison(void *memory, size_t size)
{
#ifdef HELENUS_DEBUG
    if (size)
        memset(memory, POISON_FILL, size);
#endif
}
static inline void unpoison(const void *memory, size_t size)
{
}
#endif

#endif
