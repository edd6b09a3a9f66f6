"""Letters to one recipient, honest and forged, made without any code of bulla.

usage: forge.py WHAT VICTIM CARD [--contact HOME] [--letter FILE] [--other HOME]

VICTIM is a copy of the recipient's home, as a thief of the disk has it. CARD is the card of the
contact in whose name letters are written. Honest letters need the contact's own home (--contact);
forgeries have what the thief has, and sometimes a letter that the contact sent (--letter, an envelope
stream) to the victim, or to another recipient whose home the thief has too (--other).

`forge.py list` prints every WHAT. tests/forgeries.rs says which of them the program must accept: the
honest ones, so that a refusal means something, and those that RATCHET.md says a thief can make.
"""

import argparse
import os
import sys
import time

import ratchet
from formats import (
    Card,
    Home,
    Identity,
    age_open,
    anonymous,
    body_signature,
    envelopes,
    header,
    mac_alone,
    no_trailer,
    offer,
    pairwise_mac,
    parts,
    postscript,
    reseal,
    seal,
    signature_alone,
    signature_and_mac,
    wrap_to_card,
)

MACHINE = 3
BODY = b"written without bulla"


class World:
    """What a maker of letters has."""

    def __init__(self, arguments):
        self.victim = Home(arguments.victim)
        self.to = Card(self.victim.identity.card())
        self.card = Card.read(arguments.card)
        self.contact = arguments.contact and Home(arguments.contact)
        self.other = arguments.other and Home(arguments.other)
        if arguments.letter:
            with open(arguments.letter, "rb") as file:
                self.letter = envelopes(file.read())[0]

    @property
    def link(self):
        """The victim's link with the contact: both have its secret."""
        return self.victim.link(self.card.fingerprint)

    @property
    def pairwise(self):
        return self.link.pairwise

    @property
    def signer(self):
        return self.contact.identity

    def header(self, more=b"\0\0\0\0"):
        return header(self.to.fingerprint, self.card.record, int(time.time()), "hello", more)

    def to_card(self, authenticate, trailer=no_trailer, more=b"\0\0\0\0", body=BODY):
        return seal(wrap_to_card(self.to), self.header(more), authenticate, body, trailer)

    def under(self, wrap, authenticate, trailer=no_trailer, more=b"\0\0\0\0", body=BODY):
        return seal(wrap, self.header(more), authenticate, body, trailer)

    def state(self):
        """The ratchet's state in the victim's home."""
        return ratchet.State(self.victim, self.card.fingerprint)

    def machine(self):
        """A postscript that announces a machine of the writer's, with keys of its own."""
        writer = Identity(os.urandom(32))
        reply = ("http://127.0.0.1:9", writer.public, os.urandom(32))
        start = offer(writer.xwing.public, int(time.time()))
        machine = self.victim.mailbox(self.link)
        return postscript(machine=machine, reply=reply, offer=start, notice=(MACHINE, b""))

    def machine_without_notice(self):
        writer = Identity(os.urandom(32))
        reply = ("http://127.0.0.1:9", writer.public, os.urandom(32))
        start = offer(writer.xwing.public, int(time.time()))
        return postscript(machine=self.victim.mailbox(self.link), reply=reply, offer=start)


# ---- honest letters ----


def honest_anonymous(world):
    record = header(world.to.fingerprint, date=int(time.time()))
    return seal(wrap_to_card(world.to), record, anonymous, BODY)


def honest_signature(world):
    """Of a contact whose program has no state: it does not know that it is paired."""
    signer = world.signer
    return world.to_card(signature_alone(signer), body_signature(signer, BODY))


def honest_both(world):
    signer = world.signer
    return world.to_card(signature_and_mac(signer, world.pairwise), body_signature(signer, BODY))


def honest_long(world):
    signer, body = world.signer, b"x" * 150_000
    authenticate = signature_and_mac(signer, world.pairwise)
    return world.to_card(authenticate, body_signature(signer, body), body=body)


def honest_machine(world):
    """A further machine of the contact's."""
    signer = world.signer
    authenticate = signature_and_mac(signer, world.pairwise)
    return world.to_card(authenticate, body_signature(signer, b""), world.machine(), b"")


def honest_ratchet(world):
    state = ratchet.State(world.contact, world.to.fingerprint)
    return world.under(ratchet.honest(state), mac_alone(world.pairwise))


def honest_ratchet_notice(world):
    """A notice of a kind that no program knows: what is heard of it is its sender."""
    signer, state = world.signer, ratchet.State(world.contact, world.to.fingerprint)
    authenticate = signature_and_mac(signer, world.pairwise)
    more = postscript(notice=(60_000, b"?"))
    return world.under(ratchet.honest(state), authenticate, body_signature(signer, b""), more, b"")


# ---- a thief of the victim's home writes to the victim as the contact ----


def forged_mac(world):
    """The thief has the pairwise secret, so the MAC is the right one."""
    return world.to_card(mac_alone(world.pairwise))


def forged_mac_offer(world):
    return world.to_card(mac_alone(world.pairwise), more=world.machine_without_notice())


def forged_mac_machine(world):
    return world.to_card(mac_alone(world.pairwise), more=world.machine(), body=b"")


def forged_both_by_victim(world):
    """Signed with the key that the thief has: the victim's."""
    signer = world.victim.identity
    return world.to_card(signature_and_mac(signer, world.pairwise), body_signature(signer, BODY))


