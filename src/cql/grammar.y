/* cql/grammar.y: the grammar of CQL; lemon makes it C, parse.c includes that. It only builds
 * the AST (build.h): what a statement means is not known here.
 *
 * The language is that of Cassandra's Parser.g, release 5.0, with Keyspaces' RESTORE TABLE
 * and TAGS. Where its ANTLR grammar looks ahead without limit, an LALR(1) grammar cannot, so
 * three things are decided elsewhere. Unreserved words are tokens of their own that fall back
 * to IDENT where the grammar has no other use for them. Where a word could be both, lex.c
 * looks ahead and hands over IDENT or the keyword; LP_HINT is the "(" of a type hint, "(int)
 * x". Functions in a SELECT clause are parsed as a selector followed by "(":
 * build_selector_call says whether that was a name.
 *
 * Conventions: a rule's value has the type that %type says, struct bytes without one (a
 * name). Lists are struct vec and grow by value. An action that refuses calls parse_fail and
 * goes on with something whole. */

/* Lemon makes one parser of it: its functions and tables begin with cql_lemon, tokens
 * with T_. */
%name cql_lemon
%token_prefix T_
%token_type {struct lexeme}
%default_type {struct bytes}
%extra_argument {struct parse *p}
/* Deep enough for terms nested CQL_DEPTH_MAX deep, with several rules for each level. */
%stack_size 3000
%start_symbol input

/* Lemon calls this once: parse.c stops at the first refusal, and there is no error recovery. */
%syntax_error { parse_fail_at(p, TOKEN); }
%stack_overflow { parse_fail(p, "statement is nested too deeply"); }

/* Every word that Cassandra lets be a name. The same words are in word_of (lex.c), by class. */
%fallback IDENT
    KEYS AS CLUSTER CLUSTERING COMPACT STORAGE TABLES TYPE TYPES VALUES MAP LIST FILTERING PERMISSION
    PERMISSIONS KEYSPACES ALL USER USERS ROLE ROLES IDENTITY SUPERUSER NOSUPERUSER LOGIN NOLOGIN OPTIONS
    PASSWORD HASHED EXISTS CUSTOM TRIGGER CONTAINS INTERNALS ONLY STATIC FROZEN TUPLE FUNCTION FUNCTIONS
    AGGREGATE AGGREGATES SFUNC STYPE FINALFUNC INITCOND RETURNS LANGUAGE CALLED INPUT LIKE PER PARTITION GROUP
    DATACENTERS CIDRS ACCESS DEFAULT MBEAN MBEANS REPLACE UNSET MASKED UNMASK SELECT_MASKED VECTOR ANN ASCII
    BIGINT BLOB BOOLEAN COUNTER DECIMAL DOUBLE DURATION FLOAT INET INT SMALLINT TEXT TIMESTAMP TINYINT UUID
    VARCHAR VARINT TIMEUUID DATE TIME TTL COUNT WRITETIME MAXWRITETIME KEY CAST JSON DISTINCT MAP_OF LIST_OF
    TUPLE_OF VECTOR_OF FROZEN_OF CAST_CALL RESTORE TAGS TAGS_FOR_CDC.

input ::= statement(S) semis.                { p->statement = S; }
/* START_TYPE is no lexeme: cql_parse_type hands it over first. */
input ::= START_TYPE type(T).                { p->type = T; }
semis ::= .
semis ::= semis SEMI.

/* ---- Names ---- */

%type name {struct lexeme}
/* A name stays a lexeme for a while: which word it was decides where it may stand. */
name(N) ::= IDENT(N).
name(N) ::= QNAME(N).

ident(I) ::= name(N).                        { I = build_name(p, N); }
/* A column of a statement about rows may be called "", which only old tables have. */
cident(I) ::= name(N).                       { I = build_name(p, N); }
cident(I) ::= EMPTYQ.                        { I = BYTES_LITERAL(""); }

%type table {struct qualified_name}
table(T) ::= table_part(N).                  { T = (struct qualified_name){ .name = N }; }
table(T) ::= table_part(K) DOT table_part(N). { T = (struct qualified_name){ K, N }; }
table_part(I) ::= name(N).                   { I = build_name(p, N); }
/* Cassandra's grammar takes a marker here and refuses it by a sentence, rather than at the
 * sign. */
table_part(I) ::= QMARK.                     { I = build_no_marker(p, "table"); }

%type index_name {struct qualified_name}
index_name(T) ::= index_part(N).             { T = (struct qualified_name){ .name = N }; }
index_name(T) ::= index_part(K) DOT index_part(N). { T = (struct qualified_name){ K, N }; }
index_part(I) ::= name(N).                   { I = build_name(p, N); }
index_part(I) ::= QMARK.                     { I = build_no_marker(p, "index"); }

/* Names of keyspaces and roles have rules of their own only because a marker is refused
 * by another sentence. */
keyspace_name(I) ::= name(N).                { I = build_name(p, N); }
keyspace_name(I) ::= QMARK.                  { I = build_no_marker(p, "keyspace"); }

role(I) ::= name(N).                         { I = build_name(p, N); }
role(I) ::= STRING(S).                       { I = build_string(p, S); }
role(I) ::= QMARK.                           { I = build_no_marker(p, "role"); }

%type type_name {struct qualified_name}
type_name(T) ::= name(N).                    { T = build_type_name(p, NULL, N); }
type_name(T) ::= name(K) DOT name(N).        { T = build_type_name(p, &K, N); }

%type function_name {struct qualified_name}
function_name(F) ::= name(N).                { F = build_function_name(p, NULL, N); }
/* token is reserved, but it is a function. */
function_name(F) ::= TOKEN(N).               { F = build_function_name(p, NULL, N); }
function_name(F) ::= name(K) DOT name(N).    { F = build_function_name(p, &K, N); }
function_name(F) ::= name(K) DOT TOKEN(N).   { F = build_function_name(p, &K, N); }

/* The functions that an aggregate is made of are of its own keyspace. */
own_function(F) ::= name(N).                 { F = build_function_name(p, NULL, N).name; }
own_function(F) ::= TOKEN(N).                { F = build_function_name(p, NULL, N).name; }

/* USER is older than ROLE, and takes fewer names. */
user(I) ::= name(N).                         { I = build_word(p, N, "Quoted strings are are not supported for user names and USER is deprecated, please use ROLE"); }
user(I) ::= STRING(S).                       { I = build_string(p, S); }
identity(I) ::= name(N).                     { I = build_word(p, N, "Quoted strings are are not supported for identity"); }
identity(I) ::= STRING(S).                   { I = build_string(p, S); }

%type if_exists {bool}
/* IF EXISTS and IF NOT EXISTS are their own rules, so that statements need not be
 * written twice. */
if_exists(B) ::= .                           { B = false; }
if_exists(B) ::= IF EXISTS.                  { B = true; }
%type if_not_exists {bool}
if_not_exists(B) ::= .                       { B = false; }
if_not_exists(B) ::= IF NOT EXISTS.          { B = true; }

%type idents {struct vec}
idents(L) ::= ident(I).                      { L = vec_new(p, I); }
idents(L) ::= idents(M) COMMA ident(I).      { L = vec_add(p, M, I); }
%type cidents {struct vec}
cidents(L) ::= cident(I).                    { L = vec_new(p, I); }
cidents(L) ::= cidents(M) COMMA cident(I).   { L = vec_add(p, M, I); }
%type strings {struct vec}
strings(L) ::= STRING(S).                    { L = vec_new(p, build_string(p, S)); }
strings(L) ::= strings(M) COMMA STRING(S).   { L = vec_add(p, M, build_string(p, S)); }

/* ---- Types ---- */

%type type {const struct cql_type *}
/* MAP_OF and its like are what the lexer makes of "map" with a "<" behind it: without, it is
 * a name. */
type(T) ::= name(N).                         { T = build_named_type(p, NULL, N); }
type(T) ::= name(K) DOT name(N).             { T = build_named_type(p, &K, N); }
type(T) ::= STRING(S).                       { T = build_custom_type(p, S); }
type(T) ::= MAP_OF LT type(K) COMMA type(V) GT. { T = build_type(p, TYPE_MAP, vec_two(p, K, V), NULL); }
type(T) ::= LIST_OF LT type(E) GT.           { T = build_type(p, TYPE_LIST, vec_new(p, E), NULL); }
type(T) ::= SET LT type(E) GT.               { T = build_type(p, TYPE_SET, vec_new(p, E), NULL); }
type(T) ::= TUPLE_OF LT types(L) GT.         { T = build_type(p, TYPE_TUPLE, L, NULL); }
type(T) ::= VECTOR_OF LT type(E) COMMA INTEGER(D) GT. { T = build_type(p, TYPE_VECTOR, vec_new(p, E), &D); }
type(T) ::= FROZEN_OF LT type(E) GT.         { T = build_frozen(p, E); }
%type types {struct vec}
types(L) ::= type(T).                        { L = vec_new(p, T); }
types(L) ::= types(M) COMMA type(T).         { L = vec_add(p, M, T); }
%type types_or_none {struct vec}
/* A function may have no arguments. */
types_or_none(L) ::= .                       { L = VEC_EMPTY; }
types_or_none(L) ::= types(L).

