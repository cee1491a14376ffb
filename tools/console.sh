#!/bin/sh
# Builds the console into src/agentrunner/_console, from where the server serves it and the wheel takes it.
# Does nothing when nothing has changed: the stamp holds a hash of everything that decides what is built.
#   --quiet     prints only when there is something to do
#   --optional  a machine without Node goes on without the console, and is told so
#   --packages  stops behind the packages of console/package-lock.json
# Exit 3 says that Node is missing or too old, 1 that something failed.
set -eu
cd "$(dirname "$0")/.."

built=src/agentrunner/_console
stamp=.cache/console/stamp
packages_stamp=console/node_modules/.agentrunner-console
quiet='' optional='' packages=''
for word in "$@"; do
    case $word in
    --quiet) quiet=1 ;;
    --optional) optional=1 ;;
    --packages) packages=1 ;;
    *) echo "console: $word is not known; see the top of tools/console.sh" >&2 && exit 2 ;;
    esac
done

say() { printf 'console: %s\n' "$*"; }
fail() {
    printf 'console: %s\n' "$@" >&2
    exit 1
}

check_node() {
    found=$(node --version 2>/dev/null || echo none)
    if command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number)
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null; then
        return
    fi
    [ -z "$optional" ] || {
        say "not built: it needs Node 20.19 or newer with npm, found $found; everything else works without"
        exit 0
    }
    printf 'console: %s\n' "Node 20.19 (or 22.12, or newer) with npm is needed to build the console, found $found." \
        "On Debian and Ubuntu: apt-get install nodejs npm (as root), then run make console again" \
        "An installed wheel of Agent Runner has the console in it and needs no Node." >&2
    exit 3
}

# Tests decide nothing about what is built.
sources() {
    find console \( -name node_modules -o -name dist -o -name '*.test.ts' -o -name '*.test.tsx' -o -name openapi.json \) -prune \
        -o -type f -print | LC_ALL=C sort
}
hash_of_sources() { { sources | tr '\n' '\0' | xargs -0 sha256sum && sha256sum tools/console.sh; } | sha256sum | cut -d ' ' -f 1; }
hash_of_packages() { { cat console/package-lock.json && node --version && uname -sm; } | sha256sum | cut -d ' ' -f 1; }

is_built() { [ -f "$built/index.html" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(hash_of_sources)" ]; }
has_packages() { [ "$(cat "$packages_stamp" 2>/dev/null)" = "$(hash_of_packages)" ]; }

install_packages() {
    has_packages && return
    say "installing $(grep -c '"node_modules/' console/package-lock.json) pinned packages"
    (cd console && npm ci --no-progress --loglevel=error >/dev/null) ||
        fail "npm ci did not succeed; the lines above say why."
    hash_of_packages >"$packages_stamp"
}

build() {
    started=$(date +%s)
    wanted=$(hash_of_sources)
    fresh=.cache/console/fresh
    rm -rf "$fresh" "$built.old"
    (cd console && node_modules/.bin/vite build --outDir "../$fresh" --emptyOutDir --logLevel warn) ||
        fail "the build did not succeed; the lines above say why."
    node console/scripts/pack.mjs "$fresh" || fail "the built files could not be compressed."
    # A server that starts meanwhile finds the old files or the new ones, never half of them.
    [ ! -d "$built" ] || mv "$built" "$built.old"
    mv "$fresh" "$built"
    rm -rf "$built.old"
    echo "$wanted" >"$stamp"
    say "built in $(($(date +%s) - started)) s: $(find "$built/assets" -name '*.js' | wc -l) scripts," \
        "$(cat "$built"/assets/*.js.br | wc -c | awk '{printf "%.0f", $1 / 1024}') KB compressed"
}

if [ -z "$packages" ] && is_built; then
    [ -n "$quiet" ] || say "ready: nothing has changed since it was built"
    exit 0
fi
check_node
mkdir -p .cache/console
# Two commands at once build it once: the second waits, and then finds it built.
exec 9>.cache/console/lock
if command -v flock >/dev/null; then flock 9; fi
install_packages
[ -n "$packages" ] || is_built || build
