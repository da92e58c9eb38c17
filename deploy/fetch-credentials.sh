#!/bin/sh
# Fetches this pod's Hadoop delegation tokens from `kerbridge serve`, and with --watch keeps their file fresh.
# docs/fetch.md is the contract; `kerbridge fetch` is the same in Node, and one table of tests runs against both.
#
# Needs a POSIX shell with printf built in (dash, busybox ash, bash), curl, and of the usual tools only what busybox has:
# awk cat chgrp chmod date head mv od rm sed sleep stat sync touch tr. Writes only beside its output: the root file
# system can be read-only.
#
# The service-account token is in a variable that is not exported, and goes to curl through a pipe from the printf of
# the shell: so it is in no argument, no environment and no file. Whatever a server says is data: it is cut, cleaned
# and compared, never evaluated.

set -u
# A shell may have been told by its environment to export or print everything. Not with a token in a variable.
set +aevx
# These can hold a token, if only for a moment.
unset service_account_token refused_token text parsed content_type new_etag SSLKEYLOGFILE
umask 077
LC_ALL=C
export LC_ALL

PROGRAM=fetch-credentials.sh
NEWLINE='
'
# Lists are lines: what is not quoted below is split at line breaks, and names no files by patterns.
IFS=$NEWLINE
set -f
DEFAULT_TOKEN_FILE=/var/run/secrets/kerbridge/serviceaccount/token

# Far above any real credentials file, far below what would hurt a small pod.
MAX_BODY_BYTES=4194304
MAX_RETRY_AFTER_SECONDS=300
DEFAULT_REFRESH_SECONDS=3600
MAX_REFRESH_SECONDS=86400
MAX_SECONDS=999999999

# Times below are in hundredths of a second, as /proc/uptime has them.
FIRST_BACKOFF=100
MAX_BACKOFF_FIRST_FILE=3000
MAX_BACKOFF_WATCH=6000
MAX_BACKOFF_REFUSED=30000
# How often a watcher looks after its files: a little more often than the 5 s of the contract.
TICK=400
# Applications can make us ask, by their marker or by changing the file: no more often than this.
MIN_BETWEEN_DEMANDS=3000
MAX_LIFE_SIGN_AGE_SECONDS=60

EXIT_UNHEALTHY=1
EXIT_USAGE=2
EXIT_REFUSED=3
EXIT_NOT_REACHED=4
EXIT_CANNOT_WRITE=5

# --- what is said ----------------------------------------------------------------------------------------------------

say() {
  printf '%s: %s\n' "$PROGRAM" "$1" >&2
}

usage_error() {
  say "$1"
  say "try $PROGRAM --help"
  exit "$EXIT_USAGE"
}

print_help() {
  cat <<'HELP'
usage: fetch-credentials.sh --url URL --output FILE [OPTION...]

Fetches this pod's Hadoop delegation tokens and writes them as a Hadoop credentials file.

  --url URL                          base URL of kerbridge serve          KERBRIDGE_URL
  -o, --output FILE                  the file to write                    HADOOP_TOKEN_FILE_LOCATION
  --service-account-token-file FILE  projected token                      KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE
  --ca-file FILE                     PEM certificates to trust for --url  KERBRIDGE_CA_FILE
  --cluster NAME                     Hadoop cluster                       KERBRIDGE_CLUSTER
  --kind KIND                        must be there (repeatable)           KERBRIDGE_KINDS (commas between)
  --optional KIND                    may be missing (repeatable)          KERBRIDGE_OPTIONAL_KINDS
  --do-as USER                       be this user instead                 KERBRIDGE_DO_AS
  --format writable|protobuf         default writable                     KERBRIDGE_FORMAT
  --timeout SECONDS                  for one try, default 150             KERBRIDGE_TIMEOUT
  --deadline SECONDS                 for all tries, default 300, 0: one   KERBRIDGE_DEADLINE
  --mode MODE                        0600 0640 0660 0400 0440             KERBRIDGE_MODE
  --group GID                        numeric group of the files           KERBRIDGE_GROUP
  --copy FILE                        further file (repeatable)            KERBRIDGE_COPIES (colons between)
  --watch                            stay, and keep the file fresh
  --healthy                          ask about the watcher of --output
  --rejected                         Hadoop refused the tokens of --output: report them, then fetch anew

Exit codes: 0 written, 1 not healthy, 2 usage, 3 refused, 4 not reached or not now, 5 a file cannot be written
HELP
}

# Makes text of a server (or of curl) fit to be shown: one line, printable, without anything that may be a credential.
printable() {
  text=$1
  if [ -n "${service_account_token-}" ]; then
    while :; do
      case $text in
        *"$service_account_token"*)
          text="${text%%"$service_account_token"*}[redacted]${text#*"$service_account_token"}"
          ;;
        *) break ;;
      esac
    done
  fi
  printf '%s' "$text" | tr -c ' -~' '?' | sed 's/[A-Za-z0-9_+/=-]\{40,\}/[redacted]/g' | head -c 200
}

# --- signals ---------------------------------------------------------------------------------------------------------

# A signal only sets this, and ends the child that is waited for. So no file is ever left half replaced: what is done
# between two waits is done whole.
signal=''
child=''
life_sign=''

# shellcheck disable=SC2317,SC2329 # called by trap
on_signal() {
  signal=${signal:-$1}
  # KILL, since a child between fork and exec can lose a TERM. curl has nothing to clean up: its files are ours.
  [ -z "$child" ] || kill -KILL "$child" 2>/dev/null
}

# await PID: waits for a child and sets child_status; a signal ends both, and then the script.
await() {
  child=$1
  # Asked again now that the handler knows the child: one that came before this line could not end it.
  [ -z "$signal" ] || kill -KILL "$child" 2>/dev/null
  child_status=0
  # Quiet: the shell would report that a signal ended it.
  wait "$child" 2>/dev/null || child_status=$?
  [ -z "$signal" ] || wait "$child" 2>/dev/null
  child=''
  stop_if_asked
}

at_work=no

# A shell that can start no program any more ends by itself, with the code of a wrong usage. Then rm can't be started
# either, and trying it would be the end of this trap: what is left is emptied.
# shellcheck disable=SC2317,SC2329 # called by trap
on_exit() {
  exit_code=$?
  if [ "$at_work" = yes ] && [ -z "$signal" ]; then
    say 'ended: the shell could start no program; give the container more memory or processes'
    for file in $temporaries; do
      if [ -f "$file" ] && [ ! -L "$file" ]; then : >"$file"; fi
    done
    exit "$EXIT_NOT_REACHED"
  fi
  discard_temporaries
  exit "$exit_code"
}

# Ends the script if a signal has come.
stop_if_asked() {
  [ -n "$signal" ] || return 0
  stop_life_sign
  say "ended by SIG$signal"
  if [ "$watch" = yes ] && [ "$in_place" = yes ] && [ -f "$output" ]; then
    exit 0
  fi
  case $signal in
    HUP) exit 129 ;;
    INT) exit 130 ;;
    *) exit 143 ;;
  esac
}

# --- numbers and time ------------------------------------------------------------------------------------------------

