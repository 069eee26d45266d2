#!/usr/bin/env bash
# Regenerates all that is generated, then fails where the tree differs from what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/node_modules/.bin:$PATH
turbo run generate --ui=stream --output-logs=errors-only
dirty=$(git status --porcelain)
if [ -n "$dirty" ]; then
  printf 'these files differ from what is committed; commit them, or mend what generates them:\n%s\n' "$dirty" >&2
  git --no-pager diff --stat >&2
  exit 1
fi
echo "verify: everything generated is committed"
