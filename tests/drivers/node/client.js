'use strict';
// The Node client of the matrix: commands in, facts out (tests/drivers/matrix.py, types.json).
const fs = require('fs');
const readline = require('readline');
const cassandra = require('cassandra-driver');
const { types } = cassandra;

const TYPES = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const FIELDS = {
  address: [['street', 'text'], ['zip', 'int']],
  person: [['name', 'text'], ['home', 'address'], ['phones', 'set<text>'], ['at', 'tuple<int, text>']],
};

const write = (object) => process.stdout.write(JSON.stringify(object) + '\n');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// One fact, or why it could not be found out.
async function step(fact, work) {
  try {
    const value = await work();
    write({ fact, value: value === undefined ? null : value });
  } catch (e) {
    write({ fact, error: String(e.stack || e).slice(0, 500) });
  }
}

// ---- values: types.json <-> what the driver takes and gives ----

function parts(type) {
  const at = type.indexOf('<');
  if (at < 0) {
    return [type, []];
  }
  const of = [''];
  let depth = 0;
  for (const c of type.slice(at + 1, -1)) {
    depth += (c === '<') - (c === '>');
    if (c === ',' && depth === 0) {
      of.push('');
    } else {
      of[of.length - 1] += c;
    }
  }
  const name = type.slice(0, at), inner = of.map((t) => t.trim());
  return name === 'frozen' ? parts(inner[0]) : [name, inner];
}

function native(type, value) {
  if (value === null) {
    return null;
  }
  const [name, of] = parts(type);
  switch (name) {
    case 'tinyint': case 'smallint': case 'int':
      return parseInt(value, 10);
    case 'bigint':
      return types.Long.fromString(value);
    case 'varint':
      return types.Integer.fromString(value);
    case 'ascii': case 'text': case 'varchar': case 'boolean':
      return value;
    case 'blob':
      return Buffer.from(value, 'hex');
    case 'decimal': {
      const [unscaled, scale] = value.split('/');
      return new types.BigDecimal(types.Integer.fromString(unscaled), parseInt(scale, 10));
    }
    case 'float':
      return Buffer.from(value, 'hex').readFloatBE(0);
    case 'double':
      return Buffer.from(value, 'hex').readDoubleBE(0);
    case 'date':
      return new types.LocalDate(parseInt(value, 10));
    case 'time':
      return new types.LocalTime(types.Long.fromString(value));
    case 'timestamp':
      return new Date(parseInt(value, 10));
    case 'uuid':
      return types.Uuid.fromString(value);
    case 'timeuuid':
      return types.TimeUuid.fromString(value);
    case 'inet':
      return new types.InetAddress(Buffer.from(value, 'hex'));
    case 'duration': {
      const [months, days, nanos] = value.split(',');
      return new types.Duration(parseInt(months, 10), parseInt(days, 10), types.Long.fromString(nanos));
    }
    case 'list': case 'set':
      return value.map((v) => native(of[0], v));
    case 'vector':
      return new types.Vector(value.map((v) => native(of[0], v)), parts(of[0])[0]);
    case 'map':
      return new Map(value.map(([k, v]) => [native(of[0], k), native(of[1], v)]));
    case 'tuple':
      return types.Tuple.fromArray(value.map((v, i) => native(of[i], v)));
    default:
      return Object.fromEntries(FIELDS[name].map(([field, t], i) => [field, native(t, value[i])]));
  }
}

function hex(size, put) {
  const bytes = Buffer.alloc(size);
  put(bytes);
  return bytes.toString('hex');
}

