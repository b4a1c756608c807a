/* All that can be wrong is looked at before the first file is made; a file that fails takes those
 * with it that were made before it. Files are made anew, and never opened: what is there stays. */
#include "server/admin/tls_init.h"

#include "net/certificate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DONE = 0,
    CANNOT = 2,
    NAMES_MAX = 100, /* with a region's */
    NAME_BYTES_MAX = 256,
    REGION_BYTES_MAX = 32,
    DAYS = 398, /* what browsers take at most */
    DAYS_MAX = 3650,
    AUTHORITY_DAYS = 3650,
    FILES = 4,
};
#define DAY_S INT64_C(86400)

/* The names are looked up by clients that were given no endpoint: a resolver or a proxy of one's own
 * leads them here. What is global has no region in its name.
 *
 * What clients of AWS look up, with the region in the place of %s. */
static const char *const services[] = {
    "cassandra.%s.amazonaws.com",
    "cassandra-fips.%s.amazonaws.com",
    "cassandra.%s.api.aws",
    "cassandra-streams.%s.api.aws",
    "application-autoscaling.%s.amazonaws.com",
    "monitoring.%s.amazonaws.com",
    "tagging.%s.amazonaws.com",
    "sts.%s.amazonaws.com",
    "sts.amazonaws.com",
    "iam.amazonaws.com",
};

struct init {
    const char *directory;
    const char *region; /* NULL: none */
    uint64_t days;
    const char *names[NAMES_MAX];
    size_t name_count;
    size_t given_count; /* of these, the ones before the region's */
    char service_names[ARRAY_SIZE(services)][NAME_BYTES_MAX];
    char made[FILES][PATH_MAX]; /* files that stand there because of us */
    size_t made_count;
    bool made_directory;
};

/* A path that would be cut would be another file. */
static enum status name_file(const struct init *init, const char *name, char path[PATH_MAX], struct error *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", init->directory, name) < PATH_MAX)
        return OK;
    return error_set(err, ERR_CONFIG, "%s: the name is too long", init->directory);
}

/* ---- the command line ---- */

/* It becomes part of hosts' names, and nothing else may come with it. */
static bool is_region(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= REGION_BYTES_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

/* The limit is far beyond what clients take; it keeps the struct of one size. */
static enum status add_name(struct init *init, const char *name, struct error *err)
{
    if (!certificate_is_name(name))
        return error_set(err, ERR_CONFIG, "%s is neither an address nor a host's name", name);
    if (init->name_count == NAMES_MAX)
        return error_set(err, ERR_CONFIG, "a certificate has at most %d names", NAMES_MAX);
    init->names[init->name_count++] = name;
    return OK;
}

/* The value of "--name VALUE" or "--name=VALUE"; NULL: this argument is something else. */
static const char *value_of(const char *name, int argc, char *const *argv, int *at)
{
    size_t size = strlen(name);

    if (strncmp(argv[*at], name, size) != 0)
        return NULL;
    if (argv[*at][size] == '=')
        return argv[*at] + size + 1;
    if (argv[*at][size] || *at + 1 == argc)
        return NULL;
    return argv[++*at];
}

/* strtoull would take blanks and signs. */
static enum status take_days(struct init *init, const char *text, struct error *err)
{
    char *end;

    init->days = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || init->days < 1 || init->days > DAYS_MAX)
        return error_set(err, ERR_CONFIG, "--days: %s is not between 1 and %d", text, DAYS_MAX);
    return OK;
}

/* Behind the names that were given, the first of which is the one that is told to clients. */
static enum status add_services(struct init *init, struct error *err)
{
    enum status status = OK;

    init->given_count = init->name_count;
    if (!init->region)
        return OK;
    if (!is_region(init->region))
        return error_set(err, ERR_CONFIG, "--region: %s is no region such as us-east-1", init->region);
    for (size_t i = 0; i < ARRAY_SIZE(services) && !status; i++) {
        const char *at = strstr(services[i], "%s");
        int before = at ? (int)(at - services[i]) : (int)strlen(services[i]);

        snprintf(init->service_names[i], NAME_BYTES_MAX, "%.*s%s%s", before, services[i], at ? init->region : "",
                 at ? at + 2 : "");
        status = add_name(init, init->service_names[i], err);
    }
    return status;
}

/* A word that is not understood makes the whole line wrong: half a certificate is of no use. */
static enum status parse(struct init *init, int argc, char *const *argv, struct error *err)
{
    enum status status = OK;
    bool is_understood = true;

