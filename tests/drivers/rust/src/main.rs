//! The Rust client of the matrix: commands in, facts out (tests/drivers/matrix.py, types.json).
mod values;

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use openssl::ssl::{SslContext, SslContextBuilder, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::client::Compression;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::response::PagingState;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency, Statement};
use scylla::value::{CqlValue, MaybeUnset, Row};
use serde_json::{json, Value};
use values::CqlType;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One fact, or why it could not be found out.
async fn step(fact: &str, work: impl Future<Output = Fallible<Value>>) {
    match work.await {
        Ok(value) => println!("{}", json!({"fact": fact, "value": value})),
        Err(error) => println!("{}", json!({"fact": fact, "error": error.to_string()})),
    }
}

struct Mode<'a> {
    name: &'a str,
    skip: Vec<&'a str>,
    command: &'a Value,
    types: &'a Value,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The driver looks at the server's certificate, and not at its name.
fn tls_context(tls: &Value) -> Fallible<SslContext> {
    let version = if text(&tls["version"]) == "1.3" { SslVersion::TLS1_3 } else { SslVersion::TLS1_2 };
    let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
    context.set_ca_file(text(&tls["ca"]))?;
    context.set_verify(SslVerifyMode::PEER);
    context.set_min_proto_version(Some(version))?;
    context.set_max_proto_version(Some(version))?;
    if !text(&tls["certificate"]).is_empty() {
        context.set_certificate_file(text(&tls["certificate"]), SslFiletype::PEM)?;
        context.set_private_key_file(text(&tls["key"]), SslFiletype::PEM)?;
    }
    Ok(context.build())
}

/// What the server shows of a session with TLS.
async fn secure(command: &Value) -> Fallible<Value> {
    let session = connect(command).await?;
    let statement = "SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients";
    let result = session.query_unpaged(statement, ()).await?.into_rows_result()?;
    let rows = result.rows::<(bool, Option<String>, Option<String>)>()?.collect::<Result<Vec<_>, _>>()?;
    Ok(json!(rows))
}

async fn connect(command: &Value) -> Fallible<Session> {
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::One)
        .request_timeout(Some(Duration::from_secs(30)))
        .build();
    Ok(SessionBuilder::new()
        .tls_context(if command["tls"].is_null() { None } else { Some(tls_context(&command["tls"])?) })
        .known_node(format!("{}:{}", text(&command["host"]), command["port"]))
        .compression(match text(&command["compression"]) {
            "lz4" => Some(Compression::Lz4),
            "snappy" => Some(Compression::Snappy),
            _ => None,
        })
        .default_execution_profile_handle(profile.into_handle())
        .schema_agreement_interval(Duration::from_millis(10))
        .build()
        .await?)
}

async fn rows(session: &Session, statement: &PreparedStatement, values: impl SerializeRow) -> Fallible<Vec<Row>> {
    let result = session.execute_unpaged(statement, values).await?.into_rows_result()?;
    let rows = result.rows::<Row>()?.collect::<Result<_, _>>()?;
    Ok(rows)
}

fn last(rows: Vec<Row>) -> Fallible<Option<CqlValue>> {
    let row = rows.into_iter().next().ok_or("no row")?;
    Ok(row.columns.into_iter().last().flatten())
}

