#include "server/options.h"

#include "base/memory.h"
#include "wire/native.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { OPTION_TEXT, OPTION_FLAG, OPTION_NUMBER, OPTION_SIZE };

static const struct option {
    const char *name;
    enum option_kind kind;
    size_t offset;
    const char *fallback; /* NULL: none */
    uint64_t least, most; /* of numbers and sizes */
    const char *choices;  /* of texts: "a b"; NULL: any */
    const char *argument;
    const char *help;
} option_table[] = {
#define TEXT(name, member, fallback, choices, argument, help)                                        \
    {                                                                                                \
        name, OPTION_TEXT, offsetof(struct options, member), fallback, 0, 0, choices, argument, help \
    }
#define FLAG(name, member, help)                                                          \
    {                                                                                     \
        name, OPTION_FLAG, offsetof(struct options, member), NULL, 0, 0, NULL, NULL, help \
    }
#define NUMBER(name, member, fallback, least, most, help)                                             \
    {                                                                                                 \
        name, OPTION_NUMBER, offsetof(struct options, member), fallback, least, most, NULL, "N", help \
    }
#define SIZE(name, member, fallback, least, most, help)                                                 \
    {                                                                                                   \
        name, OPTION_SIZE, offsetof(struct options, member), fallback, least, most, NULL, "BYTES", help \
    }
    TEXT("data", data, NULL, NULL, "DIR", "where everything is kept; made if it is missing"),
    FLAG("dev", dev, "developer mode: loopback, any credentials, master key in the data directory"),
    FLAG("dev-remote", dev_remote, "with --dev: --listen may name an address that other machines reach (containers)"),
    TEXT("listen", listen, "127.0.0.1", NULL, "ADDR", "address to listen on"),
    TEXT("rpc-address", rpc_address, NULL, NULL, "ADDR",
         "address that clients are told to use (containers); --listen's if it is not given"),
    NUMBER("cql-port", cql_port, "9042", 0, 65535, "port for CQL; 0: any free one"),
    NUMBER("http-port", http_port, "9080", 0, 65535, "port for /health and /metrics; 0: none"),
    NUMBER("shards", shards, "0", 0, 1024, "shards of a new data directory; 0: one per two cores"),
    TEXT("region", region, "us-east-1", NULL, "NAME", "region of this server"),
    TEXT("config", config, NULL, NULL, "FILE", "options from a file, one `name = value` per line"),
    TEXT("auth", auth, "none", "none password", "KIND", "none, or password: ask for a name and a password, accept any"),
    TEXT("key-file", key_file, NULL, NULL, "FILE", "master key: 32 bytes, or 64 hexadecimal digits"),
    TEXT("store", store, "rocksdb", "rocksdb memory", "KIND", "rocksdb, or memory: forgets everything when it stops"),
    TEXT("log-level", log_level, "info", "debug info warn error none", "LEVEL", "debug, info, warn, error or none"),
    NUMBER("loops", loops, "0", 0, 1024, "event loops; 0: three for every four cores"),
    NUMBER("workers", workers, "4", 1, 1024, "threads that may wait for the disk"),
    SIZE("cache-bytes", cache_bytes, "0", 0, UINT64_MAX, "memory for blocks of the store; 0: its default"),
    SIZE("write-buffer-bytes", write_buffer_bytes, "0", 0, UINT64_MAX,
         "memory for writes not yet flushed; 0: its default"),
    SIZE("prepared-bytes", prepared_bytes, "64m", 1 << 20, UINT64_MAX, "memory for prepared statements"),
    SIZE("frame-bytes", frame_bytes, "16m", 1 << 10, NATIVE_FRAME_BYTES_LIMIT, "largest request"),
    NUMBER("connections", connections, "20000", 1, 1000000, "connections at once"),
    NUMBER("requests-in-flight", requests_in_flight, "2048", 1, 32768, "requests of one connection at once"),
    SIZE("output-bytes", output_bytes, "1m", 1 << 10, 1 << 30, "replies that may wait for one slow reader"),
    SIZE("input-bytes", input_bytes, "256m", 1 << 20, UINT64_MAX, "unfinished requests of all connections"),
    NUMBER("startup-timeout-s", startup_timeout_s, "60", 1, 86400, "time for a connection to begin a session"),
    NUMBER("stall-timeout-s", stall_timeout_s, "60", 1, 86400, "time for a client to take what waits for it"),
    NUMBER("page-rows", page_rows, "0", 0, UINT32_MAX, "rows of an unpaged result; 0: the default"),
    SIZE("page-bytes", page_bytes, "0", 0, UINT64_MAX, "bytes of a result; 0: the default"),
};

