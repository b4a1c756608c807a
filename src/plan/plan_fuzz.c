/* Any bytes choose a statement about tables of every kind, word by word; some are taken as they are. What is parsed is planned or refused
 * with words, and a plan holds together: slots and parts lie inside its table, markers have types. Where it leads is asked with no values:
 * nulls and unset ones are refused, or name what is there. */
#include "plan/plan.h"

#include "cql/parse.h"
#include "plan/batch.h"
#include "plan/modify.h"
#include "plan/select.h"
#include "schema/build.h"
#include "schema/ddl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH_MAX = 9 };

static const plan_function planners[STATEMENT_DESCRIBE + 1] = {
    [STATEMENT_SELECT] = plan_select, [STATEMENT_INSERT] = plan_modify, [STATEMENT_UPDATE] = plan_modify,
    [STATEMENT_DELETE] = plan_modify, [STATEMENT_BATCH] = plan_batch,   [STATEMENT_TRUNCATE] = plan_truncate,
};

/* ---- the tables ---- */

static const char *const definitions[] = {
    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TYPE k.u (a int, b text)",
    "CREATE TABLE k.t (k int, c int, d text, s text STATIC, v bigint, l list<int>, e set<text>, m map<text, int>, "
    "PRIMARY KEY (k, c, d))",
    "CREATE TABLE k.o (k int, q text, c decimal, d timeuuid, v blob, u u, f frozen<list<int>>, w tuple<int, text>, "
    "x vector<float, 3>, PRIMARY KEY ((k, q), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)",
    "CREATE TABLE k.n (k text PRIMARY KEY, v counter)",
    "CREATE TABLE k.p (k int PRIMARY KEY, v varint, e duration, m inet, l date, d time, s float, f boolean)",
};

static void fill(void *context, void *out, size_t size)
{
    memset(out, 7, size);
}

static struct schema *make_schema(void)
{
    static const uint8_t uuid[16];
    struct schema *schema = schema_new(0, uuid);

    for (size_t i = 0; i < sizeof(definitions) / sizeof(*definitions); i++) {
        struct arena *arena = arena_new(4096);
        struct ddl_context context = { .now_us = 1, .next_table_id = 100 + i, .random = fill };
        struct cql_statement *statement;
        struct ddl_change change;
        struct schema *next;
        struct error err;

        if (cql_parse(arena, bytes_of_string(definitions[i]), &statement, &err) ||
            ddl_apply(schema, statement, &context, arena, &next, &change, &err))
            abort();
        schema_unref(schema);
        schema = next;
        arena_free(arena);
    }
    return schema;
}

/* ---- a statement out of bytes ---- */

/* What may stand for a letter; $X stands for one of X's words. The first word of each needs no other: deep down only it is chosen. */
struct rule {
    char letter;
    uint8_t count;
    const char *const *words;
};

#define RULE(letter, ...)                                                                            \
    {                                                                                                \
        letter, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), (const char *const[]) \
        {                                                                                            \
            __VA_ARGS__                                                                              \
        }                                                                                            \
    }