/* ---- Terms ---- */

%type constant {const struct term *}
/* Constants keep their text: what 1 is depends on what receives it. */
constant(T) ::= STRING(S).                   { T = build_literal(p, LITERAL_STRING, build_string(p, S)); }
constant(T) ::= INTEGER(S).                  { T = build_literal(p, LITERAL_INTEGER, lexeme_bytes(S)); }
constant(T) ::= FLOATING(S).                 { T = build_literal(p, LITERAL_FLOAT, lexeme_bytes(S)); }
constant(T) ::= TRUTH(S).                    { T = build_literal(p, LITERAL_BOOLEAN, lexeme_bytes(S)); }
constant(T) ::= DURATION_LITERAL(S).         { T = build_literal(p, LITERAL_DURATION, lexeme_bytes(S)); }
constant(T) ::= UUID_LITERAL(S).             { T = build_literal(p, LITERAL_UUID, lexeme_bytes(S)); }
constant(T) ::= HEXNUMBER(S).                { T = build_literal(p, LITERAL_HEX, lexeme_bytes(S)); }
constant(T) ::= NAN_.                        { T = build_literal(p, LITERAL_FLOAT, BYTES_LITERAL("NaN")); }
constant(T) ::= INFINITY_.                   { T = build_literal(p, LITERAL_FLOAT, BYTES_LITERAL("Infinity")); }
constant(T) ::= NEGATIVE_INFINITY.           { T = build_literal(p, LITERAL_FLOAT, BYTES_LITERAL("-Infinity")); }

%type marker {const struct term *}
/* Bind markers: `?` and `:name`. */
marker(T) ::= QMARK.                         { T = build_marker(p, (struct bytes){ NULL, 0 }); }
marker(T) ::= COLON ident(N).                { T = build_marker(p, N); }

%type int_value {const struct term *}
/* LIMIT, TIMESTAMP and TTL take an integer or a marker, no other terms. */
int_value(T) ::= INTEGER(S).                 { T = build_literal(p, LITERAL_INTEGER, lexeme_bytes(S)); }
int_value(T) ::= marker(T).

%type term {const struct term *}
%type mul {const struct term *}
%type unary {const struct term *}
%type simple {const struct term *}
/* Terms of WHERE, SET, VALUES. The rules are one for each precedence, operators of one nest
 * to the left. */
term(T) ::= mul(T).
term(T) ::= term(A) PLUS mul(B).             { T = build_operation(p, '+', A, B); }
term(T) ::= term(A) MINUS mul(B).            { T = build_operation(p, '-', A, B); }
mul(T) ::= unary(T).
mul(T) ::= mul(A) STAR unary(B).             { T = build_operation(p, '*', A, B); }
mul(T) ::= mul(A) SLASH unary(B).            { T = build_operation(p, '/', A, B); }
mul(T) ::= mul(A) PERCENT unary(B).          { T = build_operation(p, '%', A, B); }
unary(T) ::= simple(T).
/* A number's own sign belongs to its lexeme: "-1" is a constant, "- 1" a negation. */
unary(T) ::= MINUS simple(A).                { T = build_one(p, TERM_NEGATE, A); }

simple(T) ::= constant(T).
simple(T) ::= NULL.                          { T = build_null(p); }
simple(T) ::= marker(T).
simple(T) ::= tuple(T).
simple(T) ::= LS RS.                         { T = build_items(p, TERM_LIST, VEC_EMPTY); }
simple(T) ::= LS terms(L) RS.                { T = build_items(p, TERM_LIST, L); }
/* {} may be a set or a map; what receives it decides. */
simple(T) ::= LB RB.                         { T = build_items(p, TERM_SET, VEC_EMPTY); }
simple(T) ::= LB terms(L) RB.                { T = build_items(p, TERM_SET, L); }
simple(T) ::= LB entries(L) RB.              { T = build_items(p, TERM_MAP, L); }
simple(T) ::= LB fields(L) RB.               { T = build_udt(p, L); }
/* A name without parentheses is no term: columns stand in selectors only. */
simple(T) ::= function_name(F) LP RP.        { T = build_call(p, F, VEC_EMPTY); }
simple(T) ::= function_name(F) LP terms(L) RP. { T = build_call(p, F, L); }
simple(T) ::= CAST_CALL LP term(A) AS name(Y) RP. { T = build_cast(p, A, Y, false); }
simple(T) ::= LP_HINT type(Y) RP simple(A).  { T = build_hint(p, Y, A); }

%type tuple {const struct term *}
/* (x) is a tuple of one: the planner takes it for x where no tuple is asked for. */
tuple(T) ::= LP terms(L) RP.                 { T = build_items(p, TERM_TUPLE, L); }

%type terms {struct vec}
terms(L) ::= term(T).                        { L = vec_new(p, T); }
terms(L) ::= terms(M) COMMA term(T).         { L = vec_add(p, M, T); }
%type entries {struct vec}
/* Keys and values alternate in one list. */
entries(L) ::= term(K) COLON term(V).        { L = vec_two(p, K, V); }
entries(L) ::= entries(M) COMMA term(K) COLON term(V). { L = vec_add(p, M, K); L = vec_add(p, L, V); }
%type fields {struct vec}
/* A bare name as key makes it a user type's value. */
fields(L) ::= ident(N) COLON term(V).        { struct field f = { N, V }; L = vec_new(p, f); }
fields(L) ::= fields(M) COMMA ident(N) COLON term(V). { struct field f = { N, V }; L = vec_add(p, M, f); }

/* ---- Selectors ---- */

%type sel {const struct term *}
%type sel_mul {const struct term *}
%type sel_unary {const struct term *}
%type sel_path {const struct term *}
%type sel_simple {const struct term *}
/* Selectors have columns where terms have none, and fields, elements and slices of them. The
 * rules repeat those of terms, because a term must not contain a column. */
sel(T) ::= sel_mul(T).
sel(T) ::= sel(A) PLUS sel_mul(B).           { T = build_operation(p, '+', A, B); }
sel(T) ::= sel(A) MINUS sel_mul(B).          { T = build_operation(p, '-', A, B); }
sel_mul(T) ::= sel_unary(T).
sel_mul(T) ::= sel_mul(A) STAR sel_unary(B). { T = build_operation(p, '*', A, B); }
sel_mul(T) ::= sel_mul(A) SLASH sel_unary(B). { T = build_operation(p, '/', A, B); }
sel_mul(T) ::= sel_mul(A) PERCENT sel_unary(B). { T = build_operation(p, '%', A, B); }
sel_unary(T) ::= sel_path(T).
sel_unary(T) ::= MINUS sel_unary(A).         { T = build_one(p, TERM_NEGATE, A); }

/* What stands behind a selector binds tighter than any operator. */
sel_path(T) ::= sel_simple(T).
sel_path(T) ::= sel_path(A) DOT name(N).     { T = build_field(p, A, N); }
/* keyspace.token(...). */
sel_path(T) ::= sel_path(A) DOT TOKEN(N) LP(P) sels_or_none(L) RP. { T = build_selector_call(p, build_field(p, A, N), P, L); }
sel_path(T) ::= sel_path(A) LS term(K) RS.   { T = build_two(p, TERM_ELEMENT, A, K); }
sel_path(T) ::= sel_path(A) LS term(F) RANGE RS. { T = build_slice(p, A, F, NULL); }
sel_path(T) ::= sel_path(A) LS term(F) RANGE term(U) RS. { T = build_slice(p, A, F, U); }
sel_path(T) ::= sel_path(A) LS RANGE term(U) RS. { T = build_slice(p, A, NULL, U); }
/* A "(" behind any selector; only a name may stand before it. */
sel_path(T) ::= sel_path(A) LP(P) sels_or_none(L) RP. { T = build_selector_call(p, A, P, L); }
sel_path(T) ::= sel_path(A) LP(P) STAR RP.   { T = build_count_rows(p, A, P); }

sel_simple(T) ::= name(N).                   { T = build_column(p, N); }
sel_simple(T) ::= TOKEN(N) LP(P) sels_or_none(L) RP. { T = build_selector_call(p, build_column(p, N), P, L); }
/* In selectors anything can be cast, in terms only what is simple. */
sel_simple(T) ::= CAST_CALL LP sel(A) AS name(Y) RP. { T = build_cast(p, A, Y, true); }
sel_simple(T) ::= constant(T).
sel_simple(T) ::= NULL.                      { T = build_null(p); }
sel_simple(T) ::= marker(T).
sel_simple(T) ::= LP_HINT type(Y) RP sel_simple(A). { T = build_hint(p, Y, A); }
/* In selectors a map's or a user type's value cannot be told apart: {a: b} is a map until it
 * has a type. */
sel_simple(T) ::= LP sels(L) RP.             { T = build_items(p, TERM_TUPLE, L); }
sel_simple(T) ::= LS sels_or_none(L) RS.     { T = build_items(p, TERM_LIST, L); }
sel_simple(T) ::= LB sels_or_none(L) RB.     { T = build_items(p, TERM_SET, L); }
sel_simple(T) ::= LB sel_entries(L) RB.      { T = build_items(p, TERM_MAP, L); }

