#!/bin/sh
# Brings Temporal's two databases to the schema of this version. A second run changes nothing.
set -eu
SQL_PASSWORD=$(cat "$POSTGRES_PWD_FILE")
export SQL_PASSWORD

tool() {
  database=$1
  shift
  temporal-sql-tool --plugin postgres12_pgx --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" --db "$database" "$@"
}

prepare() {
  # An existing database is no failure; the next step reports any other error.
  tool "$1" create || true
  tool "$1" setup-schema -v 0.0
  tool "$1" update-schema --schema-name "$2"
}

prepare "$DBNAME" postgresql/v12/temporal
prepare "$VISIBILITY_DBNAME" postgresql/v12/visibility