static const struct rule grammar[] = {
    RULE('Q', "SELECT * FROM k.t", "$S", "$S", "$M", "BEGIN BATCH$U $B APPLY BATCH",
         "BEGIN UNLOGGED BATCH$U $B APPLY BATCH", "BEGIN COUNTER BATCH $B APPLY BATCH", "TRUNCATE $T"),
    RULE('S', "SELECT * FROM k.t", "SELECT $E FROM $T$W$G$O$P$L$A", "SELECT $E, $E FROM $T$W$A",
         "SELECT JSON $E FROM $T$W", "SELECT DISTINCT $E FROM $T$W$G$L", "SELECT $E AS a, $E AS b FROM $T$W$O$A"),
    RULE('M', "DELETE FROM k.t WHERE k = 1", "INSERT INTO $T ($K$C) VALUES ($X, $X$Y)$N$U",
         "INSERT INTO $T JSON $J$N$U", "UPDATE $T$U SET $D$W$I", "UPDATE k.p SET $D WHERE k = $X$I",
         "UPDATE k.t SET $D WHERE k = $X AND c = ? AND d = ?$I",
         "UPDATE k.o SET $D WHERE k = ? AND q = ? AND c = $X AND d = ?$I", "UPDATE $T SET $D, $D$W$I",
         "DELETE FROM $T$U$W$I", "DELETE $F, $F FROM $T$W$I", "DELETE $F FROM $T$W"),
    RULE('B', "", "$M;", "$M; $B"),
    RULE('T', "k.t", "k.o", "k.n", "k.p", "t", "none.t", "k.none"),
    RULE('K', "k, ", "k, c, d, ", "k, q, c, d, "),
    RULE('C', "v", "k", "c", "d", "s", "q", "l", "e", "m", "u", "f", "w", "x", "none"),
    RULE('Z', "int", "text", "bigint", "decimal", "list<int>", "map<text, int>", "tuple<int, text>", "u", "timestamp",
         "vector<float, 2>"),
    RULE('F', "v", "$C", "$C[$X]", "$C['a']", "u.a", "u.z"),
    RULE('D', "v = 1", "$C = $X", "$C = $C + $X", "$C = $C - $X", "$C = $X + $C", "$C += $X", "$C -= $X", "$C[$X] = $X",
         "u.a = $X", "u.z = $X"),
    RULE('U', "", "", " USING TTL 5", " USING TTL ? AND TIMESTAMP ?", " USING TIMESTAMP $X"),
    RULE('N', "", "", " IF NOT EXISTS"),
    RULE('J', "?", "'{}'", "? DEFAULT UNSET", "'{\"k\": 1}'"),
    RULE('I', "", "", " IF EXISTS", " IF $H", " IF $H AND $H"),
    RULE('H', "v = 1", "$C $V $X", "$C IN ($X$Y)", "$C IN ?", "$C[$X] = $X", "u.a $V $X", "m['a'] IN ($X$Y)"),
    RULE('V', "=", "<", "<=", ">", ">=", "!=", "CONTAINS", "CONTAINS KEY", "="),
    RULE('W', "", " WHERE k = 1", " WHERE $R", " WHERE k = ? AND $R", " WHERE k = ? AND c = $X AND $R",
         " WHERE k = $X AND c = $X AND d = $X", " WHERE k = ? AND q = ? AND $R",
         " WHERE k IN ($X$Y) AND c IN ? AND d $V $X", " WHERE k = $X AND q IN ? AND c = ? AND d = ?",
         " WHERE $R AND $R AND $R"),
    RULE('R', "k = 1", "$C $V $X", "$C $V $X", "$C IN ($X$Y)", "$C IN ?", "token(k) $V $X", "token(k, q) $V $X",
         "token(q, k) $V $X", "(c, d) $V ($X$Y)", "(c, d) $V ?", "(c) $V ($X)", "(d, c) $V ($X, $X)",
         "(c, d) IN (($X, $X), ?)", "(c, d) IN ?", "(c, d) IN (?, ?)", "m[$X] = $X", "$R AND $R"),
    RULE('G', "", "", " GROUP BY k", " GROUP BY k, c", " GROUP BY k, q, c", " GROUP BY k, floor(c, 1d)",
         " GROUP BY $C"),
    RULE('O', "", "", " ORDER BY c", " ORDER BY c DESC", " ORDER BY c DESC, d ASC", " ORDER BY c ASC, d ASC",
         " ORDER BY $C"),
    RULE('P', "", "", " PER PARTITION LIMIT 2", " PER PARTITION LIMIT ?"),
    RULE('L', "", "", " LIMIT 3", " LIMIT ?"),
    RULE('A', "", " ALLOW FILTERING", " ALLOW FILTERING"),
    RULE('Y', "", "", ", $X", ", $X$Y"),
    RULE('X', "1", "?", ":a", ":b", "-7", "'a'", "null", "0x00", "1.5", "true", "NaN", "1y2mo",
         "123e4567-e89b-12d3-a456-426655440000", "[$X$Y]", "{$X$Y}", "{$X: $X}", "{a: $X, b: $X}", "($X$Y)", "($Z) $X",
         "-$X", "$X $1 $X", "$2()", "$2($X$Y)", "cast($X as $Z)"),
    RULE('E', "v", "*", "$C", "count(*)", "writetime($C)", "ttl(v)", "maxwritetime(m)", "writetime(u.a)", "ttl(m[$X])",
         "$X", "$3($E)", "$3($E, $X)", "cast($E as $Z)", "$C[$X]", "$C[$X..$X]", "$C[..$X]", "u.a", "u.z", "$E $1 $E",
         "[$E, $E]", "{$E: $E}", "{a: $E}", "($E, $E)", "($Z) $E", "$2($E)", "-$E"),
    RULE('1', "+", "-", "*", "/", "%"),
    RULE('2', "now", "uuid", "to_date", "min_timeuuid", "token", "cast_as_int", "from_json", "to_json", "abs",
         "map_keys", "collection_sum", "similarity_cosine", "mask_inner", "mask_default", "blob_as_int", "floor",
         "log10", "nothing"),
    RULE('3', "count", "min", "max", "sum", "avg", "token", "to_json", "map_values", "collection_avg"),
};

struct writer {
    const uint8_t *data;
    size_t size;
    struct buffer out;
};

static uint8_t choose(struct writer *w, uint8_t below)
{
    if (!w->size)
        return 0;
    w->size--;
    return *w->data++ % below;
}

static void say(struct writer *w, char letter, int depth)
{
    const struct rule *rule = grammar;
    const char *word;

    while (rule->letter != letter)
        rule++;
    for (word = rule->words[depth < DEPTH_MAX ? choose(w, rule->count) : 0]; *word; word++)
        if (*word == '$')
            say(w, *++word, depth + 1);
        else
            buffer_append_u8(&w->out, (uint8_t)*word);
}

