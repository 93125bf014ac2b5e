#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Starts MySQL in the foreground, and makes its data at the first start. Any other command is run as it is. Variables of the upstream image mysql:
#
# MYSQL_ROOT_PASSWORD                       first start: the password of root@localhost. There is no other root: MYSQL_ROOT_HOST may only be localhost
# MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD  first start: a database, with a user that has it
# For each of them <name>_FILE names a file with the value. No password is in a command line.
#
# A start that was cut off has made no data: data is made in a directory beside, which gets its name when it is whole.
set -euo pipefail

refuse() {
    echo "mysql: $1. Nothing was started" >&2
    exit 78
}

given() { # NAME: the value of the variable, or of the file that NAME_FILE names
    local file=$1_FILE
    if [[ -n ${!1:-} && -n ${!file:-} ]]; then
        refuse "$1 and $file are both set"
    elif [[ -n ${!file:-} ]]; then
        [[ -r ${!file} ]] || refuse "$file is ${!file}, which user $(id -u) cannot read"
        printf '%s' "$(<"${!file}")"
    else
        printf '%s' "${!1:-}"
    fi
}

quoted() { # TEXT as a literal of SQL
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

if [[ $# -eq 0 || $1 == -* ]]; then
    set -- mysqld "$@"
fi
[[ $1 == mysqld ]] || exec "$@"
shift

data=$(mysqld "$@" --verbose --help 2>/dev/null | sed -n 's/^datadir  *//p') || data=''
data=${data%/}
[[ -n $data ]] || refuse "mysqld does not accept its configuration: $(mysqld "$@" --validate-config 2>&1 | tail -n 1)"
if [[ -d $data/mysql ]]; then
    exec mysqld "$@"
fi

password=$(given MYSQL_ROOT_PASSWORD)
database=$(given MYSQL_DATABASE)
user=$(given MYSQL_USER)
user_password=$(given MYSQL_PASSWORD)
[[ -n $password ]] || refuse "$data has no database, and neither MYSQL_ROOT_PASSWORD_FILE nor MYSQL_ROOT_PASSWORD gives root's password for a new one"
[[ ${MYSQL_ROOT_HOST:-localhost} == localhost ]] || refuse "MYSQL_ROOT_HOST is $MYSQL_ROOT_HOST, and root is local in this image"
[[ $database =~ ^[A-Za-z0-9_]*$ && $user =~ ^[A-Za-z0-9_]*$ ]] || refuse "MYSQL_DATABASE and MYSQL_USER may have letters, digits and _"

first=$(umask 077 && mktemp)
{
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY $(quoted "$password");"
    [[ -z $database ]] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
    [[ -z $user ]] || echo "CREATE USER '$user'@'%' IDENTIFIED BY $(quoted "$user_password");"
    [[ -z $user || -z $database ]] || echo "GRANT ALL ON \`${database//_/\\_}\`.* TO '$user'@'%';"
} >"$first"

echo "mysql: no database in $data: making one"
new=$data
if [[ -w $(dirname "$data") ]]; then
    new=$data.new
    rm -rf "$new"
elif [[ -n $(ls -A "$data") ]]; then
    refuse "$data is not empty, and is no database"
fi
mysqld "$@" --datadir="$new" --initialize-insecure
if [[ $new != "$data" ]]; then
    [[ ! -d $data ]] || rmdir "$data" 2>/dev/null || refuse "$data is not empty, and is no database"
    mv "$new" "$data"
    sync "$(dirname "$data")"
fi
# The server takes connections only after these statements.
exec mysqld "$@" --init-file="$first"
