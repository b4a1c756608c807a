/* server/native/slow_log.h: requests that took too long, one line of the log each:
 *
 *     warn slow: ms=812 kind=EXECUTE table=17 statement=9f3a... statements=1 status=ok shape=SELECT _ FROM _ WHERE _ = ?
 *
 * Neither name, key nor value is in it: the table is told by its id (the traces' and system_schema's), the statement by the MD5 of
 * its text without literals, and what is shown of it are words that can't be names (cql/shape.h).
 *
 * A loop leaves a note in a ring and goes on; a thread of the log's own writes the lines, however slow stderr is. What is more than
 * lines_per_s, or finds the ring full or in use, is counted and told with the next line.
 *
 * Thread:  slow_log_wants and slow_log_note: any; the rest: main's.
 */
#ifndef SERVER_NATIVE_SLOW_LOG_H
#define SERVER_NATIVE_SLOW_LOG_H

#include "cql/shape.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SLOW_NOTES_MAX = 64 };

struct slow_note {
    int64_t took_us;
    uint64_t table_id;
    const char *kind;   /* constant */
    const char *status; /* constant */
    uint32_t statement_count;
    uint8_t statement[16];
    char shape[SHAPE_BYTES_MAX + 1];
};

struct slow_log {
    atomic_uint_fast32_t lines_per_s;
    atomic_int_fast64_t second;      /* of which the lines are counted ... */
    atomic_uint_fast32_t lines;      /* ... so far */
    atomic_uint_fast64_t slow_count; /* all of them, since the start */
    atomic_uint_fast64_t unwritten;  /* of these, without a line */
    pthread_mutex_t lock;            /* never held over a write */
    pthread_cond_t some;
    struct slow_note notes[SLOW_NOTES_MAX];
    uint32_t first, count;
    bool is_ending;
    pthread_t thread;
};

void slow_log_open(struct slow_log *log, uint32_t lines_per_s);
/* Writes what is there. */
void slow_log_close(struct slow_log *log);
/* Counts one, and says whether a line of it is wanted: a note is made only then. now_us: monotonic. */
bool slow_log_wants(struct slow_log *log, int64_t now_us);
void slow_log_note(struct slow_log *log, const struct slow_note *note);

#endif