function plain(type, value) {
  if (value === null || value === undefined) {
    return null;
  }
  const [name, of] = parts(type);
  switch (name) {
    case 'tinyint': case 'smallint': case 'int': case 'bigint': case 'varint':
      return value.toString();
    case 'ascii': case 'text': case 'varchar': case 'boolean':
      return value;
    case 'blob':
      return value.toString('hex');
    case 'decimal':
      return `${value.unscaledValue || value._intVal}/${value._scale}`;
    case 'float':
      return hex(4, (b) => b.writeFloatBE(value));
    case 'double':
      return hex(8, (b) => b.writeDoubleBE(value));
    case 'date':
      return daysOf(value);
    case 'time':
      return value.value ? value.value.toString() : value.getTotalNanoseconds().toString();
    case 'timestamp':
      return String(value.getTime());
    case 'uuid': case 'timeuuid':
      return value.toString();
    case 'inet':
      return value.getBuffer().toString('hex');
    case 'duration':
      return `${value.months},${value.days},${value.nanoseconds}`;
    case 'list': case 'set':
      return value.map((v) => plain(of[0], v));
    case 'vector':
      return Array.from(value, (v) => plain(of[0], v));
    case 'map':
      return Array.from(value.entries(), ([k, v]) => [plain(of[0], k), plain(of[1], v)]);
    case 'tuple':
      return of.map((t, i) => plain(t, value.get(i)));
    default:
      return FIELDS[name].map(([field, t]) => plain(t, value[field]));
  }
}

// A LocalDate outside of what Date can hold is a number of days, else a calendar date.
function daysOf(date) {
  return String(date._value === null ? Math.round(date.date.getTime() / 86400000) : date._value);
}

// ---- a mode ----

async function connect(command, options) {
  const client = new cassandra.Client(Object.assign({
    contactPoints: [`${command.host}:${command.port}`],
    localDataCenter: 'datacenter1',
    protocolOptions: { maxVersion: command.version },
    encoding: { map: Map, useUndefinedAsUnset: command.version >= 4 },
    policies: { reconnection: new cassandra.policies.reconnection.ConstantReconnectionPolicy(200) },
    socketOptions: { readTimeout: 30000 },
    refreshSchemaDelay: 0,
  }, options));
  await client.connect();
  return client;
}

const prepared = { prepare: true };
const first = async (client, query, values, options) =>
  (await client.execute(query, values, Object.assign({}, prepared, options))).first();

function * cases(skip) {
  for (const entry of TYPES.types) {
    for (const one of entry.cases) {
      if (!skip.includes(`${entry.table}.${one.name}`)) {
        yield [entry.table, entry.type, one];
      }
    }
  }
}

async function writeTypes(client, command) {
  const mode = command.mode;
  const insert = (table) => `INSERT INTO d.${table} (how, writer, name, v) VALUES (?, ?, ?, ?)`;
  const read = async (table, how, name) =>
    (await first(client, `SELECT v FROM d.${table} WHERE how = ? AND writer = ? AND name = ?`, [how, mode, name])).v;

  for (const [table, type, one] of cases(command.skip)) {
    await step(`bound.${table}.${one.name}`, async () => {
      await client.execute(insert(table), ['bound', mode, one.name, native(type, one.value)], prepared);
      return plain(type, await read(table, 'bound', one.name));
    });
    await step(`literal.${table}.${one.name}`, async () => {
      await client.execute(`INSERT INTO d.${table} (how, writer, name, v) VALUES ('literal', '${mode}', ` +
                           `'${one.name}', ${one.literal})`);
      return plain(type, await read(table, 'literal', one.name));
    });
  }
  for (const { table } of TYPES.types) {
    await step(`null.${table}`, async () => {
      await client.execute(insert(table), ['null', mode, 'null', null], prepared);
      return read(table, 'null', 'null');
    });
  }
  if (command.version >= 4) {
    await step('unset', async () => {
      await client.execute(insert('t_int'), ['unset', mode, 'n', 7], prepared);
      await client.execute(insert('t_int'), ['unset', mode, 'n', types.unset], prepared);
      return String(await read('t_int', 'unset', 'n'));
    });
  }
}

