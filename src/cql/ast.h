/* cql/ast.h: a parsed statement, as written: names are not resolved, types not looked up, values not typed.
 *
 * Shapes:  a `struct cql_statement` says its kind and points to the struct of that kind. Lists are (array, count); an empty
 *          list has count 0. Identifiers are final text: lower case unless they were quoted, without quotes. "Not written"
 *          is an identifier whose data is NULL (bytes_is_null), or a NULL pointer; the empty identifier ("") has size 0
 *          and data. Bind markers are numbered from 0 in order of appearance over the whole statement (a batch too).
 * Owns:    everything lies in the arena given to cql_parse, nothing borrows from the text that was parsed.
 * Thread:  immutable once parsed; any thread.
 */
#ifndef CQL_AST_H
#define CQL_AST_H

#include "base/bytes.h"
#include "types/type.h"
#include "types/value.h" /* enum literal_kind */

enum statement_kind {
    STATEMENT_SELECT,
    STATEMENT_INSERT, /* also INSERT JSON */
    STATEMENT_UPDATE,
    STATEMENT_DELETE,
    STATEMENT_BATCH,
    STATEMENT_USE,
    STATEMENT_TRUNCATE,
    STATEMENT_CREATE_KEYSPACE,
    STATEMENT_ALTER_KEYSPACE,
    STATEMENT_DROP_KEYSPACE,
    STATEMENT_CREATE_TABLE,
    STATEMENT_ALTER_TABLE,
    STATEMENT_DROP_TABLE,
    STATEMENT_RESTORE_TABLE, /* Keyspaces */
    STATEMENT_CREATE_TYPE,
    STATEMENT_ALTER_TYPE,
    STATEMENT_DROP_TYPE,
    STATEMENT_CREATE_INDEX,
    STATEMENT_DROP_INDEX,
    STATEMENT_CREATE_VIEW,
    STATEMENT_ALTER_VIEW,
    STATEMENT_DROP_VIEW,
    STATEMENT_CREATE_TRIGGER,
    STATEMENT_DROP_TRIGGER,
    STATEMENT_CREATE_FUNCTION,
    STATEMENT_DROP_FUNCTION,
    STATEMENT_CREATE_AGGREGATE,
    STATEMENT_DROP_AGGREGATE,
    STATEMENT_CREATE_ROLE, /* also CREATE USER */
    STATEMENT_ALTER_ROLE,  /* also ALTER USER */
    STATEMENT_DROP_ROLE,   /* also DROP USER */
    STATEMENT_GRANT_ROLE,
    STATEMENT_REVOKE_ROLE,
    STATEMENT_LIST_ROLES, /* also LIST USERS */
    STATEMENT_GRANT_PERMISSIONS,
    STATEMENT_REVOKE_PERMISSIONS,
    STATEMENT_LIST_PERMISSIONS,
    STATEMENT_ADD_IDENTITY,
    STATEMENT_DROP_IDENTITY,
    STATEMENT_DESCRIBE,
};

struct qualified_name {
    struct bytes keyspace; /* not written: the current one */
    struct bytes name;
};

/* ---- Types ---- */

/* A type as written. kind is a native kind, or TYPE_LIST, _SET, _MAP, _TUPLE, _VECTOR, or TYPE_UDT for a name to look
 * up, or TYPE_CUSTOM for 'java.class.Name'. `frozen` is set only where frozen<> was written around this node. */
struct cql_type {
    enum type_kind kind;
    bool frozen;
    uint16_t depth;
    uint32_t dimension;   /* vector */
    uint32_t param_count; /* list, set, vector: 1; map: 2; tuple: fields */
    const struct cql_type *const *params;
    struct qualified_name name; /* udt; custom: the class in name.name */
};

/* ---- Terms and selectors ---- */

