/* cql/build.h: what the actions of the grammar call to build the AST. For parse.c and build.c only.
 *
 * A refused statement is noted once (parse_fail): the first word stands, and the functions still return something whole,
 * so that no action has to look. Lexemes are folded and unescaped in place, in the copy of the text that the arena holds.
 */
#ifndef CQL_BUILD_H
#define CQL_BUILD_H

#include "cql/parse.h"

struct lexeme {
    uint8_t *start; /* in the copy of the text */
    uint32_t size;  /* as written, with its quotes */
    uint32_t token; /* what it is, whatever the grammar is told */
};

/* A growing array in the arena. */
struct vec {
    void *items;
    uint32_t count;
    uint32_t capacity;
};

struct parse {
    struct arena *arena;
    struct bytes original; /* the text as it came, for messages */
    const uint8_t *copy;   /* the same in the arena */
    struct error *error;
    enum status status;
    struct vec markers; /* struct bytes */
    struct cql_statement *statement;
    const struct cql_type *type;
};

struct field {
    struct bytes name;
    const struct term *value;
};

struct conditions {
    struct vec list;
    bool if_exists;
};

struct table_with {
    struct vec options;
    struct vec orders;
    bool compact;
};

#define VEC_EMPTY ((struct vec){ NULL, 0, 0 })
#define NO_NAME   ((struct qualified_name){ .name = { NULL, 0 } })

struct vec vec_append(struct parse *p, struct vec vec, const void *item, size_t size);
#define vec_add(p, array, item)                            \
    ({                                                     \
        __typeof__(item) added_ = (item);                  \
        vec_append((p), (array), &added_, sizeof(added_)); \
    })
#define vec_add_of(p, array, of, at) vec_append((p), (array), (at), sizeof(of))
#define vec_new_of(p, of, at)        vec_append((p), VEC_EMPTY, (at), sizeof(of))
#define vec_new(p, item)                                           \
    ({                                                             \
        __typeof__(item) vec_item_ = (item);                       \
        vec_append((p), VEC_EMPTY, &vec_item_, sizeof(vec_item_)); \
    })
#define vec_two(p, a, b)                      \
    ({                                        \
        struct vec pair_ = vec_new((p), (a)); \
        vec_add((p), pair_, (b));             \
    })
#define VEC_STORE(node, field, size, array) \
    do {                                    \
        struct vec stored_ = (array);       \
        (node)->field = stored_.items;      \
        (node)->size = stored_.count;       \
    } while (0)
#define VEC_OPTIONS(node, array) VEC_STORE(&(node)->options, items, count, array)
#define NODE(p, name)            arena_new_struct((p)->arena, struct name)
#define STATEMENT(p, tag, member, node)                            \
    ({                                                             \
        struct cql_statement *statement_ = NODE(p, cql_statement); \
        statement_->kind = (tag);                                  \
        statement_->member = (node);                               \
        statement_;                                                \
    })

/* What a word is when it is not quoted; functions and types may not have every name. */
enum word { WORD_PLAIN, WORD_QUOTED, WORD_BASIC, WORD_NATIVE, WORD_SPECIAL, WORD_RESERVED };
enum word word_of(const struct lexeme *lexeme);

