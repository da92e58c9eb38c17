#!/bin/sh
# Replaces a file many times by what fetch-credentials.sh writes files with:
#   sh write-loop.sh FUNCTIONS-OF-THE-SCRIPT FILE COUNT CONTENT CONTENT
# shellcheck disable=SC2034,SC2154 # what its functions read and set
functions=$1
target=$2
count=$3
content=$4
other_content=$5
# shellcheck disable=SC1090 # made by the test
. "$functions"

output=$target
mode=0600
group=''
copy_paths=''
trap discard_temporaries EXIT
look_around
writes=0
while [ "$writes" -lt "$count" ]; do
  create_beside "$output" || exit 1
  body=$temporary
  cat "$content" >"$body"
  write_files || exit 1
  temporaries=''
  swapped=$content
  content=$other_content
  other_content=$swapped
  writes=$((writes + 1))
done
