/* One table of options, and all that is done with them (defaults, command line, file, reload, help,
 * reference) goes through it: an option that is added has all of these, and the documentation
 * cannot forget it (`make configuration`).
 *
 * A value is checked wherever it comes from, by the same code; the command line wins over the file,
 * and the file over defaults. */
#include "server/options.h"

#include "base/memory.h"
#include "wire/native.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A flag's value is true or false in a file, and true if it is only named. */
enum option_kind { OPTION_TEXT, OPTION_FLAG, OPTION_NUMBER, OPTION_SIZE };

/* A path may be as long as the system lets it be. */
enum { LINE_BYTES_MAX = PATH_MAX + 256 };

static const struct option {
    const char *name; /* its unit is its end: -s, -ms, -bytes */
    enum option_kind kind;
    size_t offset;
    const char *fallback; /* NULL: none */
    uint64_t least, most; /* of numbers and sizes */
    const char *choices;  /* of texts: "a b"; NULL: any */
    const char *argument;
    bool while_running; /* a reload applies it; else it needs a restart */
    const char *help;
} option_table[] = {
#define RESTART false
#define RUNNING true
#define TEXT(name, member, fallback, choices, argument, when, help)                                        \
    {                                                                                                      \
        name, OPTION_TEXT, offsetof(struct options, member), fallback, 0, 0, choices, argument, when, help \
    }
#define FLAG(name, member, help)                                                                   \
    {                                                                                              \
        name, OPTION_FLAG, offsetof(struct options, member), NULL, 0, 0, NULL, NULL, RESTART, help \
    }
#define NUMBER(name, member, fallback, least, most, when, help)                                             \
    {                                                                                                       \
        name, OPTION_NUMBER, offsetof(struct options, member), fallback, least, most, NULL, "N", when, help \
    }
#define SIZE(name, member, fallback, least, most, when, help)                                                 \
    {                                                                                                         \
        name, OPTION_SIZE, offsetof(struct options, member), fallback, least, most, NULL, "BYTES", when, help \
    }
    TEXT("data", data, NULL, NULL, "DIR", RESTART, "where everything is kept; made if it is missing"),
    FLAG("dev", dev, "developer mode: loopback, any credentials, master key in the data directory"),
    FLAG("dev-remote", dev_remote, "with --dev: --listen may name an address that other machines reach (containers)"),
    TEXT("listen", listen, "127.0.0.1", NULL, "ADDR", RESTART, "address to listen on"),
    TEXT("rpc-address", rpc_address, NULL, NULL, "ADDR", RESTART,
         "address that clients are told to use (containers); --listen's if it is not given"),
    NUMBER("cql-port", cql_port, "9042", 0, 65535, RESTART, "port for CQL; 0: any free one"),
    NUMBER("http-port", http_port, "9080", 0, 65535, RESTART,
           "port for /health, /metrics and, with --dev, AWS APIs; 0: none"),
    TEXT("tls-certificate", tls_certificate, NULL, NULL, "FILE", RESTART,
         "serves TLS with this certificate (PEM, with those that signed it); `helenus tls init` makes one"),
    TEXT("tls-key", tls_key, NULL, NULL, "FILE", RESTART, "its key (PEM)"),
    TEXT("tls-client-ca", tls_client_ca, NULL, NULL, "FILE", RESTART, "who signs clients' certificates (PEM)"),
    TEXT("tls-client-certificates", tls_clients, "none", "none optional required", "KIND", RESTART,
         "whether clients must have one, may have one, or are not asked"),
    NUMBER("cql-tls-port", cql_tls_port, "9142", 0, 65535, RESTART, "port for CQL with TLS; 0: any free one"),
    NUMBER("http-tls-port", http_tls_port, "9443", 0, 65535, RESTART, "as http-port, with TLS; 0: none"),
    NUMBER("tls-handshake-timeout-s", tls_handshake_timeout_s, "10", 1, 3600, RUNNING,
           "time for a client to end its TLS handshake"),
    NUMBER("shards", shards, "0", 0, 1024, RESTART, "shards of a new data directory; 0: one per two cores"),
    TEXT("region", region, "us-east-1", NULL, "NAME", RESTART, "region of this server"),
    TEXT("config", config, NULL, NULL, "FILE", RESTART, "options from a file, one `name = value` per line"),
    TEXT("auth", auth, "none", "none password roles", "KIND", RESTART,
         "none; password: ask for a name and a password, accept any; roles: Cassandra's roles and permissions"),
    TEXT("api-auth", api_auth, "none", "none iam", "KIND", RESTART,
         "of AWS's APIs: none reads signatures and lets everybody do everything; iam checks them and asks policies"),
    TEXT("key-file", key_file, NULL, NULL, "FILE", RESTART, "master key: 32 bytes, or 64 hexadecimal digits"),
    TEXT("store", store, "rocksdb", "rocksdb memory", "KIND", RESTART,
         "rocksdb, or memory: needs no --data, and forgets everything when it stops"),
    TEXT("log-level", log_level, "info", "debug info warn error none", "LEVEL", RUNNING,
         "debug, info, warn, error or none"),
    NUMBER("loops", loops, "0", 0, 1024, RESTART, "event loops; 0: three for every four cores"),
    NUMBER("workers", workers, "4", 1, 1024, RESTART, "threads that may wait for the disk"),
    SIZE("cache-bytes", cache_bytes, "0", 0, UINT64_MAX, RESTART, "memory for what was read; 0: an eighth"),
    NUMBER("row-cache-percent", row_cache_percent, "25", 0, 90, RESTART,
           "of this, for rows looked up by their whole keys; the rest is for blocks of the store"),
    SIZE("write-buffer-bytes", write_buffer_bytes, "0", 0, UINT64_MAX, RESTART,
         "memory for writes not yet flushed; 0: its default"),
    SIZE("prepared-bytes", prepared_bytes, "64m", 1 << 20, UINT64_MAX, RESTART, "memory for prepared statements"),
    SIZE("frame-bytes", frame_bytes, "16m", 1 << 10, NATIVE_FRAME_BYTES_LIMIT, RUNNING, "largest request"),
    NUMBER("connections", connections, "20000", 1, 1000000, RUNNING, "connections at once"),
    NUMBER("requests-in-flight", requests_in_flight, "2048", 1, 32768, RUNNING, "requests of one connection at once"),
    NUMBER("requests-waiting", requests_waiting, "8", 1, 4096, RUNNING,
           "of these, handed to workers because they may wait for the disk"),
    SIZE("output-bytes", output_bytes, "1m", 1 << 10, 1 << 30, RUNNING, "replies that may wait for one slow reader"),
    SIZE("input-bytes", input_bytes, "0", 0, UINT64_MAX, RUNNING,
         "requests of all connections that are being received; 0: a sixteenth of the memory, at most 256m; "
         "each loop has room for one of frame-bytes in any case"),
    SIZE("request-bytes", request_bytes, "0", 0, UINT64_MAX, RUNNING,
         "memory of all connections' requests and of replies that wait; 0: an eighth; "
         "a connection gets a quarter of its loop's part, and room for one of frame-bytes in any case"),
    NUMBER("startup-timeout-s", startup_timeout_s, "60", 1, 86400, RUNNING, "time for a connection to begin a session"),
    NUMBER("stall-timeout-s", stall_timeout_s, "60", 1, 86400, RUNNING, "time for a client to take what waits for it"),
    NUMBER("drain-timeout-s", drain_timeout_s, "10", 1, 3600, RUNNING,
           "time for requests to end when the server stops"),
    NUMBER("slow-query-ms", slow_query_ms, "500", 0, 86400000, RUNNING,
           "a request that takes as long is logged, without names and values; 0: none"),
    NUMBER("slow-query-lines", slow_query_lines, "10", 1, 10000, RUNNING, "lines per second that these may take"),
    NUMBER("tombstone-warn", tombstone_warn, "1000", 0, UINT32_MAX, RUNNING,
           "a read that passes more tombstones is warned of; 0: never"),
    NUMBER("tombstone-fail", tombstone_fail, "100000", 0, UINT32_MAX, RUNNING,
           "and with more than these it fails; 0: never"),
    SIZE("batch-warn-bytes", batch_warn_bytes, "5k", 0, UINT64_MAX, RUNNING,
         "a larger batch over several partitions is warned of; 0: none"),
    SIZE("batch-fail-bytes", batch_fail_bytes, "50k", 0, UINT64_MAX, RUNNING, "and a larger one is refused; 0: none"),
    NUMBER("batch-warn-partitions", batch_warn_partitions, "10", 0, UINT32_MAX, RUNNING,
           "an unlogged batch over more partitions is warned of; 0: none"),
    NUMBER("page-rows", page_rows, "0", 0, UINT32_MAX, RESTART, "rows of an unpaged result; 0: the default"),
    SIZE("page-bytes", page_bytes, "0", 0, NATIVE_REPLY_BYTES_MAX, RESTART, "bytes of a result; 0: the default"),
};