impl Mode<'_> {
    async fn write_types(&self, session: &Session) -> Fallible<()> {
        for entry in items(&self.types["types"]) {
            let (table, cql_type) = (text(&entry["table"]), CqlType::parse(text(&entry["type"])));
            let insert =
                session.prepare(format!("INSERT INTO d.{table} (how, writer, name, v) VALUES (?, ?, ?, ?)")).await?;
            let select =
                session.prepare(format!("SELECT v FROM d.{table} WHERE how = ? AND writer = ? AND name = ?")).await?;
            for one in items(&entry["cases"]) {
                let name = text(&one["name"]);
                if self.skip.contains(&format!("{table}.{name}").as_str()) {
                    continue;
                }
                step(&format!("bound.{table}.{name}"), async {
                    let value = cql_type.native(&one["value"])?;
                    session.execute_unpaged(&insert, ("bound", self.name, name, value)).await?;
                    cql_type.plain(last(rows(session, &select, ("bound", self.name, name)).await?)?)
                })
                .await;
                step(&format!("literal.{table}.{name}"), async {
                    let (writer, literal) = (self.name, text(&one["literal"]));
                    let statement = format!(
                        "INSERT INTO d.{table} (how, writer, name, v) VALUES ('literal', '{writer}', '{name}', {literal})"
                    );
                    session.query_unpaged(statement, ()).await?;
                    cql_type.plain(last(rows(session, &select, ("literal", self.name, name)).await?)?)
                })
                .await;
            }
            step(&format!("null.{table}"), async {
                session.execute_unpaged(&insert, ("null", self.name, "null", None::<CqlValue>)).await?;
                cql_type.plain(last(rows(session, &select, ("null", self.name, "null")).await?)?)
            })
            .await;
        }
        step("unset", async {
            let insert =
                session.prepare("INSERT INTO d.t_int (how, writer, name, v) VALUES ('unset', ?, 'n', ?)").await?;
            session.execute_unpaged(&insert, (self.name, MaybeUnset::Set(7))).await?;
            session.execute_unpaged(&insert, (self.name, MaybeUnset::<i32>::Unset)).await?;
            let select =
                session.prepare("SELECT v FROM d.t_int WHERE how = 'unset' AND writer = ? AND name = 'n'").await?;
            CqlType::parse("int").plain(last(rows(session, &select, (self.name,)).await?)?)
        })
        .await;
        Ok(())
    }

    async fn pages(&self, session: &Session) -> Fallible<()> {
        let insert = session.prepare("INSERT INTO d.pages (writer, n, v) VALUES (?, ?, ?)").await?;
        for n in 0..100 {
            session.execute_unpaged(&insert, (self.name, n, "x".repeat(n as usize))).await?;
        }
        let mut select = session.prepare("SELECT n FROM d.pages WHERE writer = ?").await?;
        select.set_page_size(7);
        let page = |state: PagingState| {
            let select = &select;
            async move {
                let (result, next) = session.execute_single_page(select, (self.name,), state).await?;
                let result = result.into_rows_result()?;
                let rows: Vec<String> =
                    result.rows::<(i32,)>()?.map(|row| row.map(|r| r.0.to_string())).collect::<Result<_, _>>()?;
                Fallible::Ok((rows, next))
            }
        };
        step("page.sizes", async {
            let (mut sizes, mut state) = (vec![], PagingState::start());
            loop {
                let (rows, next) = page(state).await?;
                sizes.push(rows.len());
                match next.into_paging_control_flow() {
                    ControlFlow::Continue(next) => state = next,
                    ControlFlow::Break(()) => return Ok(json!(sizes)),
                }
            }
        })
        .await;
        step("page.rows", async {
            let stream = session.execute_iter(select.clone(), (self.name,)).await?.rows_stream::<(i32,)>()?;
            let rows: Vec<String> = stream.map_ok(|r| r.0.to_string()).try_collect().await?;
            Ok(json!(rows))
        })
        .await;
        step("page.resumed", async {
            let (_, next) = page(PagingState::start()).await?;
            match next.into_paging_control_flow() {
                ControlFlow::Continue(next) => Ok(json!(page(next).await?.0)),
                ControlFlow::Break(()) => Err("one page only".into()),
            }
        })
        .await;
        Ok(())
    }

    async fn batch(&self, session: &Session, kind: BatchType, words: &[(i32, &str)]) -> Fallible<Value> {
        let insert = session.prepare("INSERT INTO d.batches (writer, n, v) VALUES (?, ?, ?)").await?;
        let mut batch = Batch::new(kind);
        let mut values = vec![];
        for (n, word) in words {
            batch.append_statement(insert.clone());
            values.push((self.name, *n, *word));
        }
        let (n, word) = values.pop().map(|v| (v.1, v.2)).ok_or("no values")?;
        batch.statements.pop();
        session.batch(&batch, values).await?;
        // One more, as text among what is prepared.
        let mut mixed = Batch::new(kind);
        let writer = self.name;
        mixed.append_statement(
            format!("INSERT INTO d.batches (writer, n, v) VALUES ('{writer}', {n}, '{word}')").as_str(),
        );
        mixed.append_statement(insert);
        session.batch(&mixed, ((), (self.name, words[0].0, words[0].1))).await?;
        let select = session.prepare("SELECT n, v FROM d.batches WHERE writer = ? AND n >= ? AND n <= ?").await?;
        let result = session
            .execute_unpaged(&select, (self.name, words[0].0, words[words.len() - 1].0))
            .await?
            .into_rows_result()?;
        let rows: Vec<(i32, String)> = result.rows()?.collect::<Result<_, _>>()?;
        Ok(json!(rows.into_iter().map(|(n, v)| json!([n.to_string(), v])).collect::<Vec<_>>()))
    }

    async fn condition(&self, session: &Session, statement: &str, values: impl SerializeRow) -> Fallible<Value> {
        let mut statement = session.prepare(statement).await?;
        statement.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        let result = session.execute_unpaged(&statement, values).await?.into_rows_result()?;
        let v = result.column_specs().get_by_name("v").map(|(index, _)| index);
        let row = result.first_row::<Row>()?;
        let applied = row.columns[0].as_ref().and_then(CqlValue::as_boolean);
        Ok(match v.and_then(|index| row.columns[index].as_ref()) {
            Some(v) => json!([applied, v.as_int().map(|n| n.to_string())]),
            None => json!([applied]),
        })
    }

    async fn conditions(&self, session: &Session) -> Fallible<()> {
        let insert = "INSERT INTO d.conditions (writer, v) VALUES (?, ?) IF NOT EXISTS";
        let update = "UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?";
        let delete = "DELETE FROM d.conditions WHERE writer = ?";
        session.query_unpaged(delete, (self.name,)).await?;
        step("lwt.insert", self.condition(session, insert, (self.name, 1))).await;
        step("lwt.insert.refused", self.condition(session, insert, (self.name, 5))).await;
        step("lwt.update", self.condition(session, update, (2, self.name, 1))).await;
        step("lwt.update.refused", self.condition(session, update, (3, self.name, 1))).await;
        let prepared = session.prepare(update).await?;
        for fact in ["lwt.batch", "lwt.batch.refused"] {
            step(fact, async {
                let mut batch = Batch::new(BatchType::Logged);
                batch.append_statement(prepared.clone());
                let result = session.batch(&batch, ((4, self.name, 2),)).await?.into_rows_result()?;
                Ok(json!([result.first_row::<Row>()?.columns[0].as_ref().and_then(CqlValue::as_boolean)]))
            })
            .await;
        }
        step("lwt.delete", self.condition(session, &format!("{delete} IF EXISTS"), (self.name,))).await;
        step("lwt.read", async {
            let mut select = Statement::new("SELECT v FROM d.conditions WHERE writer = ?");
            select.set_consistency(Consistency::Serial);
            let result = session.query_unpaged(select, (self.name,)).await?.into_rows_result()?;
            Ok(json!(result.maybe_first_row::<(i32,)>()?))
        })
        .await;
        Ok(())
    }

    async fn refusals(&self, session: &Session) {
        for (fact, statement) in [
            ("error.syntax", "SELEKT 1"),
            ("error.invalid", "SELECT nothing FROM d.pages"),
            ("error.exists", "CREATE TABLE d.pages (k int PRIMARY KEY)"),
        ] {
            step(fact, async {
                match session.query_unpaged(statement, ()).await {
                    Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _))) => {
                        Ok(json!(code(&error)))
                    }
                    Err(error) => Err(error.into()),
                    Ok(_) => Ok(Value::Null),
                }
            })
            .await;
        }
    }

    async fn large(&self, session: &Session) {
        step("large", async {
            let wanted: Vec<u8> = (0..1000000u64).map(|i| (i * i >> 3) as u8).collect();
            session.query_unpaged("INSERT INTO d.large (writer, v) VALUES (?, ?)", (self.name, &wanted)).await?;
            let result = session.query_unpaged("SELECT v FROM d.large WHERE writer = ?", (self.name,)).await?;
            let (got,) = result.into_rows_result()?.single_row::<(Vec<u8>,)>()?;
            Ok(json!([got.len(), got == wanted]))
        })
        .await;
        step("many", async {
            let insert = session.prepare("INSERT INTO d.many (writer, n, v) VALUES (?, ?, ?)").await?;
            futures::stream::iter(0..500)
                .map(|n| session.execute_unpaged(&insert, (self.name, n, n)))
                .buffer_unordered(100)
                .try_collect::<Vec<_>>()
                .await?;
            let result = session.query_unpaged("SELECT count(*) FROM d.many WHERE writer = ?", (self.name,)).await?;
            Ok(json!(result.into_rows_result()?.single_row::<(i64,)>()?.0.to_string()))
        })
        .await;
    }

    /// What the first session finds of what a second one does to the schema. This driver registers for schema events but
    /// reads the schema again when it is asked to, and once a minute.
    async fn events(&self, session: &Session) -> Fallible<Value> {
        let name = format!("e_{}", self.name.replace('-', "_"));
        let other = connect(self.command).await?;
        other.query_unpaged(format!("DROP KEYSPACE IF EXISTS {name}"), ()).await?;
        let mut out = vec![];
        for (what, statement) in [
            (
                "created keyspace",
                "CREATE KEYSPACE @ WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            ),
            ("created type u", "CREATE TYPE @.u (a int)"),
            ("created table t", "CREATE TABLE @.t (k int PRIMARY KEY)"),
            ("updated table t", "ALTER TABLE @.t ADD v int"),
            ("updated type u", "ALTER TYPE @.u ADD b text"),
            (
                "updated keyspace",
                "ALTER KEYSPACE @ WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
            ),
            ("dropped table t", "DROP TABLE @.t"),
            ("dropped type u", "DROP TYPE @.u"),
            ("dropped keyspace", "DROP KEYSPACE @"),
        ] {
            other.query_unpaged(statement.replace('@', &name), ()).await?;
            session.refresh_metadata().await?;
            let state = session.get_cluster_state();
            let keyspace = state.get_keyspace(&name);
            let table = keyspace.and_then(|k| k.tables.get("t"));
            let user_type = keyspace.and_then(|k| k.user_defined_types.get("u"));
            let happened = match what {
                "created keyspace" => keyspace.is_some(),
                "created type u" => user_type.is_some(),
                "created table t" => table.is_some(),
                "updated table t" => table.is_some_and(|t| t.columns.contains_key("v")),
                "updated type u" => user_type.is_some_and(|u| u.field_types.len() == 2),
                "updated keyspace" => {
                    keyspace.is_some_and(|k| format!("{:?}", k.strategy).starts_with("NetworkTopology"))
                }
                "dropped table t" => table.is_none(),
                "dropped type u" => user_type.is_none(),
                _ => keyspace.is_none(),
            };
            if happened {
                out.push(what);
            }
        }
        Ok(json!(out))
    }

    async fn run(&self) -> Fallible<()> {
        let session = connect(self.command).await?;
        self.write_types(&session).await?;
        self.pages(&session).await?;
        let (logged, unlogged) = ([(1, "one"), (2, "two"), (3, "three")], [(4, "four"), (5, "five")]);
        step("batch.logged", self.batch(&session, BatchType::Logged, &logged)).await;
        step("batch.unlogged", self.batch(&session, BatchType::Unlogged, &unlogged)).await;
        self.conditions(&session).await?;
        self.refusals(&session).await;
        self.large(&session).await;
        step("events", self.events(&session)).await;
        step("metadata", async { metadata(&session) }).await;
        step("clients", counted(&session)).await;
        Ok(())
    }

    async fn read(&self) -> Fallible<()> {
        let session = connect(self.command).await?;
        for entry in items(&self.types["types"]) {
            let (table, cql_type) = (text(&entry["table"]), CqlType::parse(text(&entry["type"])));
            step(&format!("read.{table}"), async {
                let select =
                    session.prepare(format!("SELECT writer, name, v FROM d.{table} WHERE how = 'bound'")).await?;
                let mut out = vec![];
                for row in rows(&session, &select, ()).await? {
                    let [writer, name, v] =
                        <[Option<CqlValue>; 3]>::try_from(row.columns).map_err(|_| "not three columns")?;
                    let name = name.and_then(CqlValue::into_string).ok_or("no name")?;
                    if !self.skip.contains(&format!("{table}.{name}").as_str()) {
                        out.push(json!([writer.and_then(CqlValue::into_string), name, cql_type.plain(v)?]));
                    }
                }
                Ok(json!(out))
            })
            .await;
        }
        Ok(())
    }
}

