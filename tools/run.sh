#!/bin/sh
# make run: one screen on how to use the server, and the server in the foreground.
set -eu
data=$1 cql=$2 http=$3
cat <<EOF

  helenus: CQL on 127.0.0.1:$cql, health and metrics on http://127.0.0.1:$http

  cqlsh     python3 -m venv ~/cql && ~/cql/bin/pip install cqlsh && ~/cql/bin/cqlsh 127.0.0.1 $cql
            (after make test: build/venv/bin/cqlsh 127.0.0.1 $cql)
  Python    from cassandra.cluster import Cluster            # pip install cassandra-driver
            session = Cluster(["127.0.0.1"], port=$cql).connect()
            session.execute("SELECT release_version FROM system.local").one()
  data      $data, encrypted; remove it to begin anew
  stop      Ctrl-C; acknowledged writes are safe however it ends

EOF
exec build/helenus serve --data "$data" --dev --listen 127.0.0.1 --cql-port "$cql" --http-port "$http"
