/* base/log.h: one line per event on stderr.
 *
 * Shapes:  "2026-11-23T00:47:21.123456Z info server: ready connections=0": time, level, area, then words and key=value
 *          pairs. Ids and numbers only: never a name, key, value or statement of a client (status_name(error.status),
 *          not error.message).
 * Owns:    the level below which nothing is written, the one mutable global of the process.
 * Errors:  none; a line that stderr does not take is lost. Lines are cut at LOG_LINE_MAX.
 * Thread:  any; one write(2) per line, so lines do not mix.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum { LOG_LINE_MAX = 1024 };

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_NONE };

void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
/* "debug", "info", "warn", "error", "none". False if there is no such level. */
bool log_level_parse(const char *word, enum log_level *level);
void log_write(enum log_level level, const char *area, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(area, ...) (log_is_on(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, area, __VA_ARGS__) : (void)0)
#define log_info(area, ...)  log_write(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)  log_write(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_write(LOG_LEVEL_ERROR, area, __VA_ARGS__)

#endif
