#!/bin/sh
# Makes what temporal-compose.yml takes as secrets, once: what is there already is kept.
#   deploy/make-secrets.sh [FOLDER]
set -eu
folder=${1:-secrets}
# The folder is its owner's. The files in it can be read by the containers, who have other users and no way through the folder.
mkdir -p "$folder"
chmod 700 "$folder"
umask 022

keep() {
  if [ -s "$folder/$1" ]; then
    echo "kept $folder/$1"
  else
    printf '%s\n' "$2" >"$folder/$1"
    echo "made $folder/$1"
  fi
}

# Hexadecimal: it stands in a URL.
keep database_password "$(openssl rand -hex 24)"
keep database_url "postgres://heliograph:$(cat "$folder/database_password")@postgres:5432/heliograph"
keep temporal_database_password "$(openssl rand -hex 24)"
keep master_key "$(openssl rand -base64 32)"
keep jwt_secret "$(openssl rand -base64 32)"
echo "Keep a copy of $folder/master_key apart from the database's backups: without it the stored credentials are lost."
