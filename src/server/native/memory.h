/* server/native/memory.h: the memory of a loop's requests: idle arenas, connections that wait for room, free memory that goes back.
 *
 * Thread:  the loop's.
 */
#ifndef SERVER_NATIVE_MEMORY_H
#define SERVER_NATIVE_MEMORY_H

#include "server/native/loop.h"

/* The loop's limits are set, its net_loop is not. */
void native_memory_init(struct native_loop *loop);
/* After the last connection has gone; before net_loop is closed. */
void native_memory_fini(struct native_loop *loop);
void native_memory_limit(struct native_loop *loop, const struct native_limits *limits);
/* Lets one of those in who wait, and looks whether to go on looking. */
void native_memory_turn_ends(struct native_loop *loop);

struct arena *native_memory_arena(struct native_loop *loop);
void native_memory_release(struct native_loop *loop, struct arena *arena);
/* Goes on reading from the connection when there is memory for its requests. */
void native_memory_starve(struct native_loop *loop, struct connection *connection);
void native_memory_forget(struct native_loop *loop, struct connection *connection);

#endif