/* The name's end is told: on the command line a value may follow it. */
static const struct option *find(const char *name, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (strlen(option_table[i].name) == size && memcmp(option_table[i].name, name, size) == 0)
            return &option_table[i];
    return NULL;
}

/* Where in `options` the value lies: its type is told by the option's kind. */
static void *place(struct options *options, const struct option *option)
{
    assert(option->offset < sizeof(*options));
    return (char *)options + option->offset;
}

/* One of the words that blanks separate. */
static bool is_choice(const char *choices, const char *value)
{
    size_t size = strlen(value);

    while (choices) {
        const char *end = strchr(choices, ' ');

        if ((end ? (size_t)(end - choices) : strlen(choices)) == size && memcmp(choices, value, size) == 0)
            return true;
        choices = end ? end + 1 : NULL;
    }
    return false;
}

/* Decimal digits, and for sizes one letter of k, m, g behind them. strtoull would take blanks, a
 * minus and a plus. */
static bool parse_number(const char *text, bool is_size, uint64_t *number)
{
    static const char suffixes[] = "kmg";
    char *end;
    unsigned shift = 0;
    /* A sign or a blank would be taken by strtoull. */
    unsigned long long value;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno)
        return false;
    if (is_size && *end) {
        const char *suffix = strchr(suffixes, *end | 0x20);

        if (!suffix || !*suffix)
            return false;
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        end++;
    }
    /* The shift must lose no bits. */
    if (*end || value > UINT64_MAX >> shift)
        return false;
    *number = (uint64_t)value << shift;
    return true;
}

