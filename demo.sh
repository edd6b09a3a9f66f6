#!/usr/bin/env bash
# A letter goes all the way: sealed, pushed to a relay process, pulled, opened, indexed, found.
# Builds what it needs of the program, unless BULLA names one; everything happens in a temporary
# folder and on loopback.
set -euo pipefail
cd "$(dirname "$0")"

if [ -z "${BULLA:-}" ]; then
    target=${CARGO_TARGET_DIR:-target}
    cargo build --quiet --locked --profile demo --no-default-features --features cli,serve,index \
        --bin bulla --target-dir "$target"
    BULLA=$(realpath "$target/demo/bulla")
fi
letter=$PWD/README.md
place=$(mktemp -d)
relay=
trap '[ -z "$relay" ] || kill "$relay" 2>/dev/null || true; rm -rf "$place"' EXIT
cd "$place"

bulla() { "$BULLA" "$@"; }
alice() { BULLA_HOME=$place/alice "$BULLA" "$@"; }
bob() { BULLA_HOME=$place/bob "$BULLA" "$@"; }
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
if [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ]; then step() { printf '\n%s\n' "$*"; }; fi

step '1. A relay that nobody needs to trust'
"$BULLA" relay serve --store store --listen 127.0.0.1:0 >address &
relay=$!
until [ -s address ]; do sleep 0.05; done
url=$(cat address)
echo "$url"

step '2. Alice and Bob make identities; Bob takes a mailbox at the relay'
alice keygen --default
bob keygen --default
bob relay register --relay "$url"

step '3. They exchange cards by hand: who has a card, and nobody else, can push to its mailbox'
alice card --name Alice >alice.card
bob card --name Bob >bob.card
alice contact add bob bob.card
bob contact add alice alice.card

step '4. Alice seals README.md and pushes it: the relay sees ciphertext of a rounded size'
alice seal --to bob --subject 'the read-me' "$letter" | tee letter.env | bulla relay push
bulla inspect letter.env

step '5. Bob pulls, opens, and indexes what came'
bob relay pull | bob open --json >letters.jsonl
bob index add - <letters.jsonl

step '6. Bob finds it again'
bob search 'from:alice subject:"read me" relay'

step '7. Nothing readable is on his disk'
if grep -rqsF 'untrusted' bob; then
    echo 'a plain word was found in the state folder' >&2
    exit 1
fi
find bob -type f | sed "s|^|  |"
