#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test wants a checkout at .../ansible_collections/archetype/lab: give it a copy of what git would commit.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=.build/sanity/ansible_collections/archetype/lab
rm -rf .build/sanity
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [ -e "$file" ] && printf '%s\0' "$file"
done | tar --null --files-from=- -c | tar -x -C "$copy"
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cd "$copy"
git init -q . && git add -A && git -c user.name=x -c user.email=x commit -qm x

# ansible-test bootstraps pip with a script from a server of its own. Where that cannot be reached, a stand-in that takes pip from PyPI.
pip_version=$(python3 - <<'EOF'
import inspect, re
from ansible_test._internal import python_requirements
print(re.search(r"pip='([\d.]+)'", inspect.getsource(python_requirements)).group(1))
EOF
)
cache="$HOME/.ansible/test/cache"
bootstrap="$cache/get_pip_${pip_version//./_}.py"
if ! [ -e "$bootstrap" ]; then
    mkdir -p "$cache"
    python3 -m pip download -q --no-deps -d "$cache" "pip==$pip_version"
    cat > "$bootstrap" <<EOF
import sys
sys.path.insert(0, "$cache/pip-$pip_version-py3-none-any.whl")
from pip._internal.cli.main import main
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", *words]))
EOF
fi

ansible-test sanity --python "$version" --color no "$@"
