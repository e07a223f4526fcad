#!/bin/sh
# Makes .venv-bpy beside the repository's .venv: Blender 4.5 LTS as a Python module, for the tests that need a second
# generation of Blender. About 1 GB. The wheel exists for CPython 3.11 alone and pins numpy below 2, hence a venv of its own.
set -eu

cd "$(dirname "$0")/.."
python="${PYTHON:-python3.11}"
venv="${BPY_VENV:-.venv-bpy}"

if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import importlib.metadata as m; m.version("bpy")' 2>/dev/null; then
    echo "bpy is installed already in $venv"
    exit 0
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "bpy 4.5 needs Python 3.11; name one with PYTHON=/path/to/python3.11 $0" >&2
    exit 1
fi
"$python" -m venv "$venv"
printf '*\n' > "$venv/.gitignore"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'bpy==4.5.*' 'numpy<2'
echo "installed bpy $("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("bpy"))') in $venv"
