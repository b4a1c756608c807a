/* Looks at a directory from end to end, and goes on after what it finds: who has damage wants to
 * know all of it. Rows that are sound but under an older form of a value are counted beside.
 *
 * It never writes, but for --repair, and then only where nothing else is damaged: whatever is done
 * to a damaged directory before it was copied can make it worse. */
#include "server/admin/check.h"

#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/format.h"
#include "row/key.h"
#include "server/admin/at_rest.h"
#include "server/admin/forms.h"
#include "server/admin/operate.h"
#include "server/admin/progress.h"
#include "store/rocksdb/rocksdb.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was asked, and what was found so far. */
struct checker {
    const char *directory;
    const char *key_file; /* NULL: DIR/master.key */
    bool repaired;
    bool repairs; /* takes out what can't be read; then it is checked once more */
    struct progress progress;
    uint64_t damage_count;
    struct catalog_check *definitions;
    uint64_t table_id;             /* whose rows are being looked at for their forms */
    const struct table_def *table; /* NULL: none that there is */
    struct bytes account; /* the table's, empty for the default one; borrowed until the next one is looked for */
    uint64_t form_count;  /* rows of it that must be written again */
    struct buffer scratch;
};

/* Nothing can be said about the directory, which is neither sound nor damaged. */
static int cannot(const struct error *error)
{
    fprintf(stderr, "helenus: cannot check: %s\n", error->message);
    return CHECK_CANNOT;
}

/* ---- what is told ---- */

/* A millionth of a shard is fine enough. */
static void show_progress(void *context, uint32_t shard, uint32_t shard_count, uint64_t done, uint64_t total)
{
    struct checker *checker = context;
    double part = total ? (double)done / (double)total : 1;

    assert(shard < shard_count && done <= total);
    /* Each shard counts alike, whatever its size: nobody knows the sum before all were read. */
    progress_show(&checker->progress, (uint64_t)((shard + part) * 1e6), shard_count * UINT64_C(1000000), NULL);
}

/* One line each, at once: a check of a large directory takes hours. */
static void tell_damage(void *context, const char *where, const char *what)
{
    struct checker *checker = context;

    progress_clear(&checker->progress);
    printf("damaged: %s: %s\n", where, what);
    fflush(stdout);
    checker->damage_count++;
}

/* Ids and sizes, never keys or values: the line may end in a ticket. */
static void tell_taken(void *context, const struct table_taken *taken)
{
    static const char *const kinds[] = {
        [KEY_PARTITION] = "a partition's own record", [KEY_RANGE] = "a range tombstone", [KEY_ROW] = "a row"
    };
    struct checker *checker = context;

    progress_clear(&checker->progress);
    printf("taken out: shard %u: ", taken->shard);
    if (taken->table_id)
        /* What was taken out is told by table and token, as its key may not be readable. */
        printf("%s of table %llu, token %lld: fragments=%u bytes=%llu%s (%s)\n", kinds[taken->kind],
               (unsigned long long)taken->table_id, (long long)taken->token, taken->fragment_count,
               (unsigned long long)taken->bytes, taken->rest ? ", what else it holds stays" : "", taken->why);
    else
        printf("a value without a key: bytes=%llu (%s)\n", (unsigned long long)taken->bytes, taken->why);
    fflush(stdout);
}

/* Of the table whose rows end here. A table in several shards is told of by each. */
static void tell_forms(struct checker *checker)
{
    /* Only tables of which there is something to tell. */
    if (checker->form_count) {
        progress_clear(&checker->progress);
        printf("to be written again: %.*s%s%.*s.%.*s: rows=%llu: sets or maps in them stand in an order that an older "
               "version kept; read the table, TRUNCATE it and insert what was read\n",
               BYTES(checker->account), checker->account.size ? "/" : "", BYTES(checker->table->keyspace),
               BYTES(checker->table->name), (unsigned long long)checker->form_count);
        fflush(stdout);
    }
    checker->form_count = 0;
}

/* The first pass: only definitions are looked at here, the rest is table_space_check's. */
static enum status see_row(void *context, const struct key_parts *key, const struct row *row, struct error *err)
{
    struct checker *checker = context;