/* ---- what a plan holds ---- */

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_access(const struct access *access, const struct table_def *table, struct eval *eval)
{
    struct error err = { 0 };
    struct partition_list keys;
    struct clustering_value *rows;
    struct slice *slices;
    int64_t first, last;
    uint32_t count, next = 0;
    bool nothing;

    for (uint32_t i = 0; i < access->clustering_count; i++) {
        must(access->clustering[i].first == next && access->clustering[i].width);
        must(access->clustering[i].kind != PART_NONE);
        must(access->clustering[i].kind != PART_SLICE || i + 1 == access->clustering_count);
        next += access->clustering[i].width;
    }
    must(next <= table->clustering_count);
    must(!access->clustering_is_complete || next == table->clustering_count);
    if (access->kind == ACCESS_PARTITIONS) {
        for (uint32_t i = 0; i < table->partition_key_count; i++)
            must(access->partition[i].kind == PART_EQ || access->partition[i].kind == PART_IN);
        must(access_partitions(access, table, eval, &keys, &err) == OK || err.message[0]);
    }
    must(access_tokens(access, eval, &first, &last, &nothing, &err) == OK || err.message[0]);
    if (access_slices(access, table, eval, &slices, &count, &nothing, &err) == OK)
        for (uint32_t i = 1; i < count; i++)
            must(bytes_compare(slices[i - 1].start, slices[i].start) <= 0);
    if (access->clustering_is_complete)
        must(access_rows(access, table, eval, &rows, &count, &err) == OK || err.message[0]);
    (void)access_is_long(access, table, eval, 10);
}

static void check_select(const struct plan *plan, struct eval *eval)
{
    const struct select_plan *select = plan->select;

    must(select->slot_count <= plan->table->column_count);
    must(select->partition_slots + select->clustering_slots + select->cell_slot_count == select->slot_count);
    must(plan->column_count == (select->is_json ? 1 : select->result_count));
    for (uint32_t i = 0; i < select->where.filter_count; i++)
        must(select->where.filters[i].slot < select->slot_count);
    for (uint32_t i = 0; i < select->aggregate_count; i++)
        must(select->aggregates[i].type != NULL);
    must(!select->aggregate_count || select->is_aggregate);
    check_access(&select->where.access, plan->table, eval);
}

static void check_plan(const struct plan *plan, struct eval *eval)
{
    for (uint32_t i = 0; i < plan->bind_count; i++)
        must(plan->binds[i].type != NULL);
    must(plan->pk_count == 0 || !plan->table || plan->pk_count == plan->table->partition_key_count);
    for (uint32_t i = 0; i < plan->pk_count; i++)
        must(plan->pk_indexes[i] < plan->bind_count);
    if (plan->select)
        check_select(plan, eval);
    if (plan->modify && !plan->modify->json)
        check_access(&plan->modify->where.access, plan->table, eval);
    for (uint32_t i = 0; i < plan->part_count; i++)
        check_plan(plan->parts[i], eval);
}

static void plan_one(struct schema *schema, struct arena *arena, const struct cql_statement *statement, bool has_unset)
{
    struct uuid_source uuids;
    struct work work = { .max = WORK_UNBOUNDED };
    struct function_context functions = { arena, 1000000, &uuids, NULL, &work };
    struct error err = { 0 };
    struct planner planner = {
        .arena = arena, .schema = schema, .session_keyspace = BYTES_LITERAL("k"), .functions = &functions, .err = &err
    };
    struct buffer scratch = { 0 };
    struct plan plan;

    uuid_source_init(&uuids);
    if (plan_make(&planner, planners[statement->kind], statement, &plan)) {
        must(err.message[0]);
        return;
    }
    struct bytes *values = arena_new_array(arena, struct bytes, plan.bind_count + 1);
    for (uint32_t i = 0; i < plan.bind_count && has_unset; i++)
        values[i] = NATIVE_UNSET;
    struct eval eval = {
        .arena = arena, .binds = values, .bind_count = plan.bind_count, .functions = functions, .scratch = &scratch
    };
    check_plan(&plan, &eval);
    plan_describe(&plan, arena, NATIVE_V5);
    must(plan_fit(&plan, schema) == PLAN_FITS);
    plan_fini(&plan);
    buffer_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct schema *schema;
    struct writer w = { .data = data, .size = size };
    struct cql_statement *statement;
    struct error err;
    struct arena *arena = arena_new(16384);
    uint8_t kind = choose(&w, 8);

    if (!schema)
        schema = make_schema();
    if (kind)
        say(&w, 'Q', 0);
    else
        buffer_append(&w.out, w.data, w.size);
    if (cql_parse(arena, buffer_bytes(&w.out), &statement, &err) == OK)
        plan_one(schema, arena, statement, kind & 1);
    buffer_fini(&w.out);
    arena_free(arena);
    return 0;
}