async function pages(client, mode) {
  const insert = 'INSERT INTO d.pages (writer, n, v) VALUES (?, ?, ?)';
  for (let n = 0; n < 100; n++) {
    await client.execute(insert, [mode, n, 'x'.repeat(n)], prepared);
  }
  const select = 'SELECT n FROM d.pages WHERE writer = ?';
  const page = (pageState) => client.execute(select, [mode], { prepare: true, fetchSize: 7, pageState });

  await step('page.sizes', async () => {
    const out = [];
    let result = await page();
    for (;;) {
      out.push(result.rows.length);
      if (!result.pageState) {
        return out;
      }
      result = await page(result.pageState);
    }
  });
  await step('page.rows', async () => {
    const out = [];
    const result = await client.execute(select, [mode], { prepare: true, fetchSize: 7 });
    for await (const row of result) {
      out.push(String(row.n));
    }
    return out;
  });
  await step('page.resumed', async () => (await page((await page()).pageState)).rows.map((r) => String(r.n)));
}

async function batches(client, mode) {
  const run = async (logged, rows) => {
    const insert = 'INSERT INTO d.batches (writer, n, v) VALUES (?, ?, ?)';
    const queries = rows.map(([n, v]) => ({ query: insert, params: [mode, n, v] }));
    await client.batch(queries, { prepare: true, logged });
    const got = await client.execute('SELECT n, v FROM d.batches WHERE writer = ? AND n >= ? AND n <= ?',
      [mode, rows[0][0], rows[rows.length - 1][0]], prepared);
    return got.rows.map((r) => [String(r.n), r.v]);
  };

  await step('batch.logged', () => run(true, [[1, 'one'], [2, 'two'], [3, 'three']]));
  await step('batch.unlogged', () => run(false, [[4, 'four'], [5, 'five']]));
}

async function conditions(client, mode) {
  const insert = 'INSERT INTO d.conditions (writer, v) VALUES (?, ?) IF NOT EXISTS';
  const update = 'UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?';
  const run = async (query, values) => {
    const result = await client.execute(query, values, prepared);
    const row = result.first();
    return [result.wasApplied()].concat(row.v === undefined ? [] : [String(row.v)]);
  };
  const batch = async (n, old) => [(await client.batch([{ query: update, params: [n, mode, old] }], prepared))
    .wasApplied()];

  await client.execute('DELETE FROM d.conditions WHERE writer = ?', [mode], prepared);
  await step('lwt.insert', () => run(insert, [mode, 1]));
  await step('lwt.insert.refused', () => run(insert, [mode, 5]));
  await step('lwt.update', () => run(update, [2, mode, 1]));
  await step('lwt.update.refused', () => run(update, [3, mode, 1]));
  await step('lwt.batch', () => batch(4, 2));
  await step('lwt.batch.refused', () => batch(5, 2));
  await step('lwt.delete', () => run('DELETE FROM d.conditions WHERE writer = ? IF EXISTS', [mode]));
  await step('lwt.read', () => first(client, 'SELECT v FROM d.conditions WHERE writer = ?', [mode]));
}

async function errors(client) {
  const code = (query) => client.execute(query).then(() => null, (e) => e.code);

  await step('error.syntax', () => code('SELEKT 1'));
  await step('error.invalid', () => code('SELECT nothing FROM d.pages'));
  await step('error.exists', () => code('CREATE TABLE d.pages (k int PRIMARY KEY)'));
}

async function large(client, mode) {
  await step('large', async () => {
    const wanted = Buffer.alloc(1000000);
    for (let i = 0; i < wanted.length; i++) {
      wanted[i] = Math.floor(i * i / 8);
    }
    await client.execute('INSERT INTO d.large (writer, v) VALUES (?, ?)', [mode, wanted], prepared);
    const { v } = await first(client, 'SELECT v FROM d.large WHERE writer = ?', [mode]);
    return [v.length, v.equals(wanted)];
  });
  await step('many', async () => {
    const values = Array.from({ length: 500 }, (_, n) => [mode, n, n]);
    const result = await cassandra.concurrent.executeConcurrent(client,
      'INSERT INTO d.many (writer, n, v) VALUES (?, ?, ?)', values, { concurrencyLevel: 100 });
    if (result.errors.length) {
      throw result.errors[0];
    }
    return String((await first(client, 'SELECT count(*) AS n FROM d.many WHERE writer = ?', [mode])).n);
  });
}

