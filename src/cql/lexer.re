/* cql/lexer.re: the next lexeme of CQL. Included by lex.c; re2c makes it C. A NUL stands
 * behind the text, so the generated code need not ask where the end is: no rule but the one
 * for NUL goes on from there.
 *
 * What two characters of look-ahead cannot tell (the ends of strings and comments) is scanned
 * by hand, so that a statement of 16 MiB costs a memchr. */

static int lex_raw(struct lexer *lexer, struct lexeme *lexeme)
{
    const uint8_t *YYCURSOR = lexer->cursor;
    const uint8_t *YYMARKER;

again:
    lexeme->start = (uint8_t *)YYCURSOR;
    /*!re2c
    re2c:define:YYCTYPE = uint8_t;
    re2c:yyfill:enable = 0;
    re2c:indent:string = "    ";

    digit = [0-9];
    hex = [0-9a-fA-F];
    letter = [a-zA-Z];
    integer = "-"? digit+;
    exponent = [eE] [+-]? digit+;
    unit = 'y' | 'mo' | 'w' | 'd' | 'h' | 'm' | 's' | 'ms' | 'us' | "\xC2\xB5" 's' | 'ns';
    period = digit+ "Y" (digit+ "M")? (digit+ "D")? | digit+ "M" (digit+ "D")? | digit+ "D";
    clock = "T" (digit+ "H" (digit+ "M")? (digit+ "S")? | digit+ "M" (digit+ "S")? | digit+ "S");
    duration = "-"? digit+ unit (digit+ unit)*
             | "-"? "P" (period clock? | clock | digit+ "W")
             | "-"? "P" digit{4} "-" digit{2} "-" digit{2} "T" digit{2} ":" digit{2} ":" digit{2};

    [ \t\n\r]+        { goto again; }
    "--" | "//"       { if (!skip_line(lexer, &YYCURSOR)) { lexeme->start = (uint8_t *)YYCURSOR; return LEX_OPEN_LINE; } goto again; }
    "/*"              { if (!skip_comment(lexer, &YYCURSOR)) { lexeme->start = (uint8_t *)YYCURSOR; return LEX_OPEN_COMMENT; } goto again; }
    "\x00"            { if (lexeme->start != lexer->end) return LEX_BAD_CHARACTER;
                        lexer->cursor = lexeme->start; lexeme->size = 0; return 0; }

    "'"               { return lex_quoted(lexer, lexeme, '\'', T_STRING, LEX_OPEN_STRING); }
    "$$"              { return lex_dollars(lexer, lexeme); }
    "\"\""            { if (*YYCURSOR == '"') return lex_quoted(lexer, lexeme, '"', T_QNAME, LEX_OPEN_NAME);
                        return lex_end(lexer, lexeme, YYCURSOR, T_EMPTYQ); }
    "\""              { return lex_quoted(lexer, lexeme, '"', T_QNAME, LEX_OPEN_NAME); }

    integer           { return lex_end(lexer, lexeme, YYCURSOR, T_INTEGER); }
    integer exponent  { return lex_end(lexer, lexeme, YYCURSOR, T_FLOATING); }
    integer "." digit* exponent? {
                        /* "1..2" is a range; "1..." a float and a range */
                        if (YYCURSOR[-1] == '.' && YYCURSOR[0] == '.' && YYCURSOR[1] != '.')
                            return lex_end(lexer, lexeme, YYCURSOR - 1, T_INTEGER);
                        return lex_end(lexer, lexeme, YYCURSOR, T_FLOATING); }
    duration          { return lex_end(lexer, lexeme, YYCURSOR, T_DURATION_LITERAL); }
    "0" [xX] hex*     { return lex_end(lexer, lexeme, YYCURSOR, T_HEXNUMBER); }
    hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12} { return lex_end(lexer, lexeme, YYCURSOR, T_UUID_LITERAL); }
    "-" 'nan'         { return lex_end(lexer, lexeme, YYCURSOR, T_NAN_); }
    "-" 'infinity'    { return lex_end(lexer, lexeme, YYCURSOR, T_NEGATIVE_INFINITY); }
    'true' | 'false'  { return lex_end(lexer, lexeme, YYCURSOR, T_TRUTH); }

    ","               { return lex_end(lexer, lexeme, YYCURSOR, T_COMMA); }
    ";"               { return lex_end(lexer, lexeme, YYCURSOR, T_SEMI); }
    "("               { return lex_end(lexer, lexeme, YYCURSOR, T_LP); }
    ")"               { return lex_end(lexer, lexeme, YYCURSOR, T_RP); }
    "["               { return lex_end(lexer, lexeme, YYCURSOR, T_LS); }
    "]"               { return lex_end(lexer, lexeme, YYCURSOR, T_RS); }
    "{"               { return lex_end(lexer, lexeme, YYCURSOR, T_LB); }
    "}"               { return lex_end(lexer, lexeme, YYCURSOR, T_RB); }
    ":"               { return lex_end(lexer, lexeme, YYCURSOR, T_COLON); }
    "."               { return lex_end(lexer, lexeme, YYCURSOR, T_DOT); }
    ".."              { return lex_end(lexer, lexeme, YYCURSOR, T_RANGE); }
    "?"               { return lex_end(lexer, lexeme, YYCURSOR, T_QMARK); }
    "="               { return lex_end(lexer, lexeme, YYCURSOR, T_EQ); }
    "!="              { return lex_end(lexer, lexeme, YYCURSOR, T_NE); }
    "<"               { return lex_end(lexer, lexeme, YYCURSOR, T_LT); }
    "<="              { return lex_end(lexer, lexeme, YYCURSOR, T_LE); }
    ">"               { return lex_end(lexer, lexeme, YYCURSOR, T_GT); }
    ">="              { return lex_end(lexer, lexeme, YYCURSOR, T_GE); }
    "+"               { return lex_end(lexer, lexeme, YYCURSOR, T_PLUS); }
    "-"               { return lex_end(lexer, lexeme, YYCURSOR, T_MINUS); }
    "*"               { return lex_end(lexer, lexeme, YYCURSOR, T_STAR); }
    "/"               { return lex_end(lexer, lexeme, YYCURSOR, T_SLASH); }
    "%"               { return lex_end(lexer, lexeme, YYCURSOR, T_PERCENT); }
    "+="              { return lex_end(lexer, lexeme, YYCURSOR, T_PLUS_EQ); }
    "-="              { return lex_end(lexer, lexeme, YYCURSOR, T_MINUS_EQ); }

    "expr("           { return lex_end(lexer, lexeme, YYCURSOR, T_EXPR); }
    'access'          { return lex_end(lexer, lexeme, YYCURSOR, T_ACCESS); }
    'add'             { return lex_end(lexer, lexeme, YYCURSOR, T_ADD); }
    'aggregate'       { return lex_end(lexer, lexeme, YYCURSOR, T_AGGREGATE); }
    'aggregates'      { return lex_end(lexer, lexeme, YYCURSOR, T_AGGREGATES); }
    'all'             { return lex_end(lexer, lexeme, YYCURSOR, T_ALL); }
    'allow'           { return lex_end(lexer, lexeme, YYCURSOR, T_ALLOW); }
    'alter'           { return lex_end(lexer, lexeme, YYCURSOR, T_ALTER); }
    'and'             { return lex_end(lexer, lexeme, YYCURSOR, T_AND); }
    'ann'             { return lex_end(lexer, lexeme, YYCURSOR, T_ANN); }
    'apply'           { return lex_end(lexer, lexeme, YYCURSOR, T_APPLY); }
    'as'              { return lex_end(lexer, lexeme, YYCURSOR, T_AS); }
    'asc'             { return lex_end(lexer, lexeme, YYCURSOR, T_ASC); }
    'ascii'           { return lex_end(lexer, lexeme, YYCURSOR, T_ASCII); }
    'authorize'       { return lex_end(lexer, lexeme, YYCURSOR, T_AUTHORIZE); }
    'batch'           { return lex_end(lexer, lexeme, YYCURSOR, T_BATCH); }
    'begin'           { return lex_end(lexer, lexeme, YYCURSOR, T_BEGIN); }
    'bigint'          { return lex_end(lexer, lexeme, YYCURSOR, T_BIGINT); }
    'blob'            { return lex_end(lexer, lexeme, YYCURSOR, T_BLOB); }
    'boolean'         { return lex_end(lexer, lexeme, YYCURSOR, T_BOOLEAN); }
    'by'              { return lex_end(lexer, lexeme, YYCURSOR, T_BY); }
    'called'          { return lex_end(lexer, lexeme, YYCURSOR, T_CALLED); }
    'cast'            { return lex_end(lexer, lexeme, YYCURSOR, T_CAST); }
    'cidrs'           { return lex_end(lexer, lexeme, YYCURSOR, T_CIDRS); }
    'cluster'         { return lex_end(lexer, lexeme, YYCURSOR, T_CLUSTER); }
    'clustering'      { return lex_end(lexer, lexeme, YYCURSOR, T_CLUSTERING); }
    'columnfamily'    { return lex_end(lexer, lexeme, YYCURSOR, T_COLUMNFAMILY); }
    'compact'         { return lex_end(lexer, lexeme, YYCURSOR, T_COMPACT); }
    'contains'        { return lex_end(lexer, lexeme, YYCURSOR, T_CONTAINS); }
    'count'           { return lex_end(lexer, lexeme, YYCURSOR, T_COUNT); }
    'counter'         { return lex_end(lexer, lexeme, YYCURSOR, T_COUNTER); }
    'create'          { return lex_end(lexer, lexeme, YYCURSOR, T_CREATE); }
    'custom'          { return lex_end(lexer, lexeme, YYCURSOR, T_CUSTOM); }
    'datacenters'     { return lex_end(lexer, lexeme, YYCURSOR, T_DATACENTERS); }
    'date'            { return lex_end(lexer, lexeme, YYCURSOR, T_DATE); }
    'decimal'         { return lex_end(lexer, lexeme, YYCURSOR, T_DECIMAL); }
    'default'         { return lex_end(lexer, lexeme, YYCURSOR, T_DEFAULT); }
    'delete'          { return lex_end(lexer, lexeme, YYCURSOR, T_DELETE); }
    'desc'            { return lex_end(lexer, lexeme, YYCURSOR, T_DESC); }
    'describe'        { return lex_end(lexer, lexeme, YYCURSOR, T_DESCRIBE); }
    'distinct'        { return lex_end(lexer, lexeme, YYCURSOR, T_DISTINCT); }
    'double'          { return lex_end(lexer, lexeme, YYCURSOR, T_DOUBLE); }
    'drop'            { return lex_end(lexer, lexeme, YYCURSOR, T_DROP); }
    'duration'        { return lex_end(lexer, lexeme, YYCURSOR, T_DURATION); }
    'entries'         { return lex_end(lexer, lexeme, YYCURSOR, T_ENTRIES); }
    'execute'         { return lex_end(lexer, lexeme, YYCURSOR, T_EXECUTE); }
    'exists'          { return lex_end(lexer, lexeme, YYCURSOR, T_EXISTS); }
    'filtering'       { return lex_end(lexer, lexeme, YYCURSOR, T_FILTERING); }
    'finalfunc'       { return lex_end(lexer, lexeme, YYCURSOR, T_FINALFUNC); }
    'float'           { return lex_end(lexer, lexeme, YYCURSOR, T_FLOAT); }
    'from'            { return lex_end(lexer, lexeme, YYCURSOR, T_FROM); }
    'frozen'          { return lex_end(lexer, lexeme, YYCURSOR, T_FROZEN); }
    'full'            { return lex_end(lexer, lexeme, YYCURSOR, T_FULL); }
    'function'        { return lex_end(lexer, lexeme, YYCURSOR, T_FUNCTION); }
    'functions'       { return lex_end(lexer, lexeme, YYCURSOR, T_FUNCTIONS); }
    'grant'           { return lex_end(lexer, lexeme, YYCURSOR, T_GRANT); }
    'group'           { return lex_end(lexer, lexeme, YYCURSOR, T_GROUP); }
    'hashed'          { return lex_end(lexer, lexeme, YYCURSOR, T_HASHED); }
    'identity'        { return lex_end(lexer, lexeme, YYCURSOR, T_IDENTITY); }
    'if'              { return lex_end(lexer, lexeme, YYCURSOR, T_IF); }
    'in'              { return lex_end(lexer, lexeme, YYCURSOR, T_IN); }
    'index'           { return lex_end(lexer, lexeme, YYCURSOR, T_INDEX); }
    'inet'            { return lex_end(lexer, lexeme, YYCURSOR, T_INET); }
    'infinity'        { return lex_end(lexer, lexeme, YYCURSOR, T_INFINITY_); }
    'initcond'        { return lex_end(lexer, lexeme, YYCURSOR, T_INITCOND); }
    'input'           { return lex_end(lexer, lexeme, YYCURSOR, T_INPUT); }
    'insert'          { return lex_end(lexer, lexeme, YYCURSOR, T_INSERT); }
    'int'             { return lex_end(lexer, lexeme, YYCURSOR, T_INT); }
    'internals'       { return lex_end(lexer, lexeme, YYCURSOR, T_INTERNALS); }
    'into'            { return lex_end(lexer, lexeme, YYCURSOR, T_INTO); }
    'is'              { return lex_end(lexer, lexeme, YYCURSOR, T_IS); }
    'json'            { return lex_end(lexer, lexeme, YYCURSOR, T_JSON); }
    'key'             { return lex_end(lexer, lexeme, YYCURSOR, T_KEY); }
    'keys'            { return lex_end(lexer, lexeme, YYCURSOR, T_KEYS); }
    'keyspace'        { return lex_end(lexer, lexeme, YYCURSOR, T_KEYSPACE); }
    'keyspaces'       { return lex_end(lexer, lexeme, YYCURSOR, T_KEYSPACES); }
    'language'        { return lex_end(lexer, lexeme, YYCURSOR, T_LANGUAGE); }
    'like'            { return lex_end(lexer, lexeme, YYCURSOR, T_LIKE); }
    'limit'           { return lex_end(lexer, lexeme, YYCURSOR, T_LIMIT); }
    'list'            { return lex_end(lexer, lexeme, YYCURSOR, T_LIST); }
    'login'           { return lex_end(lexer, lexeme, YYCURSOR, T_LOGIN); }
    'map'             { return lex_end(lexer, lexeme, YYCURSOR, T_MAP); }
    'masked'          { return lex_end(lexer, lexeme, YYCURSOR, T_MASKED); }
    'materialized'    { return lex_end(lexer, lexeme, YYCURSOR, T_MATERIALIZED); }
    'maxwritetime'    { return lex_end(lexer, lexeme, YYCURSOR, T_MAXWRITETIME); }
    'mbean'           { return lex_end(lexer, lexeme, YYCURSOR, T_MBEAN); }
    'mbeans'          { return lex_end(lexer, lexeme, YYCURSOR, T_MBEANS); }
    'modify'          { return lex_end(lexer, lexeme, YYCURSOR, T_MODIFY); }
    'nan'             { return lex_end(lexer, lexeme, YYCURSOR, T_NAN_); }
    'nologin'         { return lex_end(lexer, lexeme, YYCURSOR, T_NOLOGIN); }
    'norecursive'     { return lex_end(lexer, lexeme, YYCURSOR, T_NORECURSIVE); }
    'nosuperuser'     { return lex_end(lexer, lexeme, YYCURSOR, T_NOSUPERUSER); }
    'not'             { return lex_end(lexer, lexeme, YYCURSOR, T_NOT); }
    'null'            { return lex_end(lexer, lexeme, YYCURSOR, T_NULL); }
    'of'              { return lex_end(lexer, lexeme, YYCURSOR, T_OF); }
    'on'              { return lex_end(lexer, lexeme, YYCURSOR, T_ON); }
    'only'            { return lex_end(lexer, lexeme, YYCURSOR, T_ONLY); }
    'options'         { return lex_end(lexer, lexeme, YYCURSOR, T_OPTIONS); }
    'or'              { return lex_end(lexer, lexeme, YYCURSOR, T_OR); }
    'order'           { return lex_end(lexer, lexeme, YYCURSOR, T_ORDER); }
    'partition'       { return lex_end(lexer, lexeme, YYCURSOR, T_PARTITION); }
    'password'        { return lex_end(lexer, lexeme, YYCURSOR, T_PASSWORD); }
    'per'             { return lex_end(lexer, lexeme, YYCURSOR, T_PER); }
    'permission'      { return lex_end(lexer, lexeme, YYCURSOR, T_PERMISSION); }
    'permissions'     { return lex_end(lexer, lexeme, YYCURSOR, T_PERMISSIONS); }
    'primary'         { return lex_end(lexer, lexeme, YYCURSOR, T_PRIMARY); }
    'rename'          { return lex_end(lexer, lexeme, YYCURSOR, T_RENAME); }
    'replace'         { return lex_end(lexer, lexeme, YYCURSOR, T_REPLACE); }
    'returns'         { return lex_end(lexer, lexeme, YYCURSOR, T_RETURNS); }
    'revoke'          { return lex_end(lexer, lexeme, YYCURSOR, T_REVOKE); }
    'role'            { return lex_end(lexer, lexeme, YYCURSOR, T_ROLE); }
    'roles'           { return lex_end(lexer, lexeme, YYCURSOR, T_ROLES); }
    'schema'          { return lex_end(lexer, lexeme, YYCURSOR, T_SCHEMA); }
    'select'          { return lex_end(lexer, lexeme, YYCURSOR, T_SELECT); }
    'select_masked'   { return lex_end(lexer, lexeme, YYCURSOR, T_SELECT_MASKED); }
    'set'             { return lex_end(lexer, lexeme, YYCURSOR, T_SET); }
    'sfunc'           { return lex_end(lexer, lexeme, YYCURSOR, T_SFUNC); }
    'smallint'        { return lex_end(lexer, lexeme, YYCURSOR, T_SMALLINT); }
    'static'          { return lex_end(lexer, lexeme, YYCURSOR, T_STATIC); }
    'storage'         { return lex_end(lexer, lexeme, YYCURSOR, T_STORAGE); }
    'stype'           { return lex_end(lexer, lexeme, YYCURSOR, T_STYPE); }
    'superuser'       { return lex_end(lexer, lexeme, YYCURSOR, T_SUPERUSER); }
    'table'           { return lex_end(lexer, lexeme, YYCURSOR, T_COLUMNFAMILY); }
    'tables'          { return lex_end(lexer, lexeme, YYCURSOR, T_TABLES); }
    'columnfamilies'  { return lex_end(lexer, lexeme, YYCURSOR, T_TABLES); }
    'text'            { return lex_end(lexer, lexeme, YYCURSOR, T_TEXT); }
    'time'            { return lex_end(lexer, lexeme, YYCURSOR, T_TIME); }
    'timestamp'       { return lex_end(lexer, lexeme, YYCURSOR, T_TIMESTAMP); }
    'timeuuid'        { return lex_end(lexer, lexeme, YYCURSOR, T_TIMEUUID); }
    'tinyint'         { return lex_end(lexer, lexeme, YYCURSOR, T_TINYINT); }
    'to'              { return lex_end(lexer, lexeme, YYCURSOR, T_TO); }
    'token'           { return lex_end(lexer, lexeme, YYCURSOR, T_TOKEN); }
    'trigger'         { return lex_end(lexer, lexeme, YYCURSOR, T_TRIGGER); }
    'truncate'        { return lex_end(lexer, lexeme, YYCURSOR, T_TRUNCATE); }
    'ttl'             { return lex_end(lexer, lexeme, YYCURSOR, T_TTL); }
    'tuple'           { return lex_end(lexer, lexeme, YYCURSOR, T_TUPLE); }
    'type'            { return lex_end(lexer, lexeme, YYCURSOR, T_TYPE); }
    'types'           { return lex_end(lexer, lexeme, YYCURSOR, T_TYPES); }
    'unlogged'        { return lex_end(lexer, lexeme, YYCURSOR, T_UNLOGGED); }
    'unmask'          { return lex_end(lexer, lexeme, YYCURSOR, T_UNMASK); }
    'unset'           { return lex_end(lexer, lexeme, YYCURSOR, T_UNSET); }
    'update'          { return lex_end(lexer, lexeme, YYCURSOR, T_UPDATE); }
    'use'             { return lex_end(lexer, lexeme, YYCURSOR, T_USE); }
    'user'            { return lex_end(lexer, lexeme, YYCURSOR, T_USER); }
    'users'           { return lex_end(lexer, lexeme, YYCURSOR, T_USERS); }
    'using'           { return lex_end(lexer, lexeme, YYCURSOR, T_USING); }
    'uuid'            { return lex_end(lexer, lexeme, YYCURSOR, T_UUID); }
    'values'          { return lex_end(lexer, lexeme, YYCURSOR, T_VALUES); }
    'varchar'         { return lex_end(lexer, lexeme, YYCURSOR, T_VARCHAR); }
    'varint'          { return lex_end(lexer, lexeme, YYCURSOR, T_VARINT); }
    'vector'          { return lex_end(lexer, lexeme, YYCURSOR, T_VECTOR); }
    'view'            { return lex_end(lexer, lexeme, YYCURSOR, T_VIEW); }
    'where'           { return lex_end(lexer, lexeme, YYCURSOR, T_WHERE); }
    'with'            { return lex_end(lexer, lexeme, YYCURSOR, T_WITH); }
    'writetime'       { return lex_end(lexer, lexeme, YYCURSOR, T_WRITETIME); }
    'restore'         { return lex_end(lexer, lexeme, YYCURSOR, T_RESTORE); }
    'tags'            { return lex_end(lexer, lexeme, YYCURSOR, T_TAGS); }
    'tags_for_cdc'    { return lex_end(lexer, lexeme, YYCURSOR, T_TAGS_FOR_CDC); }
    letter [a-zA-Z0-9_]* { return lex_end(lexer, lexeme, YYCURSOR, T_IDENT); }
    *                 { return LEX_BAD_CHARACTER; }
    */
}
