/* One line per event, on stderr: whoever starts the server (systemd, a container) keeps and rotates
 * them.
 *
 * A line is built on the stack and written by one write(2), which the kernel does not interleave
 * with another for a pipe as long as it is short (PIPE_BUF, 4096), so no lock is needed and a
 * thread that logs waits for no other. Ids and numbers only: what a client calls things is never
 * told to this file. */
#include "base/log.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* In the order of enum log_level, and as the option --log-level spells them. */
static const char *const level_names[] = { "debug", "info", "warn", "error", "none" };
static atomic_int threshold = LOG_LEVEL_INFO;

/* The one mutable global of the process: everybody logs, also where no context is at hand. Relaxed:
 * a line more or less at the moment of the change harms nobody. */
void log_set_level(enum log_level level)
{
    assert(level >= LOG_LEVEL_DEBUG && level <= LOG_LEVEL_NONE);
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

bool log_level_parse(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(word, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
    char line[LOG_LINE_MAX + 1];
    int64_t now_us;
    time_t now_s;
    struct tm utc;
    va_list list;
    int used, more;
    size_t size;

    if (!log_is_on(level))
        return;
    /* The machine's time, even where the server's clock was moved ahead: beside our lines stand
     * those of other programs. */
    now_us = clock_realtime_us(&clock_system);
    now_s = (time_t)(now_us / 1000000);
    gmtime_r(&now_s, &utc);
    /* An area that does not fit is our own mistake, and no reason to stop serving: then there is no
     * line. */
    used =
        snprintf(line, LOG_LINE_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %s %s: ", utc.tm_year + 1900, utc.tm_mon + 1,
                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (long)(now_us % 1000000), level_names[level], area);
    if (used < 0 || used >= LOG_LINE_MAX)
        return;
    va_start(list, format);
    more = vsnprintf(line + used, LOG_LINE_MAX - (size_t)used, format, list);
    va_end(list);
    if (more < 0)
        return;
    /* vsnprintf says how long the text would have been. One byte stays free for the newline. */
    size = (size_t)used + (size_t)more;
    if (size > LOG_LINE_MAX - 1)
        size = LOG_LINE_MAX - 1;
    /* One event is one line, whatever a message carries: a newline in it could pass for an event
     * that never happened. */
    for (size_t i = (size_t)used; i < size; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* there is nowhere to say so */
}