    assert(checker->definitions);
    if (key->kind != KEY_ROW)
        return OK;
    return catalog_check_row(checker->definitions, key->table_id, key->clustering, row, err);
}

/* The second pass, once the definitions are known: see forms.h. Rows come table by table, so a
 * table's are counted until the next begins. */
static enum status see_form(void *context, const struct key_parts *key, const struct row *row, struct error *err)
{
    struct checker *checker = context;

    /* Rows of a table stand together, so another id ends the one before. */
    if (key->table_id != checker->table_id) {
        tell_forms(checker);
        checker->table_id = key->table_id;
        checker->table = catalog_check_table(checker->definitions, key->table_id, &checker->account);
    }
    if (checker->table && forms_concern(checker->table))
        checker->form_count += forms_differ(checker->table, key, row, &checker->scratch);
    return OK;
}

/* Printed once, at the end of what was found. */
static const char advice[] =
    "what to do: stop here and copy the directory as it is, before anything else touches it.\n"
    "  Look at the disk (smartctl, the kernel's log): files do not change by themselves.\n"
    "  A damaged .sst file loses the rows it holds; a damaged .log what was written last; CURRENT and\n"
    "  MANIFEST the list of the files. None can be made again from the others: put back the newest copy\n"
    "  of the whole directory that is sound, and check it before a server starts on it.\n"
    "  A value that does not decode, in files that are sound, is the fault of a program: a DELETE of its row\n"
    "  heals it while a server runs, and helenus check --repair DIR takes it out, and keeps it aside.\n";

/* ---- the directory ---- */

/* A newer or older format is not damage, and not ours to judge. */
static enum status check_format(struct checker *checker, struct error *err)
{
    /* Without FORMAT and without shards it is some other directory, which must not be called
     * damaged. */
    if (!at_rest_has(checker->directory, "FORMAT")) {
        if (!format_holds_data(checker->directory))
            return error_set(err, ERR_CONFIG, "%s is not a data directory of helenus", checker->directory);
        tell_damage(checker, "FORMAT", "it is missing");
        return OK;
    }
    if (format_check(checker->directory, err) == OK)
        return OK;
    if (err->status != ERR_CORRUPT)
        return err->status;
    tell_damage(checker, "FORMAT", "it is damaged, or not of helenus");
    return OK;
}

/* What was taken out is kept aside in files of the shard, so that nothing is lost for ever by a
 * repair. */
static enum status repair_space(struct checker *checker, struct table_space_options *options, struct error *err)
{
    struct table_repair repair = { tell_taken, checker };
    struct table_repaired sum;
    enum status status;

    options->clock = &clock_system;
    status = table_space_repair(options, &repair, &sum, err);
    checker->repaired = !status;
    if (sum.taken_count)
        /* Told also when it failed half way: what was taken out stays out. */
        printf("%llu of %llu values taken out of %s, and kept aside in their shards\n",
               (unsigned long long)sum.taken_count, (unsigned long long)sum.value_count, checker->directory);
    return status;
}

/* Rows are looked at for old forms only in a directory that is sound: counting them in a damaged
 * one would help nobody. */
static enum status check_space(struct checker *checker, const struct keys *keys, struct table_checked *sum,
                               struct error *err)
{
    struct store_environment_options environment = { .keys = (struct keys *)keys, .clock = &clock_system };
    struct table_check check = { show_progress, tell_damage, see_row, checker };
    struct table_space_options options = { .directory = checker->directory, .store = &store_rocksdb_ops };
    enum status status = options.store->environment_open(&environment, &options.store_environment, err);

    if (status)
        return status;
    status = table_space_check(&options, &check, sum, err);
    /* What other damage there is must not be touched before it was copied. */
    if (!status && checker->repairs && sum->bad_value_count && !sum->other_damage_count)
        status = repair_space(checker, &options, err);
    if (!status && !checker->damage_count && catalog_check_any(checker->definitions, forms_concern)) {
        struct table_checked again;

        check.row = see_form;
        status = table_space_check(&options, &check, &again, err);
        tell_forms(checker);
        buffer_fini(&checker->scratch);
    }
    options.store->environment_close(options.store_environment);
    return status;
}

