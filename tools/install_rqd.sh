#!/bin/sh
# Makes .venv-rqd beside the repository's .venv: OpenCue's host daemon, for the tests of the backend that speaks to it.
# It pins psutil below what Outfield uses, hence a venv of its own. About 80 MB.
set -eu

cd "$(dirname "$0")/.."
python="${PYTHON:-python3.11}"
venv="${RQD_VENV:-.venv-rqd}"

if [ -x "$venv/bin/rqd" ]; then
    echo "rqd is installed already in $venv"
    exit 0
fi
"$python" -m venv "$venv"
printf '*\n' > "$venv/.gitignore"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'opencue-rqd==1.37.*'
echo "installed rqd $("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("opencue-rqd"))') in $venv"
