#!/bin/sh
# Makes the namespace with the retention and the search attributes of this service. Safe to run again.
set -eu
retention=720h

attempt=0
until temporal operator cluster health >/dev/null 2>&1; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 60 ]; then
    echo "Temporal does not answer at $TEMPORAL_ADDRESS." >&2
    exit 1
  fi
  sleep 1
done

if temporal operator namespace describe --namespace default >/dev/null 2>&1; then
  temporal operator namespace update --namespace default --retention "$retention"
else
  temporal operator namespace create --namespace default --retention "$retention"
fi

# One `"Name": "Type"` a line, as temporal-config/search-attributes.json is written.
sed -n 's/^ *"\([A-Za-z]*\)": *"\([A-Za-z]*\)",\{0,1\}$/\1 \2/p' /scripts/search-attributes.json | while read -r name type; do
  # A namespace just made is known to every part of the server only after a moment.
  attempt=0
  until temporal operator search-attribute create --namespace default --name "$name" --type "$type"; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 30 ] || exit 1
    sleep 1
  done
done