/* Sets one option. `where` stands before the name in an error: "--", or file and line. Texts are
 * copied, as the file's line is read over. */
static enum status set(struct options *options, const struct option *option, const char *where, const char *value,
                       struct error *err)
{
    uint64_t number;

    switch (option->kind) {
    case OPTION_TEXT:
        if (option->choices && !is_choice(option->choices, value))
            return error_set(err, ERR_CONFIG, "%s%s: %s is none of: %s", where, option->name, value, option->choices);
        /* The default, or what an earlier place said. */
        free(*(char **)place(options, option));
        *(char **)place(options, option) = xstrdup(value);
        return OK;
    case OPTION_FLAG:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return error_set(err, ERR_CONFIG, "%s%s: true or false, not %s", where, option->name, value);
        *(bool *)place(options, option) = value[0] == 't';
        return OK;
    case OPTION_NUMBER:
    case OPTION_SIZE:
        if (!parse_number(value, option->kind == OPTION_SIZE, &number))
            return error_set(err, ERR_CONFIG, "%s%s: %s is not a number", where, option->name, value);
        if (number < option->least || number > option->most)
            return error_set(err, ERR_CONFIG, "%s%s: %s is not between %llu and %llu", where, option->name, value,
                             (unsigned long long)option->least, (unsigned long long)option->most);
        *(uint64_t *)place(options, option) = number;
        return OK;
    }
    return OK;
}

