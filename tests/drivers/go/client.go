// The Go client of the matrix: commands in, facts out (tests/drivers/matrix.py, types.json).
package main

import (
	"bufio"
	"crypto/tls"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/apache/cassandra-gocql-driver/v2/lz4"
	"github.com/apache/cassandra-gocql-driver/v2/snappy"
)

type command struct {
	Do, Mode, Compression, Host, Statement string
	Version, Port                          int
	Skip                                   []string
	Values                                 []interface{}
	Tls                                    struct{ Ca, Certificate, Key, Version string }
}

type oneCase struct {
	Name, Literal string
	Value         interface{}
}

type oneType struct {
	Table, Type string
	Cases       []oneCase
}

var types struct{ Types []oneType }

var out sync.Mutex

func write(object map[string]interface{}) {
	out.Lock()
	defer out.Unlock()
	line, err := json.Marshal(object)
	if err != nil {
		line, _ = json.Marshal(map[string]interface{}{"fact": object["fact"], "error": err.Error()})
	}
	fmt.Println(string(line))
}

// step says one fact, or why it could not be found out.
func step(fact string, work func() (interface{}, error)) {
	defer func() {
		if e := recover(); e != nil {
			write(map[string]interface{}{"fact": fact, "error": fmt.Sprint(e)})
		}
	}()
	value, err := work()
	if err != nil {
		write(map[string]interface{}{"fact": fact, "error": err.Error()})
		return
	}
	write(map[string]interface{}{"fact": fact, "value": value})
}

// ---- a mode ----

func connect(c command, change func(*gocql.ClusterConfig)) (*gocql.Session, error) {
	cluster := gocql.NewCluster(c.Host)
	cluster.Port = c.Port
	cluster.ProtoVersion = c.Version
	cluster.Timeout = 30 * time.Second
	cluster.ConnectTimeout = 10 * time.Second
	cluster.ReconnectInterval = 2 * time.Second
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 5, Interval: 100 * time.Millisecond}
	cluster.Consistency = gocql.One
	switch c.Compression {
	case "lz4":
		cluster.Compressor = lz4.LZ4Compressor{}
	case "snappy":
		cluster.Compressor = snappy.SnappyCompressor{}
	}
	if change != nil {
		change(cluster)
	}
	return cluster.CreateSession()
}

func skips(c command, entry oneType, name string) bool {
	for _, one := range c.Skip {
		if one == entry.Table+"."+name {
			return true
		}
	}
	return false
}

func writeTypes(session *gocql.Session, c command) {
	for _, entry := range types.Types {
		t, table := parse(entry.Type), entry.Table
		write := func(how, name string, value interface{}) error {
			marker, values := t.bound(value)
			return session.Query("INSERT INTO d."+table+" (how, writer, name, v) VALUES (?, ?, ?, "+marker+")",
				append([]interface{}{how, c.Mode, name}, values...)...).Exec()
		}
		read := func(how, name string) (interface{}, error) {
			dest := t.dest()
			err := session.Query("SELECT v FROM d."+entry.Table+" WHERE how = ? AND writer = ? AND name = ?", how, c.Mode,
				name).Scan(dest...)
			if err != nil {
				return nil, err
			}
			return t.plainDest(dest), nil
		}
		for _, one := range entry.Cases {
			one := one
			if skips(c, entry, one.Name) {
				continue
			}
			step("bound."+entry.Table+"."+one.Name, func() (interface{}, error) {
				if err := write("bound", one.Name, one.Value); err != nil {
					return nil, err
				}
				return read("bound", one.Name)
			})
			step("literal."+entry.Table+"."+one.Name, func() (interface{}, error) {
				statement := fmt.Sprintf("INSERT INTO d.%s (how, writer, name, v) VALUES ('literal', '%s', '%s', %s)",
					entry.Table, c.Mode, one.Name, one.Literal)
				if err := session.Query(statement).Exec(); err != nil {
					return nil, err
				}
				return read("literal", one.Name)
			})
		}
		step("null."+entry.Table, func() (interface{}, error) {
			if err := write("null", "null", nil); err != nil {
				return nil, err
			}
			return read("null", "null")
		})
	}
	if c.Version < 4 {
		return
	}
	step("unset", func() (interface{}, error) {
		insert := "INSERT INTO d.t_int (how, writer, name, v) VALUES ('unset', ?, 'n', ?)"
		for _, value := range []interface{}{7, gocql.UnsetValue} {
			if err := session.Query(insert, c.Mode, value).Exec(); err != nil {
				return nil, err
			}
		}
		var n int
		err := session.Query("SELECT v FROM d.t_int WHERE how = 'unset' AND writer = ? AND name = 'n'", c.Mode).Scan(&n)
		return fmt.Sprint(n), err
	})
}