%type sels {struct vec}
sels(L) ::= sel(T).                          { L = vec_new(p, T); }
sels(L) ::= sels(M) COMMA sel(T).            { L = vec_add(p, M, T); }
%type sels_or_none {struct vec}
sels_or_none(L) ::= .                        { L = VEC_EMPTY; }
sels_or_none(L) ::= sels(L).
%type sel_entries {struct vec}
sel_entries(L) ::= sel(K) COLON sel(V).      { L = vec_two(p, K, V); }
sel_entries(L) ::= sel_entries(M) COMMA sel(K) COLON sel(V). { L = vec_add(p, M, K); L = vec_add(p, L, V); }

%type selectors {struct vec}
/* No selectors are all columns. */
selectors(L) ::= STAR.                       { L = VEC_EMPTY; }
selectors(L) ::= selector_list(L).
%type selector_list {struct vec}
selector_list(L) ::= selector(S).            { L = vec_new_of(p, struct selector, S); }
selector_list(L) ::= selector_list(M) COMMA selector(S). { L = vec_add_of(p, M, struct selector, S); }
%type selector {struct selector *}
selector(S) ::= sel(T).                      { S = build_selector(p, T, (struct bytes){ NULL, 0 }); }
selector(S) ::= sel(T) AS ident(A).          { S = build_selector(p, T, A); }

/* ---- SELECT ---- */

%type statement {struct cql_statement *}
%type json {bool}
json(B) ::= .                                { B = false; }
json(B) ::= JSON.                            { B = true; }
%type distinct {bool}
distinct(B) ::= .                            { B = false; }
distinct(B) ::= DISTINCT.                    { B = true; }

/* The clauses stand in this order only. */
statement(S) ::= SELECT json(J) distinct(D) selectors(L) FROM table(T) where(W) group_by(G) order_by(O)
                 per_partition_limit(Q) limit(N) allow_filtering(A). {
    struct select_statement *s = NODE(p, select_statement);
    s->json = J;
    s->distinct = D;
    VEC_STORE(s, selectors, selector_count, L);
    s->table = T;
    VEC_STORE(s, relations, relation_count, W);
    VEC_STORE(s, groups, group_count, G);
    VEC_STORE(s, orderings, ordering_count, O);
    s->per_partition_limit = Q;
    s->limit = N;
    s->allow_filtering = A;
    S = STATEMENT(p, STATEMENT_SELECT, select, s);
}

%type group_by {struct vec}
group_by(L) ::= .                            { L = VEC_EMPTY; }
group_by(L) ::= GROUP BY sels(Z).            { L = Z; }
%type order_by {struct vec}
order_by(L) ::= .                            { L = VEC_EMPTY; }
order_by(L) ::= ORDER BY orderings(Z).       { L = Z; }
%type orderings {struct vec}
orderings(L) ::= ordering(O).                { L = vec_new_of(p, struct ordering, O); }
orderings(L) ::= orderings(M) COMMA ordering(O). { L = vec_add_of(p, M, struct ordering, O); }
%type ordering {struct ordering *}
ordering(O) ::= cident(C) direction(D).      { O = NODE(p, ordering); *O = (struct ordering){ C, D, NULL }; }
/* ANN OF searches by vector; it is parsed, to be refused by name. */
ordering(O) ::= cident(C) ANN OF term(T) direction(D). { O = NODE(p, ordering); *O = (struct ordering){ C, D, T }; }
%type direction {bool}
direction(B) ::= .                           { B = false; }
direction(B) ::= ASC.                        { B = false; }
direction(B) ::= DESC.                       { B = true; }
%type per_partition_limit {const struct term *}
per_partition_limit(T) ::= .                 { T = NULL; }
per_partition_limit(T) ::= PER PARTITION LIMIT int_value(Z). { T = Z; }
%type limit {const struct term *}
limit(T) ::= .                               { T = NULL; }
limit(T) ::= LIMIT int_value(Z).             { T = Z; }
%type allow_filtering {bool}
allow_filtering(B) ::= .                     { B = false; }
allow_filtering(B) ::= ALLOW FILTERING.      { B = true; }

/* ---- WHERE and IF ---- */

%type where {struct vec}
/* SELECT and views may have no WHERE; UPDATE and DELETE name `relations` directly, so
 * they must. */
where(L) ::= .                               { L = VEC_EMPTY; }
where(L) ::= WHERE relations(Z).             { L = Z; }
%type relations {struct vec}
relations(L) ::= relation(R).                { L = vec_new_of(p, struct relation, R); }
relations(L) ::= relations(M) AND relation(R). { L = vec_add_of(p, M, struct relation, R); }
/* A custom index's expr(...) is not one of the relations that parentheses may hold. */
relations(L) ::= expression(R).              { L = vec_new_of(p, struct relation, R); }
relations(L) ::= relations(M) AND expression(R). { L = vec_add_of(p, M, struct relation, R); }

%type operator {enum cql_operator}
operator(O) ::= EQ.                          { O = OPERATOR_EQ; }
operator(O) ::= NE.                          { O = OPERATOR_NE; }
operator(O) ::= LT.                          { O = OPERATOR_LT; }
operator(O) ::= LE.                          { O = OPERATOR_LE; }
operator(O) ::= GT.                          { O = OPERATOR_GT; }
operator(O) ::= GE.                          { O = OPERATOR_GE; }
%type contains {enum cql_operator}
/* "contains key": KEY is a keyword behind CONTAINS only, elsewhere it may be a name. */
contains(O) ::= CONTAINS.                    { O = OPERATOR_CONTAINS; }
contains(O) ::= CONTAINS KEY.                { O = OPERATOR_CONTAINS_KEY; }

%type in_list {struct vec}
/* IN () is allowed: it finds nothing. */
in_list(L) ::= LP RP.                        { L = VEC_EMPTY; }
in_list(L) ::= LP terms(Z) RP.               { L = Z; }

%type relation {struct relation *}
%type expression {struct relation *}
expression(R) ::= EXPR index_part(I) COMMA term(T) RP. { R = build_relation(p, RELATION_EXPRESSION, OPERATOR_EQ, VEC_EMPTY, T); R->index = I; }
relation(R) ::= cident(C) operator(O) term(T). { R = build_relation(p, RELATION_COLUMN, O, vec_new(p, C), T); }
relation(R) ::= cident(C) LIKE term(T).      { R = build_relation(p, RELATION_COLUMN, OPERATOR_LIKE, vec_new(p, C), T); }
relation(R) ::= cident(C) IS NOT NULL.       { R = build_relation(p, RELATION_COLUMN, OPERATOR_IS_NOT_NULL, vec_new(p, C), NULL); }
relation(R) ::= cident(C) contains(O) term(T). { R = build_relation(p, RELATION_COLUMN, O, vec_new(p, C), T); }
/* A marker alone is the whole list; in parentheses it is one value of it. */
relation(R) ::= cident(C) IN marker(M).      { R = build_relation(p, RELATION_COLUMN, OPERATOR_IN, vec_new(p, C), M); }
relation(R) ::= cident(C) IN in_list(L).     { R = build_relation(p, RELATION_COLUMN, OPERATOR_IN, vec_new(p, C), NULL);
                                               VEC_STORE(R, values, value_count, L); }
/* An element of a map. Lists parse as well, and are refused by the planner. */
relation(R) ::= cident(C) LS term(K) RS operator(O) term(T). { R = build_relation(p, RELATION_ELEMENT, O, vec_new(p, C), T); R->key = K; }
/* token(a, b) is a relation of its own here, not a function. */
relation(R) ::= TOKEN LP cidents(L) RP operator(O) term(T). { R = build_relation(p, RELATION_TOKEN, O, L, T); }
/* Relations on several columns: with a tuple, or a marker that stands for one. */
relation(R) ::= LP cidents(L) RP IN marker(M). { R = build_relation(p, RELATION_TUPLE, OPERATOR_IN, L, M); }
relation(R) ::= LP cidents(L) RP IN(P) in_list(V). { R = build_tuple_in(p, L, V, P); }
relation(R) ::= LP cidents(L) RP operator(O) marker(M). { R = build_relation(p, RELATION_TUPLE, O, L, M); }
relation(R) ::= LP cidents(L) RP operator(O) tuple(T). { R = build_relation(p, RELATION_TUPLE, O, L, T); }
/* Parentheses around one relation mean nothing. */
relation(R) ::= LP relation(Z) RP.           { R = Z; }

%type if_conditions {struct conditions}
if_conditions(C) ::= .                       { C = (struct conditions){ VEC_EMPTY, false }; }
/* "exists" may be a column: lex.c looks for an operator behind it. */
if_conditions(C) ::= IF EXISTS.              { C = (struct conditions){ VEC_EMPTY, true }; }
if_conditions(C) ::= IF conditions(L).       { C = (struct conditions){ L, false }; }
%type conditions {struct vec}
conditions(L) ::= condition(C).              { L = vec_new_of(p, struct cql_condition, C); }
conditions(L) ::= conditions(M) AND condition(C). { L = vec_add_of(p, M, struct cql_condition, C); }
%type condition {struct cql_condition *}
condition(C) ::= target(T) operator(O) term(V). { C = build_condition(p, T, O, V, VEC_EMPTY); }
condition(C) ::= cident(N) contains(O) term(V). { C = build_condition(p, build_target(p, N), O, V, VEC_EMPTY); }
condition(C) ::= target(T) IN marker(M).     { C = build_condition(p, T, OPERATOR_IN, M, VEC_EMPTY); }
condition(C) ::= target(T) IN in_list(L).    { C = build_condition(p, T, OPERATOR_IN, NULL, L); }

