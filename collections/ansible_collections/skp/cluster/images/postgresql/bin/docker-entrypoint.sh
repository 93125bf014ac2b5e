#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts PostgreSQL in the foreground, and makes its data at the first start. Any other command is run as it is. Variables of the upstream image postgres:
#
# PGDATA                directory of the data, default /var/lib/postgresql/data
# POSTGRES_PASSWORD     first start: the password of the superuser postgres; POSTGRES_PASSWORD_FILE names a file with it
# POSTGRES_INITDB_ARGS  first start: more options of initdb
#
# A start that was cut off has made no data: data is made in a directory beside, which gets its name when it is whole.
set -euo pipefail

refuse() {
    echo "postgresql: $1. Nothing was started" >&2
    exit 78
}

if [[ $# -eq 0 || $1 == -* ]]; then
    set -- postgres "$@"
fi
[[ $1 == postgres ]] || exec "$@"
shift

export PGDATA=${PGDATA:-/var/lib/postgresql/data}
ours=$(postgres --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
if [[ -s $PGDATA/PG_VERSION ]]; then
    found=$(<"$PGDATA/PG_VERSION")
    [[ $found == "$ours" ]] \
        || refuse "$PGDATA is a database of PostgreSQL $found, and this image is $ours: it does not read it. Run an image of $found; to upgrade, dump and restore"
    exec postgres "$@"
fi

password=${POSTGRES_PASSWORD:-}
if [[ -n ${POSTGRES_PASSWORD_FILE:-} ]]; then
    [[ -z $password ]] || refuse "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set"
    [[ -r $POSTGRES_PASSWORD_FILE ]] || refuse "POSTGRES_PASSWORD_FILE is $POSTGRES_PASSWORD_FILE, which user $(id -u) cannot read"
    password=$(<"$POSTGRES_PASSWORD_FILE")
fi
[[ -n $password ]] || refuse "$PGDATA has no database, and neither POSTGRES_PASSWORD_FILE nor POSTGRES_PASSWORD gives a password for a new one"
[[ ${POSTGRES_USER:-postgres} == postgres ]] || refuse "POSTGRES_USER is $POSTGRES_USER, and the superuser of this image is postgres"

echo "postgresql: no database in $PGDATA: making one"
new=$PGDATA
if [[ -w $(dirname "$PGDATA") ]]; then
    new=$PGDATA.new
    rm -rf "$new"
elif [[ -n $(ls -A "$PGDATA") ]]; then
    refuse "$PGDATA is not empty, and is no database"
fi
read -ra options <<<"${POSTGRES_INITDB_ARGS:-}"
initdb --pgdata="$new" --username=postgres --pwfile=<(printf '%s\n' "$password") --auth=scram-sha-256 "${options[@]}"
if [[ $new != "$PGDATA" ]]; then
    [[ ! -d $PGDATA ]] || rmdir "$PGDATA" 2>/dev/null || refuse "$PGDATA is not empty, and is no database"
    mv "$new" "$PGDATA"
    sync "$(dirname "$PGDATA")"
fi
exec postgres "$@"
