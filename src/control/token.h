/* control/token.h: where a page of a list ended, as clients carry it to the next: opaque, and of use only where it was given.
 *
 *     base64 of: version (1) = 1 | MAC (16) | position
 *
 * A position is a place in the order of the list, a name for the most part: what was deleted or added meanwhile changes nothing of what
 * stays. The MAC (HMAC-SHA-256 under KEYS_TOKENS, cut) covers the version, the scope and the position, so a token of another
 * operation, account, region or question, or a made-up one, is refused.
 *
 * Limits:  TOKEN_POSITION_MAX bytes of a position, so that the text is within the 2048 characters that AWS's models allow.
 * Errors:  token_read: false.
 * Thread:  pure.
 */
#ifndef CONTROL_TOKEN_H
#define CONTROL_TOKEN_H

#include "base/arena.h"
#include "keys/keys.h"

enum { TOKEN_POSITION_MAX = 1500, TOKEN_TEXT_MAX = 2048 };

struct bytes token_make(struct arena *arena, const struct keys *keys, struct bytes scope, struct bytes position);
bool token_read(struct arena *arena, const struct keys *keys, struct bytes scope, struct bytes text,
                struct bytes *position);

#endif
