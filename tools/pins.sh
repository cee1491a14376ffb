#!/bin/sh
# Compiles requirements/*.txt from pyproject.toml: exact versions with hashes and no download addresses.
# Keeps the versions that still fit; `--upgrade` takes the newest of each.
set -eu
cd "$(dirname "$0")/.."

uv=.cache/uv/bin/uv
[ -x "$uv" ] || { .venv/bin/python -m venv .cache/uv && .cache/uv/bin/python -m pip install --quiet 'uv>=0.8'; }

compile() {
    "$uv" pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --custom-compile-command 'make pins' pyproject.toml "$@"
}
compile --output-file requirements/run.txt ${1:+"$1"}
compile --group dev --constraint requirements/run.txt --output-file requirements/dev.txt ${1:+"$1"}
grep -c '^[a-zA-Z].*==' requirements/run.txt requirements/dev.txt | sed 's/:/: /; s/$/ packages/'
