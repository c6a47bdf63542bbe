#!/bin/sh
# Makes Temporal's two databases and brings them to the newest schema. Safe to run again: what is there is left alone.
set -eu
for target in temporal:temporal temporal_visibility:visibility; do
  database="${target%%:*}"
  schema="${target##*:}"
  tool() { temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db "$database" "$@"; }
  tool create
  tool setup-schema -v 0.0
  tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
