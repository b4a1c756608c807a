/* The system keyspaces of Cassandra 5.0.5, recorded from its DESCRIBE FULL SCHEMA (ids from
 * system_schema.tables); options that are the default are left out. The texts of a keyspace stand
 * behind it. And the two that Amazon Keyspaces has besides; their tables' ids are made as
 * Cassandra's are, of their names.
 *
 * As CQL, and parsed at each start, which takes a few milliseconds: so these tables are made by the
 * same code as a client's, and are described, read and checked like them. Drivers and tools read
 * them with the columns that Cassandra has, whether anything stands in them or not. */
#include "catalog/system_tables.h"

#include <stddef.h>

const char *const system_definitions[] = {
    /* What a node keeps of itself. Drivers read local and peers when they connect; the others are
     * empty here, and there because tools ask for them. */
    "CREATE KEYSPACE system WITH replication = {'class': 'LocalStrategy'}",
    "CREATE TABLE system.available_ranges (keyspace_name text PRIMARY KEY, ranges set<blob>) WITH comment = "
    "'available keyspace/ranges during bootstrap/replace that are ready to be served' AND gc_grace_seconds = 0 AND "
    "memtable_flush_period_in_ms = 3600000 AND id = 'c539fcab-d65a-31d1-8133-d25605643ee3'",
    "CREATE TABLE system.available_ranges_v2 (keyspace_name text PRIMARY KEY, full_ranges set<blob>, transient_ranges "
    "set<blob>) WITH comment = 'available keyspace/ranges during bootstrap/replace that are ready to be served' AND "
    "gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = '4224a088-2ac9-3d0c-889d-fbb5f0facda0'",
    "CREATE TABLE system.batches (id timeuuid PRIMARY KEY, version int, mutations list<blob>) WITH comment = 'batches "
    "awaiting replay' AND compaction = {'class': 'org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy', "
    "'max_threshold': '32', 'min_threshold': '2'} AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 "
    "AND id = '919a4bc5-7a33-3573-b03e-13fc3f68b465'",
    "CREATE TABLE system.built_views (keyspace_name text, view_name text, status_replicated boolean, PRIMARY KEY "
    "(keyspace_name, view_name)) WITH comment = 'built views' AND gc_grace_seconds = 0 AND "
    "memtable_flush_period_in_ms = 3600000 AND id = '4b3c50a9-ea87-3d76-9101-6dbc9c38494a'",
    "CREATE TABLE system.compaction_history (id timeuuid PRIMARY KEY, bytes_in bigint, bytes_out bigint, "
    "columnfamily_name text, compacted_at timestamp, compaction_properties frozen<map<text, text>>, keyspace_name "
    "text, rows_merged map<int, bigint>) WITH comment = 'week-long compaction history' AND default_time_to_live = "
    "604800 AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'b4dbb7b4-dc49-3fb5-b3bf-ce6e434832ca'",
    "CREATE TABLE system.\"IndexInfo\" (table_name text, index_name text, value blob, PRIMARY KEY (table_name, "
    "index_name)) WITH comment = 'built column indexes' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = "
    "3600000 AND id = '9f5c6374-d485-3229-9a0a-5094af9ad1e3'",
    "CREATE TABLE system.local (key text PRIMARY KEY, bootstrapped text, broadcast_address inet, broadcast_port int, "
    "cluster_name text, cql_version text, data_center text, gossip_generation int, host_id uuid, listen_address inet, "
    "listen_port int, native_protocol_version text, partitioner text, rack text, release_version text, rpc_address "
    "inet, rpc_port int, schema_version uuid, tokens set<text>, truncated_at map<uuid, blob>) WITH comment = "
    "'information about the local node' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'7ad54392-bcdd-35a6-8417-4e047860b377'",
    "CREATE TABLE system.paxos (row_key blob, cf_id uuid, in_progress_ballot timeuuid, in_progress_read_ballot "
    "timeuuid, most_recent_commit blob, most_recent_commit_at timeuuid, most_recent_commit_version int, proposal "
    "blob, proposal_ballot timeuuid, proposal_version int, PRIMARY KEY (row_key, cf_id)) WITH comment = 'in-progress "
    "paxos proposals' AND compaction = {'class': 'org.apache.cassandra.db.compaction.LeveledCompactionStrategy', "
    "'max_threshold': '32', 'min_threshold': '4'} AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 "
    "AND id = 'b7b7f0c2-fd0a-3410-8c05-3ef614bb7c2d'",
    "CREATE TABLE system.paxos_repair_history (keyspace_name text, table_name text, points "
    "frozen<list<frozen<tuple<blob, timeuuid>>>>, PRIMARY KEY (keyspace_name, table_name)) WITH comment = 'paxos "
    "repair history' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'ecb86667-40b2-3316-bb91-e612c8047457'",
    "CREATE TABLE system.peer_events (peer inet PRIMARY KEY, hints_dropped map<timeuuid, int>) WITH comment = 'events "
    "related to peers' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'59dfeaea-8db2-3341-91ef-109974d81484'",
    "CREATE TABLE system.peer_events_v2 (peer inet, peer_port int, hints_dropped map<timeuuid, int>, PRIMARY KEY "
    "(peer, peer_port)) WITH comment = 'events related to peers' AND gc_grace_seconds = 0 AND "
    "memtable_flush_period_in_ms = 3600000 AND id = '0e65065f-e401-38ed-9507-b9213fae8d11'",
    "CREATE TABLE system.peers (peer inet PRIMARY KEY, data_center text, host_id uuid, preferred_ip inet, rack text, "
    "release_version text, rpc_address inet, schema_version uuid, tokens set<text>) WITH comment = 'information about "
    "known peers in the cluster' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'37f71aca-7dc2-383b-a706-72528af04d4f'",
    "CREATE TABLE system.peers_v2 (peer inet, peer_port int, data_center text, host_id uuid, native_address inet, "
    "native_port int, preferred_ip inet, preferred_port int, rack text, release_version text, schema_version uuid, "
    "tokens set<text>, PRIMARY KEY (peer, peer_port)) WITH comment = 'information about known peers in the cluster' "
    "AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'c4325fbb-8e5e-3baf-bd07-0f9250ed818e'",
    "CREATE TABLE system.prepared_statements (prepared_id blob PRIMARY KEY, logged_keyspace text, query_string text) "
    "WITH comment = 'prepared statements' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'18a9c257-6a0c-3841-ba71-8cd529849fef'",
    "CREATE TABLE system.repairs (parent_id timeuuid PRIMARY KEY, coordinator inet, coordinator_port int, last_update "
    "timestamp, repaired_at timestamp, started_at timestamp, state int, cfids set<uuid>, participants set<inet>, "
    "participants_wp set<text>, ranges set<blob>) WITH comment = 'repairs' AND gc_grace_seconds = 0 AND "
    "memtable_flush_period_in_ms = 3600000 AND id = 'a3d277d1-cfaf-36f5-a2a7-38d5eea9ad6a'",
    "CREATE TABLE system.size_estimates (keyspace_name text, table_name text, range_start text, range_end text, "
    "mean_partition_size bigint, partitions_count bigint, PRIMARY KEY (keyspace_name, table_name, range_start, "
    "range_end)) WITH comment = 'per-table primary range size estimates, table is deprecated in favor of "
    "table_estimates' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'618f817b-005f-3678-b8a4-53f3930b8e86'",
    "CREATE TABLE system.sstable_activity (keyspace_name text, columnfamily_name text, generation int, rate_120m "
    "double, rate_15m double, PRIMARY KEY ((keyspace_name, columnfamily_name, generation))) WITH comment = 'historic "
    "sstable read rates' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'5a1ff267-ace0-3f12-8563-cfae6103c65e'",
    "CREATE TABLE system.sstable_activity_v2 (keyspace_name text, table_name text, id text, rate_120m double, "
    "rate_15m double, PRIMARY KEY ((keyspace_name, table_name, id))) WITH comment = 'historic sstable read rates' AND "
    "gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = '62efe31f-3be8-310c-8d29-8963439c1288'",
    "CREATE TABLE system.table_estimates (keyspace_name text, table_name text, range_type text, range_start text, "
    "range_end text, mean_partition_size bigint, partitions_count bigint, PRIMARY KEY (keyspace_name, table_name, "
    "range_type, range_start, range_end)) WITH comment = 'per-table range size estimates' AND gc_grace_seconds = 0 "
    "AND memtable_flush_period_in_ms = 3600000 AND id = '176c39cd-b93d-33a5-a218-8eb06a56f66e'",
    "CREATE TABLE system.top_partitions (keyspace_name text, table_name text, top_type text, last_update timestamp, "
    "top frozen<list<frozen<tuple<text, bigint>>>>, PRIMARY KEY (keyspace_name, table_name, top_type)) WITH comment = "
    "'Stores the top partitions' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'7e5a361c-317c-351f-b15f-ffd8afd3dd4b'",
    "CREATE TABLE system.transferred_ranges (operation text, keyspace_name text, peer inet, ranges set<blob>, PRIMARY "
    "KEY ((operation, keyspace_name), peer)) WITH comment = 'record of transferred ranges for streaming operation' "
    "AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'6cad20f7-d4f5-3af2-b6e2-0da33c6c1f83'",
    "CREATE TABLE system.transferred_ranges_v2 (operation text, keyspace_name text, peer inet, peer_port int, ranges "
    "set<blob>, PRIMARY KEY ((operation, keyspace_name), peer, peer_port)) WITH comment = 'record of transferred "
    "ranges for streaming operation' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'1ff78f1a-7df1-3a2a-a998-6f4932270af5'",
    "CREATE TABLE system.view_builds_in_progress (keyspace_name text, view_name text, start_token text, end_token "
    "text, keys_built bigint, last_token text, PRIMARY KEY (keyspace_name, view_name, start_token, end_token)) WITH "
    "comment = 'views builds current progress' AND gc_grace_seconds = 0 AND memtable_flush_period_in_ms = 3600000 AND "
    "id = '6c22df66-c3bd-3df6-b74d-21179c6a9fe9'",
    /* Stored: a client may change its replication. There are no roles yet, so nothing is written to
     * it. */
    "CREATE KEYSPACE system_auth WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}",
    "CREATE TABLE system_auth.cidr_groups (cidr_group text PRIMARY KEY, cidrs frozen<set<frozen<tuple<inet, "
    "smallint>>>>) WITH comment = 'cidr groups to cidrs mapping' AND gc_grace_seconds = 7776000 AND id = "
    "'9c48af00-13f6-3059-bb0e-8fcabba6eecb'",
    "CREATE TABLE system_auth.cidr_permissions (role text PRIMARY KEY, cidr_groups frozen<set<text>>) WITH comment = "
    "'user cidr permissions' AND gc_grace_seconds = 7776000 AND id = 'b8b43d5f-d6c0-331c-8f7d-765ea658f4c4'",
    "CREATE TABLE system_auth.identity_to_role (identity text PRIMARY KEY, role text) WITH comment = 'mtls authorized "
    "identities lookup table' AND gc_grace_seconds = 7776000 AND id = '0bd47a48-d6ba-3c8e-b442-0f6349329bda'",
    "CREATE TABLE system_auth.network_permissions (role text PRIMARY KEY, dcs frozen<set<text>>) WITH comment = 'user "
    "network permissions' AND gc_grace_seconds = 7776000 AND id = 'd46780c2-2f1c-3db9-b4c1-b8d9fbc0cc23'",
    "CREATE TABLE system_auth.resource_role_permissons_index (resource text, role text, PRIMARY KEY (resource, role)) "
    "WITH comment = 'index of db roles with permissions granted on a resource' AND gc_grace_seconds = 7776000 AND id "
    "= '5f2fbdad-91f1-3946-bd25-d5da3a5c35ec'",
    "CREATE TABLE system_auth.role_members (role text, member text, PRIMARY KEY (role, member)) WITH comment = 'role "
    "memberships lookup table' AND gc_grace_seconds = 7776000 AND id = '0ecdaa87-f8fb-3e60-88d1-74fb36fe5c0d'",
    "CREATE TABLE system_auth.role_permissions (role text, resource text, permissions set<text>, PRIMARY KEY (role, "
    "resource)) WITH comment = 'permissions granted to db roles' AND gc_grace_seconds = 7776000 AND id = "
    "'3afbe79f-2194-31a7-add7-f5ab90d8ec9c'",
    "CREATE TABLE system_auth.roles (role text PRIMARY KEY, can_login boolean, is_superuser boolean, salted_hash "
    "text, member_of set<text>) WITH comment = 'role definitions' AND gc_grace_seconds = 7776000 AND id = "
    "'5bc52802-de25-35ed-aeab-188eecebb090'",
    /* Stored, and empty: repairs, which a single copy of the data does not need. */
    "CREATE KEYSPACE system_distributed WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '3'}",
    "CREATE TABLE system_distributed.parent_repair_history (parent_id timeuuid PRIMARY KEY, exception_message text, "
    "exception_stacktrace text, finished_at timestamp, keyspace_name text, started_at timestamp, columnfamily_names "
    "set<text>, options map<text, text>, requested_ranges set<text>, successful_ranges set<text>) WITH comment = "
    "'Repair history' AND compaction = {'class': 'org.apache.cassandra.db.compaction.TimeWindowCompactionStrategy', "
    "'compaction_window_size': '1', 'compaction_window_unit': 'DAYS', 'max_threshold': '32', 'min_threshold': '4'} "
    "AND default_time_to_live = 2592000 AND id = 'deabd734-b99d-3b9c-92e5-fd92eb5abf14'",
    "CREATE TABLE system_distributed.partition_denylist (ks_name text, table_name text, key blob, PRIMARY KEY "
    "((ks_name, table_name), key)) WITH comment = 'Partition keys which have been denied access' AND id = "
    "'d6123acc-8649-3496-9d4e-f3fe39a6018b'",
    "CREATE TABLE system_distributed.repair_history (keyspace_name text, columnfamily_name text, id timeuuid, "
    "coordinator inet, coordinator_port int, exception_message text, exception_stacktrace text, finished_at "
    "timestamp, parent_id timeuuid, range_begin text, range_end text, started_at timestamp, status text, participants "
    "set<inet>, participants_v2 set<text>, PRIMARY KEY ((keyspace_name, columnfamily_name), id)) WITH comment = "
    "'Repair history' AND compaction = {'class': 'org.apache.cassandra.db.compaction.TimeWindowCompactionStrategy', "
    "'compaction_window_size': '1', 'compaction_window_unit': 'DAYS', 'max_threshold': '32', 'min_threshold': '4'} "
    "AND default_time_to_live = 2592000 AND id = '759fffad-624b-3181-80ee-fa9a52d1f627'",
    "CREATE TABLE system_distributed.view_build_status (keyspace_name text, view_name text, host_id uuid, status "
    "text, PRIMARY KEY ((keyspace_name, view_name), host_id)) WITH comment = 'Materialized View build status' AND id "
    "= '5582b59f-8e4e-35e1-b913-3acada51eb04'",
    /* Computed from the schema in force; drivers read it after each change. */
    "CREATE KEYSPACE system_schema WITH replication = {'class': 'LocalStrategy'}",
    "CREATE TABLE system_schema.aggregates (keyspace_name text, aggregate_name text, argument_types "
    "frozen<list<text>>, final_func text, initcond text, return_type text, state_func text, state_type text, PRIMARY "
    "KEY (keyspace_name, aggregate_name, argument_types)) WITH comment = 'user defined aggregate definitions' AND "
    "gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'924c5587-2e3a-345b-b10c-12f37c1ba895'",
    "CREATE TABLE system_schema.column_masks (keyspace_name text, table_name text, column_name text, "
    "function_argument_nulls frozen<list<boolean>>, function_argument_types frozen<list<text>>, "
    "function_argument_values frozen<list<text>>, function_keyspace text, function_name text, PRIMARY KEY "
    "(keyspace_name, table_name, column_name)) WITH comment = 'column dynamic data masks' AND gc_grace_seconds = "
    "604800 AND memtable_flush_period_in_ms = 3600000 AND id = '738cc5ed-0168-3268-b9d1-853d4bc278af'",
    "CREATE TABLE system_schema.columns (keyspace_name text, table_name text, column_name text, clustering_order "
    "text, column_name_bytes blob, kind text, position int, type text, PRIMARY KEY (keyspace_name, table_name, "
    "column_name)) WITH comment = 'column definitions' AND gc_grace_seconds = 604800 AND memtable_flush_period_in_ms "
    "= 3600000 AND id = '24101c25-a2ae-3af7-87c1-b40ee1aca33f'",
    "CREATE TABLE system_schema.dropped_columns (keyspace_name text, table_name text, column_name text, dropped_time "
    "timestamp, kind text, type text, PRIMARY KEY (keyspace_name, table_name, column_name)) WITH comment = 'dropped "
    "column registry' AND gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'5e7583b5-f3f4-3af1-9a39-b7e1d6f5f11f'",
    "CREATE TABLE system_schema.functions (keyspace_name text, function_name text, argument_types frozen<list<text>>, "
    "argument_names frozen<list<text>>, body text, called_on_null_input boolean, language text, return_type text, "
    "PRIMARY KEY (keyspace_name, function_name, argument_types)) WITH comment = 'user defined function definitions' "
    "AND gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'96489b79-80be-3e14-a701-66a0b9159450'",
    "CREATE TABLE system_schema.indexes (keyspace_name text, table_name text, index_name text, kind text, options "
    "frozen<map<text, text>>, PRIMARY KEY (keyspace_name, table_name, index_name)) WITH comment = 'secondary index "
    "definitions' AND gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'0feb57ac-311f-382f-ba6d-9024d305702f'",
    "CREATE TABLE system_schema.keyspaces (keyspace_name text PRIMARY KEY, durable_writes boolean, replication "
    "frozen<map<text, text>>) WITH comment = 'keyspace definitions' AND gc_grace_seconds = 604800 AND "
    "memtable_flush_period_in_ms = 3600000 AND id = 'abac5682-dea6-31c5-b535-b3d6cffd0fb6'",
    "CREATE TABLE system_schema.tables (keyspace_name text, table_name text, additional_write_policy text, "
    "allow_auto_snapshot boolean, bloom_filter_fp_chance double, caching frozen<map<text, text>>, cdc boolean, "
    "comment text, compaction frozen<map<text, text>>, compression frozen<map<text, text>>, crc_check_chance double, "
    "dclocal_read_repair_chance double, default_time_to_live int, extensions frozen<map<text, blob>>, flags "
    "frozen<set<text>>, gc_grace_seconds int, id uuid, incremental_backups boolean, max_index_interval int, memtable "
    "text, memtable_flush_period_in_ms int, min_index_interval int, read_repair text, read_repair_chance double, "
    "speculative_retry text, PRIMARY KEY (keyspace_name, table_name)) WITH comment = 'table definitions' AND "
    "gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'afddfb9d-bc1e-3068-8056-eed6c302ba09'",
    "CREATE TABLE system_schema.triggers (keyspace_name text, table_name text, trigger_name text, options "
    "frozen<map<text, text>>, PRIMARY KEY (keyspace_name, table_name, trigger_name)) WITH comment = 'trigger "
    "definitions' AND gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'4df70b66-6b05-3251-95a1-32b54005fd48'",
    "CREATE TABLE system_schema.types (keyspace_name text, type_name text, field_names frozen<list<text>>, "
    "field_types frozen<list<text>>, PRIMARY KEY (keyspace_name, type_name)) WITH comment = 'user defined type "
    "definitions' AND gc_grace_seconds = 604800 AND memtable_flush_period_in_ms = 3600000 AND id = "
    "'5a8b1ca8-6602-3f77-a045-9273d308917a'",
    "CREATE TABLE system_schema.views (keyspace_name text, view_name text, additional_write_policy text, "
    "allow_auto_snapshot boolean, base_table_id uuid, base_table_name text, bloom_filter_fp_chance double, caching "
    "frozen<map<text, text>>, cdc boolean, comment text, compaction frozen<map<text, text>>, compression "
    "frozen<map<text, text>>, crc_check_chance double, dclocal_read_repair_chance double, default_time_to_live int, "
    "extensions frozen<map<text, blob>>, gc_grace_seconds int, id uuid, include_all_columns boolean, "
    "incremental_backups boolean, max_index_interval int, memtable text, memtable_flush_period_in_ms int, "
    "min_index_interval int, read_repair text, read_repair_chance double, speculative_retry text, where_clause text, "
    "PRIMARY KEY (keyspace_name, view_name)) WITH comment = 'view definitions' AND gc_grace_seconds = 604800 AND "
    "memtable_flush_period_in_ms = 3600000 AND id = '9786ac1c-dd58-3201-a7cd-ad556410c985'",
    /* Keyspaces': what system_schema has, and what it adds to tables, types and keyspaces. Computed from the schema in
     * force (system_mcs_rows.c). Its documentation has the columns' names; their types are what its examples look like. */
    "CREATE KEYSPACE system_schema_mcs WITH replication = {'class': 'LocalStrategy'}",
    "CREATE TABLE system_schema_mcs.autoscaling (keyspace_name text, table_name text, "
    "provisioned_read_capacity_autoscaling_update text, provisioned_write_capacity_autoscaling_update text, PRIMARY "
    "KEY (keyspace_name, table_name)) WITH comment = 'auto scaling settings' AND id = "
    "'de310f89-025c-3666-856d-b551c557409e'",
    "CREATE TABLE system_schema_mcs.columns (keyspace_name text, table_name text, column_name text, "
    "clustering_order text, column_name_bytes blob, kind text, position int, type text, PRIMARY KEY (keyspace_name, "
    "table_name, column_name)) WITH comment = 'column definitions' AND id = 'eae115f6-c9d2-39c4-b24b-95f9b6f6e370'",
    "CREATE TABLE system_schema_mcs.keyspaces (keyspace_name text PRIMARY KEY, durable_writes boolean, replication "
    "frozen<map<text, text>>) WITH comment = 'keyspace definitions' AND id = '96cedada-8a3a-3f76-8dd3-ed61e7dff0f6'",
    "CREATE TABLE system_schema_mcs.tables (keyspace_name text, table_name text, additional_write_policy text, "
    "allow_auto_snapshot boolean, bloom_filter_fp_chance double, caching frozen<map<text, text>>, cdc boolean, "
    "cdc_specification frozen<map<text, text>>, comment text, compaction frozen<map<text, text>>, compression "
    "frozen<map<text, text>>, crc_check_chance double, creation_time timestamp, custom_properties frozen<map<text, "
    "frozen<map<text, text>>>>, dclocal_read_repair_chance double, default_time_to_live int, extensions "
    "frozen<map<text, blob>>, flags frozen<set<text>>, gc_grace_seconds int, id uuid, incremental_backups boolean, "
    "latest_stream_arn text, max_index_interval int, memtable text, memtable_flush_period_in_ms int, "
    "min_index_interval int, read_repair text, read_repair_chance double, speculative_retry text, status text, "
    "PRIMARY KEY (keyspace_name, table_name)) WITH comment = 'table definitions' AND id = "
    "'7aa8469d-bb26-3b97-9253-677b8f9f4104'",
    "CREATE TABLE system_schema_mcs.tables_history (keyspace_name text, table_name text, event_time timestamp, "
    "creation_time timestamp, custom_properties frozen<map<text, frozen<map<text, text>>>>, event text, PRIMARY KEY "
    "(keyspace_name, table_name, event_time)) WITH comment = 'what became of tables' AND id = "
    "'b7f94be7-7777-3299-a8ea-88dd1282d77f'",
    "CREATE TABLE system_schema_mcs.tags (resource_id text PRIMARY KEY, keyspace_name text, resource_name text, "
    "resource_type text, tags frozen<map<text, text>>) WITH comment = 'tags of keyspaces and tables' AND id = "
    "'b0bc19d5-a5f6-3659-8fff-f1983d0e9774'",
    "CREATE TABLE system_schema_mcs.types (keyspace_name text, type_name text, direct_parent_types "
    "frozen<list<text>>, direct_referring_tables frozen<list<text>>, field_names frozen<list<text>>, field_types "
    "frozen<list<text>>, last_modified_timestamp timestamp, max_nesting_depth int, status text, PRIMARY KEY "
    "(keyspace_name, type_name)) WITH comment = 'user defined type definitions' AND id = "
    "'7dfa3790-2b5d-3788-b75f-714668594c24'",
    /* Keyspaces': what stands in several regions. Nothing does here, so nothing has a row. */
    "CREATE KEYSPACE system_multiregion_info WITH replication = {'class': 'LocalStrategy'}",
    "CREATE TABLE system_multiregion_info.autoscaling (keyspace_name text, table_name text, region text, "
    "provisioned_read_capacity_autoscaling_update text, provisioned_write_capacity_autoscaling_update text, PRIMARY "
    "KEY (keyspace_name, table_name, region)) WITH comment = 'auto scaling settings by region' AND id = "
    "'5456cca8-f2c4-335e-9b08-31f6759b9484'",
    "CREATE TABLE system_multiregion_info.keyspaces (keyspace_name text, region text, status text, "
    "tables_replication_progress text, PRIMARY KEY (keyspace_name, region)) WITH comment = 'keyspaces by region' "
    "AND id = 'bf23455e-8ca2-3afc-b4de-515007fea085'",
    "CREATE TABLE system_multiregion_info.tables (keyspace_name text, table_name text, region text, "
    "custom_properties frozen<map<text, frozen<map<text, text>>>>, status text, PRIMARY KEY (keyspace_name, "
    "table_name, region)) WITH comment = 'tables by region' AND id = 'b3ad004b-a215-3375-a6ab-623de2495c34'",
    "CREATE TABLE system_multiregion_info.types (keyspace_name text, type_name text, region text, "
    "direct_parent_types frozen<list<text>>, direct_referring_tables frozen<list<text>>, field_names "
    "frozen<list<text>>, field_types frozen<list<text>>, last_modified_timestamp timestamp, max_nesting_depth int, "
    "status text, PRIMARY KEY (keyspace_name, type_name, region)) WITH comment = 'user defined types by region' AND "
    "id = 'cb77fc7a-e73b-39e2-bd78-cf3301b492cf'",
    /* Stored: sessions and events of traced requests (query/trace.c), which expire. */
    "CREATE KEYSPACE system_traces WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '2'}",
    "CREATE TABLE system_traces.events (session_id uuid, event_id timeuuid, activity text, source inet, "
    "source_elapsed int, source_port int, thread text, PRIMARY KEY (session_id, event_id)) WITH comment = 'tracing "
    "events' AND gc_grace_seconds = 0 AND id = '8826e8e9-e16a-3728-8753-3bc1fc713c25'",
    "CREATE TABLE system_traces.sessions (session_id uuid PRIMARY KEY, client inet, command text, coordinator inet, "
    "coordinator_port int, duration int, request text, started_at timestamp, parameters map<text, text>) WITH comment "
    "= 'tracing sessions' AND gc_grace_seconds = 0 AND id = 'c5e99f16-8677-3914-b17e-960613512345'",
    /* Computed: what goes on in this node. Tables without a body have no rows; server/ registers
     * more. */
    "CREATE KEYSPACE system_views WITH replication = {'class': 'LocalStrategy'}",
    "CREATE TABLE system_views.batch_metrics (name text PRIMARY KEY, max bigint, p50th double, p999th double, p99th "
    "double) WITH comment = 'Metrics specific to batch statements'",
    "CREATE TABLE system_views.caches (name text PRIMARY KEY, capacity_bytes bigint, entry_count int, hit_count "
    "bigint, hit_ratio double, recent_hit_rate_per_second bigint, recent_request_rate_per_second bigint, "
    "request_count bigint, size_bytes bigint) WITH comment = 'system caches'",
    "CREATE TABLE system_views.cidr_filtering_metrics_counts (name text PRIMARY KEY, value bigint) WITH comment = "
    "'Count metrics specific to CIDR filtering'",
    "CREATE TABLE system_views.cidr_filtering_metrics_latencies (name text PRIMARY KEY, max double, p50th double, "
    "p95th double, p999th double, p99th double) WITH comment = 'Latency metrics specific to CIDR filtering'",
    "CREATE TABLE system_views.clients (address inet, port int, client_options frozen<map<text, text>>, "
    "connection_stage text, driver_name text, driver_version text, hostname text, keyspace_name text, "
    "protocol_version int, request_count bigint, ssl_cipher_suite text, ssl_enabled boolean, ssl_protocol text, "
    "username text, PRIMARY KEY (address, port)) WITH comment = 'currently connected clients'",
    "CREATE TABLE system_views.coordinator_read_latency (keyspace_name text, table_name text, count bigint, max_ms "
    "double, p50th_ms double, p99th_ms double, per_second double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.coordinator_scan_latency (keyspace_name text, table_name text, count bigint, max_ms "
    "double, p50th_ms double, p99th_ms double, per_second double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.coordinator_write_latency (keyspace_name text, table_name text, count bigint, max_ms "
    "double, p50th_ms double, p99th_ms double, per_second double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.cql_metrics (name text PRIMARY KEY, value double) WITH comment = 'Metrics specific to "
    "CQL prepared statement caching'",
    "CREATE TABLE system_views.credentials_cache_keys (role text PRIMARY KEY) WITH comment = 'keys in the credentials "
    "cache'",
    "CREATE TABLE system_views.disk_usage (keyspace_name text, table_name text, mebibytes bigint, PRIMARY KEY "
    "((keyspace_name, table_name)))",
    "CREATE TABLE system_views.gossip_info (address inet, port int, dc text, dc_version int, disk_usage text, "
    "disk_usage_version int, generation int, heartbeat int, host_id text, host_id_version int, hostname text, "
    "index_status text, index_status_version int, internal_address_and_port text, internal_address_and_port_version "
    "int, internal_ip text, internal_ip_version int, load text, load_version int, native_address_and_port text, "
    "native_address_and_port_version int, net_version text, net_version_version int, rack text, rack_version int, "
    "release_version text, release_version_version int, removal_coordinator text, removal_coordinator_version int, "
    "rpc_address text, rpc_address_version int, rpc_ready text, rpc_ready_version int, \"schema\" text, "
    "schema_version int, severity text, severity_version int, sstable_versions text, sstable_versions_version int, "
    "status text, status_version int, status_with_port text, status_with_port_version int, tokens_version int, x1 "
    "text, x10 text, x10_version int, x1_version int, x2 text, x2_version int, x3 text, x3_version int, x4 text, "
    "x4_version int, x5 text, x5_version int, x6 text, x6_version int, x7 text, x7_version int, x8 text, x8_version "
    "int, x9 text, x9_version int, x_11_padding text, x_11_padding_version int, PRIMARY KEY (address, port)) WITH "
    "comment = 'lists the gossip information for the cluster'",
    "CREATE TABLE system_views.internode_inbound (address inet, port int, dc text, rack text, "
    "corrupt_frames_recovered bigint, corrupt_frames_unrecovered bigint, error_bytes bigint, error_count bigint, "
    "expired_bytes bigint, expired_count bigint, processed_bytes bigint, processed_count bigint, received_bytes "
    "bigint, received_count bigint, scheduled_bytes bigint, scheduled_count bigint, throttled_count bigint, "
    "throttled_nanos bigint, using_bytes bigint, using_reserve_bytes bigint, PRIMARY KEY ((address, port), dc, rack))",
    "CREATE TABLE system_views.internode_outbound (address inet, port int, dc text, rack text, active_connections "
    "bigint, connection_attempts bigint, error_bytes bigint, error_count bigint, expired_bytes bigint, expired_count "
    "bigint, overload_bytes bigint, overload_count bigint, pending_bytes bigint, pending_count bigint, sent_bytes "
    "bigint, sent_count bigint, successful_connection_attempts bigint, using_bytes bigint, using_reserve_bytes "
    "bigint, PRIMARY KEY ((address, port), dc, rack))",
    "CREATE TABLE system_views.jmx_permissions_cache_keys (role text PRIMARY KEY) WITH comment = 'keys in the JMX "
    "permissions cache'",
    "CREATE TABLE system_views.local_read_latency (keyspace_name text, table_name text, count bigint, max_ms double, "
    "p50th_ms double, p99th_ms double, per_second double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.local_scan_latency (keyspace_name text, table_name text, count bigint, max_ms double, "
    "p50th_ms double, p99th_ms double, per_second double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.local_write_latency (keyspace_name text, table_name text, count bigint, max_ms double, "
    "p50th_ms double, p99th_ms double, per_second double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.max_partition_size (keyspace_name text, table_name text, mebibytes bigint, PRIMARY KEY "
    "((keyspace_name, table_name)))",
    "CREATE TABLE system_views.max_sstable_duration (keyspace_name text, table_name text, max_sstable_duration "
    "bigint, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.max_sstable_size (keyspace_name text, table_name text, mebibytes bigint, PRIMARY KEY "
    "((keyspace_name, table_name)))",
    "CREATE TABLE system_views.network_permissions_cache_keys (role text PRIMARY KEY) WITH comment = 'keys in the "
    "network permissions cache'",
    "CREATE TABLE system_views.pending_hints (host_id uuid PRIMARY KEY, address inet, dc text, files int, newest "
    "timestamp, oldest timestamp, port int, rack text, status text) WITH comment = 'Pending hints that this node has "
    "for other nodes'",
    "CREATE TABLE system_views.permissions_cache_keys (role text, resource text, PRIMARY KEY ((role, resource))) WITH "
    "comment = 'keys in the permissions cache'",
    "CREATE TABLE system_views.queries (thread_id text PRIMARY KEY, queued_micros bigint, running_micros bigint, task "
    "text) WITH comment = 'Lists currently running queries'",
    "CREATE TABLE system_views.repair_jobs (id uuid PRIMARY KEY, completed boolean, duration_millis bigint, "
    "failure_cause text, keyspace_name text, last_updated_at timestamp, participants frozen<list<text>>, ranges "
    "frozen<list<text>>, repair_id timeuuid, session_id timeuuid, state_failure_timestamp timestamp, "
    "state_init_timestamp timestamp, state_skipped_timestamp timestamp, state_snapshot_complete_timestamp timestamp, "
    "state_snapshot_start_timestamp timestamp, state_start_timestamp timestamp, state_stream_start_timestamp "
    "timestamp, state_success_timestamp timestamp, state_validation_complete_timestamp timestamp, "
    "state_validation_start_timestamp timestamp, status text, success_message text, table_name text) WITH comment = "
    "'Repair job'",
    "CREATE TABLE system_views.repair_participates (id timeuuid PRIMARY KEY, completed boolean, duration_millis "
    "bigint, failure_cause text, global boolean, incremental boolean, initiator text, last_updated_at timestamp, "
    "preview_kind text, ranges frozen<list<text>>, repaired_at timestamp, state_failure_timestamp timestamp, "
    "state_init_timestamp timestamp, state_skipped_timestamp timestamp, state_success_timestamp timestamp, "
    "success_message text, tables frozen<set<text>>, validations frozen<set<uuid>>) WITH comment = 'Repair "
    "participate summary'",
    "CREATE TABLE system_views.repair_sessions (id timeuuid PRIMARY KEY, completed boolean, duration_millis bigint, "
    "failure_cause text, jobs frozen<set<uuid>>, keyspace_name text, last_updated_at timestamp, participants "
    "frozen<list<text>>, ranges frozen<list<text>>, repair_id timeuuid, state_failure_timestamp timestamp, "
    "state_init_timestamp timestamp, state_jobs_start_timestamp timestamp, state_skipped_timestamp timestamp, "
    "state_start_timestamp timestamp, state_success_timestamp timestamp, status text, success_message text, "
    "table_names frozen<list<text>>) WITH comment = 'Repair session'",
    "CREATE TABLE system_views.repair_validations (id uuid PRIMARY KEY, bytes_read bigint, completed boolean, "
    "duration_millis bigint, estimated_partitions bigint, estimated_total_bytes bigint, failure_cause text, initiator "
    "text, keyspace_name text, last_updated_at timestamp, partitions_processed bigint, progress_percentage float, "
    "ranges frozen<list<text>>, repair_id timeuuid, session_id timeuuid, state_accept_timestamp timestamp, "
    "state_failure_timestamp timestamp, state_init_timestamp timestamp, state_sending_trees_timestamp timestamp, "
    "state_skipped_timestamp timestamp, state_start_timestamp timestamp, state_success_timestamp timestamp, status "
    "text, success_message text, table_name text) WITH comment = 'Repair validation'",
    "CREATE TABLE system_views.repairs (id timeuuid PRIMARY KEY, command_id int, completed boolean, duration_millis "
    "bigint, failure_cause text, keyspace_name text, last_updated_at timestamp, options_column_families "
    "frozen<set<text>>, options_data_centers frozen<set<text>>, options_force_repair boolean, options_hosts "
    "frozen<set<text>>, options_ignore_unreplicated_keyspaces boolean, options_incremental boolean, "
    "options_job_threads int, options_optimise_streams boolean, options_parallelism text, options_preview_kind text, "
    "options_primary_range boolean, options_pull_repair boolean, options_ranges frozen<set<text>>, "
    "options_subrange_repair boolean, options_trace boolean, participants frozen<list<text>>, ranges "
    "frozen<list<frozen<list<text>>>>, sessions frozen<set<timeuuid>>, state_failure_timestamp timestamp, "
    "state_init_timestamp timestamp, state_prepare_complete_timestamp timestamp, state_prepare_start_timestamp "
    "timestamp, state_repair_complete_timestamp timestamp, state_repair_start_timestamp timestamp, "
    "state_setup_timestamp timestamp, state_skipped_timestamp timestamp, state_start_timestamp timestamp, "
    "state_success_timestamp timestamp, status text, success_message text, table_names frozen<list<text>>, type text, "
    "unfiltered_ranges frozen<list<frozen<list<text>>>>) WITH comment = 'Repair summary'",
    "CREATE TABLE system_views.roles_cache_keys (role text PRIMARY KEY) WITH comment = 'keys in the roles cache'",
    "CREATE TABLE system_views.rows_per_read (keyspace_name text, table_name text, count bigint, max double, p50th "
    "double, p99th double, PRIMARY KEY ((keyspace_name, table_name)))",
    "CREATE TABLE system_views.sai_column_indexes (keyspace_name text, index_name text, analyzer text, column_name "
    "text, is_building boolean, is_queryable boolean, is_string boolean, table_name text, PRIMARY KEY (keyspace_name, "
    "index_name)) WITH comment = 'Storage-attached column index metadata'",
    "CREATE TABLE system_views.sai_sstable_index_segments (keyspace_name text, index_name text, sstable_name text, "
    "segment_row_id_offset bigint, cell_count bigint, column_name text, component_metadata frozen<map<text, "
    "frozen<map<text, text>>>>, end_token text, max_sstable_row_id bigint, max_term text, min_sstable_row_id bigint, "
    "min_term text, start_token text, table_name text, PRIMARY KEY (keyspace_name, index_name, sstable_name, "
    "segment_row_id_offset)) WITH comment = 'SSTable index segment metadata'",
    "CREATE TABLE system_views.sai_sstable_indexes (keyspace_name text, index_name text, sstable_name text, "
    "cell_count bigint, column_name text, end_token text, format_version text, max_row_id bigint, min_row_id bigint, "
    "per_column_disk_size bigint, per_table_disk_size bigint, start_token text, table_name text, PRIMARY KEY "
    "(keyspace_name, index_name, sstable_name)) WITH comment = 'SSTable index metadata'",
    "CREATE TABLE system_views.settings (name text PRIMARY KEY, value text) WITH comment = 'current settings'",
    "CREATE TABLE system_views.snapshots (name text, keyspace_name text, table_name text, created_at timestamp, "
    "ephemeral boolean, expires_at timestamp, size_on_disk bigint, true_size bigint, PRIMARY KEY (name, "
    "keyspace_name, table_name)) WITH comment = 'available snapshots'",
    "CREATE TABLE system_views.sstable_tasks (keyspace_name text, table_name text, task_id timeuuid, completion_ratio "
    "double, kind text, progress bigint, sstables int, target_directory text, total bigint, unit text, PRIMARY KEY "
    "(keyspace_name, table_name, task_id)) WITH comment = 'current sstable tasks'",
    "CREATE TABLE system_views.streaming (id timeuuid PRIMARY KEY, bytes_received bigint, bytes_sent bigint, "
    "bytes_to_receive bigint, bytes_to_send bigint, duration_millis bigint, failure_cause text, files_received "
    "bigint, files_sent bigint, files_to_receive bigint, files_to_send bigint, follower boolean, last_updated_at "
    "timestamp, operation text, peers frozen<list<text>>, progress_percentage float, status text, "
    "status_failure_timestamp timestamp, status_init_timestamp timestamp, status_start_timestamp timestamp, "
    "status_success_timestamp timestamp, success_message text)",
    "CREATE TABLE system_views.system_logs (timestamp timestamp, order_in_millisecond int, level text, logger text, "
    "message text, PRIMARY KEY (timestamp, order_in_millisecond)) WITH comment = 'Cassandra logs'",
    "CREATE TABLE system_views.system_properties (name text PRIMARY KEY, value text) WITH comment = 'Cassandra "
    "relevant system properties'",
    "CREATE TABLE system_views.thread_pools (name text PRIMARY KEY, active_tasks int, active_tasks_limit int, "
    "blocked_tasks bigint, blocked_tasks_all_time bigint, completed_tasks bigint, pending_tasks int)",
    "CREATE TABLE system_views.tombstones_per_read (keyspace_name text, table_name text, count bigint, max double, "
    "p50th double, p99th double, PRIMARY KEY ((keyspace_name, table_name)))",
    /* Computed: the definitions of the computed keyspaces, this one among them. */
    "CREATE KEYSPACE system_virtual_schema WITH replication = {'class': 'LocalStrategy'}",
    "CREATE TABLE system_virtual_schema.columns (keyspace_name text, table_name text, column_name text, "
    "clustering_order text, column_name_bytes blob, kind text, position int, type text, PRIMARY KEY (keyspace_name, "
    "table_name, column_name)) WITH comment = 'virtual column definitions'",
    "CREATE TABLE system_virtual_schema.keyspaces (keyspace_name text PRIMARY KEY) WITH comment = 'virtual keyspace "
    "definitions'",
    "CREATE TABLE system_virtual_schema.tables (keyspace_name text, table_name text, comment text, PRIMARY KEY "
    "(keyspace_name, table_name)) WITH comment = 'virtual table definitions'",
    NULL,
};