# whole_number TEXT MAX: sets number; what is more than MAX is MAX. Fails for what is no whole number.
whole_number() {
  case $1 in
    '' | *[!0-9]*) return 1 ;;
  esac
  number=$1
  # To the shell a number that begins with 0 is octal.
  while :; do
    case $number in
      0?*) number=${number#0} ;;
      *) break ;;
    esac
  done
  # More digits than that no shell can be trusted with.
  if [ "${#number}" -gt 15 ] || [ "$number" -gt "$2" ]; then
    number=$2
  fi
}

# Sets now, in hundredths of a second since some moment. Not the time of day where that can be helped: it may jump.
read_clock() {
  if { IFS=' ' read -r uptime _ </proc/uptime; } 2>/dev/null; then
    fraction=${uptime#*.}
    now=$((${uptime%.*} * 100 + 1$fraction - 100))
  else
    now=$(($(date +%s) * 100))
  fi
}

# seconds HUNDREDTHS: as a decimal number
seconds() {
  if [ $(($1 % 100)) -lt 10 ]; then
    printf '%s' "$(($1 / 100)).0$(($1 % 100))"
  else
    printf '%s' "$(($1 / 100)).$(($1 % 100))"
  fi
}

# nap HUNDREDTHS
nap() {
  stop_if_asked
  if [ "$sleep_knows_fractions" = yes ]; then
    sleep "$(seconds "$1")" &
  else
    sleep $((($1 + 99) / 100)) &
  fi
  await "$!"
}

# Sets backoff: doubles with the failures in a row up to $1, and is a random one of the upper half of that, so that pods
# which failed together don't come back together.
next_backoff() {
  bound=$FIRST_BACKOFF
  doubled=0
  while [ "$doubled" -lt "$failures" ] && [ "$bound" -lt "$1" ]; do
    bound=$((bound * 2))
    doubled=$((doubled + 1))
  done
  [ "$bound" -le "$1" ] || bound=$1
  failures=$((failures + 1))
  random=$(od -An -N2 -tu2 /dev/urandom 2>/dev/null)
  backoff=$((bound / 2 + bound * (${random:-$$} % 65536) / 131072))
  if [ "$backoff" -lt $((retry_after * 100)) ]; then
    backoff=$((retry_after * 100))
  fi
}

# --- settings --------------------------------------------------------------------------------------------------------

read_environment() {
  url=${KERBRIDGE_URL-}
  output=${HADOOP_TOKEN_FILE_LOCATION-}
  service_account_token_file=${KERBRIDGE_SERVICE_ACCOUNT_TOKEN_FILE:-$DEFAULT_TOKEN_FILE}
  ca_file=${KERBRIDGE_CA_FILE-}
  cluster=${KERBRIDGE_CLUSTER-}
  kinds=$(lines_of "${KERBRIDGE_KINDS-}" ,)
  optional_kinds=$(lines_of "${KERBRIDGE_OPTIONAL_KINDS-}" ,)
  do_as=${KERBRIDGE_DO_AS-}
  format=${KERBRIDGE_FORMAT:-writable}
  timeout=${KERBRIDGE_TIMEOUT:-150}
  deadline=${KERBRIDGE_DEADLINE:-300}
  mode=${KERBRIDGE_MODE:-0600}
  group=${KERBRIDGE_GROUP-}
  copies=$(lines_of "${KERBRIDGE_COPIES-}" :)
  watch=no
  healthy=no
  rejected=no
}

# lines_of TEXT SEPARATOR: one line an entry, without blanks around it and without empty ones
lines_of() {
  printf '%s\n' "$1" | tr "$2" '\n' | sed 's/^[[:blank:]]*//; s/[[:blank:]]*$//; /^$/d'
}

# The first of a repeatable option takes the place of what the environment has.
kinds_given=no
optional_kinds_given=no
copies_given=no

read_options() {
  while [ "$#" -gt 0 ]; do
    option=$1
    shift
    case $option in
      --watch) watch=yes ;;
      --healthy) healthy=yes ;;
      --rejected) rejected=yes ;;
      -h | --help)
        print_help
        exit 0
        ;;
      --watch=* | --healthy=* | --rejected=*) usage_error "${option%%=*} takes no value" ;;
      --*=*) read_option "${option%%=*}" "${option#*=}" ;;
      -o?*) read_option -o "${option#-o}" ;;
      -*)
        known_option "$option"
        [ "$#" -gt 0 ] || usage_error "$option needs a value"
        case $1 in
          --*) usage_error "$option needs a value, not $(printable "$1"); if that is one, write $option=VALUE" ;;
        esac
        read_option "$option" "$1"
        shift
        ;;
      *) usage_error "unexpected argument $(printable "$option")" ;;
    esac
  done
}

known_option() {
  case $1 in
    -o | --output | --url | --service-account-token-file | --ca-file | --cluster | --kind | --optional) ;;
    --do-as | --format | --timeout | --deadline | --mode | --group | --copy) ;;
    *) usage_error "unknown option $(printable "$1")" ;;
  esac
}

# read_option NAME VALUE
read_option() {
  known_option "$1"
  [ -n "$2" ] || usage_error "$1 needs a value"
  case $1 in
    --url) url=$2 ;;
    -o | --output) output=$2 ;;
    --service-account-token-file) service_account_token_file=$2 ;;
    --ca-file) ca_file=$2 ;;
    --cluster) cluster=$2 ;;
    --kind)
      [ "$kinds_given" = yes ] || kinds=''
      kinds_given=yes
      kinds=$kinds$2$NEWLINE
      ;;
    --optional)
      [ "$optional_kinds_given" = yes ] || optional_kinds=''
      optional_kinds_given=yes
      optional_kinds=$optional_kinds$2$NEWLINE
      ;;
    --do-as) do_as=$2 ;;
    --format) format=$2 ;;
    --timeout) timeout=$2 ;;
    --deadline) deadline=$2 ;;
    --mode) mode=$2 ;;
    --group) group=$2 ;;
    --copy)
      [ "$copies_given" = yes ] || copies=''
      copies_given=yes
      # A line break would make two of it: refused below with the other control characters.
      case $2 in *"$NEWLINE"*) usage_error '--copy holds a control character' ;; esac
      copies=$copies$2$NEWLINE
      ;;
  esac
}

