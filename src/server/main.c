/* helenus: the command line. What it does is server.h's and admin/'s; here are the words, the
 * signals and the exit codes, which scripts and service managers rely on (help.c). */
#include "server/admin/check.h"
#include "server/help.h"
#include "server/notify.h"
#include "server/admin/operate.h"
#include "server/options.h"
#include "server/admin/reshard.h"
#include "server/admin/tls_init.h"
#include "server/server.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef HELENUS_VERSION
#define HELENUS_VERSION "0.1.0"
#endif

enum { EXIT_STOPPED = 0, EXIT_NOT_DRAINED = 1, EXIT_CANNOT_START = 2 };

/* One line on stderr, that a person can act on. */
static int refuse(const char *reason)
{
    fprintf(stderr, "helenus: %s\n", reason);
    return EXIT_CANNOT_START;
}

static int print_about(const char *word)
{
    if (help_print_about(stdout, word))
        return 0;
    fputs("helenus: help knows: ", stderr);
    help_print_words(stderr);
    fputc('\n', stderr);
    return EXIT_CANNOT_START;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The port that monitors and AWS's clients use. Whoever starts a server that checks signatures has no key yet: he is
 * told where the first one lies. */
static void print_http(const struct options *options, const char *near, bool is_ipv6, unsigned port)
{
    const char *open = is_ipv6 ? "[" : "", *close = is_ipv6 ? "]" : "";

    char root[4096]; /* the file is told of as long as it lies there: taken away, it is the operator's */

    snprintf(root, sizeof(root), "%s/" ROOT_FILE, options->data ? options->data : "");
    if (options->dev && strcmp(options->api_auth, "iam") == 0)
        printf("  AWS API   http://%s%s%s:%u    # signatures are checked%s%s\n", open, near, close, port,
               access(root, F_OK) == 0 ? "; the root's first key, to be taken away: " : "",
               access(root, F_OK) == 0 ? root : "");
    else if (options->dev)
        printf(
            "  AWS API   aws --endpoint-url http://%s%s%s:%u sts get-caller-identity    # any keys: signatures are not "
            "checked\n",
            open, near, close, port);
    printf("  health    http://%s%s%s:%u/health, /metrics\n", open, near, close, port);
}

/* An address that stands for all of them is none to connect to: loopback is, from here. */
static const char *near_of(const char *host)
{
    /* Where to connect from this machine, also if we listen on every address. */
    return strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(host, "::") == 0 ? "::1" : host;
}

/* Who may do what, and what is seen on the way: on or off, a line for each. Whoever started it sees
 * at once what protects the data and what does not. */
static void print_security(const struct options *options, const struct server *server, bool is_ipv6)
{
    const char *host = near_of(server_host(server)), *open = is_ipv6 ? "[" : "", *close = is_ipv6 ? "]" : "";

    if (server_cql_tls_port(server))
        printf("  CQL, TLS  %s%s%s:%u; client certificates: %s\n", open, host, close, server_cql_tls_port(server),
               options->tls_clients);
    if (server_http_tls_port(server))
        printf("  API, TLS  https://%s%s%s:%u\n", open, host, close, server_http_tls_port(server));
    printf("  TLS       %s\n", server_cql_tls_port(server) ? "on" : "off");
}

/* How drivers connect in plain text. */
static void print_cql(const struct options *options, const struct server *server, bool is_ipv6)
{
    const char *host = server_host(server), *near = near_of(host);
    const char *open = is_ipv6 ? "[" : "", *close = is_ipv6 ? "]" : "";
    unsigned port = server_cql_port(server);
    bool password = strcmp(options->auth, "none") != 0, roles = strcmp(options->auth, "roles") == 0;

    printf("  CQL       %s%s%s:%u\n"
           "  cqlsh     cqlsh %s%s %u                       # pip install cqlsh\n"
           "  Python    from cassandra.cluster import Cluster        # pip install cassandra-driver\n",
           open, host, close, port,
           roles      ? "-u cassandra "
           : password ? "-u any -p any "
                      : "",
           near, port);
    if (password)
        printf("            from cassandra.auth import PlainTextAuthProvider\n"
               "            session = Cluster([\"%s\"], port=%u, auth_provider=PlainTextAuthProvider(\"%s\", "
               "\"%s\")).connect()\n",
               near, port, roles ? "cassandra" : "any", roles ? "..." : "any");
    else
        printf("            session = Cluster([\"%s\"], port=%u).connect()\n", near, port);
    printf("            session.execute(\"SELECT release_version FROM system.local\").one()\n");
}

/* What a person sees who started it by hand: how to connect, from this machine. The last line is
 * the one that tests and scripts wait for. A numeric IPv6 address stands in brackets before a port. */
static void print_screen(const struct options *options, const struct server *server)
{
    const char *host = server_host(server);
    bool is_ipv6 = strchr(host, ':') != NULL, in_memory = strcmp(options->store, "memory") == 0;
    const char *open = is_ipv6 ? "[" : "", *close = is_ipv6 ? "]" : "";
    unsigned port = server_cql_port(server);

    printf("\n"
           "  helenus " HELENUS_VERSION "%s\n"
           "\n",
           !options->dev                         ? ""
           : strcmp(options->auth, "roles") == 0 ? ", developer mode"
                                                 : ", developer mode: CQL takes any credentials");
    if (port)
        print_cql(options, server, is_ipv6);
    if (server_http_port(server))
        print_http(options, near_of(host), is_ipv6, server_http_port(server));
    print_security(options, server, is_ipv6);
    if (in_memory)
        printf("  data      in memory: forgotten at the end\n");
    else
        printf("  data      %s, encrypted; remove it to begin anew\n", options->data);
    printf("  stop      Ctrl-C%s\n\n", in_memory ? "" : "; acknowledged writes are safe however it ends");
    printf("Starting listening for CQL clients on %s%s%s:%u%s\n", open, host, close,
           port ? port : server_cql_tls_port(server), port ? "" : " (encrypted)");
    fflush(stdout);
}

/* Only where standard output is a terminal (server.c looks): what is printed to a file or a journal
 * would stay there. To who sits before the terminal, and to nobody else: it stands nowhere. */
static void print_password(const char *password)
{
    printf("  superuser cassandra, password %s (shown this once; `helenus password DIR cassandra` gives another)\n\n",
           password);
    fflush(stdout);
}

/* ---- serving ---- */

static void note_change(void *context, const char *name, bool taken)
{
    if (taken)
        log_info("config", "--%s has a new value, in force from now on", name);
    else
        log_warn("config", "--%s has a new value, which needs a restart: the old one stays in force", name);
}

/* A file with a mistake changes nothing. Its options are the operator's words, so they may be
 * logged. systemd is told before and after, and waits for it. */
static void reload(struct server *server, struct options *options, int argc, char **argv)
{
    struct options fresh;
    struct error error = { 0 };

    notify_reloading();
    if (options_parse(&fresh, argc, argv, &error)) {
        log_error("config", "not reloaded, everything stays as it was: %s", error.message);
    } else {
        options_take(options, &fresh, note_change, NULL);
        server_reload(server);
        log_info("config", "read again");
    }
    options_fini(&fresh);
    notify_ready();
}

/* Until a signal says to stop. Signals are blocked in all threads and taken by sigwait here, so no
 * handler runs in the middle of anything. */
static int serve(int argc, char **argv)
{
    struct options options;
    struct server *server;
    struct error error = { 0 };
    enum log_level level;
    sigset_t stops;
    int signal_number = 0;

    if (options_parse(&options, argc, argv, &error)) {
        options_fini(&options);
        return refuse(error.message);
    }
    /* Else anybody could do anything, and not even say who they are. */
    if (!options.dev && strcmp(options.auth, "roles") != 0) {
        options_fini(&options);
        return refuse("serve needs --auth roles and --key-file, or --dev, where anybody may do anything");
    }
    log_level_parse(options.log_level, &level);
    log_set_level(level);
    /* Before any thread: they inherit it, and sigwait below is the only one who hears of a stop. */
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGHUP);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    /* A client that goes away is an error of its socket, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    if (server_open(&options, &server, &error)) {
        options_fini(&options);
        return refuse(error.message);
    }
    if (server_is_exposed(server))
        fprintf(stderr, "helenus: warning: developer mode on %s: whoever reaches it can read and write everything\n",
                server_host(server));
    notify_ready(); /* first: what is told of it in the log stands there when others read that we listen */
    server_show_password(server, print_password);
    print_screen(&options, server);
    /* Without a file there is nothing to read again: SIGHUP says that the terminal has gone. */
    while (sigwait(&stops, &signal_number) != 0 || (signal_number == SIGHUP && options.config))
        if (signal_number == SIGHUP)
            reload(server, &options, argc, argv);
    notify_stopping();
    /* A second signal ends it at once. */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &stops, NULL);
    if (!server_close(server))
        /* Something is still at work with what would be freed: the process ends without touching
         * it. What was acknowledged is on the disk. */
        _exit(EXIT_NOT_DRAINED);
    options_fini(&options);
    return EXIT_STOPPED;
}