/* c, c[term], c.field */
%type target {struct cql_deletion *}
target(T) ::= cident(C).                     { T = build_target(p, C); }
/* An element of a collection, or a field of a user type. */
target(T) ::= cident(C) LS term(K) RS.       { T = build_target(p, C); T->element = K; }
target(T) ::= cident(C) DOT ident(F).        { T = build_target(p, C); T->field = F; }

/* ---- INSERT, UPDATE, DELETE, BATCH ---- */

/* The statements that may stand in a batch. */
%type dml {struct cql_statement *}
%type insert {struct cql_statement *}
%type update {struct cql_statement *}
%type delete {struct cql_statement *}
statement(S) ::= dml(S).
dml(S) ::= insert(S).
dml(S) ::= update(S).
dml(S) ::= delete(S).

%type using {struct using_clause}
/* USING may hold both, in any order, each of them several times. */
using(U) ::= .                               { U = (struct using_clause){ NULL, NULL }; }
using(U) ::= USING using_list(Z).            { U = Z; }
%type using_list {struct using_clause}
using_list(U) ::= using_part(U).
/* Of two timestamps, or two TTLs, the later one counts, as in Cassandra. */
using_list(U) ::= using_list(A) AND using_part(B). { U = (struct using_clause){ B.timestamp ? B.timestamp : A.timestamp, B.ttl ? B.ttl : A.ttl }; }
%type using_part {struct using_clause}
using_part(U) ::= TIMESTAMP int_value(T).    { U = (struct using_clause){ T, NULL }; }
using_part(U) ::= TTL int_value(T).          { U = (struct using_clause){ NULL, T }; }

/* Columns and values are counted against each other by the planner. */
insert(S) ::= INSERT INTO table(T) LP cidents(C) RP VALUES LP terms(V) RP if_not_exists(B) using(U). {
    struct insert_statement *s = NODE(p, insert_statement);
    s->table = T;
    VEC_STORE(s, columns, column_count, C);
    VEC_STORE(s, values, value_count, V);
    s->if_not_exists = B;
    s->using_clause = U;
    S = STATEMENT(p, STATEMENT_INSERT, insert, s);
}
insert(S) ::= INSERT INTO table(T) JSON json_value(J) json_default(D) if_not_exists(B) using(U). {
    struct insert_statement *s = NODE(p, insert_statement);
    s->table = T;
    s->json = J;
    s->default_unset = D;
    s->if_not_exists = B;
    s->using_clause = U;
    S = STATEMENT(p, STATEMENT_INSERT, insert, s);
}
%type json_value {const struct term *}
/* INSERT JSON takes a string or a marker, no other term. */
json_value(T) ::= STRING(S).                 { T = build_literal(p, LITERAL_STRING, build_string(p, S)); }
json_value(T) ::= marker(T).
%type json_default {bool}
json_default(B) ::= .                        { B = false; }
json_default(B) ::= DEFAULT NULL.            { B = false; }
json_default(B) ::= DEFAULT UNSET.           { B = true; }

/* UPDATE must have WHERE; what may stand there is the planner's to say. */
update(S) ::= UPDATE table(T) using(U) SET assignments(A) WHERE relations(W) if_conditions(C). {
    struct update_statement *s = NODE(p, update_statement);
    s->table = T;
    s->using_clause = U;
    VEC_STORE(s, assignments, assignment_count, A);
    VEC_STORE(s, relations, relation_count, W);
    VEC_STORE(s, conditions, condition_count, C.list);
    s->if_exists = C.if_exists;
    build_check_assignments(p, s);
    S = STATEMENT(p, STATEMENT_UPDATE, update, s);
}
%type assignments {struct vec}
assignments(L) ::= assignment(A).            { L = vec_new_of(p, struct assignment, A); }
assignments(L) ::= assignments(M) COMMA assignment(A). { L = vec_add_of(p, M, struct assignment, A); }
%type assignment {struct assignment *}
assignment(A) ::= cident(C) EQ term(T).      { A = build_assignment(p, ASSIGN_SET, C, T); }
/* The four forms of adding to a column itself. The column behind the "=" may differ in the
 * text: it is checked by the action. */
assignment(A) ::= cident(C) EQ term(T) PLUS cident(D). { A = build_assignment(p, ASSIGN_PREPEND, C, T); build_same_column(p, C, D, "<value> + X"); }
assignment(A) ::= cident(C) EQ cident(D) PLUS term(T). { A = build_assignment(p, ASSIGN_ADD, C, T); build_same_column(p, C, D, "X +<value>"); }
assignment(A) ::= cident(C) EQ cident(D) MINUS term(T). { A = build_assignment(p, ASSIGN_SUBTRACT, C, T); build_same_column(p, C, D, "X -<value>"); }
/* "a = a -1" and "a = a +1": the sign was taken for the integer's own. */
assignment(A) ::= cident(C) EQ cident(D) INTEGER(I). {
    A = build_assignment(p, ASSIGN_ADD, C, build_literal(p, LITERAL_INTEGER, lexeme_bytes(I)));
    build_same_column(p, C, D, I.start[0] == '-' ? "X - <value>" : "X + <value>");
}
assignment(A) ::= cident(C) PLUS_EQ term(T). { A = build_assignment(p, ASSIGN_ADD, C, T); }
assignment(A) ::= cident(C) MINUS_EQ term(T). { A = build_assignment(p, ASSIGN_SUBTRACT, C, T); }
assignment(A) ::= cident(C) LS term(K) RS EQ term(T). { A = build_assignment(p, ASSIGN_ELEMENT, C, T); A->key = K; }
assignment(A) ::= cident(C) DOT ident(F) EQ term(T). { A = build_assignment(p, ASSIGN_FIELD, C, T); A->field = F; }

/* DELETE has a timestamp, but no TTL. */
delete(S) ::= DELETE deletions(D) FROM table(T) using_timestamp(U) WHERE relations(W) if_conditions(C). {
    struct delete_statement *s = NODE(p, delete_statement);
    VEC_STORE(s, deletions, deletion_count, D);
    s->table = T;
    s->using_clause.timestamp = U;
    VEC_STORE(s, relations, relation_count, W);
    VEC_STORE(s, conditions, condition_count, C.list);
    s->if_exists = C.if_exists;
    S = STATEMENT(p, STATEMENT_DELETE, delete_, s);
}
%type using_timestamp {const struct term *}
using_timestamp(T) ::= .                     { T = NULL; }
using_timestamp(T) ::= USING TIMESTAMP int_value(Z). { T = Z; }
%type deletions {struct vec}
deletions(L) ::= .                           { L = VEC_EMPTY; }
deletions(L) ::= targets(L).
%type targets {struct vec}
targets(L) ::= target(T).                    { L = vec_new_of(p, struct cql_deletion, T); }
targets(L) ::= targets(M) COMMA target(T).   { L = vec_add_of(p, M, struct cql_deletion, T); }

statement(S) ::= BEGIN batch_kind(K) BATCH using(U) batch_list(L) APPLY BATCH. {
    struct batch_statement *s = NODE(p, batch_statement);
    s->kind = K;
    s->using_clause = U;
    VEC_STORE(s, statements, statement_count, L);
    S = STATEMENT(p, STATEMENT_BATCH, batch, s);
}
%type batch_kind {enum batch_kind}
/* Without a word a batch is logged. */
batch_kind(K) ::= .                          { K = BATCH_LOGGED; }
batch_kind(K) ::= UNLOGGED.                  { K = BATCH_UNLOGGED; }
batch_kind(K) ::= COUNTER.                   { K = BATCH_COUNTER; }
%type batch_list {struct vec}
/* Statements of a batch may be separated by semicolons, and need not be. */
batch_list(L) ::= .                          { L = VEC_EMPTY; }
batch_list(L) ::= batch_list(M) dml(S).      { L = vec_add_of(p, M, struct cql_statement *, &S); }
batch_list(L) ::= batch_list(M) dml(S) SEMI. { L = vec_add_of(p, M, struct cql_statement *, &S); }

/* ---- USE, TRUNCATE, DROP of a name ---- */

/* Short statements are built here, longer ones by a function of build.c. */
statement(S) ::= USE keyspace_name(K).       { struct use_statement *s = NODE(p, use_statement); s->keyspace = K; S = STATEMENT(p, STATEMENT_USE, use, s); }
/* COLUMNFAMILY is the token of TABLE as well. */
statement(S) ::= TRUNCATE table(T).          { S = build_named(p, STATEMENT_TRUNCATE, T, false); }
statement(S) ::= TRUNCATE COLUMNFAMILY table(T). { S = build_named(p, STATEMENT_TRUNCATE, T, false); }
statement(S) ::= DROP COLUMNFAMILY if_exists(B) table(T). { S = build_named(p, STATEMENT_DROP_TABLE, T, B); }
statement(S) ::= DROP TYPE if_exists(B) type_name(T). { S = build_named(p, STATEMENT_DROP_TYPE, T, B); }
statement(S) ::= DROP INDEX if_exists(B) index_name(T). { S = build_named(p, STATEMENT_DROP_INDEX, T, B); }
statement(S) ::= DROP MATERIALIZED VIEW if_exists(B) table(T). { S = build_named(p, STATEMENT_DROP_VIEW, T, B); }
statement(S) ::= DROP KEYSPACE if_exists(B) keyspace_name(K). {
    struct drop_keyspace_statement *s = NODE(p, drop_keyspace_statement);
    *s = (struct drop_keyspace_statement){ K, B };
    S = STATEMENT(p, STATEMENT_DROP_KEYSPACE, drop_keyspace, s);
}

