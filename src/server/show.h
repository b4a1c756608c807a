/* server/show.h: what /metrics and /health say of a server: http.h's callbacks.
 *
 * Thread:  any, while the server is open: it reads counts.
 */
#ifndef SERVER_SHOW_H
#define SERVER_SHOW_H

#include "base/buffer.h"

#include <stdbool.h>

/* All counts, as Prometheus reads them. */
void show_metrics(void *server, struct buffer *out);
/* A server that takes no writes is alive and not well: false, and which shards they are. */
bool show_health(void *server, struct buffer *out);

#endif