func pages(session *gocql.Session, mode string) {
	for n := 0; n < 100; n++ {
		if err := session.Query("INSERT INTO d.pages (writer, n, v) VALUES (?, ?, ?)", mode, n,
			strings.Repeat("x", n)).Exec(); err != nil {
			return
		}
	}
	page := func(state []byte) ([]string, []byte, error) {
		iter := session.Query("SELECT n FROM d.pages WHERE writer = ?", mode).PageSize(7).PageState(state).Iter()
		next, rows := iter.PageState(), []string{}
		scanner := iter.Scanner()
		for scanner.Next() {
			var n int
			if err := scanner.Scan(&n); err != nil {
				return nil, nil, err
			}
			rows = append(rows, fmt.Sprint(n))
		}
		return rows, next, scanner.Err()
	}
	step("page.sizes", func() (interface{}, error) {
		sizes := []int{}
		for state := []byte(nil); ; {
			rows, next, err := page(state)
			if err != nil {
				return nil, err
			}
			sizes = append(sizes, len(rows))
			if len(next) == 0 {
				return sizes, nil
			}
			state = next
		}
	})
	step("page.rows", func() (interface{}, error) {
		rows := []string{}
		iter := session.Query("SELECT n FROM d.pages WHERE writer = ?", mode).PageSize(7).Iter()
		for n := 0; iter.Scan(&n); {
			rows = append(rows, fmt.Sprint(n))
		}
		return rows, iter.Close()
	})
	step("page.resumed", func() (interface{}, error) {
		_, next, err := page(nil)
		if err != nil {
			return nil, err
		}
		rows, _, err := page(next)
		return rows, err
	})
}

func batches(session *gocql.Session, mode string) {
	words := []string{"", "one", "two", "three", "four", "five"}
	run := func(kind gocql.BatchType, least, most int) (interface{}, error) {
		batch := session.Batch(kind)
		for n := least; n < most; n++ {
			batch.Query("INSERT INTO d.batches (writer, n, v) VALUES (?, ?, ?)", mode, n, words[n])
		}
		// Without values the driver sends the text, unprepared.
		batch.Query(fmt.Sprintf("INSERT INTO d.batches (writer, n, v) VALUES ('%s', %d, '%s')", mode, most, words[most]))
		if err := batch.Exec(); err != nil {
			return nil, err
		}
		rows, n, v := [][]string{}, 0, ""
		iter := session.Query("SELECT n, v FROM d.batches WHERE writer = ? AND n >= ? AND n <= ?", mode, least, most).Iter()
		for iter.Scan(&n, &v) {
			rows = append(rows, []string{fmt.Sprint(n), v})
		}
		return rows, iter.Close()
	}
	step("batch.logged", func() (interface{}, error) { return run(gocql.LoggedBatch, 1, 3) })
	step("batch.unlogged", func() (interface{}, error) { return run(gocql.UnloggedBatch, 4, 5) })
}

func conditions(session *gocql.Session, mode string) {
	const insert = "INSERT INTO d.conditions (writer, v) VALUES (?, ?) IF NOT EXISTS"
	const update = "UPDATE d.conditions SET v = ? WHERE writer = ? IF v = ?"
	run := func(fact, statement string, values ...interface{}) {
		step(fact, func() (interface{}, error) {
			row := map[string]interface{}{}
			applied, err := session.Query(statement, values...).SerialConsistency(gocql.LocalSerial).MapScanCAS(row)
			if v, ok := row["v"]; ok && !applied {
				return []interface{}{applied, fmt.Sprint(v)}, err
			}
			return []interface{}{applied}, err
		})
	}
	batch := func(fact string, old, new int) {
		step(fact, func() (interface{}, error) {
			row := map[string]interface{}{}
			applied, iter, err := session.Batch(gocql.LoggedBatch).Query(update, new, mode, old).MapExecCAS(row)
			if err != nil {
				return nil, err
			}
			return []interface{}{applied}, iter.Close()
		})
	}
	if err := session.Query("DELETE FROM d.conditions WHERE writer = ?", mode).Exec(); err != nil {
		return
	}
	run("lwt.insert", insert, mode, 1)
	run("lwt.insert.refused", insert, mode, 5)
	run("lwt.update", update, 2, mode, 1)
	run("lwt.update.refused", update, 3, mode, 1)
	batch("lwt.batch", 2, 4)
	batch("lwt.batch.refused", 2, 5)
	run("lwt.delete", "DELETE FROM d.conditions WHERE writer = ? IF EXISTS", mode)
	step("lwt.read", func() (interface{}, error) {
		var v int
		err := session.Query("SELECT v FROM d.conditions WHERE writer = ?", mode).Consistency(gocql.Serial).Scan(&v)
		if errors.Is(err, gocql.ErrNotFound) {
			return nil, nil
		}
		return v, err
	})
}