enum term_kind {
    TERM_LITERAL, /* literal */
    TERM_NULL,
    TERM_MARKER, /* marker: ? or :name */
    TERM_LIST,   /* items: [a, b]; a list or a vector, the receiver says which */
    TERM_SET,    /* items: {a, b}; {} is a set without items, also where a map or udt is meant */
    TERM_MAP,    /* items: {k: v}, keys and values alternating, so item_count is even */
    TERM_UDT,    /* items and field_names: {field: value} */
    TERM_TUPLE,  /* items: (a, b). In a SELECT clause (a) with one item is mere parentheses, unless a tuple is wanted */
    TERM_FUNCTION,  /* function: name and arguments in items */
    TERM_CAST,      /* items[0] and type: CAST(x AS type) */
    TERM_HINT,      /* items[0] and type: (type) x */
    TERM_NEGATE,    /* items[0]: -x */
    TERM_OPERATION, /* items[0] op items[1]; op is one of + - * / % */
    /* In a SELECT clause and GROUP BY only: */
    TERM_COLUMN,       /* column */
    TERM_FIELD,        /* items[0] . column */
    TERM_ELEMENT,      /* items[0] [ items[1] ] */
    TERM_SLICE,        /* items[0] [ items[1] .. items[2] ]; one of items[1] and items[2] may be NULL */
    TERM_COUNT_ROWS,   /* count(*) */
    TERM_WRITETIME,    /* items[0]: a column, or a field or element of one */
    TERM_MAXWRITETIME, /* items[0] */
    TERM_TTL,          /* items[0] */
};

struct term {
    enum term_kind kind;
    uint16_t depth; /* of nesting, at least 1 */
    char op;        /* operation: + - * / % */
    uint8_t word;   /* column, field: the parser's own note on how the name was written */
    uint32_t item_count;
    const struct term *const *items;
    union {
        struct {
            enum literal_kind kind;
            /* string: content; integer, float, uuid, duration: as written; float also NaN, Infinity and -Infinity;
             * hex: with 0x; boolean: true or false */
            struct bytes text;
        } literal;
        struct {
            uint32_t index;
            struct bytes name; /* not written: ? */
        } marker;
        struct qualified_name function;
        const struct cql_type *type;     /* cast, hint */
        const struct bytes *field_names; /* udt: item_count of them */
        struct bytes column;             /* column; field: the field's name */
    };
};

/* ---- Conditions ---- */

enum cql_operator {
    OPERATOR_EQ,
    OPERATOR_NE,
    OPERATOR_LT,
    OPERATOR_LE,
    OPERATOR_GT,
    OPERATOR_GE,
    OPERATOR_IN,
    OPERATOR_CONTAINS,
    OPERATOR_CONTAINS_KEY,
    OPERATOR_LIKE,
    OPERATOR_IS_NOT_NULL,
};

enum relation_kind {
    RELATION_COLUMN,  /* columns[0] op ... */
    RELATION_ELEMENT, /* columns[0] [ key ] op value; never IN */
    RELATION_TUPLE,   /* (columns) op ...: value is a TERM_TUPLE or a marker; IN: values are tuples, or all markers */
    RELATION_TOKEN,   /* token(columns) op value */
    RELATION_EXPRESSION, /* expr(index, value) */
};

/* One conjunct of WHERE. With OPERATOR_IN either `value` is the one marker (IN ?), or it is NULL and `values` is the
 * list, perhaps empty (IN ()). With OPERATOR_IS_NOT_NULL there is neither. */
struct relation {
    enum relation_kind kind;
    enum cql_operator op;
    const struct bytes *columns;
    uint32_t column_count;
    uint32_t value_count;
    const struct term *key;
    const struct term *value;
    const struct term *const *values;
    struct bytes index; /* expression */
};

/* One conjunct of IF: column op ..., column[element] op ..., or column.field op .... value and values as in a relation. */
struct cql_condition {
    struct bytes column;
    const struct term *element; /* or NULL */
    struct bytes field;         /* or not written */
    enum cql_operator op;
    uint32_t value_count;
    const struct term *value;
    const struct term *const *values;
};

/* USING: integer literals or markers; NULL where not written. Written twice, the last stands. */
struct using_clause {
    const struct term *timestamp;
    const struct term *ttl;
};

/* ---- SELECT ---- */

struct selector {
    const struct term *term;
    struct bytes alias; /* or not written */
};

struct ordering {
    struct bytes column;
    bool descending;
    const struct term *ann_of; /* ORDER BY column ANN OF term, or NULL */
};