/* glibc learns from the first large block it frees to keep all later ones. A request's arena grows
 * by blocks of 1 MiB: these are to go back to the machine when the request has. */
static void give_memory_back(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "--help";
    int code;

    give_memory_back();
    if (argc > 2 && asks_for_help(argv[2]))
        return print_about(command);
    /* Commands that take long are functions of their own, with their own exit codes. */
    if (strcmp(command, "serve") == 0)
        return serve(argc - 2, argv + 2);
    if (strcmp(command, "check") == 0)
        return check_run(argc - 2, argv + 2);
    if (strcmp(command, "reshard") == 0)
        return reshard_run(argc - 2, argv + 2);
    if (strcmp(command, "tls") == 0 && argc > 2 && strcmp(argv[2], "init") == 0)
        return tls_init_run(argc - 3, argv + 3);
    if (operate_run(command, argc - 2, argv + 2, &code))
        return code;
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        printf("helenus " HELENUS_VERSION " (CQL 3.4.7, native protocol v3, v4 and v5)\n");
        return 0;
    }
    if (strcmp(command, "help") == 0 && argc > 2)
        return print_about(argv[2]);
    if (strcmp(command, "help") == 0 || asks_for_help(command)) {
        help_print(stdout, HELENUS_VERSION);
        return argc > 1 ? 0 : EXIT_CANNOT_START;
    }
    fprintf(stderr, "helenus: unknown command %s (see helenus --help)\n", command);
    return EXIT_CANNOT_START;
}
