#!/bin/sh
# Runs `make test` under each of the given versions of Python that this machine has: on PATH, in pyenv or in uv.
# Versions that are missing are named. Fails if the tests fail under one version, or if no version is found.
set -u
export UV_PYTHON_DOWNLOADS=never

is_version() { # of pyenv, python3.x may be on PATH and not run
	"$1" -c "import sys, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" 2>/dev/null
}

interpreter() {
	for one in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python "$(uv python find "$1" 2>/dev/null)"; do
		if is_version "$one" "$1"; then
			command -v "$one"
			return
		fi
	done
	return 1
}

passed='' failed='' missing=''
for version; do
	if ! python=$(interpreter "$version"); then
		missing="$missing $version"
		continue
	fi
	echo "Python $version: $python"
	if "$MAKE" --no-print-directory test PYTHON="$python" VENV=".venv-python$version"; then
		passed="$passed $version"
	else
		failed="$failed $version"
	fi
done
echo "passed under:${passed:- none}; failed under:${failed:- none}; not on this machine:${missing:- none}"
[ -z "$failed" ] && [ -n "$passed" ]