struct select_statement {
    struct qualified_name table;
    bool json;
    bool distinct;
    bool allow_filtering;
    uint32_t selector_count; /* 0: SELECT * */
    uint32_t relation_count;
    uint32_t group_count;
    uint32_t ordering_count;
    const struct selector *selectors;
    const struct relation *relations;
    const struct term *const *groups;
    const struct ordering *orderings;
    const struct term *limit;               /* integer literal or marker, or NULL */
    const struct term *per_partition_limit; /* the same */
};

/* ---- INSERT, UPDATE, DELETE, BATCH, TRUNCATE, USE ---- */

struct insert_statement {
    struct qualified_name table;
    const struct term *json; /* INSERT JSON: a string literal or a marker; then no columns and values */
    bool default_unset;      /* JSON ... DEFAULT UNSET */
    bool if_not_exists;
    uint32_t column_count;
    uint32_t value_count; /* the planner compares it with column_count */
    const struct bytes *columns;
    const struct term *const *values;
    struct using_clause using_clause;
};

enum assignment_kind {
    ASSIGN_SET,      /* c = v */
    ASSIGN_ADD,      /* c = c + v, c += v; c = c -3 is "add -3" */
    ASSIGN_SUBTRACT, /* c = c - v, c -= v */
    ASSIGN_PREPEND,  /* c = v + c */
    ASSIGN_ELEMENT,  /* c[key] = v */
    ASSIGN_FIELD,    /* c.field = v */
};

struct assignment {
    enum assignment_kind kind;
    struct bytes column;
    const struct term *key;
    struct bytes field;
    const struct term *value;
};

struct update_statement {
    struct qualified_name table;
    struct using_clause using_clause;
    bool if_exists;
    uint32_t assignment_count;
    uint32_t relation_count;
    uint32_t condition_count;
    const struct assignment *assignments;
    const struct relation *relations;
    const struct cql_condition *conditions;
};

/* c, c[element] or c.field */
struct cql_deletion {
    struct bytes column;
    const struct term *element; /* or NULL */
    struct bytes field;         /* or not written */
};

struct delete_statement {
    struct qualified_name table;
    struct using_clause using_clause; /* timestamp only */
    bool if_exists;
    uint32_t deletion_count; /* 0: the rows */
    uint32_t relation_count;
    uint32_t condition_count;
    const struct cql_deletion *deletions;
    const struct relation *relations;
    const struct cql_condition *conditions;
};

enum batch_kind { BATCH_LOGGED, BATCH_UNLOGGED, BATCH_COUNTER };

struct cql_statement;

struct batch_statement {
    enum batch_kind kind;
    struct using_clause using_clause;
    uint32_t statement_count;
    const struct cql_statement *const *statements; /* insert, update, delete; their marker lists are the batch's */
};

struct use_statement {
    struct bytes keyspace;
};

/* TRUNCATE, DROP TABLE, DROP TYPE, DROP INDEX, DROP MATERIALIZED VIEW */
struct named_statement {
    struct qualified_name name;
    bool if_exists;
};

/* ---- Definitions ---- */

/* WITH name = value. The value is a TERM_LITERAL, or a TERM_MAP or empty TERM_SET ({}) whose keys are literals and whose
 * values are literals or, as in Keyspaces' CUSTOM_PROPERTIES, such maps again. A bare keyword is a string literal.
 * Names are unique within a statement, and so are the keys of one map. */
struct cql_option {
    struct bytes name;
    const struct term *value;
};

struct option_list {
    uint32_t count;
    const struct cql_option *items;
};

/* CREATE and ALTER KEYSPACE. Keyspaces: ALTER KEYSPACE ADD TAGS {...}, DROP TAGS {...}: then `tags` and no options. */
enum tags_action { TAGS_NONE, TAGS_ADD, TAGS_DROP };

struct keyspace_statement {
    struct bytes name;
    bool if_exists;     /* ALTER */
    bool if_not_exists; /* CREATE */
    enum tags_action tags_action;
    const struct term *tags; /* TERM_MAP or empty TERM_SET of literals */
    struct option_list options;
};

struct drop_keyspace_statement {
    struct bytes name;
    bool if_exists;
};

