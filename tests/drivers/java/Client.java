import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.DriverException;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.config.ProgrammaticDriverConfigLoaderBuilder;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchStatementBuilder;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.metadata.schema.ColumnMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.SchemaChangeListenerBase;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import com.datastax.oss.driver.api.core.servererrors.AlreadyExistsException;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.SyntaxError;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The Java client of the matrix: commands in, facts out (tests/drivers/matrix.py, types.json). */
public final class Client {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final Map<String, CqlSession> SURVIVORS = new HashMap<>();
    private static final Map<String, Keeper> KEPT = new HashMap<>();
    private static JsonNode types;

    private final String mode;
    private final int version;
    private final JsonNode command;
    private final Set<String> skip = new HashSet<>();

    private Client(JsonNode command) {
        this.command = command;
        mode = command.get("mode").asText();
        version = command.get("version").asInt();
        command.get("skip").forEach(name -> skip.add(name.asText()));
    }

    private static void write(String fact, String kind, Object value) throws Exception {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("fact", fact);
        object.put(kind, value);
        OUT.println(JSON.writeValueAsString(object));
    }

    /** One fact, or why it could not be found out. */
    private static void step(String fact, Callable<Object> work) throws Exception {
        Object value;
        try {
            value = work.call();
        } catch (Exception e) {
            write(fact, "error", e.toString());
            return;
        }
        write(fact, "value", value);
    }

    // ---- a mode ----

