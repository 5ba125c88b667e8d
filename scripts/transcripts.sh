#!/usr/bin/env bash
# Makes the transcripts of the real clients' requests anew: shapes only, contents synthetic. Names of clients may be given; without
# them all are made. Older transcripts of a client that was recorded now are removed.
source "$(dirname "$0")/lib.sh"
into=tests/fixtures/transcripts
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tests/clients/run.sh --record "$fresh" "$@"
mkdir -p "$into"
for folder in "$fresh"/*/; do
  name=$(basename "$folder")
  # NAME-VERSION-DATE: the same client's older ones go.
  client=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["client"])' "$(ls "$folder"*.json | head -n1)")
  for old in "$into/$client"-[0-9]*; do
    [ -d "$old" ] && [ "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["client"])' "$(ls "$old"/*.json | head -n1)")" = "$client" ] && rm -rf "$old"
  done
  cp -r "$folder" "$into/$name"
done
du -sh "$into"