// What the first session learns of what a second one does to the schema.
async function events(client, command) {
  const name = 'e_' + command.mode.replace(/-/g, '_');
  const keyspace = () => client.metadata.keyspaces[name];
  const table = () => client.metadata.getTable(name, 't');
  const type = async () => {
    try {
      return await client.metadata.getUdt(name, 'u');
    } catch (e) {
      return null;
    }
  };
  const steps = [
    ['created keyspace', `CREATE KEYSPACE ${name} WITH replication = ` +
      "{'class': 'SimpleStrategy', 'replication_factor': 1}", () => keyspace()],
    ['created type u', `CREATE TYPE ${name}.u (a int)`, type],
    ['created table t', `CREATE TABLE ${name}.t (k int PRIMARY KEY)`, table],
    ['updated table t', `ALTER TABLE ${name}.t ADD v int`, async () => (await table()).columnsByName.v],
    ['updated type u', `ALTER TYPE ${name}.u ADD b text`, async () => (await type()).fields.length === 2],
    ['updated keyspace', `ALTER KEYSPACE ${name} WITH durable_writes = false`, () => !keyspace().durableWrites],
    ['dropped table t', `DROP TABLE ${name}.t`, async () => !(await table())],
    ['dropped type u', `DROP TYPE ${name}.u`, async () => !(await type())],
    ['dropped keyspace', `DROP KEYSPACE ${name}`, () => !keyspace()],
  ];

  await step('events', async () => {
    const other = await connect(command, { isMetadataSyncEnabled: false });
    const out = [];
    await other.execute(`DROP KEYSPACE IF EXISTS ${name}`);
    for (const [what, statement, happened] of steps) {
      await other.execute(statement);
      const deadline = Date.now() + 10000;
      let seen = await happened();
      while (!seen && Date.now() < deadline) {
        await sleep(10);
        seen = await happened();
      }
      if (seen) {
        out.push(what);
      }
    }
    await other.shutdown();
    return out;
  });
}

const column = (c) => ({ name: c.name, type: typeName(c.type), static: !!c.isStatic });

function typeName(type) {
  const frozen = (text) => (type.options && type.options.frozen ? `frozen<${text}>` : text);
  const { dataTypes } = types;
  switch (type.code) {
    case dataTypes.list: case dataTypes.set:
      return frozen(`${type.code === dataTypes.list ? 'list' : 'set'}<${typeName(type.info)}>`);
    case dataTypes.map: case dataTypes.tuple:
      return frozen(`${type.code === dataTypes.map ? 'map' : 'tuple'}<${type.info.map(typeName).join(', ')}>`);
    case dataTypes.udt:
      return frozen(type.info.name);
    case dataTypes.custom:
      return typeof type.info === 'string' || !type.info ? `custom ${type.info}` : `custom ${JSON.stringify(type.info)}`;
    default:
      return types.getDataTypeNameByCode(type);
  }
}

async function metadata(client) {
  await client.metadata.refreshKeyspaces();
  const meta = client.metadata.keyspaces.meta;
  const out = { durableWrites: meta.durableWrites, strategy: meta.strategy, strategyOptions: meta.strategyOptions,
                types: {}, tables: {} };
  for (const name of ['address', 'person']) {
    out.types[name] = (await client.metadata.getUdt('meta', name)).fields.map(column);
  }
  for (const name of ['simple', 'wide', 'Quoted', 'all_types', 'altered']) {
    const table = await client.metadata.getTable('meta', name);
    const options = {};
    for (const [key, value] of Object.entries(table)) {
      if (!['columns', 'columnsByName', 'partitionKeys', 'clusteringKeys', 'name', 'indexes'].includes(key) &&
          typeof value !== 'function' && !key.startsWith('_')) {
        options[key] = value;
      }
    }
    out.tables[name] = { columns: table.columns.map(column), partitionKeys: table.partitionKeys.map((c) => c.name),
                         clusteringKeys: table.clusteringKeys.map((c) => c.name),
                         clusteringOrder: table.clusteringOrder, indexes: table.indexes.map((i) => i.name), options };
  }
  return out;
}

