#!/bin/sh
# Temporal takes its password from the environment alone: it is put there here, where nobody but the server sees it.
set -eu
POSTGRES_PWD=$(cat "$POSTGRES_PWD_FILE")
export POSTGRES_PWD
# No authoriser of its own: only what may be trusted with every workflow can reach its network.
exec temporal-server --allow-no-auth start