/* By the words of a sentence; at a lexeme, as Cassandra words it. */
void parse_fail(struct parse *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void parse_fail_at(struct parse *p, struct lexeme lexeme);
/* "line 1:5 ..." for the place of a byte of the copy. */
void parse_fail_where(struct parse *p, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline struct bytes lexeme_bytes(struct lexeme lexeme)
{
    return bytes_of(lexeme.start, lexeme.size);
}

struct bytes fold(struct lexeme lexeme);
enum option_flag truth(struct lexeme lexeme);
struct bytes build_name(struct parse *p, struct lexeme lexeme);
struct bytes build_string(struct parse *p, struct lexeme lexeme);
struct bytes build_no_marker(struct parse *p, const char *what);
struct bytes build_word(struct parse *p, struct lexeme lexeme, const char *refusal);
struct bytes build_language(struct parse *p, struct lexeme lexeme);
struct qualified_name build_type_name(struct parse *p, const struct lexeme *keyspace, struct lexeme name);
struct qualified_name build_function_name(struct parse *p, const struct lexeme *keyspace, struct lexeme name);

const struct cql_type *build_named_type(struct parse *p, const struct lexeme *keyspace, struct lexeme name);
const struct cql_type *build_custom_type(struct parse *p, struct lexeme name);
const struct cql_type *build_type(struct parse *p, enum type_kind kind, struct vec params,
                                  const struct lexeme *dimension);
const struct cql_type *build_frozen(struct parse *p, const struct cql_type *type);

const struct term *build_literal(struct parse *p, enum literal_kind kind, struct bytes text);
const struct term *build_null(struct parse *p);
const struct term *build_marker(struct parse *p, struct bytes name);
const struct term *build_items(struct parse *p, enum term_kind kind, struct vec items);
const struct term *build_one(struct parse *p, enum term_kind kind, const struct term *a);
const struct term *build_two(struct parse *p, enum term_kind kind, const struct term *a, const struct term *b);
const struct term *build_operation(struct parse *p, char op, const struct term *a, const struct term *b);
const struct term *build_udt(struct parse *p, struct vec fields);
const struct term *build_call(struct parse *p, struct qualified_name name, struct vec arguments);
const struct term *build_cast(struct parse *p, const struct term *a, struct lexeme type, bool selector);
const struct term *build_hint(struct parse *p, const struct cql_type *type, const struct term *a);
const struct term *build_column(struct parse *p, struct lexeme name);
const struct term *build_field(struct parse *p, const struct term *of, struct lexeme name);
const struct term *build_slice(struct parse *p, const struct term *of, const struct term *from, const struct term *to);
const struct term *build_selector_call(struct parse *p, const struct term *callee, struct lexeme paren,
                                       struct vec arguments);
const struct term *build_count_rows(struct parse *p, const struct term *callee, struct lexeme paren);
struct selector *build_selector(struct parse *p, const struct term *term, struct bytes alias);

struct relation *build_relation(struct parse *p, enum relation_kind kind, enum cql_operator op, struct vec columns,
                                const struct term *value);
struct relation *build_tuple_in(struct parse *p, struct vec columns, struct vec values, struct lexeme in);
struct cql_deletion *build_target(struct parse *p, struct bytes column);
struct cql_condition *build_condition(struct parse *p, const struct cql_deletion *target, enum cql_operator op,
                                      const struct term *value, struct vec values);
struct assignment *build_assignment(struct parse *p, enum assignment_kind kind, struct bytes column,
                                    const struct term *value);
void build_same_column(struct parse *p, struct bytes column, struct bytes other, const char *form);
void build_check_assignments(struct parse *p, const struct update_statement *update);

struct cql_option *build_option(struct parse *p, struct bytes name, const struct term *value);
struct vec build_add_option(struct parse *p, struct vec options, const struct cql_option *option);
const struct term *build_keyword_value(struct parse *p, struct lexeme word);
/* An option's map: literals, and maps again if `nested`; its keys differ. */
void build_check_map(struct parse *p, const struct term *map, bool nested);

void build_table_column(struct parse *p, struct create_table_statement *table, const struct column_spec *column);
void build_table_key(struct parse *p, struct create_table_statement *table, const struct primary_key_spec *key);
struct primary_key_spec *build_primary_key(struct parse *p, struct vec partition, struct vec clustering);
void build_add_orders(struct parse *p, struct table_with *with, struct vec orders);
void build_table_with(struct parse *p, const struct table_with *with, bool *compact, struct option_list *options,
                      const struct clustering_order **orders, uint32_t *order_count);
const struct column_mask *build_mask(struct parse *p, struct qualified_name function, struct vec arguments);
struct alter_table_statement *build_alter_table(struct parse *p, enum alter_table_kind kind);
struct alter_table_statement *build_alter_column(struct parse *p, enum alter_table_kind kind, struct bytes column,
                                                 const struct cql_type *type, const struct column_mask *mask,
                                                 bool if_exists);
void build_drop_timestamp(struct parse *p, struct alter_table_statement *alter, struct lexeme timestamp);
struct index_target *build_index_target(struct parse *p, enum index_target_kind kind, struct bytes column);

struct cql_statement *build_named(struct parse *p, enum statement_kind kind, struct qualified_name name,
                                  bool if_exists);
struct cql_statement *build_drop_function(struct parse *p, enum statement_kind kind, struct qualified_name name,
                                          bool if_exists, const struct vec *arguments);
struct role_statement *build_no_role(struct parse *p);
struct role_statement *build_role_options(struct parse *p, struct role_statement *role,
                                          const struct role_statement *option);
struct cql_statement *build_role(struct parse *p, enum statement_kind kind, struct bytes name, bool condition,
                                 struct role_statement *role);
struct cql_statement *build_user(struct parse *p, enum statement_kind kind, struct bytes name, bool condition,
                                 struct role_statement *role);
struct cql_statement *build_drop_role(struct parse *p, struct bytes name, bool if_exists, bool is_user);
struct cql_statement *build_list_roles(struct parse *p, struct bytes grantee, bool users, bool no_recursive);
struct cql_statement *build_grant_role(struct parse *p, enum statement_kind kind, struct bytes role,
                                       struct bytes grantee);
struct cql_statement *build_permissions(struct parse *p, enum statement_kind kind, uint32_t permissions,
                                        const struct resource_spec *resource, struct bytes grantee, bool no_recursive);
struct resource_spec *build_resource(struct parse *p, enum resource_kind kind);
struct resource_spec *build_mbean(struct parse *p, enum resource_kind kind, struct lexeme string);
struct describe_statement *build_describe(struct parse *p, enum describe_kind kind, struct qualified_name name);

#endif
