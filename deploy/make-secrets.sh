#!/bin/sh
# Creates the secrets of temporal-compose.yml, once: existing ones are kept.
#   deploy/make-secrets.sh [FOLDER]
set -eu
folder=${1:-secrets}
# Only the owner can enter the folder. Its files are readable by all, because containers mount them and run as other users.
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

# Hexadecimal, because it is part of a URL.
keep database_password "$(openssl rand -hex 24)"
keep database_url "postgres://heliograph:$(cat "$folder/database_password")@postgres:5432/heliograph"
keep temporal_database_password "$(openssl rand -hex 24)"
keep master_key "$(openssl rand -base64 32)"
keep jwt_secret "$(openssl rand -base64 32)"
echo "Keep a copy of $folder/master_key apart from the database's backups: without it the stored credentials are lost."
