#include "base/log.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warn", "error", "none" };
static atomic_int threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
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
    now_us =
        clock_realtime_us(&clock_system); /* also where a server's is ahead: beside it stand lines of other programs */
    now_s = (time_t)(now_us / 1000000);
    gmtime_r(&now_s, &utc);
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
    size = (size_t)used + (size_t)more;
    if (size > LOG_LINE_MAX - 1)
        size = LOG_LINE_MAX - 1;
    for (size_t i = (size_t)used; i < size; i++) /* one event is one line, whatever a message carries */
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* there is nowhere to say so */
}
