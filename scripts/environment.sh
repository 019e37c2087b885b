# Sourced by quickstart.sh and test.sh: a virtual environment in .venv with what the named requirements file asks for.
# Installs again only after a requirements file has changed. PYTHON=python3.12 chooses another interpreter.
prepare_environment() {
    local requirements=$1 python stamp
    stamp=.venv/installed-${requirements%.txt}
    if [ ! -x .venv/bin/python ]; then
        for python in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
            if [ -n "$python" ] && "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
                break
            fi
            python=
        done
        if [ -z "$python" ]; then
            echo "error: Python 3.11, 3.12 or 3.13 wanted, found none; name one by PYTHON=" >&2
            return 2
        fi
        echo "making a virtual environment in .venv with $("$python" --version)"
        "$python" -m venv .venv || { rm -rf .venv; return 1; }
    fi
    if [ ! -e "$stamp" ] || [ -n "$(find . -maxdepth 1 -name 'requirements*.txt' -newer "$stamp")" ]; then
        echo "installing $requirements (the first time takes a few minutes)"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements" || return 1
        touch "$stamp"
    fi
}