func refusals(session *gocql.Session) {
	code := func(fact, statement string) {
		step(fact, func() (interface{}, error) {
			var refused gocql.RequestError
			if err := session.Query(statement).Exec(); errors.As(err, &refused) {
				return refused.Code(), nil
			} else {
				return nil, err
			}
		})
	}
	code("error.syntax", "SELEKT 1")
	code("error.invalid", "SELECT nothing FROM d.pages")
	code("error.exists", "CREATE TABLE d.pages (k int PRIMARY KEY)")
}

func large(session *gocql.Session, mode string) {
	step("large", func() (interface{}, error) {
		wanted := make([]byte, 1000000)
		for i := range wanted {
			wanted[i] = byte(i * i >> 3)
		}
		if err := session.Query("INSERT INTO d.large (writer, v) VALUES (?, ?)", mode, wanted).Exec(); err != nil {
			return nil, err
		}
		var got []byte
		err := session.Query("SELECT v FROM d.large WHERE writer = ?", mode).Scan(&got)
		return []interface{}{len(got), bytes.Equal(got, wanted)}, err
	})
	step("many", func() (interface{}, error) {
		failures := make(chan error, 100)
		for worker := 0; worker < 100; worker++ {
			go func(worker int) {
				for n := worker; n < 500; n += 100 {
					if err := session.Query("INSERT INTO d.many (writer, n, v) VALUES (?, ?, ?)", mode, n, n).Exec(); err != nil {
						failures <- err
						return
					}
				}
				failures <- nil
			}(worker)
		}
		for worker := 0; worker < 100; worker++ {
			if err := <-failures; err != nil {
				return nil, err
			}
		}
		var n int64
		err := session.Query("SELECT count(*) FROM d.many WHERE writer = ?", mode).Scan(&n)
		return fmt.Sprint(n), err
	})
}

func counted(session *gocql.Session) (interface{}, error) {
	rows := [][]interface{}{}
	iter := session.Query("SELECT driver_name, driver_version, protocol_version, client_options FROM system_views.clients").Iter()
	for {
		var name, release *string
		var version *int
		var options map[string]string
		if !iter.Scan(&name, &release, &version, &options) {
			return rows, iter.Close()
		}
		rows = append(rows, []interface{}{name, release, version, options})
	}
}

func run(c command) error {
	seen := newListener()
	session, err := connect(c, func(cluster *gocql.ClusterConfig) { seen.register(cluster) })
	if err != nil {
		return err
	}
	defer session.Close()
	writeTypes(session, c)
	pages(session, c.Mode)
	batches(session, c.Mode)
	conditions(session, c.Mode)
	refusals(session)
	large(session, c.Mode)
	step("events", func() (interface{}, error) { return seen.watch(c) })
	step("metadata", func() (interface{}, error) { return metadata(session) })
	step("clients", func() (interface{}, error) { return counted(session) })
	return nil
}

func read(c command) error {
	session, err := connect(c, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, entry := range types.Types {
		entry := entry
		step("read."+entry.Table, func() (interface{}, error) {
			t, rows := parse(entry.Type), [][]interface{}{}
			scanner := session.Query("SELECT writer, name, v FROM d." + entry.Table + " WHERE how = 'bound'").Iter().Scanner()
			for scanner.Next() {
				var writer, name string
				dest := t.dest()
				if err := scanner.Scan(append([]interface{}{&writer, &name}, dest...)...); err != nil {
					return nil, err
				}
				if !skips(c, entry, name) {
					rows = append(rows, []interface{}{writer, name, t.plainDest(dest)})
				}
			}
			return rows, scanner.Err()
		})
	}
	return nil
}

var survivors = map[string]*gocql.Session{}

func prepare(c command) error {
	session, err := connect(c, nil)
	if err != nil {
		return err
	}
	survivors[c.Mode] = session
	step("before", func() (interface{}, error) {
		var v int
		if err := session.Query("INSERT INTO d.conditions (writer, v) VALUES (?, ?)", c.Mode, 1).Exec(); err != nil {
			return nil, err
		}
		err := session.Query("SELECT v FROM d.conditions WHERE writer = ?", c.Mode).Scan(&v)
		return fmt.Sprint(v), err
	})
	return nil
}

func survive(c command) error {
	session := survivors[c.Mode]
	step("after", func() (interface{}, error) {
		var before, after int
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			err := session.Query("SELECT v FROM d.conditions WHERE writer = ?", c.Mode).Scan(&before)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return nil, err
			}
		}
		if err := session.Query("INSERT INTO d.conditions (writer, v) VALUES (?, ?)", c.Mode, 2).Exec(); err != nil {
			return nil, err
		}
		err := session.Query("SELECT v FROM d.conditions WHERE writer = ?", c.Mode).Scan(&after)
		return []string{fmt.Sprint(before), fmt.Sprint(after)}, err
	})
	step("clients", func() (interface{}, error) { return counted(session) })
	return nil
}