check_settings() {
  [ -n "$output" ] || usage_error 'say which file to write: --output FILE or HADOOP_TOKEN_FILE_LOCATION'
  output=$(path_of "$output")
  check_text --output "$output"
  copy_paths=''
  status_file=$output.status
  marker_file=$output.rejected
  if [ "$healthy" = yes ]; then
    [ "$watch$rejected" = nono ] || usage_error '--healthy goes with neither --watch nor --rejected'
    return
  fi
  [ "$watch$rejected" != yesyes ] || usage_error "--rejected does not go with --watch: make the file $marker_file instead"
  check_url
  check_text --service-account-token-file "$service_account_token_file"
  check_text --ca-file "$ca_file"
  check_text --cluster "$cluster"
  check_text --do-as "$do_as"
  # Lists have line breaks between their entries.
  check_text --kind "$(printf %s "$kinds" | tr '\n' ' ')"
  check_text --optional "$(printf %s "$optional_kinds" | tr '\n' ' ')"
  check_text --copy "$(printf %s "$copies" | tr '\n' ' ')"
  for copy in $copies; do
    copy_paths=$copy_paths$(path_of "$copy")$NEWLINE
  done
  service_account_token_file=$(path_of "$service_account_token_file")
  [ -z "$ca_file" ] || ca_file=$(path_of "$ca_file")
  case $format in
    writable | protobuf) ;;
    *) usage_error '--format must be writable or protobuf' ;;
  esac
  case $mode in
    0600 | 0640 | 0660 | 0400 | 0440) ;;
    *) usage_error '--mode must be 0600, 0640, 0660, 0400 or 0440' ;;
  esac
  if [ -n "$group" ]; then
    # The one after the last means "leave it" to the system.
    if ! whole_number "$group" 4294967295 || [ "$number" -gt 4294967294 ]; then
      usage_error '--group must be a numeric group id, 0 to 4294967294'
    fi
  fi
  check_number --timeout "$timeout" 1 3600
  timeout=$number
  check_number --deadline "$deadline" 0 86400
  deadline=$number
}

# check_text NAME VALUE
check_text() {
  case $2 in
    *[[:cntrl:]]*) usage_error "$1 holds a control character" ;;
  esac
}

# check_number NAME TEXT MIN MAX: sets number
check_number() {
  if ! whole_number "$2" $(($4 + 1)) || [ "$number" -lt "$3" ] || [ "$number" -gt "$4" ]; then
    usage_error "$1 must be a whole number of seconds from $3 to $4"
  fi
}

check_url() {
  [ -n "$url" ] || usage_error 'say where kerbridge serve is: --url or KERBRIDGE_URL'
  wanted='--url must be http(s)://host[:port][/prefix]'
  case $url in
    http://?* | https://?*) ;;
    *) usage_error "$wanted" ;;
  esac
  case $url in
    *@*) usage_error "$wanted, without a user or password" ;;
    *[!][A-Za-z0-9._~:/%+-]*) usage_error "$wanted, without query, fragment or blanks" ;;
  esac
  while [ "${url%/}" != "$url" ]; do url=${url%/}; done
  host=${url#*://}
  host=${host%%/*}
  port=443
  case $host in
    '' | :*) usage_error "$wanted" ;;
    *]) ;;
    *:*) port=${host##*:} ;;
  esac
  if ! whole_number "$port" 65536 || [ "$number" -gt 65535 ]; then
    usage_error "$wanted; the port is no number up to 65535"
  fi
}

# path_of PATH: one that no program takes for an option
path_of() {
  case $1 in
    /* | ./* | ../*) printf %s "$1" ;;
    *) printf %s "./$1" ;;
  esac
}

# What this system's programs can do.
look_around() {
  command -v curl >/dev/null || usage_error 'curl is not there: use an image that has it'
  case $(command -v printf) in
    /*) usage_error "this shell has no printf of its own, and would show the token in an argument: use another" ;;
  esac
  sleep_knows_fractions=no
  sleep 0.01 2>/dev/null && sleep_knows_fractions=yes
  # mv -T never moves into a folder. One that doesn't know it is told by what it says without operands.
  mv_options=-fT
  case $(mv -T 2>&1) in
    *[Ii]nvalid* | *[Ii]llegal* | *recognized*) mv_options=-f ;;
  esac
  # -h: of a link the link itself. One that is not there is no error with -c.
  touch_options=-c
  if touch -ch "/$PROGRAM.none" 2>/dev/null; then touch_options=-ch; fi
  # With --cacert curl still trusts the folder of certificates that it was built with. OpenSSL (and its kin) is the one
  # that looks into a folder only when it needs a certificate, so there one that is none is no error.
  ca_folder=''
  case $(curl -q --version 2>/dev/null) in
    *OpenSSL/* | *LibreSSL/* | *BoringSSL* | *quictls/* | *AWS-LC/*) ca_folder=/dev/null ;;
  esac
}

# --- temporary files -------------------------------------------------------------------------------------------------

# All of them are beside a target under a name that begins with a dot, and noted here before they exist.
temporaries=''

discard_temporaries() {
  for file in $temporaries; do
    rm -f "$file" 2>/dev/null
  done
  temporaries=''
}

# create_beside TARGET: an empty file that was not there before, mode 0600; sets temporary, or reason when it fails
create_beside() {
  random=$(od -An -N6 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n')
  read_clock
  temporary=${1%/*}/.${1##*/}.${random:-$$.$now}
  temporaries=$temporaries$temporary$NEWLINE
  # noclobber opens with O_EXCL: nobody's link is followed. In a shell of its own, which a failure may end.
  if trouble=$( (set -C && : >"$temporary") 2>&1); then return 0; fi
  cannot_write "$1" "$trouble"
}

# cannot_write TARGET TROUBLE: sets outcome and reason, and fails. TROUBLE is what a program said; its end says why.
cannot_write() {
  outcome=cannot-write
  case ${2##*: } in
    *[Nn]'o space left'*) hint='the volume is full' ;;
    *[Qq]uota*) hint='the quota of the volume is used up' ;;
    *[Rr]ead-only*) hint='the volume is read-only; mount an emptyDir there' ;;
    *[Pp]'ermission denied'*) hint='the folder is not writable for this user' ;;
    *[Nn]'o such file'* | *nonexistent* | *[Nn]'ot a directory'*) explain_missing_folder "$1" ;;
    *) hint=$(printable "${2##*: }") ;;
  esac
  reason="cannot write $1: $hint"
  return 1
}

# Some shells say of a file in the place of a folder, too, that there is nothing.
explain_missing_folder() {
  hint='the folder does not exist'
  folder=${1%/*}
  while [ -n "$folder" ] && [ ! -e "$folder" ] && [ "$folder" != "${folder%/*}" ]; do
    folder=${folder%/*}
  done
  if [ -e "$folder" ] && [ ! -d "$folder" ]; then hint='a part of the path is not a folder'; fi
}

# --- one request -----------------------------------------------------------------------------------------------------

# Sets service_account_token; when it can't be had, outcome and reason. Read for each try: kubelet replaces the file.
read_service_account_token() {
  outcome=unusable
  if [ ! -f "$service_account_token_file" ] || [ ! -r "$service_account_token_file" ]; then
    why='it does not exist'
    [ ! -e "$service_account_token_file" ] || why='it is no file that this user can read'
    reason="cannot read the service-account token $service_account_token_file: $why; mount a projected serviceAccountToken volume there"
    return 1
  fi
  service_account_token=$({ tr '\n\t\r' '   ' <"$service_account_token_file"; } 2>/dev/null | sed 's/^ *//; s/ *$//')
  case $service_account_token in
    *[!A-Za-z0-9_.-]* | *.*.*.*) ;;
    ?*.?*.?*) return 0 ;;
  esac
  service_account_token=''
  reason="$service_account_token_file holds no service-account token (a JWT of three parts)"
  return 1
}