    for (int i = 0; i < argc && !status; i++) {
        const char *word = argv[i], *value;

        if ((value = value_of("--name", argc, argv, &i)) != NULL)
            status = add_name(init, value, err);
        else if ((value = value_of("--region", argc, argv, &i)) != NULL)
            init->region = value;
        else if ((value = value_of("--days", argc, argv, &i)) != NULL)
            status = take_days(init, value, err);
        else if (word[0] != '-' && word[0] && !init->directory)
            init->directory = word;
        else
            is_understood = false;
    }
    if (status)
        return status;
    if (!is_understood || !init->directory || !init->name_count)
        return error_set(err, ERR_CONFIG,
                         "usage: helenus tls init DIR --name NAME [--name NAME ..] [--region REGION] "
                         "[--days N]");
    return add_services(init, err);
}

/* ---- files ---- */

/* lstat: a link to nowhere is there as well. */
static bool is_there(const struct init *init, const char *name)
{
    char path[PATH_MAX];
    struct stat facts;
    struct error ignored;

    return name_file(init, name, path, &ignored) == OK && lstat(path, &facts) == 0;
}

/* Whole and on the disk, or not there. */
static enum status write_file(struct init *init, const char *name, mode_t mode, struct bytes text, struct error *err)
{
    char *path = init->made[init->made_count];
    enum status status = name_file(init, name, path, err);
    int fd;

    assert(init->made_count < FILES && text.size > 0);
    if (status)
        return status;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_set_os(err, errno, "%s", path);
    init->made_count++;
    if (write(fd, text.data, text.size) != (ssize_t)text.size || fsync(fd) < 0)
        status = error_set_os(err, errno, "%s", path);
    close(fd);
    return status;
}

/* The key first: a certificate without its key would look as if it could be used. */
static enum status write_pair(struct init *init, const struct certificate *certificate, const char *name,
                              const char *key_name, struct error *err)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    CLEANUP(buffer_fini) struct buffer key = { 0 };
    enum status status;

    certificate_append(certificate, &text);
    certificate_append_key(certificate, &key);
    status = write_file(init, key_name, 0600, buffer_bytes(&key), err);
    if (!status)
        status = write_file(init, name, 0644, buffer_bytes(&text), err);
    explicit_bzero(key.data, key.size);
    return status;
}

/* In the other order, and only what was made here. */
static void take_back(struct init *init)
{
    while (init->made_count)
        unlink(init->made[--init->made_count]);
    if (init->made_directory)
        rmdir(init->directory);
}

/* ---- making ---- */

/* What is there already is never touched. An authority is used if both of its files are there. */
static enum status look(struct init *init, bool *has_authority, struct error *err)
{
    static const char *const own[] = { "server.crt", "server.key" };
    bool has_certificate = is_there(init, "ca.crt"), has_key = is_there(init, "ca.key");

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (is_there(init, own[i]))
            return error_set(err, ERR_CONFIG, "%s/%s is there already: nothing is overwritten", init->directory,
                             own[i]);
    if (has_certificate != has_key)
        return error_set(err, ERR_CONFIG, "%s/%s is there without the other file of its authority", init->directory,
                         has_key ? "ca.key" : "ca.crt");
    *has_authority = has_certificate;
    return OK;
}

/* The key must be the certificate's, and the certificate an authority's. */
static enum status open_authority(const struct init *init, struct certificate **authority, struct error *err)
{
    char certificate[PATH_MAX], key[PATH_MAX];
    enum status status = name_file(init, "ca.crt", certificate, err);

    if (!status)
        status = name_file(init, "ca.key", key, err);
    return status ? status : certificate_open(certificate, key, authority, err);
}

/* For ten years: changing it means going to every client. */
static enum status make_authority(struct init *init, int64_t now_s, struct certificate **authority, struct error *err)
{
    struct certificate_options options = { .use = CERTIFICATE_AUTHORITY,
                                           .subject = "helenus authority",
                                           .from_s = now_s - DAY_S,
                                           .until_s = now_s + AUTHORITY_DAYS * DAY_S };
    enum status status = certificate_new(&options, NULL, authority, err);

    return status ? status : write_pair(init, *authority, "ca.crt", "ca.key", err);
}

/* From yesterday on: clocks of clients differ. */
static enum status make(struct init *init, bool has_authority, int64_t now_s, struct error *err)
{
    struct certificate *authority = NULL, *own = NULL;
    struct certificate_options options = { .use = CERTIFICATE_SERVER,
                                           .subject = "helenus",
                                           .names = init->names,
                                           .name_count = init->name_count,
                                           .from_s = now_s - DAY_S,
                                           .until_s = now_s + (int64_t)init->days * DAY_S };
    enum status status =
        has_authority ? open_authority(init, &authority, err) : make_authority(init, now_s, &authority, err);