/* ---- Options ---- */

%type options {struct vec}
options(L) ::= option(O).                    { L = build_add_option(p, VEC_EMPTY, O); }
options(L) ::= options(M) AND option(O).     { L = build_add_option(p, M, O); }
%type with_options {struct vec}
with_options(L) ::= .                        { L = VEC_EMPTY; }
with_options(L) ::= WITH options(Z).         { L = Z; }
%type option {struct cql_option *}
/* Options are not looked at here: schema/ knows their names, defaults and values. */
option(O) ::= ident(N) EQ constant(V).       { O = build_option(p, N, V); }
option(O) ::= ident(N) EQ name(V).           { O = build_option(p, N, build_keyword_value(p, V)); }
option(O) ::= ident(N) EQ map(V).            { O = build_option(p, N, V); }
%type map {const struct term *}
map(T) ::= LB RB.                            { T = build_items(p, TERM_SET, VEC_EMPTY); }
/* Maps within maps are Keyspaces' CUSTOM_PROPERTIES. */
map(T) ::= LB entries(L) RB.                 { T = build_items(p, TERM_MAP, L); build_check_map(p, T, true); }

/* ---- Keyspaces ---- */

/* CREATE needs options, ALTER has them or changes tags. */
statement(S) ::= CREATE KEYSPACE if_not_exists(B) keyspace_name(K) WITH options(L). {
    struct keyspace_statement *s = NODE(p, keyspace_statement);
    s->name = K;
    s->if_not_exists = B;
    VEC_OPTIONS(s, L);
    S = STATEMENT(p, STATEMENT_CREATE_KEYSPACE, keyspace, s);
}
statement(S) ::= ALTER KEYSPACE if_exists(B) keyspace_name(K) WITH options(L). {
    struct keyspace_statement *s = NODE(p, keyspace_statement);
    s->name = K;
    s->if_exists = B;
    VEC_OPTIONS(s, L);
    S = STATEMENT(p, STATEMENT_ALTER_KEYSPACE, keyspace, s);
}
statement(S) ::= ALTER KEYSPACE if_exists(B) keyspace_name(K) add_or_drop(A) TAGS map(M). {
    struct keyspace_statement *s = NODE(p, keyspace_statement);
    s->name = K;
    s->if_exists = B;
    s->tags_action = A;
    s->tags = M;
    S = STATEMENT(p, STATEMENT_ALTER_KEYSPACE, keyspace, s);
}
%type add_or_drop {enum tags_action}
/* Tags are Keyspaces' labels for bills and policies. */
add_or_drop(A) ::= ADD.                      { A = TAGS_ADD; }
add_or_drop(A) ::= DROP.                     { A = TAGS_DROP; }

/* ---- Tables ---- */

statement(S) ::= CREATE COLUMNFAMILY if_not_exists(B) table(T) LP table_parts(D) RP table_with(W). {
    struct create_table_statement *s = D;
    s->table = T;
    s->if_not_exists = B;
    build_table_with(p, W, &s->compact_storage, &s->options, &s->orders, &s->order_count);
    S = STATEMENT(p, STATEMENT_CREATE_TABLE, create_table, s);
}
%type table_parts {struct create_table_statement *}
table_parts(D) ::= column(C).                { D = NODE(p, create_table_statement); build_table_column(p, D, C); }
table_parts(D) ::= primary_key(K).           { D = NODE(p, create_table_statement); build_table_key(p, D, K); }
/* Cassandra allows empty parts: "(a int primary key,,)". */
table_parts(D) ::= table_parts(D) COMMA.
table_parts(D) ::= table_parts(E) COMMA column(C). { D = E; build_table_column(p, D, C); }
table_parts(D) ::= table_parts(E) COMMA primary_key(K). { D = E; build_table_key(p, D, K); }
%type column {struct column_spec *}
/* A column of CREATE TABLE may be the key; an added one may not. */
column(C) ::= ident(N) type(T) static(S) mask(M) inline_key(K). {
    C = NODE(p, column_spec);
    *C = (struct column_spec){ .name = N, .type = T, .is_static = S, .mask = M, .is_primary_key = K };
}
%type added_column {struct column_spec *}
added_column(C) ::= ident(N) type(T) static(S) mask(M). {
    C = NODE(p, column_spec);
    *C = (struct column_spec){ .name = N, .type = T, .is_static = S, .mask = M };
}
%type static {bool}
static(B) ::= .                              { B = false; }
static(B) ::= STATIC.                        { B = true; }
%type inline_key {bool}
inline_key(B) ::= .                          { B = false; }
/* A column that is the whole key by itself. */
inline_key(B) ::= PRIMARY KEY.               { B = true; }
%type mask {const struct column_mask *}
mask(M) ::= .                                { M = NULL; }
mask(M) ::= written_mask(M).
%type written_mask {const struct column_mask *}
/* DEFAULT is short for mask_default(). */
written_mask(M) ::= MASKED WITH DEFAULT.     { M = build_mask(p, (struct qualified_name){ .name = BYTES_LITERAL("mask_default") }, VEC_EMPTY); }
written_mask(M) ::= MASKED WITH function_name(F) LP RP. { M = build_mask(p, F, VEC_EMPTY); }
written_mask(M) ::= MASKED WITH function_name(F) LP terms(L) RP. { M = build_mask(p, F, L); }

%type primary_key {struct primary_key_spec *}
primary_key(K) ::= PRIMARY KEY LP partition_key(L) RP. { K = build_primary_key(p, L, VEC_EMPTY); }
primary_key(K) ::= PRIMARY KEY LP partition_key(L) COMMA idents(C) RP. { K = build_primary_key(p, L, C); }
%type partition_key {struct vec}
/* PRIMARY KEY (a, b) and PRIMARY KEY ((a, b), c). */
partition_key(L) ::= ident(I).               { L = vec_new(p, I); }
partition_key(L) ::= LP idents(Z) RP.        { L = Z; }

%type table_with {struct table_with *}
table_with(W) ::= .                          { W = NULL; }
table_with(W) ::= WITH table_options(Z).     { W = Z; }
%type table_options {struct table_with *}
/* Options, COMPACT STORAGE and CLUSTERING ORDER BY come in any order. */
table_options(W) ::= option(O).              { W = NODE(p, table_with); W->options = build_add_option(p, W->options, O); }
table_options(W) ::= COMPACT STORAGE.        { W = NODE(p, table_with); W->compact = true; }
table_options(W) ::= CLUSTERING ORDER BY LP orders(L) RP. { W = NODE(p, table_with); build_add_orders(p, W, L); }
table_options(W) ::= table_options(V) AND option(O). { W = V; W->options = build_add_option(p, W->options, O); }
table_options(W) ::= table_options(V) AND COMPACT STORAGE. { W = V; W->compact = true; }
table_options(W) ::= table_options(V) AND CLUSTERING ORDER BY LP orders(L) RP. { W = V; build_add_orders(p, W, L); }
%type orders {struct vec}
orders(L) ::= order(O).                      { L = vec_new_of(p, struct clustering_order, O); }
orders(L) ::= orders(M) COMMA order(O).      { L = vec_add_of(p, M, struct clustering_order, O); }
%type order {struct clustering_order *}
/* The direction must be written here, unlike in ORDER BY. */
order(O) ::= ident(I) ASC.                   { O = NODE(p, clustering_order); *O = (struct clustering_order){ I, false }; }
order(O) ::= ident(I) DESC.                  { O = NODE(p, clustering_order); *O = (struct clustering_order){ I, true }; }

