/* What `helenus help` prints. Each command stands once in a table: its usage, one line for the
 * list, and the rest for who asks for it alone. Options of serve are told by the table of options. */
#include "server/help.h"

#include "server/options.h"

#include <string.h>

/* In the order in which they are listed. */
static const struct command_help {
    const char *name;
    const char *usage; /* without "helenus " */
    const char *line;  /* what it does */
    const char *more;  /* lines that end */
} commands[] = {
    { "serve", "serve --data DIR [--dev] [options]", "serves a data directory",
      "Runs until SIGTERM or SIGINT. SIGHUP reads the configuration file again.\n"
      "exit codes: 0 stopped, 1 requests did not end in time, 2 it can't start\n" },
    { "check", "check [--repair] DIR [--key-file FILE]", "is a data directory that no server has open sound?",
      "Reads every value, and changes nothing. --repair: what can't be read is taken out first and kept aside.\n"
      "exit codes: 0 sound, 1 damaged, 2 it can't be checked\n" },
    { "reshard", "reshard DIR --shards N [--key-file FILE]", "its data in N shards, while no server has it open",
      "An interrupted one leaves the directory as it was, or done.\n"
      "exit codes: 0 done, 2 not done\n" },
    { "flush", "flush DIR", "what its server holds in memory goes to files",
      "exit codes: 0 done, 1 failed, 2 no server has it open\n" },
    { "compact", "compact DIR [[ACCOUNT/]KEYSPACE[.TABLE]]", "these go into as few as can be",
      "Without a name: of all tables. Without ACCOUNT, which is 12 digits: of account 000000000000.\n"
      "exit codes: 0 done, 1 failed, 2 no server has it open\n" },
    { "sweep", "sweep DIR", "a round of purging what old deletions cover",
      "exit codes: 0 done, 1 failed, 2 no server has it open\n" },
    { "clock", "clock DIR [--advance DURATION]", "what time it is for its server, or shall be",
      "With --advance its time goes on from as much later, until it ends: what has a TTL expires, writes have later\n"
      "timestamps. DURATION: 30d, 12h, 90m, 45s, 2w or 1d12h. Only of a server that was started with --dev.\n"
      "Drivers stamp what they write with their own clock, which stays: a plain write then loses against what the\n"
      "server has stamped ahead (IF .., and writes of who sends no timestamp). Tell drivers to send none (in Python:\n"
      "session.use_client_timestamp = False).\n"
      "exit codes: 0 done, 1 refused, 2 no server has it open\n" },
    { "snapshot", "snapshot DIR TARGET [--without-key]", "a copy of one moment, of a server at work or not",
      "Files that don't change any more are linked where they can be. The master key is copied, too, unless\n"
      "--without-key.\n"
      "exit codes: 0 done, 1 failed, 2 not begun\n" },
    { "restore", "restore SNAPSHOT DIR [--key-file FILE]", "a snapshot into an empty directory, and checked",
      "exit codes: 0 done, 1 failed, 2 not begun\n" },
    { "password", "password DIR USER", "a new password for a role, which becomes a superuser",
      "The way back where all passwords are lost, and to the first role where the server could not show its password.\n"
      "USER: a role of account 000000000000, or ROLE-at-ACCOUNT; it is made if it is not there. Only of a server that was\n"
      "started with --auth roles, by root or the server's own user. The password is printed, and kept nowhere.\n"
      "exit codes: 0 done, 1 failed, 2 no server has it open\n" },
    { "api", "api missing DIR|URL", "what was asked of AWS's APIs that is not served",
      "Operations with how often they were asked for since the server began, most often first: what a program needs\n"
      "that is not there yet. URL: of its HTTP port, http://127.0.0.1:9080, for a server with another data directory or\n"
      "none. 64 names at most; what came later is counted as \"other\".\n"
      "exit codes: 0 told (also if there is none), 1 failed, 2 no server has it open\n" },
    { "tls", "tls init|reload DIR [..]", "certificates: makes some, or has them read again",
      "tls init DIR --name NAME [--name NAME ..] [--region REGION] [--days N]\n"
      "  An authority (ca.crt, ca.key) and a certificate for these hosts' names and addresses (server.crt, server.key)\n"
      "  into DIR, and what each client needs. --region: for the names of AWS's services there as well. An authority\n"
      "  that is there is used. Nothing is overwritten.\n"
      "tls reload DIR\n"
      "  The server that has DIR open reads its certificates again; connections go on.\n"
      "exit codes: 0 done, 1 the old ones stay, 2 nothing was made, or no server has it open\n" },
    { "version", "version", "its version, and those of its protocols", "" },
    { "help", "help [COMMAND | file | reference]", "this, or more of one command",
      "file: a configuration file with every option as a comment. reference: every option as a table in Markdown.\n" },
};

/* The list of all commands, and the options of the one that is used most. */
void help_print(FILE *out, const char *version)
{
    fprintf(out, "helenus %s: a database that speaks CQL, as Apache Cassandra 5.0 does\n\n", version);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "%s helenus %-42s %s\n", i ? "      " : "usage:", commands[i].usage, commands[i].line);
    fputs("\noptions of serve, with their defaults:\n", out);
    options_print_help(out);
}

/* What can be said in one screen. */
static void print_command(FILE *out, const struct command_help *command)
{
    fprintf(out, "usage: helenus %s\n\n%s: %s\n%s", command->usage, command->name, command->line, command->more);
    if (strcmp(command->name, "serve") == 0) {
        fputs("\noptions, with their defaults:\n", out);
        options_print_help(out);
    }
}

/* Of one command, or one of the two other texts. False: there is no such word. */
bool help_print_about(FILE *out, const char *word)
{
    if (strcmp(word, "reference") == 0) {
        options_print_reference(out);
        return true;
    }
    if (strcmp(word, "file") == 0) {
        options_print_file(out);
        return true;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(word, commands[i].name) == 0) {
            print_command(out, &commands[i]);
            return true;
        }
    return false;
}

void help_print_words(FILE *out)
{
    fputs("reference, file", out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, ", %s", commands[i].name);
}