async function counted(client) {
  const result = await client.execute('SELECT driver_name, driver_version, protocol_version, client_options FROM ' +
                                      'system_views.clients');
  return result.rows.map((r) => [r.driver_name, r.driver_version, r.protocol_version,
    Object.fromEntries(r.client_options || [])]);
}

async function run(command) {
  const client = await connect(command);
  await writeTypes(client, command);
  await pages(client, command.mode);
  await batches(client, command.mode);
  await conditions(client, command.mode);
  await errors(client);
  await large(client, command.mode);
  await events(client, command);
  await step('metadata', () => metadata(client));
  await step('clients', () => counted(client));
  await client.shutdown();
}

async function read(command) {
  const client = await connect(command);
  for (const entry of TYPES.types) {
    await step(`read.${entry.table}`, async () => {
      const result = await client.execute(`SELECT writer, name, v FROM d.${entry.table} WHERE how = 'bound'`, [],
        prepared);
      return result.rows.filter((r) => !command.skip.includes(`${entry.table}.${r.name}`)).map((r) => [r.writer, r.name,
        plain(entry.type, r.v)]);
    });
  }
  await client.shutdown();
}

const survivors = {};
const SELECT = 'SELECT v FROM d.conditions WHERE writer = ?';
const INSERT = 'INSERT INTO d.conditions (writer, v) VALUES (?, ?)';

async function prepare(command) {
  await step('before', async () => {
    const client = survivors[command.mode] = await connect(command);
    await client.execute(INSERT, [command.mode, 1], prepared);
    return String((await first(client, SELECT, [command.mode])).v);
  });
}

async function survive(command) {
  await step('after', async () => {
    const client = survivors[command.mode], deadline = Date.now() + 30000;
    let before;
    while (!before) {
      try {
        before = await first(client, SELECT, [command.mode]);
      } catch (e) {
        if (Date.now() > deadline) {
          throw e;
        }
        await sleep(100);
      }
    }
    await client.execute(INSERT, [command.mode, 2], prepared);
    await step('clients', () => counted(client));
    return [String(before.v), String((await first(client, SELECT, [command.mode])).v)];
  });
}

const kept = {};

function readOf(value) {
  if (value === null || value === undefined) {
    return null;
  }
  return typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([name, v]) => [name, readOf(v)])) : String(value);
}

// A statement that a session prepares once and goes on with, whatever becomes of its table.
async function keep(command) {
  kept[command.mode] = kept[command.mode] || await connect(command);
  await step('kept', async () => {
    const result = await kept[command.mode].execute(command.statement, command.values, prepared);
    return (result.rows || []).map((row) => row.keys().map((name) => [name, readOf(row[name])]));
  });
}

// What the server shows of a session with TLS.
async function secure(command) {
  await step('secure', async () => {
    const tls = command.tls, version = `TLSv${tls.version}`;
    const sslOptions = { ca: [fs.readFileSync(tls.ca)], minVersion: version, maxVersion: version, rejectUnauthorized: true };
    if (tls.certificate) {
      Object.assign(sslOptions, { cert: fs.readFileSync(tls.certificate), key: fs.readFileSync(tls.key) });
    }
    const client = await connect(command, { sslOptions });
    try {
      const result = await client.execute('SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients');
      return result.rows.map((row) => row.values());
    } finally {
      await client.shutdown();
    }
  });
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    try {
      await { run, read, prepare, survive, keep, secure }[command.do](command);
    } catch (e) {
      write({ fact: command.do, error: String(e.stack || e) });
    }
    write({ done: true });
  }
  await Promise.all([...Object.values(survivors), ...Object.values(kept)].map((client) => client.shutdown()));
}

main();