/* MASKED WITH function(arguments); MASKED WITH DEFAULT is mask_default() */
struct column_mask {
    struct qualified_name function;
    uint32_t argument_count;
    const struct term *const *arguments;
};

struct column_spec {
    struct bytes name;
    const struct cql_type *type;
    bool is_static;
    bool is_primary_key;            /* "PRIMARY KEY" written behind the column */
    const struct column_mask *mask; /* or NULL */
};

struct clustering_order {
    struct bytes column;
    bool descending;
};

/* PRIMARY KEY ((partition), clustering) */
struct primary_key_spec {
    uint32_t partition_count;
    uint32_t clustering_count;
    const struct bytes *partition;
    const struct bytes *clustering;
};

struct create_table_statement {
    struct qualified_name table;
    bool if_not_exists;
    bool compact_storage;
    /* How often a primary key was declared, inline or apart: must be 1, which the planner checks; primary_key is the last. */
    uint32_t primary_key_count;
    uint32_t column_count;
    uint32_t order_count;
    const struct column_spec *columns;
    struct primary_key_spec primary_key;
    const struct clustering_order *orders;
    struct option_list options; /* among them, id = 'uuid', and Keyspaces' custom_properties, tags, cdc... */
};

enum alter_table_kind {
    ALTER_TABLE_COLUMN_TYPE,  /* ALTER c TYPE t: columns[0] */
    ALTER_TABLE_MASK,         /* ALTER [IF EXISTS] c MASKED WITH f(): columns[0].name and .mask */
    ALTER_TABLE_DROP_MASK,    /* ALTER [IF EXISTS] c DROP MASKED: columns[0].name */
    ALTER_TABLE_ADD,          /* columns */
    ALTER_TABLE_DROP,         /* columns, their names only; has_timestamp and timestamp */
    ALTER_TABLE_RENAME,       /* renames */
    ALTER_TABLE_DROP_COMPACT, /* DROP COMPACT STORAGE */
    ALTER_TABLE_OPTIONS,      /* options */
    ALTER_TABLE_TAGS,         /* Keyspaces: ADD TAGS, DROP TAGS: tags_action and tags */
    ALTER_TABLE_CDC_TAGS,     /* Keyspaces: ADD TAGS_FOR_CDC, DROP TAGS_FOR_CDC */
};

struct rename_spec {
    struct bytes from;
    struct bytes to;
};

struct alter_table_statement {
    struct qualified_name table;
    enum alter_table_kind kind;
    bool if_exists;            /* the table */
    bool if_column_exists;     /* ALTER, DROP, RENAME IF EXISTS */
    bool if_column_not_exists; /* ADD IF NOT EXISTS */
    bool has_timestamp;
    int64_t timestamp;
    uint32_t column_count;
    uint32_t rename_count;
    const struct column_spec *columns;
    const struct rename_spec *renames;
    struct option_list options;
    enum tags_action tags_action;
    const struct term *tags;
};

/* RESTORE TABLE new FROM TABLE old [WITH restore_timestamp = '...' AND custom_properties = {...}] (Keyspaces) */
struct restore_table_statement {
    struct qualified_name table;
    struct qualified_name source;
    struct option_list options;
};

struct field_spec {
    struct bytes name;
    const struct cql_type *type;
};

struct create_type_statement {
    struct qualified_name name;
    bool if_not_exists;
    uint32_t field_count;
    const struct field_spec *fields;
};

enum alter_type_kind { ALTER_TYPE_FIELD_TYPE, ALTER_TYPE_ADD, ALTER_TYPE_RENAME };

struct alter_type_statement {
    struct qualified_name name;
    enum alter_type_kind kind;
    bool if_exists;
    bool if_field_exists;     /* RENAME IF EXISTS */
    bool if_field_not_exists; /* ADD IF NOT EXISTS */
    uint32_t rename_count;
    struct field_spec field; /* ALTER f TYPE t, ADD f t */
    const struct rename_spec *renames;
};

enum index_target_kind {
    INDEX_TARGET_SIMPLE,
    INDEX_TARGET_VALUES,
    INDEX_TARGET_KEYS,
    INDEX_TARGET_ENTRIES,
    INDEX_TARGET_FULL
};