# Sets outcome and reason when --ca-file can't be used.
check_ca_file() {
  [ -n "$ca_file" ] || return 0
  outcome=unusable
  if [ ! -f "$ca_file" ] || [ ! -r "$ca_file" ]; then
    why='it does not exist'
    [ ! -e "$ca_file" ] || why='it is no file that this user can read'
    reason="cannot read --ca-file $ca_file: $why"
    return 1
  fi
  case $(cat "$ca_file" 2>/dev/null) in
    *'-----BEGIN CERTIFICATE-----'*) return 0 ;;
  esac
  reason="--ca-file $ca_file holds no certificate in PEM"
  return 1
}

# run_curl BODY_FILE ARGUMENT...: asks, and leaves in $answer the headers, what curl said, and as the last line the
# status. Sets child_status.
run_curl() {
  stop_if_asked
  body_file=$1
  shift
  limit_request
  set -- --max-time "$try_seconds" --output "$body_file" "$@"
  if [ -n "$ca_file" ]; then
    set -- --cacert "$ca_file" "$@"
    [ -z "$ca_folder" ] || set -- --capath "$ca_folder" "$@"
  fi
  start_life_sign
  # --disable: no ~/.curlrc. The limit of file size, in blocks of 512 bytes, holds for answers without a Content-Length
  # too. exec, so that the process waited for is curl itself.
  printf 'header = "Authorization: Bearer %s"\n' "$service_account_token" 2>/dev/null | (
    # shellcheck disable=SC3045 # where -c is not known there is only no such limit
    ulimit -c 0
    ulimit -f $((MAX_BODY_BYTES / 512))
    exec curl --disable --config - --silent --show-error --dump-header - --write-out '\nstatus=%{http_code}\n' \
      --proto '=http,https' --noproxy '*' --globoff --http1.1 --tlsv1.2 --max-filesize "$MAX_BODY_BYTES" \
      --user-agent "$PROGRAM" "$@"
  ) >"$answer" 2>&1 &
  await "$!"
  stop_life_sign
}

# Reads what was answered from $answer: status, content_type, request_id, retry_after, refresh_after, valid_for,
# new_etag and new_sequence_numbers. Of these only numbers and strings of a few safe characters get through.
read_answer() {
  # Of several blocks (100 Continue) the last; of a header given twice the first.
  # shellcheck disable=SC2016 # awk's own
  parsed=$(awk '
    /^HTTP\// && (NR == 1 || blank) { split("", header) }
    { sub(/\r$/, ""); blank = ($0 == "") }
    /^status=[0-9]+$/ { status = substr($0, 8) }
    /^[A-Za-z0-9-]+:/ {
      name = tolower(substr($0, 1, index($0, ":") - 1))
      value = substr($0, index($0, ":") + 1)
      gsub(/^[ \t]+|[ \t]+$/, "", value)
      # Of numbers none may be cut in two: of too many there are none.
      if (name == "kerbridge-sequence-numbers") value = length(value) <= 4096 ? value : ""
      else value = substr(value, 1, 200)
      if (!(name in header)) header[name] = value
    }
    END {
      print "=" status
      print "=" header["content-type"]
      print "=" header["x-request-id"]
      print "=" header["retry-after"]
      print "=" header["kerbridge-refresh-after"]
      print "=" header["kerbridge-valid-for"]
      print "=" header["kerbridge-sequence-numbers"]
      print "=" header["etag"]
    }' "$answer" 2>/dev/null)
  # shellcheck disable=SC2086 # a line each
  set -- $parsed
  status=${1#=}
  content_type=$(printf %s "${2#=}" | tr 'A-Z\t' 'a-z ')
  content_type=${content_type%%[; ]*}
  request_id=$(printable "${3#=}")
  retry_after=0
  if whole_number "${4#=}" "$MAX_RETRY_AFTER_SECONDS"; then retry_after=$number; fi
  refresh_after=$DEFAULT_REFRESH_SECONDS
  if whole_number "${5#=}" "$MAX_SECONDS" && [ "$number" -gt 0 ]; then refresh_after=$number; fi
  valid_for=''
  if whole_number "${6#=}" "$MAX_SECONDS"; then valid_for=$number; fi
  bound_refresh
  new_sequence_numbers=$(numbers_only "${7#=}")
  new_etag=${8#=}
  case ${new_etag#W/} in
    '"'*'"') ;;
    *) new_etag='' ;;
  esac
  case $new_etag in
    *[!!-~]*) new_etag='' ;;
  esac
}

# Whatever the server says: not later than in a day, nor than half of the time that the tokens have left.
bound_refresh() {
  [ "$refresh_after" -le "$MAX_REFRESH_SECONDS" ] || refresh_after=$MAX_REFRESH_SECONDS
  [ -n "$valid_for" ] || return 0
  half=$((valid_for / 2))
  [ "$half" -ge 1 ] || half=1
  [ "$refresh_after" -le "$half" ] || refresh_after=$half
}

# Sets refresh, in hundredths: up to a tenth earlier than the server says, so that pods don't come back together.
spread_refresh() {
  random=$(od -An -N2 -tu2 /dev/urandom 2>/dev/null)
  refresh=$((refresh_after * 100 - refresh_after * 10 * (${random:-$$} % 1024) / 1024))
  [ "$refresh" -ge 100 ] || refresh=100
}

# numbers_only TEXT: the whole numbers in it with commas between, or nothing if there is anything else. Hadoop counts in 32
# bits with a sign, so there are negative ones.
numbers_only() {
  case ",$1," in
    ,, | *[!0-9,\ -]* | *-[!0-9]* | *[!,\ ]-*) ;;
    *) printf %s "$1" | tr -s ', ' ',' | sed 's/^,//; s/,$//' ;;
  esac
}

# Sets outcome and reason for a curl that failed.
explain_curl() {
  said=$(printable "$(sed -n 's/^curl: ([0-9]*) //p' "$answer" 2>/dev/null | head -n 1)")
  outcome=not-reached
  case $1 in
    6) reason="the name of $host cannot be resolved" ;;
    7) reason="cannot reach $host: ${said:-no connection}" ;;
    28) reason="no answer from $host within $try_seconds s" ;;
    35) reason="no TLS with $host: $said" ;;
    51 | 60) reason="the certificate of $host is not trusted: $said; name its CA with --ca-file" ;;
    77)
      reason='this system has no certificates to trust; name the CA with --ca-file'
      if [ -n "$ca_file" ]; then
        outcome=unusable
        reason="--ca-file $ca_file holds no certificate that can be used"
      fi
      ;;
    63) reason="the answer of $host is larger than any credentials file" ;;
    127) reason='curl is not there any more' ;;
    23)
      # Found before anything was sent to the file: a limit of size has a status of its own.
      cannot_write "$output" "$(write_trouble)"
      ;;
    *)
      if [ "$(stat -c %s "$body" 2>/dev/null || echo 0)" -ge "$MAX_BODY_BYTES" ]; then
        reason="the answer of $host is larger than any credentials file"
      else
        reason="the answer of $host broke off: ${said:-curl ended with $1}"
      fi
      ;;
  esac
}

