#!/bin/sh
# Makes .venv from requirements/dev.txt (exact versions with hashes, wheels only) and installs this checkout into it.
# Does nothing when .venv already fits: the stamp holds a hash of everything that decides its content.
# `--quiet` prints only when there is something to do. PYTHON=... picks the interpreter.
set -eu
cd "$(dirname "$0")/.."

root=$(pwd -P)
stamp=.venv/.agentrunner-setup
# A user's pip settings may name a mirror, and that is respected; these would break an install into a virtualenv.
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

pick_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    found=$("${PYTHON:-python3}" --version 2>/dev/null || echo 'no python3')
    fail "Python 3.11 or newer is needed, found $found." \
        "Debian 12, Ubuntu 24.04 and later have it: apt-get install python3 python3-venv" \
        "Another interpreter is used with: make setup PYTHON=/path/to/python3.11"
}

# Console scripts carry the absolute path of their interpreter, so a .venv copied from elsewhere runs the wrong one.
venv_is_usable() { new_enough .venv/bin/python && head -n 3 .venv/bin/pip 2>/dev/null | grep -qF "$root/.venv/bin/"; }

make_venv() {
    python=$(pick_python)
    say "creating .venv with $("$python" --version)"
    rm -rf .venv
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    elif "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip .venv; then
        "$python" -m pip --python .venv/bin/python install --quiet pip
    else
        rm -rf .venv
        fail "$python cannot make virtual environments: its venv package is missing." \
            "On Debian and Ubuntu: apt-get install python3-venv (as root), then run make setup again"
    fi
}

wanted=$(cat requirements/dev.txt pyproject.toml tools/setup.sh | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && venv_is_usable; then
    [ "${1:-}" = --quiet ] || say "ready: .venv has $(.venv/bin/python --version) and the pinned packages"
    exit 0
fi

started=$(date +%s)
venv_is_usable || make_venv
rm -f "$stamp"
say "installing $(grep -c '^[a-zA-Z].*==' requirements/dev.txt) pinned packages"
.venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.txt ||
    fail "the pinned packages could not be installed; the lines above say why."
# The build backend is among the pins, so nothing unpinned is fetched for the build.
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . ||
    fail "this checkout could not be installed into .venv; the lines above say why."
echo "$wanted" >"$stamp"
say "ready in $(($(date +%s) - started)) s: .venv has $(.venv/bin/python --version)"
