/* api/encoding.h: a request's body as it was before its Content-Encoding.
 *
 * Shapes:  gzip, identity, or none. SDKs compress PutMetricData from 10 KB on.
 * Owns:    what is inflated lies in the arena.
 * Errors:  false and SerializationException, 400: another encoding, what is no whole gzip, more than the limit.
 * Limits:  the result's size, whatever the body says of itself; memory is taken as it is needed.
 * Thread:  pure.
 */
#ifndef API_ENCODING_H
#define API_ENCODING_H

#include "wire/aws/tree.h"

/* encoding: the header's value; data NULL: there is none. */
bool encoding_undo(struct arena *arena, struct bytes encoding, struct bytes body, size_t bytes_max,
                   struct bytes *result, struct api_fault *fault);

#endif