# curl says only that it could not write. cat says why.
write_trouble() {
  printf 'write error\n'
  printf '%8192s' ' ' 2>/dev/null | { cat >>"$body"; } 2>&1
}

# problem_field NAME: a string of the problem document in $body
problem_field() {
  # shellcheck disable=SC2016 # awk's own
  printable "$(head -c 8192 "$body" 2>/dev/null | tr -c ' -~' ' ' | awk -v name="$1" '{
    if (match($0, "\"" name "\"[ ]*:[ ]*\"")) {
      rest = substr($0, RSTART + RLENGTH)
      if (match(rest, /^([^"\\]|\\.)*"/)) print substr(rest, 1, RLENGTH - 1)
    }
  }')"
}

# judge_answer IF_NONE_MATCH: sets outcome (received, unchanged, refused, not-reached) and reason
judge_answer() {
  outcome=not-reached
  if [ "$status" = 304 ] && [ -n "$1" ]; then
    outcome=unchanged
    return
  fi
  if [ "$status" = 200 ] && [ "$content_type" = application/octet-stream ]; then
    if inspect_credentials "$body"; then
      outcome=received
    fi
    return
  fi
  if [ "$content_type" != application/problem+json ]; then
    reason="HTTP $status with content type $(printable "${content_type:-none}"): not an answer of Kerbridge"
    return
  fi
  code=$(problem_field code)
  reason="HTTP $status ${code:-unknown}: $(problem_field title)"
  case $status in
    408 | 429) ;;
    4??)
      outcome=refused
      reason="refused: $reason"
      ;;
  esac
}

# --- the credentials file --------------------------------------------------------------------------------------------

# inspect_credentials FILE: whether it is a whole Hadoop credentials file with at least one token. Sets token_count,
# sequence_numbers_inside (commas between) and max_date (seconds since the epoch; the first among the tokens, or empty),
# as far as the identifiers can be read; or reason.
inspect_credentials() {
  if facts=$(od -An -v -tu1 "$1" 2>/dev/null | read_credentials); then
    token_count=${facts%% *}
    facts=${facts#* }
    max_date=${facts%% *}
    [ "$max_date" != - ] || max_date=''
    sequence_numbers_inside=${facts#* }
    [ "$sequence_numbers_inside" != - ] || sequence_numbers_inside=''
  else
    token_count=0
    reason=${facts:-not a credentials file}
    return 1
  fi
}

# Decodes the file's bytes, decimal numbers on standard input, in one pass: org.apache.hadoop.security.Credentials, in
# both formats, and of the identifiers of tokens when they end and their numbers. Passwords are skipped.
read_credentials() {
  # shellcheck disable=SC2016 # awk's own
  awk '
    function fail(why) { print why; exit 1 }
    function broken(why) { fail("the answer is not a credentials file: " why) }

    # The file, byte for byte, so that a large one takes no memory; or, while `looking`, the identifier that was kept.
    # A bad identifier is no reason to refuse the file, since Hadoop is the one that reads it: zeros follow its end.
    function more(   line) {
      while (at > have) {
        if ((getline line) <= 0) return 0
        have = split(line, buffer, " "); at = 1
      }
      return 1
    }
    function byte() {
      if (looking) return looked < kept ? identifier[looked++] : 0
      if (!more()) broken("it is cut short")
      position++
      return buffer[at++] + 0
    }
    function size(value) { if (value < 0) broken("a negative length"); return value }
    function skip(count_) {
      if (looking) looked += count_
      else for (size(count_); count_ > 0; count_--) byte()
    }
    # Hadoop: WritableUtils.readVLong. Exact up to 2^53, which is enough for dates.
    function vlong(   first, left, value) {
      first = byte()
      if (first < 128) return first
      first -= 256
      if (first >= -112) return first
      for (left = first < -120 ? -120 - first : -112 - first; left > 0; left--) value = value * 256 + byte()
      return first < -120 ? -1 - value : value
    }
    # Of protocol buffers.
    function varint(   value, factor, one) {
      for (factor = 1; factor < 1e20; factor *= 128) {
        one = byte()
        value += (one % 128) * factor
        if (one < 128) return value
      }
      if (!looking) broken("a number without end")
      return value
    }
    function text(count_,   result) {
      for (size(count_); count_ > 0; count_--) result = result sprintf("%c", byte())
      return result
    }
    # An identifier comes before its kind.
    function keep(count_) {
      for (kept = 0; size(count_) > kept; kept++) identifier[kept] = byte()
    }

    function look_at_identifier(kind) {
      looking = 1; looked = 0; max_date = number = -1
      if (kind ~ /^(RM|TIMELINE)_DELEGATION_TOKEN$/ && identifier[0] != 0) look_at_protobuf()
      else if (kind ~ /^((HDFS|RM|TIMELINE|MR|HIVE)_DELEGATION_TOKEN|S?WEBHDFS delegation|kms-dt)$/) look_at_writable()
      looking = 0
      if (max_date < 0 || looked > kept) return
      max_date = int(max_date / 1000)
      # The end of the year 9999: Hadoop says the largest number for "never".
      if (max_date <= 253402300799 && (first_max_date == "" || max_date < first_max_date)) first_max_date = max_date
      if (!(number in seen)) numbers = numbers (numbers == "" ? "" : ",") sprintf("%d", number)
      seen[number] = 1
    }
    function look_at_writable() {
      if (byte() != 0) return
      skip(vlong()); skip(vlong()); skip(vlong()); vlong()
      max_date = vlong(); number = vlong()
      vlong()
    }
    function look_at_protobuf(   tag) {
      max_date = number = 0
      while (looked < kept) {
        tag = varint()
        if (tag % 8 == 2) skip(varint())
        else if (tag % 8 != 0) { max_date = -1; return }
        else if (tag == 40) max_date = varint()
        else if (tag == 48) number = varint()
        else varint()
      }
    }

    function read_writable(   left) {
      for (left = size(vlong()); left > 0; left--) {
        skip(vlong()); keep(vlong()); skip(vlong())
        look_at_identifier(text(vlong()))
        skip(vlong())
        count++
      }
      for (left = size(vlong()); left > 0; left--) { skip(vlong()); skip(vlong()) }
    }

    # The length of a part, which must not go past the end of its message.
    function within(end,   value) {
      value = varint()
      if (position + value > end) broken("a length past its message")
      return value
    }
    function skip_field(tag, end) {
      if (tag % 8 == 0) varint()
      else if (tag % 8 == 1) skip(8)
      else if (tag % 8 == 2) skip(within(end))
      else if (tag % 8 == 5) skip(4)
      else broken("an unknown kind of field")
    }
    # CredentialsProto { tokens = 1 }, CredentialsKVProto { alias = 1, token = 2 }, TokenProto { identifier = 1,
    # password = 2, kind = 3, service = 4 }; a tag is the number times 8, and 2 for bytes.
    function read_protobuf(   end, tag, part) {
      end = varint(); end += position
      while (position < end) {
        tag = varint()
        if (tag == 10) { part = within(end); read_entry(position + part); count++ }
        else skip_field(tag, end)
      }
      if (position > end) broken("a field past its message")
    }
    function read_entry(end,   tag, part, tokens) {
      while (position < end) {
        tag = varint()
        if (tag == 18) { part = within(end); read_token(position + part); tokens++ }
        else skip_field(tag, end)
      }
      if (tokens != 1 || position > end) broken("an entry without its token")
    }
    function read_token(end,   tag, kind, fields) {
      while (position < end) {
        tag = varint()
        if (tag == 10 || tag == 18 || tag == 26 || tag == 34) fields++
        if (tag == 10) keep(within(end))
        else if (tag == 26) kind = text(within(end))
        else skip_field(tag, end)
      }
      if (fields != 4 || position > end) broken("a token that is not whole")
      look_at_identifier(kind)
    }

    BEGIN {
      at = 1; have = position = count = looking = 0; first_max_date = numbers = ""
      if (byte() != 72 || byte() != 68 || byte() != 84 || byte() != 83) broken("it does not begin with HDTS")
      version = byte()
      if (version == 0) read_writable()
      else if (version == 1) read_protobuf()
      else broken("format " version)
      if (more()) broken("bytes follow its end")
      if (count == 0) fail("no delegation token in the answer")
      print count, first_max_date == "" ? "-" : sprintf("%.0f", first_max_date), numbers == "" ? "-" : numbers
      exit 0
    }'
}

# --- writing ---------------------------------------------------------------------------------------------------------

# refuse_what_is_no_file TARGET: a rename would replace a device (/dev/null, for everybody) or do this or that to a folder
refuse_what_is_no_file() {
  if [ -L "$1" ] || [ -f "$1" ] || [ ! -e "$1" ]; then
    case $1 in
      */) cannot_write "$1" 'the path is a folder; name a file in it' ;;
    esac
  elif [ -d "$1" ]; then
    cannot_write "$1" 'the path is a folder; name a file in it'
  else
    cannot_write "$1" 'a device, FIFO or socket is there, and would be replaced; name a file'
  fi
}

# finish_file FILE TARGET: group, mode and a sync for a file that is written; it had mode 0600 until now
finish_file() {
  if [ -n "$group" ] && ! trouble=$(chgrp "$group" "$1" 2>&1); then
    cannot_write "$2" "$trouble"
    reason="$reason; its group cannot be set to $group (--group)"
    return 1
  fi
  # After the group, whose change can take bits away. Before it nobody but us could read.
  trouble=$(chmod "$mode" "$1" 2>&1) || { cannot_write "$2" "$trouble"; return 1; }
  sync_path "$1" || cannot_write "$2" "$trouble"
}

# sync_path PATH: sets trouble when it fails. Where sync is missing there is nothing to do.
sync_path() {
  command -v sync >/dev/null || return 0
  trouble=$(sync "$1" 2>&1)
}

# stage_copy TARGET: writes what is in $body beside the target too, ready to be renamed
stage_copy() {
  refuse_what_is_no_file "$1" || return 1
  create_beside "$1" || return 1
  staged=$staged$temporary$NEWLINE
  trouble=$( { cat "$body" >"$temporary"; } 2>&1) || { cannot_write "$1" "$trouble"; return 1; }
  finish_file "$temporary" "$1"
}

# put_in_place FILE TARGET
put_in_place() {
  # A link to a folder is to be replaced: some mv would move into that folder, and the -T of busybox refuses. Nobody could
  # read a file at that name, so nobody misses one.
  if [ -L "$2" ] && [ -d "$2" ]; then rm -f "$2"; fi
  refuse_what_is_no_file "$2" || return 1
  trouble=$(mv "$mv_options" "$1" "$2" 2>&1) || { cannot_write "$2" "$trouble"; return 1; }
  # The name too should outlive a crash; the file is whole either way.
  sync_path "${2%/*}" || :
}

# Replaces all files by what is in $body: all are written before the first is renamed, --output is renamed last.
write_files() {
  refuse_what_is_no_file "$output" || return 1
  finish_file "$body" "$output" || return 1
  staged=''
  for copy in $copy_paths; do
    stage_copy "$copy" || return 1
  done
  replaced=''
  for copy in $copy_paths; do
    replace_copy "$copy" || { put_back; return 1; }
  done
  put_in_place "$body" "$output" || { put_back; return 1; }
  in_place=yes
}

# Some places show only when something is renamed that they can't be replaced: a file that is a mount of its own, another
# user's file in a sticky folder. So what was there keeps a second name until all are in place.
replace_copy() {
  next_staged=${staged%%"$NEWLINE"*}
  staged=${staged#*"$NEWLINE"}
  kept=absent
  if [ -e "$1" ] || [ -L "$1" ]; then
    kept=$next_staged.old
    temporaries=$temporaries$kept$NEWLINE
    # Where a file system knows no second names this copy can't be put back.
    ln "$1" "$kept" 2>/dev/null || kept=lost
  fi
  put_in_place "$next_staged" "$1" || return 1
  replaced=$kept$NEWLINE$1$NEWLINE$replaced
}

put_back() {
  # shellcheck disable=SC2086 # two lines each
  set -- $replaced
  while [ "$#" -gt 0 ]; do
    case $1 in
      absent) rm -f "$2" ;;
      lost) ;;
      *) mv -f "$1" "$2" 2>/dev/null ;;
    esac
    shift 2
  done
  return 0
}

