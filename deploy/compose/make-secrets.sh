#!/bin/sh
# Makes the secrets of compose.yaml in ./secrets, new ones at random; those that are there already stay as they are.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
once() { [ -e "secrets/$1" ] || cat >"secrets/$1"; }

key=outfield
random | once s3-secret
random | once postgresql-password
secret=$(cat secrets/s3-secret)
once s3-credentials <<END
[default]
aws_access_key_id = $key
aws_secret_access_key = $secret
END
once s3-config.json <<END
{"identities": [{"name": "outfield", "credentials": [{"accessKey": "$key", "secretKey": "$secret"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
END
printf 'postgresql:5432:outfield:outfield:%s\n' "$(cat secrets/postgresql-password)" | once pgpass

# Codes that let one worker in, once: written anew for each worker, see compose.yaml.
: >>secrets/join-1
: >>secrets/join-2

# The containers' user reads them (compose mounts files as they are), nobody else on this machine gets this far.
chmod 700 secrets
chmod 644 secrets/*
echo "secrets are in $(pwd)/secrets"
