#!/bin/sh
# Mutates the modules that decide (see README.md) in a private copy of the tree and compares what
# survives with SURVIVORS.md: exit 1 where a survivor is not explained there.
#   tests/mutants/run.sh                          all of them
#   tests/mutants/run.sh cxplan/core/steps.py     some of them
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --require-hashes -r "$top/requirements-test.lock"
"$work/env/bin/pip" install --quiet -r "$top/tests/mutants/requirements.txt"

mkdir "$work/tree"
cp -R "$top/cxplan" "$top/tests" "$top/pyproject.toml" "$work/tree"
cd "$work/tree"
find . -name __pycache__ -prune -exec rm -rf {} +
PATH=$work/env/bin:$PATH PYTHONDONTWRITEBYTECODE=1 nice -n 15 python -m tests.mutants.mutate "$@"
