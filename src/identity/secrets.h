/* identity/secrets.h: secrets of identities as they are stored: an access key's sealed, a service's password as a MAC.
 *
 * A sealed secret opens only for the key whose it is: account, user and id are authenticated with it. A password is 256 random bits, so its MAC
 * under the server's master key needs neither a salt nor to be slow; its credential's id goes into it.
 *
 * Errors:  those of keys_seal and keys_unseal.
 * Thread:  any.
 */
#ifndef IDENTITY_SECRETS_H
#define IDENTITY_SECRETS_H

#include "base/arena.h"
#include "identity/identity.h"
#include "keys/keys.h"

/* Sets parts->secret, in the arena; where it stands and its id are there already. */
enum status secrets_seal(const struct keys *keys, struct bytes account, struct identity_parts *parts,
                         struct bytes secret, struct arena *arena, struct error *err);
/* Appends it. Whoever has it wipes it. */
enum status secrets_open(const struct keys *keys, struct bytes account, const struct identity *key,
                         struct buffer *secret, struct error *err);
void secrets_mac(const struct keys *keys, struct bytes credential_id, struct bytes password,
                 uint8_t mac[KEYS_MAC_BYTES]);
/* In constant time. */
bool secrets_is_password(const struct keys *keys, const struct identity *credential, struct bytes password);

#endif