# Prints what tells whether somebody removed or changed one of the files.
state_of_files() {
  for file in "$output" $copy_paths; do
    stat -c '%d %i %s %y' "$file" 2>/dev/null || echo gone
  done
}

files_are_ours() {
  [ -n "$written_state" ] && [ "$(state_of_files)" = "$written_state" ]
}

# --- one try ---------------------------------------------------------------------------------------------------------

# Asks once and writes what comes. Sets outcome, reason, request_id, retry_after, refresh_after.
try_once() {
  outcome=''
  reason=''
  request_id=''
  retry_after=0
  refresh_after=$DEFAULT_REFRESH_SECONDS
  ask_and_write
  discard_temporaries
}

ask_and_write() {
  read_service_account_token && check_ca_file || return 0
  create_beside "$output" || return 0
  body=$temporary
  create_beside "$output" || return 0
  answer=$temporary
  report_rejected
  ask_for_credentials
  if [ "$outcome" = refused ] && [ "$status" = 401 ]; then
    ask_with_another_token
  fi
  case $outcome in
    received) write_received ;;
    unchanged) insist_on_report ;;
  esac
  return 0
}

# After a 401, when kubelet has put another token into the file by now.
ask_with_another_token() {
  refused_token=$service_account_token
  first_reason=$reason
  while read_service_account_token && [ "$service_account_token" != "$refused_token" ]; do
    say "$first_reason${request_id:+ (request $request_id)}; the token file holds another token by now: tried at once"
    ask_for_credentials
    [ "$outcome" = refused ] && [ "$status" = 401 ] || return 0
    refused_token=$service_account_token
    first_reason=$reason
  done
  outcome=refused
  reason=$first_reason
}