static const struct option *find(const char *name, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (strlen(option_table[i].name) == size && memcmp(option_table[i].name, name, size) == 0)
            return &option_table[i];
    return NULL;
}

static void *place(struct options *options, const struct option *option)
{
    return (char *)options + option->offset;
}

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

static bool parse_number(const char *text, bool is_size, uint64_t *number)
{
    static const char suffixes[] = "kmg";
    char *end;
    unsigned shift = 0;
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
    if (*end || value > UINT64_MAX >> shift)
        return false;
    *number = (uint64_t)value << shift;
    return true;
}

static enum status set(struct options *options, const struct option *option, const char *value, struct error *err)
{
    uint64_t number;

    switch (option->kind) {
    case OPTION_TEXT:
        if (option->choices && !is_choice(option->choices, value))
            return error_set(err, ERR_CONFIG, "--%s: %s is none of: %s", option->name, value, option->choices);
        free(*(char **)place(options, option));
        *(char **)place(options, option) = xstrdup(value);
        return OK;
    case OPTION_FLAG:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return error_set(err, ERR_CONFIG, "--%s: true or false, not %s", option->name, value);
        *(bool *)place(options, option) = value[0] == 't';
        return OK;
    case OPTION_NUMBER:
    case OPTION_SIZE:
        if (!parse_number(value, option->kind == OPTION_SIZE, &number))
            return error_set(err, ERR_CONFIG, "--%s: %s is not a number", option->name, value);
        if (number < option->least || number > option->most)
            return error_set(err, ERR_CONFIG, "--%s: %s is not between %llu and %llu", option->name, value,
                             (unsigned long long)option->least, (unsigned long long)option->most);
        *(uint64_t *)place(options, option) = number;
        return OK;
    }
    return OK;
}

/* ---- the file ---- */

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && strchr(" \t\r\n", end[-1]))
        *--end = '\0';
    return text + strspn(text, " \t");
}

static enum status read_line(struct options *options, const char *path, unsigned number, char *line, struct error *err)
{
    char *name = trim(line), *equals, *value;
    const struct option *option;

    if (name[0] == '\0' || name[0] == '#')
        return OK;
    equals = strchr(name, '=');
    if (!equals)
        return error_set(err, ERR_CONFIG, "%s:%u: not `name = value`", path, number);
    *equals = '\0';
    value = trim(equals + 1);
    name = trim(name);
    option = find(name, strlen(name));
    if (!option || strcmp(option->name, "config") == 0)
        return error_set(err, ERR_CONFIG, "%s:%u: unknown option %s", path, number, name);
    return set(options, option, value, err);
}

static enum status read_file(struct options *options, const char *path, struct error *err)
{
    char line[PATH_MAX + 256];
    enum status status = OK;
    FILE *file = fopen(path, "re");

    if (!file)
        return error_set_os(err, errno, "--config: cannot read %s", path);
    for (unsigned number = 1; !status && fgets(line, sizeof(line), file); number++)
        status = read_line(options, path, number, line, err);
    if (!status && ferror(file))
        status = error_set_os(err, errno, "--config: cannot read %s", path);
    fclose(file);
    return status;
}

/* ---- the command line ---- */

/* One pass: only --config, or all the rest. */
static enum status read_arguments(struct options *options, int argc, char *const *argv, bool only_config,
                                  struct error *err)
{
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
        status = set(options, option, value, err);
        if (status)
            return status;
    }
    return OK;
}

enum status options_parse(struct options *options, int argc, char *const *argv, struct error *err)
{
    enum status status;

    *options = (struct options){ 0 };
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        if (!option_table[i].fallback)
            continue;
        status = set(options, &option_table[i], option_table[i].fallback, err);
        if (status)
            return status;
    }
    status = read_arguments(options, argc, argv, true, err);
    if (!status && options->config)
        status = read_file(options, options->config, err);
    if (!status)
        status = read_arguments(options, argc, argv, false, err);
    if (!status && !options->data)
        status = error_set(err, ERR_CONFIG, "serve needs --data DIR");
    return status;
}

void options_fini(struct options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (option_table[i].kind == OPTION_TEXT)
            free(*(char **)place(options, &option_table[i]));
    *options = (struct options){ 0 };
}

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
