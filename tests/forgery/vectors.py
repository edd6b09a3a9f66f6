"""Writes tests/vectors/letter/proofs.json: letters to a card with every proof, and refused ones.

Ann's seed is 32 bytes 01, Bob's 32 bytes 02, their pairwise secret 32 bytes 66 (hexadecimal); Ann
writes to Bob. Keys of the file and of X-Wing are random, so another run writes other bytes.
"""

import base64
import json
import os
import sys

from formats import (
    Card,
    Identity,
    age_header,
    body_signature,
    header,
    mac_alone,
    no_trailer,
    postscript,
    reseal,
    sha256,
    signature_alone,
    signature_and_mac,
    wrap_to_card,
)

ANN, BOB, PAIRWISE = Identity(b"\1" * 32), Identity(b"\2" * 32), b"\x66" * 32
DATE = 1_767_225_600


def case(name, outcome, authenticate, trailer, body, more=b"\0\0\0\0", released=None):
    file_key = os.urandom(16)
    record = header(BOB.fingerprint, ANN.card(), DATE, "hello", more)
    age = age_header(wrap_to_card(Card(BOB.card())), file_key)
    message = sha256(age) + sha256(record)
    return {
        "name": name,
        "outcome": outcome,
        "body": body.decode(),
        "message": message.hex(),
        "authenticator": authenticate(message).hex(),
        "body_signature": trailer(message).hex(),
        "sealed": base64.b64encode(
            reseal(age, file_key, record, authenticate, released or body, trailer)
        ).decode(),
    }


def cases():
    body, notice = b"ten to Carol", postscript(notice=(60_000, b"?"))
    signature, both = signature_alone(ANN), signature_and_mac(ANN, PAIRWISE)
    signed, empty = body_signature(ANN, body), body_signature(ANN, b"")
    other = signature_and_mac(ANN, b"\x67" * 32)
    stripped = lambda message: b"\1\1" + both(message)[2:66]
    yield case("signature", "signature", signature, signed, body)
    yield case("both", "signature+pairwise", both, signed, body)
    yield case("both, with a notice", "signature+pairwise", both, empty, b"", notice)
    yield case("MAC alone", "unproven", mac_alone(PAIRWISE), no_trailer, body)
    yield case("signature alone, with a notice", "unproven", signature, empty, b"", notice)
    yield case("MAC of another pairing", "unproven", other, signed, body)
    yield case("signature of both, alone", "forged", stripped, signed, body)
    yield case("signed by Bob", "forged", signature_and_mac(BOB, PAIRWISE), signed, body)
    yield case("another body", "forged body", both, signed, body, released=b"99 to Mallory")
    yield case("no body signature", "forged body", both, no_trailer, body)


def main():
    json.dump(list(cases()), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
