package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// listener gets the schema events of a session, and a token in frames after an EVENT of the server.
type listener struct {
	events chan string
	frames chan struct{}
}

func newListener() *listener {
	return &listener{events: make(chan string, 100), frames: make(chan struct{}, 1)}
}

func (l *listener) register(cluster *gocql.ClusterConfig) {
	cluster.Metadata.SchemaListener = gocql.SchemaListenersConfig{KeyspaceChangeListener: l, TableChangeListener: l,
		UserTypeChangeListener: l}
	cluster.FrameHeaderObserver = l
}

// ObserveFrameHeader hears of every frame of the session's connections; an EVENT is the answer to no stream.
func (l *listener) ObserveFrameHeader(_ context.Context, header gocql.ObservedFrameHeader) {
	if header.Stream != -1 {
		return
	}
	select {
	case l.frames <- struct{}{}:
	default:
	}
}

func (l *listener) OnKeyspaceCreated(e gocql.OnKeyspaceCreatedEvent) {
	l.events <- e.Keyspace.Name + " created keyspace"
}
func (l *listener) OnKeyspaceUpdated(e gocql.OnKeyspaceUpdatedEvent) {
	l.events <- e.New.Name + " updated keyspace"
}
func (l *listener) OnKeyspaceDropped(e gocql.OnKeyspaceDroppedEvent) {
	l.events <- e.Keyspace.Name + " dropped keyspace"
}
func (l *listener) OnTableCreated(e gocql.OnTableCreatedEvent) {
	l.events <- e.Table.Keyspace + " created table " + e.Table.Name
}
func (l *listener) OnTableUpdated(e gocql.OnTableUpdatedEvent) {
	l.events <- e.New.Keyspace + " updated table " + e.New.Name
}
func (l *listener) OnTableDropped(e gocql.OnTableDroppedEvent) {
	l.events <- e.Table.Keyspace + " dropped table " + e.Table.Name
}
func (l *listener) OnUserTypeCreated(e gocql.OnUserTypeCreatedEvent) {
	l.events <- e.UserType.Keyspace + " created type " + e.UserType.Name
}
func (l *listener) OnUserTypeUpdated(e gocql.OnUserTypeUpdatedEvent) {
	l.events <- e.New.Keyspace + " updated type " + e.New.Name
}
func (l *listener) OnUserTypeDropped(e gocql.OnUserTypeDroppedEvent) {
	l.events <- e.UserType.Keyspace + " dropped type " + e.UserType.Name
}

// refreshPatience is for the second of silence that the driver waits for, and its reading of the schema.
const refreshPatience = 10 * time.Second

// watch changes the schema from a second session and says what the first one heard.
//
// The driver does not hand on the server's events: each, whatever it is about, sets one timer to a second anew, and when
// it has run out the driver reads the whole schema and tells what is different (v2.1.2: handleEvent in events.go,
// refreshDebouncer.debounce in host_source.go, whose schemaRefreshDebounceTime nobody can set; refreshSchemas in
// metadata.go). As long as anybody changes the schema more often than once a second it tells nothing, without end, and
// the other clients of the matrix do. So patience begins with the latest event that came, not with the change.
func (l *listener) watch(c command) ([]string, error) {
	name := "e_" + strings.ReplaceAll(c.Mode, "-", "_")
	other, err := connect(c, func(cluster *gocql.ClusterConfig) { cluster.Metadata.CacheMode = gocql.Disabled })
	if err != nil {
		return nil, err
	}
	defer other.Close()
	heard := []string{}
	for _, statement := range []string{
		"DROP KEYSPACE IF EXISTS %s",
		"CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TYPE %s.u (a int)", "CREATE TABLE %s.t (k int PRIMARY KEY)", "ALTER TABLE %s.t ADD v int",
		"ALTER TYPE %s.u ADD b text", "ALTER KEYSPACE %s WITH durable_writes = false", "DROP TABLE %s.t", "DROP TYPE %s.u",
		"DROP KEYSPACE %s",
	} {
		if err := other.Query(fmt.Sprintf(statement, name)).Exec(); err != nil {
			return nil, err
		}
		// Of a keyspace that was not there nothing is heard; of everything else, one thing.
		patience := time.After(refreshPatience)
		for waiting := !strings.HasPrefix(statement, "DROP KEYSPACE IF"); waiting; {
			select {
			case event := <-l.events:
				if strings.HasPrefix(event, name+" ") {
					heard, waiting = append(heard, event[len(name)+1:]), false
				}
			case <-l.frames:
				patience = time.After(refreshPatience)
			case <-patience:
				return heard, nil
			}
		}
	}
	return heard, nil
}

func column(c *gocql.ColumnMetadata) map[string]interface{} {
	return map[string]interface{}{"name": c.Name, "kind": c.Kind.String(), "component": c.ComponentIndex,
		"validator": c.Validator, "type": fmt.Sprint(c.Type), "order": c.ClusteringOrder, "descending": bool(c.Order),
		"index": c.Index.Name}
}

func names(columns []*gocql.ColumnMetadata) []string {
	out := []string{}
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

func metadata(session *gocql.Session) (interface{}, error) {
	meta, err := session.KeyspaceMetadata("meta")
	if err != nil {
		return nil, err
	}
	tables, userTypes := map[string]interface{}{}, map[string]interface{}{}
	for name, table := range meta.Tables {
		columns := map[string]interface{}{}
		for column_name, c := range table.Columns {
			columns[column_name] = column(c)
		}
		tables[name] = map[string]interface{}{"name": table.Name, "keyspace": table.Keyspace, "columns": columns,
			"order": table.OrderedColumns, "partition_key": names(table.PartitionKey),
			"clustering": names(table.ClusteringColumns), "key_validator": table.KeyValidator,
			"comparator": table.Comparator, "default_validator": table.DefaultValidator,
			"key_aliases": table.KeyAliases, "column_aliases": table.ColumnAliases, "value_alias": table.ValueAlias}
	}
	for name, t := range meta.UserTypes {
		fields := []string{}
		for _, f := range t.FieldTypes {
			fields = append(fields, fmt.Sprint(f))
		}
		userTypes[name] = map[string]interface{}{"name": t.Name, "fields": t.FieldNames, "types": fields}
	}
	return map[string]interface{}{"name": meta.Name, "durable_writes": meta.DurableWrites, "strategy": meta.StrategyClass,
		"options": meta.StrategyOptions, "tables": tables, "types": userTypes, "functions": len(meta.Functions),
		"aggregates": len(meta.Aggregates), "views": len(meta.MaterializedViews)}, nil
}
