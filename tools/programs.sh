#!/bin/sh
# Installs the agent programs that tests and the demo run, exactly as pinned in tests/programs/package-lock.json.
# Does nothing when they are there; `--quiet` prints only when there is something to do.
set -eu
cd "$(dirname "$0")/../tests/programs"

claude=node_modules/.bin/claude
stamp=node_modules/.agentrunner-programs

say() { printf 'programs: %s\n' "$*"; }
fail() {
    printf 'programs: %s\n' "$@" >&2
    exit 1
}

wanted=$({ cat package-lock.json ../../tools/programs.sh && uname -sm; } | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && [ -x "$claude" ]; then
    [ "${1:-}" = --quiet ] || say "ready: $("$claude" --version)"
    exit 0
fi

for program in node npm; do
    command -v "$program" >/dev/null || fail "$program is needed to install Claude Code and was not found." \
        "On Debian and Ubuntu: apt-get install nodejs npm (as root), then run make programs again"
done

started=$(date +%s)
say "installing Claude Code (about 240 MB)"
npm ci --ignore-scripts --no-progress --loglevel=error >/dev/null ||
    fail "npm ci did not succeed; the lines above say why."
# The one install script that is needed links the native program over a placeholder; no other package's script runs.
node node_modules/@anthropic-ai/claude-code/install.cjs || fail "Claude Code's install step did not succeed."
pinned=$(node -p 'require("./package.json").dependencies["@anthropic-ai/claude-code"]')
found=$("$claude" --version) || fail "Claude Code is installed but does not start; the lines above say why."
[ "${found%% *}" = "$pinned" ] || fail "Claude Code $pinned is pinned, but $claude says '$found'."
echo "$wanted" >"$stamp"
say "ready in $(($(date +%s) - started)) s: $found"
