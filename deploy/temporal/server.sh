#!/bin/sh
# Temporal reads its password only from the environment, so this script sets it for the server alone.
set -eu
POSTGRES_PWD=$(cat "$POSTGRES_PWD_FILE")
export POSTGRES_PWD
# The server has no authoriser: only services trusted with every workflow can reach its network.
exec temporal-server --allow-no-auth start