/* Read from the file and from the command line alike, so each place notes it.
 *
 * Whether a port is its default's or was asked for makes a difference, once there is TLS. */
static void note_named(struct options *options, const struct option *option)
{
    options->cql_port_named |= option->offset == offsetof(struct options, cql_port);
    options->http_port_named |= option->offset == offsetof(struct options, http_port);
}

/* ---- the file ---- */

/* Works in place: the line is ours. */
static char *trim(char *text)
{
    char *end = text + strlen(text);

    /* Also the carriage return of a file that was written on Windows. */
    while (end > text && strchr(" \t\r\n", end[-1]))
        *--end = '\0';
    return text + strspn(text, " \t");
}

/* What is known of the file while it is read. */
struct reading {
    const char *path;
    unsigned line;
    unsigned given[ARRAY_SIZE(option_table)]; /* in which line; 0: not yet */
};

/* A line is a comment, empty, or `name = value`. A name that is given twice is a mistake, since
 * nobody can tell which was meant. --config itself stands on the command line only. */
static enum status read_line(struct options *options, struct reading *reading, char *line, struct error *err)
{
    char where[PATH_MAX + 16];
    char *name = trim(line), *equals, *value;
    const struct option *option;
    unsigned *given;

    if (name[0] == '\0' || name[0] == '#')
        return OK;
    snprintf(where, sizeof(where), "%s:%u: ", reading->path, reading->line);
    equals = strchr(name, '=');
    if (!equals)
        return error_set(err, ERR_CONFIG, "%snot `name = value`", where);
    *equals = '\0';
    value = trim(equals + 1);
    name = trim(name);
    /* --config in a file would name another one; it stands on the command line only. */
    option = find(name, strlen(name));
    if (!option || strcmp(option->name, "config") == 0)
        return error_set(err, ERR_CONFIG, "%sunknown option %s", where, name);
    given = &reading->given[option - option_table];
    /* Most likely one of the two was forgotten. */
    if (*given)
        return error_set(err, ERR_CONFIG, "%s%s is given in line %u already", where, name, *given);
    *given = reading->line;
    note_named(options, option);
    return set(options, option, where, value, err);
}

/* Stops at the first mistake and says where: half a configuration is none. */
static enum status read_file(struct options *options, const char *path, struct error *err)
{
    char line[LINE_BYTES_MAX];
    struct reading reading = { .path = path };
    enum status status = OK;
    FILE *file = fopen(path, "re");

    if (!file)
        return error_set_os(err, errno, "--config: cannot read %s", path);
    while (!status && fgets(line, sizeof(line), file)) {
        reading.line++;
        /* A line that is too long would be read as two. */
        if (!strchr(line, '\n') && !feof(file)) /* a NUL ends what strchr sees */
            status = error_set(err, ERR_CONFIG, "%s:%u: a line has at most %d bytes, and no NUL", path, reading.line,
                               LINE_BYTES_MAX - 2);
        else
            status = read_line(options, &reading, line, err);
    }
    /* A directory can be opened, and fails only when it is read. */
    if (!status && ferror(file))
        status = error_set_os(err, errno, "--config: cannot read %s", path);
    fclose(file);
    return status;
}

/* ---- the command line ---- */

/* One pass: only --config, or all the rest. The file is read between the two, so that what is given
 * here wins. As in a file, each option stands once. */
static enum status read_arguments(struct options *options, int argc, char *const *argv, bool only_config,
                                  struct error *err)
{
    bool given[ARRAY_SIZE(option_table)] = { false };