    if (!status)
        status = certificate_new(&options, authority, &own, err);
    if (!status)
        status = write_pair(init, own, "server.crt", "server.key", err);
    certificate_free(own);
    certificate_free(authority);
    return status;
}

/* ---- what is told ---- */

/* The day is enough for who plans the next one. */
static void print_date(int64_t time_s)
{
    time_t time = (time_t)time_s;
    char text[32];
    struct tm utc;

    gmtime_r(&time, &utc);
    strftime(text, sizeof(text), "%Y-%m-%d", &utc);
    fputs(text, stdout);
}

/* What lies where, and which of it must not be seen by others. */
static void print_made(const struct init *init, bool has_authority, int64_t now_s)
{
    const char *in = init->directory;

    if (!has_authority) {
        printf("%s/ca.crt      the authority, until ", in);
        print_date(now_s + AUTHORITY_DAYS * DAY_S);
        printf(": clients trust it\n"
               "%s/ca.key      its key: who has it can pose as any server to them, so keep it elsewhere\n",
               in);
    }
    printf("%s/server.crt  the server's certificate, until ", in);
    print_date(now_s + (int64_t)init->days * DAY_S);
    printf("\n%s/server.key  its key\n\nnames       ", in);
    for (size_t i = 0; i < init->name_count; i++)
        printf("%s%s", i ? (i == init->given_count ? "\n            " : " ") : "", init->names[i]);
    printf("\n\n");
}

/* Each as its documentation has it; the host is the first name. Where a name does not lead to the
 * server, a client can be told which name to expect. */
static void print_clients(const struct init *init)
{
    const char *in = init->directory, *host = init->names[0];

    printf(
        "serve       helenus serve .. --tls-certificate %s/server.crt --tls-key %s/server.key\n"
        "cqlsh       SSL_CERTFILE=%s/ca.crt cqlsh --ssl %s 9142      # encrypts, but takes any server's certificate\n"
        "Python      context = ssl.create_default_context(cafile=\"%s/ca.crt\")\n"
        "            Cluster([\"%s\"], port=9142, ssl_context=context, ssl_options={\"server_hostname\": \"%s\"})\n",
        in, in, in, host, in, host, host);
    printf(
        "Java        keytool -importcert -noprompt -alias helenus -file %s/ca.crt -keystore helenus.p12 -storetype PKCS12 "
        "-storepass changeit\n"
        "            datastax-java-driver.advanced.ssl-engine-factory { class = DefaultSslEngineFactory, truststore-path = "
        "helenus.p12, truststore-password = changeit }\n",
        in);
    printf("Node        new cassandra.Client({ contactPoints: [\"%s:9142\"], localDataCenter: \"datacenter1\",\n"
           "                sslOptions: { ca: [fs.readFileSync(\"%s/ca.crt\")], servername: \"%s\" } })\n"
           "Go          cluster.Port = 9142; cluster.SslOpts = &gocql.SslOptions{CaPath: \"%s/ca.crt\", "
           "EnableHostVerification: true}\n",
           host, in, host, in);
    printf("aws, boto3  export AWS_CA_BUNDLE=%s/ca.crt AWS_ENDPOINT_URL=https://%s:9443\n"
           "curl        curl --cacert %s/ca.crt https://%s:9443/health\n",
           in, host, in, host);
}

/* The struct is on the heap, as it has room for all paths. */
int tls_init_run(int argc, char *const *argv)
{
    struct init *init = xcalloc(1, sizeof(*init));
    int64_t now_s = (int64_t)time(NULL);
    struct error error = { 0 };
    bool has_authority = false;
    enum status status;

    init->days = DAYS;
    status = parse(init, argc, argv, &error);
    if (!status)
        status = look(init, &has_authority, &error);
    if (!status) {
        init->made_directory = mkdir(init->directory, 0755) == 0;
        if (!init->made_directory && errno != EEXIST)
            status = error_set_os(&error, errno, "%s", init->directory);
    }
    if (!status)
        status = make(init, has_authority, now_s, &error);
    if (status) {
        take_back(init);
        fprintf(stderr, "helenus: cannot make certificates: %s\n", error.message);
    } else {
        print_made(init, has_authority, now_s);
        print_clients(init);
    }
    free(init);
    return status ? CANNOT : DONE;
}