/* The definitions are whole only if all rows of them were seen. */
static enum status check_once(struct checker *checker, struct catalog *catalog, const struct keys *keys,
                              struct table_checked *sum, struct error *err)
{
    struct error whole;
    enum status status;

    checker->definitions = catalog_check_new(catalog);
    status = check_space(checker, keys, sum, err);
    /* Said of the definitions as a whole: rows of them that do not decode were told already. */
    if (catalog_check_end(checker->definitions, &whole) && !status)
        tell_damage(checker, "the definitions", whole.message);
    return status;
}

/* After a repair everything is checked once more: what it left is told as damage. */
static enum status check_all(struct checker *checker, struct table_checked *sum, struct error *err)
{
    struct catalog_options options = { .clock = &clock_system };
    struct catalog *catalog;
    struct keys *keys;
    enum status status = check_format(checker, err);
    /* What the format's check found is told once, whatever is repaired. */
    uint64_t before = checker->damage_count;

    if (!status)
        status = at_rest_keys(checker->directory, checker->key_file, &keys, err);
    if (status)
        return status;
    status = catalog_new(&options, &catalog, err);
    if (!status) {
        status = check_once(checker, catalog, keys, sum, err);
        if (!status && checker->repaired) {
            checker->repairs = false;
            checker->damage_count = before; /* told once more if it is still there */
            status = check_once(checker, catalog, keys, sum, err);
        }
        catalog_free(catalog);
    }
    keys_close(keys);
    return status;
}

/* The exit code is the worst that was found. */
static int check(struct checker *checker)
{
    struct table_checked sum = { 0 };
    struct error error = { 0 };
    int lock_fd = -1;
    enum status status = at_rest_lock(checker->directory, &lock_fd, &error);

    if (!status)
        status = check_all(checker, &sum, &error);
    progress_clear(&checker->progress);
    if (lock_fd >= 0)
        close(lock_fd);
    /* Damage counts more than that the check could not go on: most often it is why. */
    if (checker->damage_count) {
        printf("%s is damaged: %llu finding%s\n%s", checker->directory, (unsigned long long)checker->damage_count,
               checker->damage_count == 1 ? "" : "s", advice);
        return CHECK_DAMAGED;
    }
    if (status)
        return cannot(&error);
    if (sum.stray_count)
        printf("left by a reshard that did not end, or not to its last step: directories=%u; the next start removes "
               "them\n",
               sum.stray_count);
    printf("%s is sound: shards=%u values=%llu\n", checker->directory, sum.shard_count,
           (unsigned long long)sum.value_count);
    return CHECK_SOUND;
}

/* For restore, which checks what it copied. */
int check_directory(const char *directory, const char *key_file)
{
    struct checker checker = { .directory = directory, .key_file = key_file };

    progress_begin(&checker.progress, "check");
    return check(&checker);
}

int check_run(int argc, char *const *argv)
{
    struct checker checker = { 0 };
    struct error error;

    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--key-file=", 11) == 0)
            checker.key_file = argv[i] + 11;
        else if (strcmp(argv[i], "--key-file") == 0 && i + 1 < argc)
            checker.key_file = argv[++i];
        else if (strcmp(argv[i], "--repair") == 0)
            checker.repairs = true;
        else if (argv[i][0] != '-' && !checker.directory)
            checker.directory = argv[i];
        else
            /* Anything else is answered with the usage. */
            checker.directory = "", i = argc;
    }
    if (!checker.directory || !*checker.directory) {
        error_set(&error, ERR_CONFIG, "usage: helenus check [--repair] DIR [--key-file FILE]");
        return cannot(&error);
    }
    if (at_rest_has(checker.directory, RESTORE_MARK)) {
        error_set(&error, ERR_CONFIG, "a restore into %s did not end: remove it, and restore again", checker.directory);
        return cannot(&error);
    }
    return check_directory(checker.directory, checker.key_file);
}