%type alter_table {struct alter_table_statement *}
statement(S) ::= ALTER COLUMNFAMILY if_exists(B) table(T) alter_table(A). {
    A->table = T;
    A->if_exists = B;
    S = STATEMENT(p, STATEMENT_ALTER_TABLE, alter_table, A);
}
/* Cassandra refuses to change a column's type, but parses it. */
alter_table(A) ::= ALTER cident(C) TYPE type(T). { A = build_alter_column(p, ALTER_TABLE_COLUMN_TYPE, C, T, NULL, false); }
alter_table(A) ::= ALTER cident(C) written_mask(M). { A = build_alter_column(p, ALTER_TABLE_MASK, C, NULL, M, false); }
alter_table(A) ::= ALTER cident(C) DROP MASKED. { A = build_alter_column(p, ALTER_TABLE_DROP_MASK, C, NULL, NULL, false); }
alter_table(A) ::= ALTER IF EXISTS cident(C) written_mask(M). { A = build_alter_column(p, ALTER_TABLE_MASK, C, NULL, M, true); }
alter_table(A) ::= ALTER IF EXISTS cident(C) DROP MASKED. { A = build_alter_column(p, ALTER_TABLE_DROP_MASK, C, NULL, NULL, true); }
/* One column without parentheses, or a list with them. */
alter_table(A) ::= ADD if_not_exists(B) added_columns(L). { A = build_alter_table(p, ALTER_TABLE_ADD); A->if_column_not_exists = B; VEC_STORE(A, columns, column_count, L); }
alter_table(A) ::= DROP if_exists(B) dropped_columns(L) dropped_at(T). {
    A = build_alter_table(p, ALTER_TABLE_DROP);
    A->if_column_exists = B;
    VEC_STORE(A, columns, column_count, L);
    build_drop_timestamp(p, A, T);
}
alter_table(A) ::= DROP COMPACT STORAGE.     { A = build_alter_table(p, ALTER_TABLE_DROP_COMPACT); }
alter_table(A) ::= RENAME if_exists(B) renames(L). { A = build_alter_table(p, ALTER_TABLE_RENAME); A->if_column_exists = B; VEC_STORE(A, renames, rename_count, L); }
alter_table(A) ::= WITH options(L).          { A = build_alter_table(p, ALTER_TABLE_OPTIONS); VEC_OPTIONS(A, L); }
alter_table(A) ::= ADD TAGS map(M).          { A = build_alter_table(p, ALTER_TABLE_TAGS); A->tags_action = TAGS_ADD; A->tags = M; }
alter_table(A) ::= DROP TAGS map(M).         { A = build_alter_table(p, ALTER_TABLE_TAGS); A->tags_action = TAGS_DROP; A->tags = M; }
alter_table(A) ::= ADD TAGS_FOR_CDC map(M).  { A = build_alter_table(p, ALTER_TABLE_CDC_TAGS); A->tags_action = TAGS_ADD; A->tags = M; }
alter_table(A) ::= DROP TAGS_FOR_CDC map(M). { A = build_alter_table(p, ALTER_TABLE_CDC_TAGS); A->tags_action = TAGS_DROP; A->tags = M; }

%type added_columns {struct vec}
added_columns(L) ::= added_column(C).        { L = vec_new_of(p, struct column_spec, C); }
added_columns(L) ::= LP added_list(Z) RP.    { L = Z; }
%type added_list {struct vec}
added_list(L) ::= added_column(C).           { L = vec_new_of(p, struct column_spec, C); }
added_list(L) ::= added_list(M) COMMA added_column(C). { L = vec_add_of(p, M, struct column_spec, C); }
%type dropped_columns {struct vec}
dropped_columns(L) ::= ident(I).             { struct column_spec c = { .name = I }; L = vec_new(p, c); }
dropped_columns(L) ::= LP dropped_list(Z) RP. { L = Z; }
%type dropped_list {struct vec}
dropped_list(L) ::= ident(I).                { struct column_spec c = { .name = I }; L = vec_new(p, c); }
dropped_list(L) ::= dropped_list(M) COMMA ident(I). { struct column_spec c = { .name = I }; L = vec_add(p, M, c); }
%type dropped_at {struct lexeme}
dropped_at(T) ::= .                          { T = (struct lexeme){ NULL, 0, 0 }; }
/* DROP ... USING TIMESTAMP: as Cassandra's DESCRIBE WITH INTERNALS writes it. */
dropped_at(T) ::= USING TIMESTAMP INTEGER(Z). { T = Z; }
%type renames {struct vec}
/* Several renames are joined by AND. */
renames(L) ::= ident(F) TO ident(T).         { struct rename_spec r = { F, T }; L = vec_new(p, r); }
renames(L) ::= renames(M) AND ident(F) TO ident(T). { struct rename_spec r = { F, T }; L = vec_add(p, M, r); }

/* Keyspaces: a table as it was at a time. */
statement(S) ::= RESTORE COLUMNFAMILY table(T) FROM COLUMNFAMILY table(O) with_options(L). {
    struct restore_table_statement *s = NODE(p, restore_table_statement);
    s->table = T;
    s->source = O;
    VEC_OPTIONS(s, L);
    S = STATEMENT(p, STATEMENT_RESTORE_TABLE, restore_table, s);
}

/* ---- Types ---- */

/* Fields have types, but no keys and no masks. */
statement(S) ::= CREATE TYPE if_not_exists(B) type_name(N) LP field_specs(L) RP. {
    struct create_type_statement *s = NODE(p, create_type_statement);
    s->name = N;
    s->if_not_exists = B;
    VEC_STORE(s, fields, field_count, L);
    S = STATEMENT(p, STATEMENT_CREATE_TYPE, create_type, s);
}
%type field_specs {struct vec}
field_specs(L) ::= ident(N) type(T).         { struct field_spec f = { N, T }; L = vec_new(p, f); }
/* Empty parts are allowed here, too. */
field_specs(L) ::= field_specs(L) COMMA.
field_specs(L) ::= field_specs(M) COMMA ident(N) type(T). { struct field_spec f = { N, T }; L = vec_add(p, M, f); }

%type alter_type {struct alter_type_statement *}
statement(S) ::= ALTER TYPE if_exists(B) type_name(N) alter_type(A). { A->name = N; A->if_exists = B; S = STATEMENT(p, STATEMENT_ALTER_TYPE, alter_type, A); }
alter_type(A) ::= ALTER ident(F) TYPE type(T). { A = NODE(p, alter_type_statement); A->kind = ALTER_TYPE_FIELD_TYPE; A->field = (struct field_spec){ F, T }; }
alter_type(A) ::= ADD if_not_exists(B) ident(F) type(T). { A = NODE(p, alter_type_statement); A->kind = ALTER_TYPE_ADD; A->if_field_not_exists = B; A->field = (struct field_spec){ F, T }; }
alter_type(A) ::= RENAME if_exists(B) renames(L). { A = NODE(p, alter_type_statement); A->kind = ALTER_TYPE_RENAME; A->if_field_exists = B; VEC_STORE(A, renames, rename_count, L); }

/* ---- Indexes, views, triggers ---- */

statement(S) ::= CREATE custom(C) INDEX if_not_exists(B) index_or_none(N) ON table(T) LP index_targets(L) RP index_class(U) with_options(O). {
    struct create_index_statement *s = NODE(p, create_index_statement);
    s->custom = C;
    s->if_not_exists = B;
    s->name = N;
    s->table = T;
    VEC_STORE(s, targets, target_count, L);
    s->using_class = U;
    VEC_OPTIONS(s, O);
    S = STATEMENT(p, STATEMENT_CREATE_INDEX, create_index, s);
}
%type custom {bool}
/* CREATE CUSTOM INDEX names a class. */
custom(B) ::= .                              { B = false; }
custom(B) ::= CUSTOM.                        { B = true; }
index_or_none(I) ::= .                       { I = (struct bytes){ NULL, 0 }; }
index_or_none(I) ::= index_part(I).
index_class(I) ::= .                         { I = (struct bytes){ NULL, 0 }; }
index_class(I) ::= USING STRING(S).          { I = build_string(p, S); }
%type index_targets {struct vec}
/* A custom index may have no columns. */
index_targets(L) ::= .                       { L = VEC_EMPTY; }
index_targets(L) ::= index_target_list(L).
%type index_target_list {struct vec}
index_target_list(L) ::= index_target(T).    { L = vec_new_of(p, struct index_target, T); }
index_target_list(L) ::= index_target_list(M) COMMA index_target(T). { L = vec_add_of(p, M, struct index_target, T); }
%type index_target {struct index_target *}
index_target(T) ::= cident(C).               { T = build_index_target(p, INDEX_TARGET_SIMPLE, C); }
index_target(T) ::= VALUES LP cident(C) RP.  { T = build_index_target(p, INDEX_TARGET_VALUES, C); }
index_target(T) ::= KEYS LP cident(C) RP.    { T = build_index_target(p, INDEX_TARGET_KEYS, C); }
index_target(T) ::= ENTRIES LP cident(C) RP. { T = build_index_target(p, INDEX_TARGET_ENTRIES, C); }
index_target(T) ::= FULL LP cident(C) RP.    { T = build_index_target(p, INDEX_TARGET_FULL, C); }