    for (int i = 0; i < argc; i++) {
        const char *name = argv[i] + 2, *equals, *value;
        const struct option *option;
        enum status status;

        if (strncmp(argv[i], "--", 2) != 0)
            return error_set(err, ERR_CONFIG, "unexpected argument %s (see helenus --help)", argv[i]);
        equals = strchr(name, '=');
        option = find(name, equals ? (size_t)(equals - name) : strlen(name));
        if (!option)
            return error_set(err, ERR_CONFIG, "unknown option %s (see helenus --help)", argv[i]);
        if (equals)
            value = equals + 1;
        else if (option->kind == OPTION_FLAG)
            value = "true";
        else if (i + 1 < argc)
            value = argv[++i];
        else
            return error_set(err, ERR_CONFIG, "--%s needs a value", option->name);
        if (only_config != (option->offset == offsetof(struct options, config)))
            continue;
        if (given[option - option_table])
            return error_set(err, ERR_CONFIG, "--%s is given twice", option->name);
        given[option - option_table] = true;
        note_named(options, option);
        status = set(options, option, "--", value, err);
        if (status)
            return status;
    }
    return OK;
}

/* What would be less safe than it looks is refused: half of a certificate, an authority that nobody
 * is asked about. */
static enum status check_tls(const struct options *options, struct error *err)
{
    bool asks = strcmp(options->tls_clients, "none") != 0;

    if (!options->tls_certificate != !options->tls_key)
        return error_set(err, ERR_CONFIG, "--tls-certificate and --tls-key need each other");
    if (!options->tls_certificate && (options->tls_client_ca || asks))
        return error_set(err, ERR_CONFIG, "TLS needs --tls-certificate and --tls-key");
    if (asks && !options->tls_client_ca)
        return error_set(err, ERR_CONFIG, "--tls-client-certificates %s needs --tls-client-ca", options->tls_clients);
    if (options->tls_client_ca && !asks)
        return error_set(err, ERR_CONFIG, "--tls-client-ca needs --tls-client-certificates optional or required");
    return OK;
}

/* Developer mode is loopback's, unless another word was said: plain text stays there. Elsewhere
 * who has a certificate means TLS, and says so if he wants both. */
bool options_serve_plain_cql(const struct options *options)
{
    return !options->tls_certificate || options->dev || options->cql_port_named;
}

/* The same for HTTP, which may be switched off altogether. */
bool options_serve_plain_http(const struct options *options)
{
    return options->http_port != 0 && (!options->tls_certificate || options->dev || options->http_port_named);
}

/* Defaults, then the file, then the command line. */
enum status options_parse(struct options *options, int argc, char *const *argv, struct error *err)
{
    enum status status;

    /* Zeroed, so that options_fini can be called whatever fails. */
    *options = (struct options){ 0 };
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        if (!option_table[i].fallback)
            continue;
        /* The table's own defaults are checked like any value. */
        status = set(options, &option_table[i], "--", option_table[i].fallback, err);
        if (status)
            return status;
    }
    status = read_arguments(options, argc, argv, true, err);
    if (!status && options->config)
        status = read_file(options, options->config, err);
    if (!status)
        status = read_arguments(options, argc, argv, false, err);
    /* A memory store keeps nothing, and nothing else is kept beside it. */
    if (!status && !options->data && strcmp(options->store, "memory") != 0)
        status = error_set(err, ERR_CONFIG, "serve needs --data DIR");
    return status ? status : check_tls(options, err);
}

/* Flags and numbers have nothing to free. */
void options_fini(struct options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (option_table[i].kind == OPTION_TEXT)
            free(*(char **)place(options, &option_table[i]));
    *options = (struct options){ 0 };
}

/* ---- changes while running: SIGHUP ---- */
/* ---- changes while running ---- */

/* NULL is a value of its own: not given. */
static bool is_same(const struct options *a, const struct options *b, const struct option *option)
{
    const void *in_a = (const char *)a + option->offset, *in_b = (const char *)b + option->offset;
    const char *text_a, *text_b;

    switch (option->kind) {
    case OPTION_TEXT:
        text_a = *(char *const *)in_a;
        text_b = *(char *const *)in_b;
        return text_a == text_b || (text_a && text_b && strcmp(text_a, text_b) == 0);
    case OPTION_FLAG: return *(const bool *)in_a == *(const bool *)in_b;
    case OPTION_NUMBER:
    case OPTION_SIZE: return *(const uint64_t *)in_a == *(const uint64_t *)in_b;
    }
    return true;
}