struct index_target {
    enum index_target_kind kind;
    struct bytes column;
};

struct create_index_statement {
    struct bytes name; /* or not written */
    struct qualified_name table;
    bool custom;
    bool if_not_exists;
    uint32_t target_count;
    const struct index_target *targets;
    struct bytes using_class; /* USING 'class', or not written */
    struct option_list options;
};

struct create_view_statement {
    struct qualified_name view;
    struct qualified_name table;
    bool if_not_exists;
    uint32_t selector_count; /* 0: SELECT * */
    uint32_t relation_count;
    uint32_t order_count;
    const struct selector *selectors;
    const struct relation *relations;
    struct primary_key_spec primary_key;
    const struct clustering_order *orders;
    struct option_list options;
};

struct alter_view_statement {
    struct qualified_name view;
    bool if_exists;
    struct option_list options;
};

struct trigger_statement {
    struct bytes name;
    struct qualified_name table;
    bool if_exists;          /* DROP */
    bool if_not_exists;      /* CREATE */
    struct bytes class_name; /* CREATE */
};

struct create_function_statement {
    struct qualified_name name;
    bool or_replace;
    bool if_not_exists;
    bool called_on_null_input;
    uint32_t argument_count;
    const struct field_spec *arguments;
    const struct cql_type *returns;
    struct bytes language;
    struct bytes body;
};

struct create_aggregate_statement {
    struct qualified_name name;
    bool or_replace;
    bool if_not_exists;
    uint32_t argument_count;
    const struct cql_type *const *arguments;
    struct bytes state_function;
    const struct cql_type *state_type;
    struct bytes final_function; /* or not written */
    const struct term *initial;  /* or NULL */
};

/* DROP FUNCTION, DROP AGGREGATE */
struct drop_function_statement {
    struct qualified_name name;
    bool if_exists;
    bool has_arguments; /* "()" was written, perhaps empty */
    uint32_t argument_count;
    const struct cql_type *const *arguments;
};

/* ---- Roles and permissions ---- */

enum option_flag { FLAG_UNSET = -1, FLAG_FALSE = 0, FLAG_TRUE = 1 };

struct string_list {
    uint32_t count;
    const struct bytes *items;
};

/* CREATE and ALTER ROLE and USER; what is not written is unset, for the planner to default (CREATE USER may log in). */
struct role_statement {
    struct bytes name;
    bool if_exists;
    bool if_not_exists;
    bool is_user;                 /* written as CREATE USER, ALTER USER */
    struct bytes password;        /* or not written */
    struct bytes hashed_password; /* or not written; never both */
    enum option_flag superuser;
    enum option_flag login;
    const struct term *options; /* OPTIONS = {...}: map of literals, or NULL */
    bool all_datacenters;       /* ACCESS TO ALL DATACENTERS */
    bool all_cidrs;             /* ACCESS FROM ALL CIDRS */
    struct string_list datacenters;
    struct string_list cidrs;
};

struct drop_role_statement {
    struct bytes name;
    bool if_exists;
    bool is_user;
};

/* GRANT role TO grantee, REVOKE role FROM grantee */
struct grant_role_statement {
    struct bytes role;
    struct bytes grantee;
};

struct list_roles_statement {
    struct bytes grantee; /* OF role, or not written */
    bool users;           /* LIST USERS */
    bool no_recursive;
};

/* Bits of a set of permissions, named as Cassandra's Permission. */
enum permission {
    PERMISSION_CREATE = 1 << 0,
    PERMISSION_ALTER = 1 << 1,
    PERMISSION_DROP = 1 << 2,
    PERMISSION_SELECT = 1 << 3,
    PERMISSION_MODIFY = 1 << 4,
    PERMISSION_AUTHORIZE = 1 << 5,
    PERMISSION_DESCRIBE = 1 << 6,
    PERMISSION_EXECUTE = 1 << 7,
    PERMISSION_UNMASK = 1 << 8,
    PERMISSION_SELECT_MASKED = 1 << 9,
    PERMISSION_ALL = (1 << 10) - 1,
};

