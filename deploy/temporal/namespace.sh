#!/bin/sh
# Creates the namespace, once. A server that has just started may need a moment longer than its health check says.
set -eu
tries=0
until temporal operator namespace describe --address "$TEMPORAL_ADDRESS" --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --address "$TEMPORAL_ADDRESS" --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"; do
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || exit 1
  sleep 2
done