/* A view selects columns of one table, and has a key of its own. */
statement(S) ::= CREATE MATERIALIZED VIEW if_not_exists(B) table(V) AS SELECT selectors(L) FROM table(T) where(W) primary_key(K) table_with(O). {
    struct create_view_statement *s = NODE(p, create_view_statement);
    bool compact = false;
    s->if_not_exists = B;
    s->view = V;
    VEC_STORE(s, selectors, selector_count, L);
    s->table = T;
    VEC_STORE(s, relations, relation_count, W);
    s->primary_key = *K;
    build_table_with(p, O, &compact, &s->options, &s->orders, &s->order_count);
    if (compact)
        parse_fail(p, "COMPACT STORAGE tables are not allowed starting with version 4.0");
    S = STATEMENT(p, STATEMENT_CREATE_VIEW, create_view, s);
}
statement(S) ::= ALTER MATERIALIZED VIEW if_exists(B) table(V) WITH options(L). {
    struct alter_view_statement *s = NODE(p, alter_view_statement);
    s->view = V;
    s->if_exists = B;
    VEC_OPTIONS(s, L);
    S = STATEMENT(p, STATEMENT_ALTER_VIEW, alter_view, s);
}
statement(S) ::= CREATE TRIGGER if_not_exists(B) ident(N) ON table(T) USING STRING(C). {
    struct trigger_statement *s = NODE(p, trigger_statement);
    *s = (struct trigger_statement){ .name = N, .table = T, .if_not_exists = B, .class_name = build_string(p, C) };
    S = STATEMENT(p, STATEMENT_CREATE_TRIGGER, trigger, s);
}
statement(S) ::= DROP TRIGGER if_exists(B) ident(N) ON table(T). {
    struct trigger_statement *s = NODE(p, trigger_statement);
    *s = (struct trigger_statement){ .name = N, .table = T, .if_exists = B };
    S = STATEMENT(p, STATEMENT_DROP_TRIGGER, trigger, s);
}

/* ---- Functions ---- */

%type or_replace {bool}
/* OR REPLACE excludes IF NOT EXISTS; that is for whoever runs the statement to refuse. */
or_replace(B) ::= .                          { B = false; }
or_replace(B) ::= OR REPLACE.                { B = true; }
/* What a function does with null arguments. */
%type null_input {bool}
null_input(B) ::= RETURNS NULL.              { B = false; }
null_input(B) ::= CALLED.                    { B = true; }
statement(S) ::= CREATE or_replace(R) FUNCTION if_not_exists(B) function_name(F) LP arguments(A) RP null_input(N) ON NULL INPUT
                 RETURNS type(T) LANGUAGE name(L) AS STRING(C). {
    struct create_function_statement *s = NODE(p, create_function_statement);
    s->or_replace = R;
    s->if_not_exists = B;
    s->name = F;
    VEC_STORE(s, arguments, argument_count, A);
    s->called_on_null_input = N;
    s->returns = T;
    s->language = build_language(p, L);
    s->body = build_string(p, C);
    S = STATEMENT(p, STATEMENT_CREATE_FUNCTION, create_function, s);
}
%type arguments {struct vec}
arguments(L) ::= .                           { L = VEC_EMPTY; }
arguments(L) ::= argument_list(L).
%type argument_list {struct vec}
argument_list(L) ::= ident(N) type(T).       { struct field_spec f = { N, T }; L = vec_new(p, f); }
argument_list(L) ::= argument_list(M) COMMA ident(N) type(T). { struct field_spec f = { N, T }; L = vec_add(p, M, f); }

statement(S) ::= CREATE or_replace(R) AGGREGATE if_not_exists(B) function_name(F) LP types_or_none(A) RP SFUNC own_function(U) STYPE type(T)
                 final_function(L) initial(I). {
    struct create_aggregate_statement *s = NODE(p, create_aggregate_statement);
    s->or_replace = R;
    s->if_not_exists = B;
    s->name = F;
    VEC_STORE(s, arguments, argument_count, A);
    s->state_function = U;
    s->state_type = T;
    s->final_function = L;
    s->initial = I;
    S = STATEMENT(p, STATEMENT_CREATE_AGGREGATE, create_aggregate, s);
}
final_function(F) ::= .                      { F = (struct bytes){ NULL, 0 }; }
final_function(F) ::= FINALFUNC own_function(Z). { F = Z; }
%type initial {const struct term *}
/* The state that an aggregate begins with. */
initial(T) ::= .                             { T = NULL; }
initial(T) ::= INITCOND term(Z).             { T = Z; }
statement(S) ::= DROP FUNCTION if_exists(B) function_name(F). { S = build_drop_function(p, STATEMENT_DROP_FUNCTION, F, B, NULL); }
statement(S) ::= DROP FUNCTION if_exists(B) function_name(F) LP types_or_none(L) RP. { S = build_drop_function(p, STATEMENT_DROP_FUNCTION, F, B, &L); }
statement(S) ::= DROP AGGREGATE if_exists(B) function_name(F). { S = build_drop_function(p, STATEMENT_DROP_AGGREGATE, F, B, NULL); }
statement(S) ::= DROP AGGREGATE if_exists(B) function_name(F) LP types_or_none(L) RP. { S = build_drop_function(p, STATEMENT_DROP_AGGREGATE, F, B, &L); }

/* ---- Roles ---- */

statement(S) ::= CREATE ROLE if_not_exists(B) role(N). { S = build_role(p, STATEMENT_CREATE_ROLE, N, B, NULL); }
statement(S) ::= CREATE ROLE if_not_exists(B) role(N) WITH role_options(O). { S = build_role(p, STATEMENT_CREATE_ROLE, N, B, O); }
statement(S) ::= ALTER ROLE if_exists(B) role(N). { S = build_role(p, STATEMENT_ALTER_ROLE, N, B, NULL); }
statement(S) ::= ALTER ROLE if_exists(B) role(N) WITH role_options(O). { S = build_role(p, STATEMENT_ALTER_ROLE, N, B, O); }
statement(S) ::= CREATE USER if_not_exists(B) user(N) user_options(O). { S = build_user(p, STATEMENT_CREATE_ROLE, N, B, O); }
statement(S) ::= ALTER USER if_exists(B) user(N) user_options(O). { S = build_user(p, STATEMENT_ALTER_ROLE, N, B, O); }
statement(S) ::= DROP ROLE if_exists(B) role(N). { S = build_drop_role(p, N, B, false); }
statement(S) ::= DROP USER if_exists(B) user(N). { S = build_drop_role(p, N, B, true); }

%type role_options {struct role_statement *}
role_options(R) ::= role_option(O).          { R = build_role_options(p, NULL, O); }
role_options(R) ::= role_options(A) AND role_option(O). { R = build_role_options(p, A, O); }
%type role_option {struct role_statement *}
/* Each option is a role of which only it is said: build_role_options joins them. */
role_option(R) ::= PASSWORD EQ STRING(S).    { R = build_no_role(p); R->password = build_string(p, S); }
role_option(R) ::= HASHED PASSWORD EQ STRING(S). { R = build_no_role(p); R->hashed_password = build_string(p, S); }
/* A map of literals, without maps in it. */
role_option(R) ::= OPTIONS EQ map(M).        { R = build_no_role(p); R->options = M; build_check_map(p, M, false); }
role_option(R) ::= SUPERUSER EQ TRUTH(B).    { R = build_no_role(p); R->superuser = truth(B); }
role_option(R) ::= LOGIN EQ TRUTH(B).        { R = build_no_role(p); R->login = truth(B); }
role_option(R) ::= ACCESS TO ALL DATACENTERS. { R = build_no_role(p); R->all_datacenters = true; }
role_option(R) ::= ACCESS TO DATACENTERS LB strings(L) RB. { R = build_no_role(p); VEC_STORE(&R->datacenters, items, count, L); }
role_option(R) ::= ACCESS FROM ALL CIDRS.    { R = build_no_role(p); R->all_cidrs = true; }
role_option(R) ::= ACCESS FROM CIDRS LB strings(L) RB. { R = build_no_role(p); VEC_STORE(&R->cidrs, items, count, L); }

%type user_options {struct role_statement *}
/* WITH PASSWORD 'x' SUPERUSER: without AND, in this order. */
user_options(R) ::= user_password(R).
user_options(R) ::= user_password(A) SUPERUSER. { R = A; R->superuser = FLAG_TRUE; }
user_options(R) ::= user_password(A) NOSUPERUSER. { R = A; R->superuser = FLAG_FALSE; }
%type user_password {struct role_statement *}
user_password(R) ::= .                       { R = build_no_role(p); }
user_password(R) ::= WITH PASSWORD STRING(S). { R = build_no_role(p); R->password = build_string(p, S); }
user_password(R) ::= WITH HASHED PASSWORD STRING(S). { R = build_no_role(p); R->hashed_password = build_string(p, S); }

statement(S) ::= ADD IDENTITY if_not_exists(B) identity(I) TO ROLE identity(R). {
    struct identity_statement *s = NODE(p, identity_statement);
    *s = (struct identity_statement){ .identity = I, .role = R, .if_not_exists = B };
    S = STATEMENT(p, STATEMENT_ADD_IDENTITY, identity, s);
}
statement(S) ::= DROP IDENTITY if_exists(B) identity(I). {
    struct identity_statement *s = NODE(p, identity_statement);
    *s = (struct identity_statement){ .identity = I, .if_exists = B };
    S = STATEMENT(p, STATEMENT_DROP_IDENTITY, identity, s);
}

statement(S) ::= LIST USERS.                 { S = build_list_roles(p, (struct bytes){ NULL, 0 }, true, false); }
statement(S) ::= LIST ROLES of_role(R) no_recursive(N). { S = build_list_roles(p, R, false, N); }
of_role(R) ::= .                             { R = (struct bytes){ NULL, 0 }; }
of_role(R) ::= OF role(Z).                   { R = Z; }
%type no_recursive {bool}
/* NORECURSIVE leaves out what is inherited from other roles. */
no_recursive(B) ::= .                        { B = false; }
no_recursive(B) ::= NORECURSIVE.             { B = true; }