# One request, and what is to be thought of the answer.
ask_for_credentials() {
  if_none_match=''
  if [ -n "$etag" ] && [ "$anew" = no ] && files_are_ours; then
    if_none_match=$etag
  fi
  set -- --get --data-urlencode "format=$format" --header 'Accept: application/octet-stream'
  [ -z "$cluster" ] || set -- "$@" --data-urlencode "cluster=$cluster"
  [ -z "$do_as" ] || set -- "$@" --data-urlencode "doAs=$do_as"
  [ -z "$if_none_match" ] || set -- "$@" --header "If-None-Match: $if_none_match"
  for kind in $kinds; do
    set -- "$@" --data-urlencode "kind=$kind"
  done
  for kind in $optional_kinds; do
    set -- "$@" --data-urlencode "optional=$kind"
  done
  run_curl "$body" "$@" "$url/v1/credentials"
  read_answer
  if [ "$child_status" = 0 ]; then
    judge_answer "$if_none_match"
  else
    explain_curl "$child_status"
  fi
}

write_received() {
  if ! write_files; then
    written_state=''
    return
  fi
  say "$token_count delegation token(s) written to $output${request_id:+ (request $request_id)}"
  written_state=$(state_of_files)
  etag=$new_etag
  anew=no
  written_at=$(date +%s)
  sequence_numbers=${new_sequence_numbers:-$sequence_numbers_inside}
  if [ -n "$valid_for" ]; then
    valid_until=$((written_at + valid_for))
  else
    valid_until=$max_date
  fi
  insist_on_report
}

# --- tokens that Hadoop refused --------------------------------------------------------------------------------------

# The server is told each number in to_report, and asked for the file even if it can't be told now.
report_rejected() {
  report_trouble=''
  report_retry_after=0
  for number_to_report in $(printf %s "$to_report" | tr , '\n'); do
    report_one "$number_to_report"
    [ -z "$report_trouble" ] || return 0
  done
}

report_one() {
  run_curl /dev/null --header 'Content-Type: application/json' --data-binary "{\"sequenceNumber\":$1}" \
    "$url/v1/credentials/rejected"
  read_answer
  if [ "$child_status" != 0 ]; then
    explain_curl "$child_status"
    report_trouble=$reason
    return
  fi
  report_retry_after=$retry_after
  case $status in
    2??)
      say "token $1 reported as refused by Hadoop"
      to_report=$(printf %s "$to_report" | sed 's/^[^,]*,*//')
      ;;
    404 | 405)
      say 'the server takes no reports of refused tokens; asking it for the credentials all the same'
      to_report=''
      ;;
    401 | 408 | 429) report_trouble="HTTP $status" ;;
    4??)
      # As for the credentials: a proxy on the way does not speak for Kerbridge.
      if [ "$content_type" != application/problem+json ]; then
        report_trouble="HTTP $status with content type $(printable "${content_type:-none}"): not an answer of Kerbridge"
        return
      fi
      say "the report of token $1 was refused: HTTP $status${request_id:+ (request $request_id)}"
      to_report=$(printf %s "$to_report" | sed 's/^[^,]*,*//')
      ;;
    *) report_trouble="HTTP $status" ;;
  esac
}

# A report that could not be delivered is for another try, unless other tokens came anyway.
insist_on_report() {
  for number_to_report in $(printf %s "$to_report" | tr , '\n'); do
    case ,$sequence_numbers, in
      *,"$number_to_report",*)
        outcome=not-reached
        [ "$retry_after" -ge "$report_retry_after" ] || retry_after=$report_retry_after
        reason="token $number_to_report could not be reported as refused by Hadoop: $report_trouble"
        return
        ;;
    esac
  done
  to_report=''
}

# --- until the first file is written ---------------------------------------------------------------------------------

fetch_first() {
  read_clock
  deadline_at=$((now + deadline * 100))
  first_try=yes
  while :; do
    try_once
    case $outcome in
      # Unchanged is what this run wrote, when only its report had to be repeated.
      received | unchanged) return 0 ;;
      cannot-write) give_up "$EXIT_CANNOT_WRITE" ;;
      refused) give_up "$EXIT_REFUSED" ;;
      unusable) [ "$first_try" = no ] || give_up "$EXIT_USAGE" ;;
    esac
    first_try=no
    next_backoff "$MAX_BACKOFF_FIRST_FILE"
    read_clock
    if [ $((now + backoff)) -gt "$deadline_at" ]; then
      give_up "$EXIT_NOT_REACHED"
    fi
    say_failure
    write_status waiting "$backoff"
    nap "$backoff"
  done
}

# No request lasts beyond the deadline, but each has a second; and with --deadline 0 those of the one try have all their time.
limit_request() {
  try_seconds=$timeout
  [ "$deadline" != 0 ] && [ -n "$deadline_at" ] || return 0
  read_clock
  left=$(((deadline_at - now + 99) / 100))
  [ "$left" -ge 1 ] || left=1
  [ "$left" -ge "$try_seconds" ] || try_seconds=$left
}

give_up() {
  at_work=no
  backoff=''
  say_failure
  if [ "$outcome" = refused ]; then write_status refused ''; else write_status waiting ''; fi
  exit "$1"
}

say_failure() {
  say "$reason${request_id:+ (request $request_id)}${backoff:+; next try in $(seconds "$backoff") s}"
}

# --- watching --------------------------------------------------------------------------------------------------------

# Goes on from the file of an earlier watcher if there is one whose tokens are still valid.
adopt_file() {
  [ -f "$output" ] && [ -f "$status_file" ] && inspect_credentials "$output" || return 1
  wall_clock=$(date +%s)
  sequence_numbers=$sequence_numbers_inside
  read_status
  [ -n "$earlier_state" ] && [ "${valid_until:-$wall_clock}" -ge "$wall_clock" ] && [ "${max_date:-$wall_clock}" -ge "$wall_clock" ] ||
    return 1
  in_place=yes
  reason='started again'
  say "going on with $output of an earlier watcher"
}

# From then on only a signal is the end.
keep_fresh() {
  deadline_at=''
  while :; do
    wait_until_due
    try_once
    backoff=0
    case $outcome in
      received | unchanged)
        failures=0
        spread_refresh
        settle ok "$refresh"
        ;;
      refused)
        next_backoff "$MAX_BACKOFF_REFUSED"
        say_failure
        settle refused "$backoff"
        ;;
      *)
        next_backoff "$MAX_BACKOFF_WATCH"
        say_failure
        settle waiting "$backoff"
        ;;
    esac
  done
}

# settle STATE HUNDREDTHS: until the next try
settle() {
  read_clock
  due_at=$((now + $2))
  # What the server asked for holds for whatever applications demand, too.
  not_before=$((now + retry_after * 100))
  write_status "$1" "$2"
}

wait_until_due() {
  while :; do
    stop_if_asked
    look_for_demands
    read_clock
    if [ "$due_at" -le "$now" ] || { [ "$demanded" = yes ] && [ "$not_before" -le "$now" ]; }; then
      demanded=no
      return
    fi
    left=$((due_at - now))
    [ "$left" -le "$TICK" ] || left=$TICK
    nap "$left"
    renew_life_sign
  done
}