fn code(error: &DbError) -> Option<i32> {
    match error {
        DbError::SyntaxError => Some(0x2000),
        DbError::Invalid => Some(0x2200),
        DbError::AlreadyExists { .. } => Some(0x2400),
        _ => None,
    }
}

fn metadata(session: &Session) -> Fallible<Value> {
    let state = session.get_cluster_state();
    let meta = state.get_keyspace("meta").ok_or("no keyspace meta")?;
    let mut tables = serde_json::Map::new();
    for (name, table) in &meta.tables {
        let columns: HashMap<_, _> = table
            .columns
            .iter()
            .map(|(name, c)| (name, json!({"type": format!("{:?}", c.typ), "kind": format!("{:?}", c.kind)})))
            .collect();
        tables.insert(
            name.clone(),
            json!({"columns": columns, "partition_key": table.partition_key, "clustering_key": table.clustering_key,
                   "partitioner": table.partitioner}),
        );
    }
    let types: HashMap<_, _> = meta
        .user_defined_types
        .iter()
        .map(|(name, t)| (name, t.field_types.iter().map(|(f, t)| json!([f, format!("{t:?}")])).collect::<Vec<_>>()))
        .collect();
    Ok(json!({"strategy": format!("{:?}", meta.strategy), "tables": tables, "types": types, "views": meta.views.len()}))
}