var kept = map[string]*gocql.Session{}

func readOf(value interface{}) interface{} {
	switch v := value.(type) {
	case nil:
		return nil
	case *string:
		if v == nil {
			return nil
		}
		return *v
	case *int:
		if v == nil {
			return nil
		}
		return fmt.Sprint(*v)
	case map[string]interface{}:
		fields := map[string]interface{}{}
		for name, field := range v {
			fields[name] = readOf(field)
		}
		return fields
	}
	return fmt.Sprint(value)
}

// keep goes on with a statement that its session prepares once, whatever becomes of its table.
func keep(c command) error {
	session := kept[c.Mode]
	if session == nil {
		var err error
		if session, err = connect(c, nil); err != nil {
			return err
		}
		kept[c.Mode] = session
	}
	step("kept", func() (interface{}, error) {
		values := make([]interface{}, len(c.Values))
		for i, value := range c.Values {
			if n, isNumber := value.(float64); isNumber {
				values[i] = int(n)
			} else {
				values[i] = value
			}
		}
		iter, rows := session.Query(c.Statement, values...).Iter(), [][][2]interface{}{}
		for {
			dest, row := []interface{}{}, [][2]interface{}{}
			for _, column := range iter.Columns() {
				switch column.TypeInfo.Type() {
				case gocql.TypeInt:
					dest = append(dest, new(*int))
				case gocql.TypeUDT:
					dest = append(dest, &map[string]interface{}{})
				default:
					dest = append(dest, new(*string))
				}
			}
			if len(dest) == 0 || !iter.Scan(dest...) {
				return rows, iter.Close()
			}
			for i, column := range iter.Columns() {
				switch v := dest[i].(type) {
				case **int:
					row = append(row, [2]interface{}{column.Name, readOf(*v)})
				case **string:
					row = append(row, [2]interface{}{column.Name, readOf(*v)})
				case *map[string]interface{}:
					row = append(row, [2]interface{}{column.Name, readOf(*v)})
				}
			}
			rows = append(rows, row)
		}
	})
	return nil
}

// secure says what the server shows of a session with TLS.
func secure(c command) error {
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[c.Tls.Version]
	session, err := connect(c, func(cluster *gocql.ClusterConfig) {
		cluster.SslOpts = &gocql.SslOptions{CaPath: c.Tls.Ca, CertPath: c.Tls.Certificate, KeyPath: c.Tls.Key,
			EnableHostVerification: true, Config: &tls.Config{MinVersion: version, MaxVersion: version}}
	})
	if err != nil {
		return err
	}
	defer session.Close()
	step("secure", func() (interface{}, error) {
		iter, rows := session.Query("SELECT ssl_enabled, ssl_protocol, ssl_cipher_suite FROM system_views.clients").Iter(), [][]interface{}{}
		var enabled bool
		var protocol, cipher string
		for iter.Scan(&enabled, &protocol, &cipher) {
			rows = append(rows, []interface{}{enabled, protocol, cipher})
		}
		return rows, iter.Close()
	})
	return nil
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = json.Unmarshal(text, &types)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		if err == nil {
			err = map[string]func(command) error{"run": run, "read": read, "prepare": prepare, "survive": survive, "keep": keep, "secure": secure}[c.Do](c)
		}
		if err != nil {
			write(map[string]interface{}{"fact": c.Do, "error": err.Error()})
		}
		write(map[string]interface{}{"done": true})
	}
	for _, sessions := range []map[string]*gocql.Session{survivors, kept} {
		for _, session := range sessions {
			session.Close()
		}
	}
}