# An application demands a try by the marker, which says that Hadoop refused its token, or by having changed a file.
look_for_demands() {
  read_clock
  if [ -n "$demanded_at" ] && [ $((now - demanded_at)) -lt "$MIN_BETWEEN_DEMANDS" ]; then
    return
  fi
  marker_now=''
  if [ -e "$marker_file" ] || [ -L "$marker_file" ]; then
    marker_now=$(stat -c '%d %i %y' "$marker_file" 2>/dev/null)
  fi
  [ "$marker_now" = "$marker_stuck" ] || marker_stuck=''
  if [ -n "$marker_now" ] && [ -z "$marker_stuck" ]; then
    take_marker
  # After a failure the file is asked for anew in any case, and soon.
  elif [ "$state" != ok ] || files_are_ours; then
    return
  fi
  demanded=yes
  demanded_at=$now
}

take_marker() {
  if ! rm -f "$marker_file" 2>/dev/null; then
    say "cannot remove $marker_file: it counts once, remove it"
    marker_stuck=$marker_now
  fi
  anew=yes
  to_report=$sequence_numbers
  say "Hadoop refused the tokens of $output, says $marker_file${to_report:+: $to_report}"
}

# --- how it stands ---------------------------------------------------------------------------------------------------

# write_status STATE HUNDREDTHS: for people and for --healthy; the number is until the next try, empty if there is none.
# One that can't be written is told, and no reason to stop.
write_status() {
  state=$1
  [ "$watch" = yes ] || return 0
  next_try_at=${2:+$(($(date +%s) + ($2 + 99) / 100))}
  saved_outcome=$outcome
  saved_reason=$reason
  [ "$state" != ok ] || reason=''
  if replace_status; then
    status_trouble=''
  else
    # Once, since each sign of life tries again.
    [ "$reason" = "$status_trouble" ] || say "$reason"
    status_trouble=$reason
  fi
  outcome=$saved_outcome
  reason=$saved_reason
  discard_temporaries
}

replace_status() {
  shown_reason=$reason
  refuse_what_is_no_file "$status_file" && create_beside "$status_file" || return 1
  trouble=$({
    printf '%s\n' "state=$state" "writtenAt=$written_at" "nextTryAt=$next_try_at" \
      "validUntil=$valid_until" "requestId=$request_id" "etag=$etag" "sequenceNumbers=$sequence_numbers" \
      "reason=$shown_reason" >"$temporary"
  } 2>&1) || { cannot_write "$status_file" "$trouble"; return 1; }
  if [ -n "$group" ]; then chgrp "$group" "$temporary" 2>/dev/null; fi
  chmod "$mode" "$temporary" 2>/dev/null
  put_in_place "$temporary" "$status_file"
}

# Takes over from the status file what an earlier watcher knew. Nothing in it is evaluated.
read_status() {
  earlier_state=''
  if [ ! -f "$status_file" ] || [ ! -r "$status_file" ]; then return 0; fi
  while IFS='=' read -r name value; do
    case $name in
      state) case $value in ok | waiting | refused) earlier_state=$value ;; esac ;;
      validUntil) if whole_number "$value" 9999999999; then valid_until=$number; fi ;;
      writtenAt) if whole_number "$value" 9999999999; then written_at=$number; fi ;;
      sequenceNumbers)
        value=$(numbers_only "$value")
        sequence_numbers=${value:-$sequence_numbers}
        ;;
    esac
  done <"$status_file"
}

renew_life_sign() {
  # Somebody may have removed it, or put one there that is another user's.
  if [ -f "$status_file" ] && [ ! -L "$status_file" ] && touch "$touch_options" "$status_file" 2>/dev/null; then
    return
  fi
  left=$((due_at - now))
  [ "$left" -ge 0 ] || left=0
  write_status "$state" "$left"
}

# While curl runs, which may be minutes. Ends by itself after the longest try, should the watcher be killed.
start_life_sign() {
  [ "$watch" = yes ] || return 0
  (
    set +u
    not_ours=$!
    trap 'if [ "$!" != "$not_ours" ]; then kill "$!"; wait "$!"; fi; exit 0' TERM
    beats=$((try_seconds * 100 / TICK + 1))
    while [ "$beats" -gt 0 ] && kill -0 "$$"; do
      sleep $((TICK / 100)) &
      wait "$!"
      touch "$touch_options" "$status_file"
      beats=$((beats - 1))
    done
  ) </dev/null >/dev/null 2>&1 &
  life_sign=$!
}

stop_life_sign() {
  [ -n "$life_sign" ] || return 0
  kill "$life_sign" 2>/dev/null
  wait "$life_sign" 2>/dev/null
  life_sign=''
}

# --healthy
report_health() {
  [ -f "$output" ] || unhealthy "$output is not there"
  changed_at=$(stat -c %Y "$status_file" 2>/dev/null) || unhealthy "$status_file is not there: no watcher (--watch) of this file"
  wall_clock=$(date +%s)
  age=$((wall_clock - changed_at))
  [ "$age" -lt "$MAX_LIFE_SIGN_AGE_SECONDS" ] || unhealthy "no sign of life of the watcher for $age s"
  # After a clock was set back a watcher that lives mends it in a few seconds.
  [ "$age" -gt "-$MAX_LIFE_SIGN_AGE_SECONDS" ] ||
    unhealthy "the last sign of life of the watcher is $((-age)) s ahead of the clock"
  valid_until=''
  written_at=''
  sequence_numbers=''
  read_status
  [ -n "$earlier_state" ] || unhealthy "$status_file is no status of a watcher"
  if [ -n "$valid_until" ] && [ "$valid_until" -le "$wall_clock" ]; then
    unhealthy "the tokens of $output are past their last date since $((wall_clock - valid_until)) s"
  fi
}

unhealthy() {
  say "not healthy: $1"
  exit "$EXIT_UNHEALTHY"
}

# --- in this order ---------------------------------------------------------------------------------------------------

main() {
  watch=no
  in_place=no
  trap 'on_signal TERM' TERM
  trap 'on_signal INT' INT
  trap 'on_signal HUP' HUP
  # A watcher must not end because nobody reads what it says.
  trap '' PIPE
  trap on_exit EXIT
  read_environment
  read_options "$@"
  check_settings
  if [ "$healthy" = yes ]; then
    report_health
    exit 0
  fi
  look_around

  at_work=yes
  failures=0
  backoff=''
  state=waiting
  status_trouble=''
  etag=''
  anew=no
  written_state=''
  written_at=''
  valid_until=''
  sequence_numbers=''
  to_report=''
  demanded=no
  demanded_at=''
  marker_stuck=''
  due_at=0
  not_before=0
  outcome=''
  reason=''
  request_id=''

  if [ "$rejected" = yes ] && [ -f "$output" ] && inspect_credentials "$output"; then
    to_report=$sequence_numbers_inside
  fi
  if [ "$watch" = yes ] && adopt_file; then
    settle waiting 0
    keep_fresh
  fi
  valid_until=''
  sequence_numbers=''
  fetch_first
  if [ "$watch" = yes ]; then
    failures=0
    spread_refresh
    settle ok "$refresh"
    keep_fresh
  fi
  at_work=no
  exit 0
}

main "$@"