async fn counted(session: &Session) -> Fallible<Value> {
    type Client = (Option<String>, Option<String>, Option<i32>, Option<HashMap<String, String>>);
    let statement = "SELECT driver_name, driver_version, protocol_version, client_options FROM system_views.clients";
    let result = session.query_unpaged(statement, ()).await?.into_rows_result()?;
    let rows: Vec<Client> = result.rows()?.collect::<Result<_, _>>()?;
    Ok(json!(rows))
}

/// A session that lives through a restart of the server, with what it has prepared.
struct Survivor {
    session: Session,
    select: PreparedStatement,
    insert: PreparedStatement,
}

impl Survivor {
    async fn prepare(mode: &Mode<'_>) -> Fallible<Survivor> {
        let session = connect(mode.command).await?;
        let select = session.prepare("SELECT v FROM d.conditions WHERE writer = ?").await?;
        let insert = session.prepare("INSERT INTO d.conditions (writer, v) VALUES (?, ?)").await?;
        Ok(Survivor { session, select, insert })
    }

    async fn v(&self, mode: &Mode<'_>) -> Fallible<Value> {
        CqlType::parse("int").plain(last(rows(&self.session, &self.select, (mode.name,)).await?)?)
    }

    async fn before(&self, mode: &Mode<'_>) -> Fallible<Value> {
        self.session.execute_unpaged(&self.insert, (mode.name, 1)).await?;
        self.v(mode).await
    }

