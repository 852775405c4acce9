# shellcheck shell=bash
# What up.sh and down.sh share: names, how a command is shown and run, which tools are needed. Sourced.

readonly CLUSTER=${CLUSTER:-ztunnel}
readonly IMAGE=${IMAGE:-localhost/ztunnel-dotnet:dev}
readonly CONTEXT=kind-$CLUSTER
dry_run=no
steps=0
# Commands are shown here even where their output goes through a filter.
exec 3>&1

fail() {
  printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

step() {
  steps=$((steps + 1))
  printf '\n%d. %s\n' "$steps" "$*"
}

# run COMMAND...: shows it, and runs it unless this is a dry run.
run() {
  printf '   $%s\n' "$(printf ' %q' "$@")" >&3
  [ "$dry_run" = yes ] || "$@"
}

kube() { run kubectl --context "$CONTEXT" "$@"; }

# The options both scripts know.
read_options() {
  local option
  for option in "$@"; do
    case "$option" in
      --dry-run) dry_run=yes ;;
      --help | -h) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "$0"; exit 0 ;;
      *) fail "unknown option $option; expected --dry-run or --help" ;;
    esac
  done
}

# The first version number (1.2 or 1.2.3) in a text.
version_in() { grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' <<<"$1" | head -n 1; }

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# need PROGRAM MINIMUM WHERE COMMAND...: the program is there, and what COMMAND prints is at least MINIMUM.
need() {
  local program=$1 minimum=$2 where=$3 found
  shift 3
  command -v "$program" >/dev/null || fail "$program is missing: install version $minimum or later, $where"
  found=$(version_in "$("$@" 2>/dev/null || true)")
  [ -n "$found" ] || fail "$program does not tell its version (\"$*\" printed none): install version $minimum or later, $where"
  at_least "$found" "$minimum" || fail "$program is version $found: install version $minimum or later, $where"
  echo "   $program $found"
}

need_engine() {
  docker info >/dev/null 2>&1 || fail "docker is there, but no engine answers it: start the docker service, or set DOCKER_HOST to one that runs (\"docker info\" shows why)"
}