enum resource_kind {
    RESOURCE_NONE, /* LIST without ON */
    RESOURCE_ALL_KEYSPACES,
    RESOURCE_KEYSPACE,   /* name.keyspace */
    RESOURCE_ALL_TABLES, /* ALL TABLES IN KEYSPACE: name.keyspace */
    RESOURCE_TABLE,      /* name */
    RESOURCE_ALL_ROLES,
    RESOURCE_ROLE, /* name.name */
    RESOURCE_ALL_FUNCTIONS,
    RESOURCE_FUNCTIONS_IN, /* ALL FUNCTIONS IN KEYSPACE: name.keyspace */
    RESOURCE_FUNCTION,     /* name, arguments */
    RESOURCE_ALL_MBEANS,
    RESOURCE_MBEAN,  /* name.name */
    RESOURCE_MBEANS, /* name.name: a pattern */
};

struct resource_spec {
    enum resource_kind kind;
    struct qualified_name name;
    uint32_t argument_count;
    const struct cql_type *const *arguments;
};

/* GRANT, REVOKE, LIST permissions. `permissions` are those written; a resource may not know them all. */
struct permissions_statement {
    uint32_t permissions;
    struct resource_spec resource;
    struct bytes grantee; /* LIST: OF role, or not written */
    bool no_recursive;    /* LIST */
};

struct identity_statement {
    struct bytes identity;
    struct bytes role;  /* ADD */
    bool if_exists;     /* DROP */
    bool if_not_exists; /* ADD */
};

/* ---- DESCRIBE ---- */

enum describe_kind {
    DESCRIBE_CLUSTER,
    DESCRIBE_SCHEMA,
    DESCRIBE_FULL_SCHEMA,
    DESCRIBE_KEYSPACES,
    DESCRIBE_KEYSPACE,      /* name.keyspace, or not written: the current one */
    DESCRIBE_ONLY_KEYSPACE, /* the same, without its tables */
    DESCRIBE_TABLES,
    DESCRIBE_TABLE, /* name; as below */
    DESCRIBE_INDEX,
    DESCRIBE_VIEW,
    DESCRIBE_TYPES,
    DESCRIBE_TYPE,
    DESCRIBE_FUNCTIONS,
    DESCRIBE_FUNCTION,
    DESCRIBE_AGGREGATES,
    DESCRIBE_AGGREGATE,
    DESCRIBE_ANY, /* DESCRIBE name: a keyspace, table, index or view of that name */
};

struct describe_statement {
    enum describe_kind kind;
    struct qualified_name name;
    bool with_internals;
};

/* ---- The statement ---- */

struct cql_statement {
    enum statement_kind kind;
    uint32_t marker_count;
    const struct bytes *markers; /* names, in order; data NULL for ? */
    union {
        const struct select_statement *select;
        const struct insert_statement *insert;
        const struct update_statement *update;
        const struct delete_statement *delete_;
        const struct batch_statement *batch;
        const struct use_statement *use;
        const struct named_statement *named;       /* TRUNCATE, DROP TABLE, TYPE, INDEX, VIEW */
        const struct keyspace_statement *keyspace; /* CREATE, ALTER */
        const struct drop_keyspace_statement *drop_keyspace;
        const struct create_table_statement *create_table;
        const struct alter_table_statement *alter_table;
        const struct restore_table_statement *restore_table;
        const struct create_type_statement *create_type;
        const struct alter_type_statement *alter_type;
        const struct create_index_statement *create_index;
        const struct create_view_statement *create_view;
        const struct alter_view_statement *alter_view;
        const struct trigger_statement *trigger; /* CREATE, DROP */
        const struct create_function_statement *create_function;
        const struct create_aggregate_statement *create_aggregate;
        const struct drop_function_statement *drop_function; /* and DROP AGGREGATE */
        const struct role_statement *role;                   /* CREATE, ALTER */
        const struct drop_role_statement *drop_role;
        const struct grant_role_statement *grant_role; /* GRANT, REVOKE */
        const struct list_roles_statement *list_roles;
        const struct permissions_statement *permissions; /* GRANT, REVOKE, LIST */
        const struct identity_statement *identity;       /* ADD, DROP */
        const struct describe_statement *describe;
    };
};

#endif
