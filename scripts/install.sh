#!/usr/bin/env bash
# Installs the workspace by its lockfile. Needs Node 20 with npm; everything else, Node 26 and pnpm too, comes with it.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer, with npm (https://nodejs.org), then run this again" >&2; exit 1; }
stamp=node_modules/.installed-by-lockfile
if [ -x node_modules/.bin/node ] && cmp -s pnpm-lock.yaml "$stamp"; then exit 0; fi
pnpm=$(sed -n 's/^ *"pnpm": "\([0-9.]*\)",\{0,1\}$/\1/p' package.json)
npx -y "pnpm@$pnpm" install --frozen-lockfile --reporter=append-only </dev/null
cp pnpm-lock.yaml "$stamp"
