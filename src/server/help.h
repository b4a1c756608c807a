/* server/help.h: what the command line is told about itself.
 *
 * Thread:  any.
 */
#ifndef SERVER_HELP_H
#define SERVER_HELP_H

#include <stdbool.h>
#include <stdio.h>

/* All commands, and the options of serve. */
void help_print(FILE *out, const char *version);
/* `helenus help WORD`: a command, or what prints options ("file", "reference"). False: neither. */
bool help_print_about(FILE *out, const char *word);
/* The words that it knows, one after another. */
void help_print_words(FILE *out);

#endif