def forged_machine_by_victim(world):
    signer = world.victim.identity
    authenticate = signature_and_mac(signer, world.pairwise)
    return world.to_card(authenticate, body_signature(signer, b""), world.machine(), b"")


def forged_signature_by_victim(world):
    signer = world.victim.identity
    return world.to_card(signature_alone(signer), body_signature(signer, BODY))


def forged_signature_machine(world):
    """Signed by the contact and without the MAC, as a quantum computer could sign."""
    signer = world.signer
    authenticate, trailer = signature_alone(signer), body_signature(signer, b"")
    return world.to_card(authenticate, trailer, world.machine(), b"")


def forged_unsigned(world):
    return world.to_card(anonymous)


def captured(world, reader):
    """Age header, file key, letter header, authenticator and rest of the letter that was sent."""
    age, file_key, plain = age_open(reader.identity, world.letter)
    return age, file_key, *parts(plain)


def forged_stripped(world):
    """The signature of a letter that is proven by both, taken for one that stands alone."""
    age, file_key, record, proof, _ = captured(world, world.victim)
    stripped = lambda _message: b"\1\1" + proof[2:66]
    return reseal(age, file_key, record, stripped, BODY)


def forged_mac_under_signed_headers(world):
    """The headers of a letter that the contact signed, and the MAC alone."""
    age, file_key, record, _, _ = captured(world, world.victim)
    return reseal(age, file_key, record, mac_alone(world.pairwise), BODY)


def forged_signature_moved(world):
    """The signature of one letter under the headers of another."""
    _, _, _, proof, _ = captured(world, world.victim)

    def moved(message):
        return proof[:66] + pairwise_mac(world.pairwise, b"signed", message)

    return world.to_card(moved)


def forged_header_changed(world):
    """Another subject under the age header of a letter that the contact signed."""
    age, file_key, record, proof, _ = captured(world, world.victim)
    changed = record.replace(b"the subject", b"another one")
    assert changed != record

    def moved(message):
        return proof[:66] + pairwise_mac(world.pairwise, b"signed", message)

    return reseal(age, file_key, changed, moved, BODY)


def forged_body(world):
    """Another body under headers, authenticator and trailer of a letter that the contact sent."""
    age, file_key, record, proof, rest = captured(world, world.victim)
    length = int.from_bytes(rest[:4], "big")
    trailer = rest[4 + length + 4 :][:64]
    return reseal(age, file_key, record, lambda _: proof, BODY, lambda _: trailer)


def forged_body_without_trailer(world):
    age, file_key, record, proof, _ = captured(world, world.victim)
    return reseal(age, file_key, record, lambda _: proof, BODY)


def forged_passed_on(world):
    """A letter to another recipient, sealed to the victim as it is."""
    _, _, record, proof, _ = captured(world, world.other)

    def moved(message):
        return proof[:66] + pairwise_mac(world.pairwise, b"signed", message)

    return seal(wrap_to_card(world.to), record, moved, BODY)


def forged_readdressed(world):
    """The same, with the victim's fingerprint in the place of the other's."""
    _, _, record, proof, _ = captured(world, world.other)
    record = record.replace(world.other.identity.fingerprint, world.to.fingerprint)

    def moved(message):
        return proof[:66] + pairwise_mac(world.pairwise, b"signed", message)

    return seal(wrap_to_card(world.to), record, moved, BODY)


# ---- the same with the victim's ratchet ----


def thief_ratchet(world):
    """A letter under the contact's next key, which is in the victim's state until it heals."""
    return world.under(ratchet.thief_begins(world.state()), mac_alone(world.pairwise))


def thief_ratchet_epoch(world):
    """The next letter of the epoch in use; one that the contact sent in it is on record."""
    return world.under(
        ratchet.thief_goes_on(world.state(), world.letter), mac_alone(world.pairwise)
    )


def thief_ratchet_offer(world):
    """A machine of the thief's that would outlive the healing."""
    wrap, authenticate = ratchet.thief_begins(world.state()), mac_alone(world.pairwise)
    return world.under(wrap, authenticate, more=world.machine_without_notice())


def thief_ratchet_notice(world):
    wrap, authenticate = ratchet.thief_begins(world.state()), mac_alone(world.pairwise)
    return world.under(wrap, authenticate, more=world.machine(), body=b"")


def thief_ratchet_signature(world):
    signer = world.victim.identity
    authenticate, trailer = signature_and_mac(signer, world.pairwise), body_signature(signer, b"")
    wrap = ratchet.thief_begins(world.state())
    return world.under(wrap, authenticate, trailer, world.machine(), b"")


def thief_ratchet_unsigned(world):
    """Without the pairwise secret: the keys of the ratchet alone prove nothing."""
    return world.under(ratchet.thief_begins(world.state()), mac_alone(os.urandom(32)))


def makers():
    prefixes = ("honest_", "forged_", "thief_")
    found = ((name, made) for name, made in globals().items() if name.startswith(prefixes))
    return {name.replace("_", "-"): made for name, made in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=[*makers(), "list"])
    parser.add_argument("victim", nargs="?")
    parser.add_argument("card", nargs="?")
    for option in ("--contact", "--letter", "--other"):
        parser.add_argument(option)
    arguments = parser.parse_args()
    if arguments.what == "list":
        print("\n".join(makers()))
        return
    sys.stdout.buffer.write(makers()[arguments.what](World(arguments)))


if __name__ == "__main__":
    main()