/* A role to grant may have the name of a permission that is not reserved. */
granted(I) ::= role(I).
granted(I) ::= ALL(N).                       { I = build_name(p, N); }
granted(I) ::= UNMASK(N).                    { I = build_name(p, N); }
granted(I) ::= SELECT_MASKED(N).             { I = build_name(p, N); }
statement(S) ::= GRANT granted(R) TO role(G). { S = build_grant_role(p, STATEMENT_GRANT_ROLE, R, G); }
statement(S) ::= REVOKE granted(R) FROM role(G). { S = build_grant_role(p, STATEMENT_REVOKE_ROLE, R, G); }

/* ---- Permissions ---- */

statement(S) ::= GRANT permissions(P) ON resource(R) TO role(G). { S = build_permissions(p, STATEMENT_GRANT_PERMISSIONS, P, R, G, false); }
statement(S) ::= REVOKE permissions(P) ON resource(R) FROM role(G). { S = build_permissions(p, STATEMENT_REVOKE_PERMISSIONS, P, R, G, false); }
statement(S) ::= LIST permissions(P) of_role(G) no_recursive(N). { S = build_permissions(p, STATEMENT_LIST_PERMISSIONS, P, NULL, G, N); }
statement(S) ::= LIST permissions(P) ON resource(R) of_role(G) no_recursive(N). { S = build_permissions(p, STATEMENT_LIST_PERMISSIONS, P, R, G, N); }

%type permissions {uint32_t}
/* A set of bits; PERMISSION behind a name is optional. */
permissions(P) ::= ALL.                      { P = PERMISSION_ALL; }
permissions(P) ::= ALL PERMISSIONS.          { P = PERMISSION_ALL; }
permissions(P) ::= permission_list(P).
%type permission_list {uint32_t}
permission_list(P) ::= permission(P).
permission_list(P) ::= permission(P) PERMISSION.
permission_list(P) ::= permission_list(A) COMMA permission(B). { P = A | B; }
permission_list(P) ::= permission_list(A) COMMA permission(B) PERMISSION. { P = A | B; }
%type permission {uint32_t}
permission(P) ::= CREATE.                    { P = PERMISSION_CREATE; }
permission(P) ::= ALTER.                     { P = PERMISSION_ALTER; }
permission(P) ::= DROP.                      { P = PERMISSION_DROP; }
permission(P) ::= SELECT.                    { P = PERMISSION_SELECT; }
permission(P) ::= MODIFY.                    { P = PERMISSION_MODIFY; }
permission(P) ::= AUTHORIZE.                 { P = PERMISSION_AUTHORIZE; }
permission(P) ::= DESCRIBE.                  { P = PERMISSION_DESCRIBE; }
permission(P) ::= EXECUTE.                   { P = PERMISSION_EXECUTE; }
permission(P) ::= UNMASK.                    { P = PERMISSION_UNMASK; }
permission(P) ::= SELECT_MASKED.             { P = PERMISSION_SELECT_MASKED; }

%type resource {struct resource_spec *}
resource(R) ::= ALL KEYSPACES.               { R = build_resource(p, RESOURCE_ALL_KEYSPACES); }
resource(R) ::= KEYSPACE keyspace_name(K).   { R = build_resource(p, RESOURCE_KEYSPACE); R->name.keyspace = K; }
resource(R) ::= ALL TABLES IN KEYSPACE keyspace_name(K). { R = build_resource(p, RESOURCE_ALL_TABLES); R->name.keyspace = K; }
resource(R) ::= COLUMNFAMILY table(T).       { R = build_resource(p, RESOURCE_TABLE); R->name = T; }
/* A bare name is a table. */
resource(R) ::= table(T).                    { R = build_resource(p, RESOURCE_TABLE); R->name = T; }
resource(R) ::= resource_word(N).            { R = build_resource(p, RESOURCE_TABLE); R->name.name = build_name(p, N); }
resource(R) ::= resource_word(K) DOT table_part(N). { R = build_resource(p, RESOURCE_TABLE); R->name = (struct qualified_name){ build_name(p, K), N }; }
resource(R) ::= ALL ROLES.                   { R = build_resource(p, RESOURCE_ALL_ROLES); }
resource(R) ::= ROLE role(N).                { R = build_resource(p, RESOURCE_ROLE); R->name.name = N; }
resource(R) ::= ALL FUNCTIONS.               { R = build_resource(p, RESOURCE_ALL_FUNCTIONS); }
resource(R) ::= ALL FUNCTIONS IN KEYSPACE keyspace_name(K). { R = build_resource(p, RESOURCE_FUNCTIONS_IN); R->name.keyspace = K; }
resource(R) ::= FUNCTION function_name(F) LP types_or_none(L) RP. { R = build_resource(p, RESOURCE_FUNCTION); R->name = F; VEC_STORE(R, arguments, argument_count, L); }
resource(R) ::= ALL MBEANS.                  { R = build_resource(p, RESOURCE_ALL_MBEANS); }
resource(R) ::= MBEAN STRING(S).             { R = build_mbean(p, RESOURCE_MBEAN, S); }
resource(R) ::= MBEANS STRING(S).            { R = build_mbean(p, RESOURCE_MBEANS, S); }
/* Words with a rule of their own above may still be names of tables. */
%type resource_word {struct lexeme}
resource_word(N) ::= ALL(N).
resource_word(N) ::= ROLE(N).
resource_word(N) ::= FUNCTION(N).
resource_word(N) ::= MBEAN(N).
resource_word(N) ::= MBEANS(N).

/* ---- DESCRIBE ---- */

%type describe {struct describe_statement *}
%type internals {bool}
/* WITH INTERNALS shows ids and dropped columns, too. */
internals(B) ::= .                           { B = false; }
internals(B) ::= WITH INTERNALS.             { B = true; }
describe_word ::= DESCRIBE.
/* DESC is DESCRIBE here, and a direction elsewhere. */
describe_word ::= DESC.
statement(S) ::= describe_word describe(D) internals(B). { D->with_internals = B; S = STATEMENT(p, STATEMENT_DESCRIBE, describe, D); }
describe(D) ::= CLUSTER.                     { D = build_describe(p, DESCRIBE_CLUSTER, NO_NAME); }
describe(D) ::= SCHEMA.                      { D = build_describe(p, DESCRIBE_SCHEMA, NO_NAME); }
describe(D) ::= FULL SCHEMA.                 { D = build_describe(p, DESCRIBE_FULL_SCHEMA, NO_NAME); }
describe(D) ::= KEYSPACES.                   { D = build_describe(p, DESCRIBE_KEYSPACES, NO_NAME); }
/* Without a name it is the session's keyspace. */
describe(D) ::= KEYSPACE.                    { D = build_describe(p, DESCRIBE_KEYSPACE, NO_NAME); }
describe(D) ::= KEYSPACE keyspace_name(K).   { D = build_describe(p, DESCRIBE_KEYSPACE, NO_NAME); D->name.keyspace = K; }
describe(D) ::= ONLY KEYSPACE.               { D = build_describe(p, DESCRIBE_ONLY_KEYSPACE, NO_NAME); }
describe(D) ::= ONLY KEYSPACE keyspace_name(K). { D = build_describe(p, DESCRIBE_ONLY_KEYSPACE, NO_NAME); D->name.keyspace = K; }
describe(D) ::= TABLES.                      { D = build_describe(p, DESCRIBE_TABLES, NO_NAME); }
describe(D) ::= COLUMNFAMILY table(T).       { D = build_describe(p, DESCRIBE_TABLE, T); }
describe(D) ::= INDEX table(T).              { D = build_describe(p, DESCRIBE_INDEX, T); }
describe(D) ::= MATERIALIZED VIEW table(T).  { D = build_describe(p, DESCRIBE_VIEW, T); }
describe(D) ::= TYPES.                       { D = build_describe(p, DESCRIBE_TYPES, NO_NAME); }
describe(D) ::= TYPE type_name(T).           { D = build_describe(p, DESCRIBE_TYPE, T); }
describe(D) ::= FUNCTIONS.                   { D = build_describe(p, DESCRIBE_FUNCTIONS, NO_NAME); }
describe(D) ::= FUNCTION function_name(F).   { D = build_describe(p, DESCRIBE_FUNCTION, F); }
describe(D) ::= AGGREGATES.                  { D = build_describe(p, DESCRIBE_AGGREGATES, NO_NAME); }
describe(D) ::= AGGREGATE function_name(F).  { D = build_describe(p, DESCRIBE_AGGREGATE, F); }
/* Without a keyword before it, the name may be of a keyspace, a table or anything else. */
describe(D) ::= described(N).                { D = build_describe(p, DESCRIBE_ANY, (struct qualified_name){ .name = build_name(p, N) }); }
describe(D) ::= described(K) DOT name(N).    { D = build_describe(p, DESCRIBE_ANY, (struct qualified_name){ build_name(p, K), build_name(p, N) }); }
%type described {struct lexeme}
described(N) ::= name(N).
/* Words with a rule of their own above, as names. */
described(N) ::= TYPE(N).
described(N) ::= FUNCTION(N).
described(N) ::= AGGREGATE(N).
described(N) ::= ONLY(N).