    private CqlSession connect(boolean metadata, SchemaChangeListenerBase listener) {
        String compression = command.get("compression").asText();
        ProgrammaticDriverConfigLoaderBuilder config = DriverConfigLoader.programmaticBuilder()
            .withString(DefaultDriverOption.PROTOCOL_VERSION, "V" + version)
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
            .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(10))
            .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ofMillis(1))
            .withBoolean(DefaultDriverOption.METADATA_SCHEMA_ENABLED, metadata)
            .withStringList(DefaultDriverOption.METADATA_SCHEMA_REFRESHED_KEYSPACES, List.of())
            .withString(DefaultDriverOption.RECONNECTION_POLICY_CLASS, "ConstantReconnectionPolicy")
            .withDuration(DefaultDriverOption.RECONNECTION_BASE_DELAY, Duration.ofMillis(200))
            .withInt(DefaultDriverOption.NETTY_IO_SIZE, 2)
            .withInt(DefaultDriverOption.NETTY_ADMIN_SIZE, 1)
            .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0)
            .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0);
        if (!compression.equals("none")) {
            config = config.withString(DefaultDriverOption.PROTOCOL_COMPRESSION, compression);
        }
        if (command.has("tls")) {
            config = secure(config, command.get("tls"));
        }
        CqlSessionBuilder builder = CqlSession.builder()
            .addContactPoint(new InetSocketAddress(command.get("host").asText(), command.get("port").asInt()))
            .withLocalDatacenter("datacenter1")
            .withConfigLoader(config.build());
        if (listener != null) {
            builder = builder.addSchemaChangeListener(listener);
        }
        return builder.build();
    }

    private void writeTypes(CqlSession session) throws Exception {
        for (JsonNode entry : types) {
            String table = entry.get("table").asText();
            PreparedStatement insert = session.prepare("INSERT INTO d." + table + " (how, writer, name, v) VALUES (?, ?, ?, ?)");
            PreparedStatement select = session.prepare("SELECT v FROM d." + table + " WHERE how = ? AND writer = ? AND name = ?");
            for (JsonNode one : entry.get("cases")) {
                String name = one.get("name").asText();
                if (skip.contains(table + "." + name)) {
                    continue;
                }
                step("bound." + table + "." + name, () -> {
                    Object value = Values.toNative(insert.getVariableDefinitions().get(3).getType(), one.get("value"));
                    session.execute(insert.bind("bound", mode, name, value));
                    return value(session.execute(select.bind("bound", mode, name)).one());
                });
                step("literal." + table + "." + name, () -> {
                    session.execute("INSERT INTO d." + table + " (how, writer, name, v) VALUES ('literal', '" + mode + "', '"
                        + name + "', " + one.get("literal").asText() + ")");
                    return value(session.execute(select.bind("literal", mode, name)).one());
                });
            }
            step("null." + table, () -> {
                session.execute(insert.bind("null", mode, "null", null));
                return value(session.execute(select.bind("null", mode, "null")).one());
            });
        }
        if (version >= 4) {
            step("unset", () -> {
                PreparedStatement insert = session.prepare("INSERT INTO d.t_int (how, writer, name, v) VALUES ('unset', ?, 'n', ?)");
                session.execute(insert.bind(mode, 7));
                session.execute(insert.bind(mode));
                return value(session.execute("SELECT v FROM d.t_int WHERE how = 'unset' AND writer = ? AND name = 'n'", mode).one());
            });
        }
    }

    private static Object value(Row row) {
        int last = row.getColumnDefinitions().size() - 1;
        // The driver gives an empty collection for a null one unless it is asked.
        return row.isNull(last) ? null : Values.toPlain(row.getColumnDefinitions().get(last).getType(), row.getObject(last));
    }

    private void pages(CqlSession session) throws Exception {
        PreparedStatement insert = session.prepare("INSERT INTO d.pages (writer, n, v) VALUES (?, ?, ?)");
        for (int n = 0; n < 100; n++) {
            session.execute(insert.bind(mode, n, "x".repeat(n)));
        }
        PreparedStatement select = session.prepare("SELECT n FROM d.pages WHERE writer = ?");
        step("page.sizes", () -> {
            List<Integer> sizes = new ArrayList<>();
            AsyncResultSet page = session.executeAsync(select.bind(mode).setPageSize(7)).toCompletableFuture().get();
            while (true) {
                int size = 0;
                for (Row row : page.currentPage()) {
                    size += row.size();
                }
                sizes.add(size);
                if (!page.hasMorePages()) {
                    return sizes;
                }
                page = page.fetchNextPage().toCompletableFuture().get();
            }
        });
        step("page.rows", () -> {
            List<String> rows = new ArrayList<>();
            session.execute(select.bind(mode).setPageSize(7)).forEach(row -> rows.add(String.valueOf(row.getInt(0))));
            return rows;
        });
        step("page.resumed", () -> {
            ByteBuffer state = session.execute(select.bind(mode).setPageSize(7)).getExecutionInfo().getPagingState();
            ResultSet next = session.execute(select.bind(mode).setPageSize(7).setPagingState(state));
            List<String> rows = new ArrayList<>();
            for (int n = next.getAvailableWithoutFetching(); n > 0; n--) {
                rows.add(String.valueOf(next.one().getInt(0)));
            }
            return rows;
        });
    }

    private Object batch(CqlSession session, DefaultBatchType kind, int least, int most) {
        String[] words = { "", "one", "two", "three", "four", "five" };
        PreparedStatement insert = session.prepare("INSERT INTO d.batches (writer, n, v) VALUES (?, ?, ?)");
        BatchStatementBuilder batch = BatchStatement.builder(kind);
        for (int n = least; n < most; n++) {
            batch.addStatement(insert.bind(mode, n, words[n]));
        }
        batch.addStatement(SimpleStatement.newInstance(
            "INSERT INTO d.batches (writer, n, v) VALUES ('" + mode + "', " + most + ", '" + words[most] + "')"));
        session.execute(batch.build());
        List<Object> rows = new ArrayList<>();
        for (Row row : session.execute("SELECT n, v FROM d.batches WHERE writer = ? AND n >= ? AND n <= ?", mode, least, most)) {
            rows.add(List.of(String.valueOf(row.getInt(0)), row.getString(1)));
        }
        return rows;
    }

    private Object condition(CqlSession session, String statement, Object... values) {
        Row row = session.execute(session.prepare(SimpleStatement.builder(statement)
            .setSerialConsistencyLevel(DefaultConsistencyLevel.LOCAL_SERIAL).build()).bind(values)).one();
        return row.getColumnDefinitions().contains("v") ? List.of(row.getBoolean(0), String.valueOf(row.getInt("v")))
            : List.of(row.getBoolean(0));
    }

    private void conditions(CqlSession session) throws Exception {
        String insert = "INSERT INTO d.conditions (writer, v) VALUES (?, ?) IF NOT EXISTS";
        String update = "UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?";
        session.execute("DELETE FROM d.conditions WHERE writer = ?", mode);
        step("lwt.insert", () -> condition(session, insert, mode, 1));
        step("lwt.insert.refused", () -> condition(session, insert, mode, 5));
        step("lwt.update", () -> condition(session, update, 2, mode, 1));
        step("lwt.update.refused", () -> condition(session, update, 3, mode, 1));
        Callable<Object> batch = () -> List.of(session.execute(BatchStatement.newInstance(DefaultBatchType.LOGGED,
            session.prepare(update).bind(4, mode, 2))).wasApplied());
        step("lwt.batch", batch);
        step("lwt.batch.refused", batch);
        step("lwt.delete", () -> condition(session, "DELETE FROM d.conditions WHERE writer = ? IF EXISTS", mode));
        step("lwt.read", () -> session.execute(SimpleStatement.newInstance("SELECT v FROM d.conditions WHERE writer = ?", mode)
            .setConsistencyLevel(DefaultConsistencyLevel.SERIAL)).one());
    }

    private static void refusal(CqlSession session, String fact, String statement) throws Exception {
        step(fact, () -> {
            try {
                session.execute(statement);
                return null;
            } catch (SyntaxError e) {
                return 0x2000;
            } catch (InvalidQueryException e) {
                return 0x2200;
            } catch (AlreadyExistsException e) {
                return 0x2400;
            }
        });
    }

    private void large(CqlSession session) throws Exception {
        step("large", () -> {
            byte[] wanted = new byte[1000000];
            for (int i = 0; i < wanted.length; i++) {
                wanted[i] = (byte) ((long) i * i >> 3);
            }
            session.execute("INSERT INTO d.large (writer, v) VALUES (?, ?)", mode, ByteBuffer.wrap(wanted));
            ByteBuffer got = session.execute("SELECT v FROM d.large WHERE writer = ?", mode).one().getByteBuffer(0);
            return List.of(got.remaining(), got.equals(ByteBuffer.wrap(wanted)));
        });
        step("many", () -> {
            PreparedStatement insert = session.prepare("INSERT INTO d.many (writer, n, v) VALUES (?, ?, ?)");
            List<CompletionStage<AsyncResultSet>> waiting = new ArrayList<>();
            for (int n = 0; n < 500; n++) {
                waiting.add(session.executeAsync(insert.bind(mode, n, n)));
            }
            for (CompletionStage<AsyncResultSet> one : waiting) {
                one.toCompletableFuture().get();
            }
            return String.valueOf(session.execute("SELECT count(*) FROM d.many WHERE writer = ?", mode).one().getLong(0));
        });
    }

    // ---- the schema ----

    /** What the session hears, as "keyspace what". */
    private static final class Listener extends SchemaChangeListenerBase {
        private final LinkedBlockingQueue<String> heard = new LinkedBlockingQueue<>();

        private void table(TableMetadata t, String what) {
            heard.add(t.getKeyspace() + " " + what + " table " + t.getName());
        }

        private void type(UserDefinedType t, String what) {
            heard.add(t.getKeyspace() + " " + what + " type " + t.getName());
        }

        @Override public void onKeyspaceCreated(KeyspaceMetadata k) { heard.add(k.getName() + " created keyspace"); }
        @Override public void onKeyspaceUpdated(KeyspaceMetadata now, KeyspaceMetadata old) { heard.add(now.getName() + " updated keyspace"); }
        @Override public void onKeyspaceDropped(KeyspaceMetadata k) { heard.add(k.getName() + " dropped keyspace"); }
        @Override public void onTableCreated(TableMetadata t) { table(t, "created"); }
        @Override public void onTableUpdated(TableMetadata now, TableMetadata old) { table(now, "updated"); }
        @Override public void onTableDropped(TableMetadata t) { table(t, "dropped"); }
        @Override public void onUserDefinedTypeCreated(UserDefinedType t) { type(t, "created"); }
        @Override public void onUserDefinedTypeUpdated(UserDefinedType now, UserDefinedType old) { type(now, "updated"); }
        @Override public void onUserDefinedTypeDropped(UserDefinedType t) { type(t, "dropped"); }
    }

    private Object events(Listener listener) throws Exception {
        String name = "e_" + mode.replace('-', '_');
        List<String> out = new ArrayList<>();
        try (CqlSession other = connect(false, null)) {
            other.execute("DROP KEYSPACE IF EXISTS " + name);
            for (String statement : Arrays.asList(
                     "CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                     "CREATE TYPE %s.u (a int)", "CREATE TABLE %s.t (k int PRIMARY KEY)", "ALTER TABLE %s.t ADD v int",
                     "ALTER TYPE %s.u ADD b text", "ALTER KEYSPACE %s WITH durable_writes = false", "DROP TABLE %s.t",
                     "DROP TYPE %s.u", "DROP KEYSPACE %s")) {
                other.execute(String.format(statement, name));
                String event = listener.heard.poll(10, TimeUnit.SECONDS);
                while (event != null && !event.startsWith(name + " ")) {
                    event = listener.heard.poll(10, TimeUnit.SECONDS);
                }
                if (event == null) {
                    return out;
                }
                out.add(event.substring(name.length() + 1));
            }
        }
        return out;
    }

    private static Object column(ColumnMetadata c) {
        return Map.of("name", c.getName().asInternal(), "type", c.getType().asCql(true, true), "static", c.isStatic());
    }

    private static Object metadata(CqlSession session) {
        KeyspaceMetadata meta = session.getMetadata().getKeyspace("meta").orElseThrow();
        Map<String, Object> tables = new HashMap<>();
        Map<String, Object> userTypes = new HashMap<>();
        meta.getTables().forEach((name, table) -> {
            List<Object> columns = new ArrayList<>();
            List<Object> partition = new ArrayList<>();
            List<Object> clustering = new ArrayList<>();
            Map<String, Object> options = new HashMap<>();
            table.getColumns().values().forEach(c -> columns.add(column(c)));
            table.getPartitionKey().forEach(c -> partition.add(c.getName().asInternal()));
            table.getClusteringColumns().forEach((c, order) -> clustering.add(List.of(c.getName().asInternal(), order.name())));
            table.getOptions().forEach((option, value) -> options.put(option.asInternal(), String.valueOf(value)));
            Map<String, Object> out = new HashMap<>(Map.of("columns", columns, "partition_key", partition, "clustering", clustering,
                "options", options, "compact", table.isCompactStorage(), "virtual", table.isVirtual(),
                "indexes", table.getIndexes().size(), "has_id", table.getId().isPresent()));
            out.put("cql", table.describe(true));
            tables.put(name.asInternal(), out);
        });
        meta.getUserDefinedTypes().forEach((name, type) -> userTypes.put(name.asInternal(), type.describe(true)));
        return Map.of("durable_writes", meta.isDurableWrites(), "replication", meta.getReplication(), "virtual", meta.isVirtual(),
            "tables", tables, "types", userTypes, "cql", meta.describe(true), "views", meta.getViews().size(),
            "functions", meta.getFunctions().size(), "aggregates", meta.getAggregates().size());
    }

    private static Object counted(CqlSession session) {
        List<Object> rows = new ArrayList<>();
        for (Row row : session.execute("SELECT driver_name, driver_version, protocol_version, client_options FROM system_views.clients")) {
            rows.add(Arrays.asList(row.getString(0), row.getString(1), row.getObject(2), row.getMap(3, String.class, String.class)));
        }
        return rows;
    }

    // ---- commands ----

    private void run() throws Exception {
        Listener listener = new Listener();
        try (CqlSession session = connect(true, listener)) {
            writeTypes(session);
            pages(session);
            step("batch.logged", () -> batch(session, DefaultBatchType.LOGGED, 1, 3));
            step("batch.unlogged", () -> batch(session, DefaultBatchType.UNLOGGED, 4, 5));
            conditions(session);
            refusal(session, "error.syntax", "SELEKT 1");
            refusal(session, "error.invalid", "SELECT nothing FROM d.pages");
            refusal(session, "error.exists", "CREATE TABLE d.pages (k int PRIMARY KEY)");
            large(session);
            step("events", () -> events(listener));
            step("metadata", () -> metadata(session));
            step("clients", () -> counted(session));
        }
    }

    private void read() throws Exception {
        try (CqlSession session = connect(true, null)) {
            for (JsonNode entry : types) {
                String table = entry.get("table").asText();
                step("read." + table, () -> {
                    List<Object> rows = new ArrayList<>();
                    for (Row row : session.execute("SELECT writer, name, v FROM d." + table + " WHERE how = 'bound'")) {
                        if (!skip.contains(table + "." + row.getString(1))) {
                            rows.add(Arrays.asList(row.getString(0), row.getString(1), value(row)));
                        }
                    }
                    return rows;
                });
            }
        }
    }

    private void prepare() throws Exception {
        CqlSession session = connect(true, null);
        SURVIVORS.put(mode, session);
        step("before", () -> {
            session.execute(session.prepare("INSERT INTO d.conditions (writer, v) VALUES (?, ?)").bind(mode, 1));
            return value(session.execute(session.prepare("SELECT v FROM d.conditions WHERE writer = ?").bind(mode)).one());
        });
    }

    private void survive() throws Exception {
        CqlSession session = SURVIVORS.get(mode);
        step("after", () -> {
            // The driver keeps what it prepared: these are the statements of before.
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            Row before = null;
            while (before == null) {
                try {
                    before = session.execute(session.prepare("SELECT v FROM d.conditions WHERE writer = ?").bind(mode)).one();
                } catch (DriverException e) {
                    if (System.nanoTime() > deadline) {
                        throw e;
                    }
                    Thread.sleep(100);
                }
            }
            session.execute(session.prepare("INSERT INTO d.conditions (writer, v) VALUES (?, ?)").bind(mode, 2));
            return List.of(value(before), value(session.execute("SELECT v FROM d.conditions WHERE writer = ?", mode).one()));
        });
        step("clients", () -> counted(session));
    }

    /** A session that goes on with what it has prepared, whatever becomes of its tables. */
    private record Keeper(CqlSession session, Map<String, PreparedStatement> statements) {}

    private static Object readOf(Object value) {
        if (value instanceof UdtValue fields) {
            Map<String, Object> out = new LinkedHashMap<>();
            fields.getType().getFieldNames().forEach(name -> out.put(name.asInternal(), readOf(fields.getObject(name))));
            return out;
        }
        return value == null ? null : value.toString();
    }

    private void keep() throws Exception {
        Keeper keeper = KEPT.computeIfAbsent(mode, name -> new Keeper(connect(true, null), new HashMap<>()));
        String text = command.get("statement").asText();
        List<Object> values = new ArrayList<>();
        command.get("values").forEach(value -> values.add(value.isInt() ? value.asInt() : value.asText()));
        step("kept", () -> {
            PreparedStatement statement = keeper.statements.computeIfAbsent(text, keeper.session::prepare);
            List<Object> rows = new ArrayList<>();
            for (Row row : keeper.session.execute(statement.bind(values.toArray()))) {
                List<Object> columns = new ArrayList<>();
                for (int i = 0; i < row.getColumnDefinitions().size(); i++) {
                    columns.add(Arrays.asList(row.getColumnDefinitions().get(i).getName().asInternal(), readOf(row.getObject(i))));
                }
                rows.add(columns);
            }
            return rows;
        });
    }

    /** What the server shows of a session with TLS. */
    private void secure() throws Exception {
        try (CqlSession session = connect(false, null)) {
            step("secure", () -> {
                List<Object> rows = new ArrayList<>();
                for (Row row : session.execute("SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients")) {
                    rows.add(Arrays.asList(row.getBoolean(0), row.getString(1), row.getString(2)));
                }
                return rows;
            });
        }
    }

    /** The suites of a version say which one is spoken. */
    private static ProgrammaticDriverConfigLoaderBuilder secure(ProgrammaticDriverConfigLoaderBuilder config, JsonNode tls) {
        config = config.withString(DefaultDriverOption.SSL_ENGINE_FACTORY_CLASS, "DefaultSslEngineFactory")
            .withString(DefaultDriverOption.SSL_TRUSTSTORE_PATH, tls.get("truststore").asText())
            .withString(DefaultDriverOption.SSL_TRUSTSTORE_PASSWORD, tls.get("password").asText())
            .withStringList(DefaultDriverOption.SSL_CIPHER_SUITES, tls.get("version").asText().equals("1.3") ? List.of("TLS_AES_128_GCM_SHA256")
                : List.of("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        if (!tls.get("keystore").asText().isEmpty()) {
            config = config.withString(DefaultDriverOption.SSL_KEYSTORE_PATH, tls.get("keystore").asText())
                .withString(DefaultDriverOption.SSL_KEYSTORE_PASSWORD, tls.get("password").asText());
        }
        return config;
    }

    public static void main(String[] arguments) throws Exception {
        types = JSON.readTree(new File(arguments[0])).get("types");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Client client = new Client(JSON.readTree(line));
            String what = client.command.get("do").asText();
            try {
                switch (what) {
                case "run" -> client.run();
                case "read" -> client.read();
                case "prepare" -> client.prepare();
                case "survive" -> client.survive();
                case "keep" -> client.keep();
                case "secure" -> client.secure();
                default -> throw new IllegalArgumentException(what);
                }
            } catch (Exception e) {
                write(what, "error", e.toString());
            }
            OUT.println("{\"done\": true}");
        }
        SURVIVORS.values().forEach(CqlSession::close);
        KEPT.values().forEach(keeper -> keeper.session.close());
    }
}