    async fn after(&self, mode: &Mode<'_>) -> Fallible<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let first = loop {
            match self.v(mode).await {
                Ok(v) => break v,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        self.session.execute_unpaged(&self.insert, (mode.name, 2)).await?;
        Ok(json!([first, self.v(mode).await?]))
    }
}

/// A session that goes on with what it has prepared, whatever becomes of its tables.
struct Keeper {
    session: Session,
    statements: HashMap<String, PreparedStatement>,
}

fn read_of(value: &Option<CqlValue>) -> Value {
    match value {
        None => Value::Null,
        Some(CqlValue::Int(n)) => json!(n.to_string()),
        Some(CqlValue::Text(text)) => json!(text),
        Some(CqlValue::UserDefinedType { fields, .. }) => {
            fields.iter().map(|(name, v)| (name.clone(), read_of(v))).collect::<serde_json::Map<_, _>>().into()
        }
        Some(other) => json!(format!("{other:?}")),
    }
}

impl Keeper {
    async fn keep(&mut self, text: &str, values: &[Value]) -> Fallible<Value> {
        if !self.statements.contains_key(text) {
            self.statements.insert(text.to_string(), self.session.prepare(text).await?);
        }
        let values: Vec<CqlValue> = values
            .iter()
            .map(|v| v.as_i64().map_or_else(|| CqlValue::Text(v.as_str().unwrap_or_default().into()), |n| CqlValue::Int(n as i32)))
            .collect();
        let result = self.session.execute_unpaged(&self.statements[text], values).await?;
        if !result.is_rows() {
            return Ok(json!([]));
        }
        let result = result.into_rows_result()?;
        let names: Vec<_> = result.column_specs().iter().map(|c| c.name().to_string()).collect();
        let mut rows = vec![];
        for row in result.rows::<Row>()? {
            let columns = row?.columns;
            rows.push(names.iter().zip(&columns).map(|(name, v)| json!([name, read_of(v)])).collect::<Vec<_>>());
        }
        Ok(json!(rows))
    }
}

struct Sessions {
    survivors: HashMap<String, Survivor>,
    kept: HashMap<String, Keeper>,
}

async fn obey(command: &Value, types: &Value, sessions: &mut Sessions) -> Fallible<()> {
    let mode =
        Mode { name: text(&command["mode"]), skip: items(&command["skip"]).iter().map(text).collect(), command, types };
    match text(&command["do"]) {
        "run" => mode.run().await?,
        "read" => mode.read().await?,
        "prepare" => {
            let survivor = Survivor::prepare(&mode).await?;
            step("before", survivor.before(&mode)).await;
            sessions.survivors.insert(mode.name.to_string(), survivor);
        }
        "survive" => {
            let survivor = sessions.survivors.get(mode.name).ok_or("was not prepared")?;
            step("after", survivor.after(&mode)).await;
            step("clients", counted(&survivor.session)).await;
        }
        "keep" => {
            if !sessions.kept.contains_key(mode.name) {
                let keeper = Keeper { session: connect(command).await?, statements: HashMap::new() };
                sessions.kept.insert(mode.name.to_string(), keeper);
            }
            let keeper = sessions.kept.get_mut(mode.name).ok_or("no session")?;
            step("kept", keeper.keep(text(&command["statement"]), items(&command["values"]))).await;
        }
        "secure" => step("secure", secure(command)).await,
        other => return Err(format!("no command {other}").into()),
    }
    Ok(())
}

fn main() -> Fallible<()> {
    let path = std::env::args().nth(1).ok_or("the path of types.json is missing")?;
    let types: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut sessions = Sessions { survivors: HashMap::new(), kept: HashMap::new() };
    for line in std::io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        if let Err(error) = runtime.block_on(obey(&command, &types, &mut sessions)) {
            println!("{}", json!({"fact": command["do"], "error": error.to_string()}));
        }
        println!("{}", json!({"done": true}));
    }
    Ok(())
}
