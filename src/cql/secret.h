/* cql/secret.h: passwords in statements, which nobody but the parser is to see.
 *
 * Owns:    what it returns lies in the arena, or in the text.
 * Thread:  pure.
 */
#ifndef CQL_SECRET_H
#define CQL_SECRET_H

#include "base/arena.h"

/* Has it the word "password", in any case, and is it of roles or users; or a hash of one? Of more texts than need be, never of fewer. */
bool cql_has_password(struct bytes text);
/* Is what follows the password, "PASSWORD ="? */
bool cql_ends_before_password(struct bytes text);
/* The text, or, if it has a password, what stands before, as Cassandra's audit log has it: CREATE ROLE r WITH PASSWORD ******* */
struct bytes cql_hide_password(struct arena *arena, struct bytes text);

#endif
