/* identity/signing.h: keys with which access keys sign, kept for the next request: each is five HMACs and the opening of a secret.
 *
 * Kept by access key, day, region and service, so a day's key is not asked for on the next. Whether the access key is there and active is for
 * who asks: a secret never changes, so what is kept here is never wrong, only of no more use.
 *
 * Limits:  SIGNING_PLACES keys; one more takes another's place.
 * Owns:    copies, wiped when their place is taken and at the end.
 * Errors:  those of secrets_open.
 * Thread:  any.
 */
#ifndef IDENTITY_SIGNING_H
#define IDENTITY_SIGNING_H

#include "identity/identity.h"
#include "keys/keys.h"
#include "wire/aws/sigv4.h"

enum { SIGNING_PLACES = 1024 };

struct signing;

struct signing *signing_new(const struct keys *keys); /* borrowed */
void signing_free(struct signing *signing);           /* NULL: nothing to do */
/* Of the scope that the request was signed for. */
enum status signing_key(struct signing *signing, struct bytes account, const struct identity *access_key,
                        const struct sigv4 *signed_by, uint8_t key[SIGV4_KEY_BYTES], struct error *err);

#endif
