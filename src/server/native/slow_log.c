/* A ring of notes between loops and a thread that writes: a loop never waits for stderr, and what
 * does not fit is counted instead. A note is copied whole, so nothing of a request is needed once
 * it was taken. */
#include "server/native/slow_log.h"

#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Ids and shapes only: see log.h. */
static void write_line(const struct slow_note *note)
{
    char id[2 * sizeof(note->statement) + 1];

    for (size_t i = 0; i < sizeof(note->statement); i++)
        snprintf(id + 2 * i, 3, "%02x", note->statement[i]);
    log_warn("slow", "ms=%lld kind=%s table=%llu statement=%s statements=%u status=%s shape=%s",
             (long long)(note->took_us / 1000), note->kind, (unsigned long long)note->table_id, id,
             note->statement_count, note->status, note->shape);
}

/* Written outside of the lock. What was dropped is told with the next line that is written, so that
 * a flood costs no lines of its own. */
static void *run(void *argument)
{
    struct slow_log *log = argument;
    uint64_t told = 0;

    pthread_mutex_lock(&log->lock);
    for (;;) {
        struct slow_note note;
        uint64_t unwritten;

        while (!log->count && !log->is_ending)
            pthread_cond_wait(&log->some, &log->lock);
        if (!log->count)
            break;
        assert(log->count <= SLOW_NOTES_MAX && log->first < SLOW_NOTES_MAX);
        note = log->notes[log->first];
        log->first = (log->first + 1) % SLOW_NOTES_MAX;
        log->count--;
        pthread_mutex_unlock(&log->lock);
        write_line(&note);
        unwritten = atomic_load(&log->unwritten);
        if (unwritten != told)
            log_warn("slow", "more, without a line of their own: %llu", (unsigned long long)(unwritten - told));
        told = unwritten;
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* The lines of one second are limited, as a disk that stands still makes every request slow. */
void slow_log_open(struct slow_log *log, uint32_t lines_per_s)
{
    *log = (struct slow_log){ .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER };
    atomic_init(&log->lines_per_s, lines_per_s);
    if (pthread_create(&log->thread, NULL, run, log))
        abort(); /* at start-up: a machine that has no thread to give is out of memory */
    pthread_setname_np(log->thread, "slow-log");
}

void slow_log_close(struct slow_log *log)
{
    pthread_mutex_lock(&log->lock);
    log->is_ending = true;
    pthread_cond_signal(&log->some);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->some);
}

/* Any loop, without a lock: loops may disagree for a moment about which second it is, and then a
 * few lines more are written. */
bool slow_log_wants(struct slow_log *log, int64_t now_us)
{
    int_fast64_t second = now_us / 1000000, counted = atomic_load(&log->second);

    atomic_fetch_add(&log->slow_count, 1);
    if (second != counted && atomic_compare_exchange_strong(&log->second, &counted, second))
        atomic_store(&log->lines, 0);
    if (atomic_fetch_add(&log->lines, 1) < atomic_load(&log->lines_per_s))
        return true;
    atomic_fetch_add(&log->unwritten, 1);
    return false;
}

/* If the writer has the lock at this moment the note is dropped and counted: a loop does not wait
 * for it. */
void slow_log_note(struct slow_log *log, const struct slow_note *note)
{
    bool is_taken = false;

    if (pthread_mutex_trylock(&log->lock) == 0) {
        if (log->count < SLOW_NOTES_MAX) {
            log->notes[(log->first + log->count++) % SLOW_NOTES_MAX] = *note;
            is_taken = true;
            pthread_cond_signal(&log->some);
        }
        pthread_mutex_unlock(&log->lock);
    }
    if (!is_taken)
        atomic_fetch_add(&log->unwritten, 1);
}