/* Takes from `fresh` what may change while the server runs, and tells of the rest. Texts change
 * places, so that each is freed by whoever has it then. */
void options_take(struct options *options, struct options *fresh, options_changed changed, void *context)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct option *option = &option_table[i];

        if (is_same(options, fresh, option))
            continue;
        assert(option->kind != OPTION_FLAG || !option->while_running);
        if (option->while_running && option->kind == OPTION_TEXT) {
            char *old = *(char **)place(options, option);

            *(char **)place(options, option) = *(char **)place(fresh, option);
            *(char **)place(fresh, option) = old;
        } else if (option->while_running) {
            *(uint64_t *)place(options, option) = *(uint64_t *)place(fresh, option);
        }
        changed(context, option->name, option->while_running);
    }
}

/* ---- what is printed: all of it from the table ---- */
/* ---- what is printed: all of it from the table ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* An option's unit is the end of its name. */
static const char *unit(const struct option *option)
{
    switch (option->kind) {
    case OPTION_TEXT: return option->choices ? "word" : "text";
    case OPTION_FLAG: return "true or false";
    case OPTION_SIZE: return "bytes";
    case OPTION_NUMBER:
        return ends_with(option->name, "-ms") ? "milliseconds" : ends_with(option->name, "-s") ? "seconds" : "number";
    }
    return "";
}

static const char *default_of(const struct option *option)
{
    return option->kind == OPTION_FLAG ? "false" : option->fallback ? option->fallback : "none";
}

/* Words as they are; numbers without an upper bound by their lower one. */
static void print_range(FILE *out, const struct option *option)
{
    if (option->choices)
        for (const char *at = option->choices; *at; at++)
            fprintf(out, "%s%c", *at == ' ' ? "," : "", *at);
    else if (option->kind == OPTION_TEXT || option->kind == OPTION_FLAG)
        fputs("any", out);
    else if (option->most == UINT64_MAX)
        fprintf(out, "%llu or more", (unsigned long long)option->least);
    else
        fprintf(out, "%llu to %llu", (unsigned long long)option->least, (unsigned long long)option->most);
}

static const char *when(const struct option *option)
{
    if (option->offset == offsetof(struct options, config))
        return "command line only";
    return option->while_running ? "reload" : "restart";
}

/* For docs/configuration.md. */
void options_print_reference(FILE *out)
{
    fputs("| option | value | range | default | changed by | |\n| --- | --- | --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct option *option = &option_table[i];

        fprintf(out, "| `%s` | %s | ", option->name, unit(option));
        print_range(out, option);
        fprintf(out, " | %s | %s | %s |\n", default_of(option), when(option), option->help);
    }
}

/* A file that can be used as it is: every option as a comment, with its default. */
void options_print_file(FILE *out)
{
    fputs(
        "# Options of helenus serve: `name = value`, one per line; what is not set has its default. Sizes take k, m\n"
        "# and g (powers of 1024). The command line wins. SIGHUP (systemctl reload helenus) reads this file again and\n"
        "# applies what says \"reload\"; the rest waits for a restart.\n",
        out);
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct option *option = &option_table[i];

        if (option->offset == offsetof(struct options, config))
            continue;
        fprintf(out, "\n# %s\n# %s: ", option->help, unit(option));
        print_range(out, option);
        fprintf(out, "; %s\n#%s = %s\n", when(option), option->name,
                option->fallback   ? option->fallback
                : option->argument ? option->argument
                                   : "false");
    }
}

/* The list in `helenus help`. */
void options_print_help(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct option *option = &option_table[i];
        char left[64];

        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        fprintf(out, "  %-26s %s%s%s%s\n", left, option->help, option->fallback ? " [" : "",
                option->fallback ? option->fallback : "", option->fallback ? "]" : "");
    }
}
