#!/bin/sh
# make run: the server in the foreground; it says itself how to use it.
set -eu
data=$1 cql=$2 http=$3
exec build/helenus serve --data "$data" --dev --listen 127.0.0.1 --cql-port "$cql" --http-port "$http"
