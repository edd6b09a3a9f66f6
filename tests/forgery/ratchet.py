"""The ratchet between paired contacts, written from src/letter/RATCHET.md and not from its code.

Reads a state as it is kept, and makes the stanzas that its owner could make, or that a thief could
make who has the state of the letters' recipient.
"""

import os
import struct

from formats import (
    Fields,
    XWing,
    aead_open,
    aead_seal,
    base64_decode,
    base64_unpadded,
    hkdf,
    hmac_sha256,
    only_stanza,
    sha256,
    xwing_encapsulate,
)

LABEL = b"bulla/v1/ratchet/"


def name(data):
    return sha256(data)[:8]


class Keys:
    """Keys of the tags and headers of one epoch."""

    def __init__(self, tag, header):
        self.tag_key, self.header_key = tag, header

    @classmethod
    def read(cls, fields):
        return cls(fields.take(32), fields.take(32))

    @classmethod
    def derive(cls, material, salt):
        return cls(hkdf(material, salt, LABEL + b"tag"), hkdf(material, salt, LABEL + b"header"))

    def tag(self, number):
        return hmac_sha256(self.tag_key, LABEL, b"tag", struct.pack(">I", number))[:16]

    def header(self, salt):
        return hkdf(self.header_key, salt, LABEL + b"header")


class Line:
    """One direction: the root, and the keys of the epoch that is next."""

    def __init__(self, root, following):
        self.root, self.next = root, following

    @classmethod
    def read(cls, fields):
        return cls(fields.take(32), Keys.read(fields))

    def step(self, shared, key, ciphertext):
        """The line after the next epoch begins, and the first chain key of that epoch."""
        material = shared + sha256(key, ciphertext)
        derive = lambda what: hkdf(material, self.root, LABEL + what)
        return Line(derive(b"root"), Keys.derive(material, self.root)), derive(b"chain")


class Sending:
    """The direction that the owner of a state writes in."""

    def __init__(self, fields):
        self.line = Line.read(fields)
        self.epoch = fields.integer()
        self.current = fields.optional(lambda: Current(fields))
        self.theirs = fields.optional(lambda: fields.take(1216))
        self.brought = (fields.integer(), fields.integer())


class Current:
    """The epoch that letters are sealed in."""

    def __init__(self, fields):
        self.keys = Keys.read(fields)
        self.chain = fields.take(32)
        self.number = fields.integer()
        self.ciphertext = fields.take(1120)
        self.answered = fields.take(8)
        self.previous = fields.integer()
        self.acknowledged = fields.flag()


class Epoch:
    """An epoch whose letters are opened."""

    def __init__(self, fields):
        self.number = fields.integer()
        self.id = fields.take(8)
        self.keys = Keys.read(fields)
        self.chain = fields.optional(lambda: fields.take(32))
        self.next = fields.integer()
        skipped = lambda: (fields.integer(), fields.take(32), fields.integer())
        self.skipped = fields.list(skipped)
        self.used = fields.list(lambda: (fields.integer(), fields.take(4)))


class Receiving:
    """The direction that the owner of a state reads in."""

    def __init__(self, fields):
        self.line = Line.read(fields)
        self.epochs = fields.list(lambda: Epoch(fields))
        self.offered = fields.list(lambda: (fields.take(8), XWing(fields.take(32))))


class State:
    """The session in use with the first machine of a contact, as a home keeps it."""

    def __init__(self, home, contact):
        file = home.identity.storage_key("ratchet/name", contact)[:8].hex()
        key = home.identity.storage_key("ratchet/key", contact)
        fields = Fields(home.record(file, key, b"ratchets"))
        assert fields.integer() > 0, "no session"
        self.machine = fields.take(32)
        self.transcript = fields.take(32)
        self.created = fields.integer()
        self.fresh = fields.optional(lambda: fields.take(32))
        self.replaced = fields.optional(fields.integer)
        self.heard = fields.optional(fields.integer)
        self.sending = Sending(fields)
        self.receiving = Receiving(fields)

    def acknowledgement(self):
        if not self.receiving.epochs:
            return bytes(16)
        last = self.receiving.epochs[-1]
        return struct.pack(">I", last.number) + last.id + struct.pack(">I", last.next)


def stanza(keys, chain, number, header):
    """A function that wraps a file key under the chain key of `number`."""

    def wrap(file_key):
        tag, salt = keys.tag(number), os.urandom(32)
        letter = hmac_sha256(chain, LABEL, b"letter")
        sealed = aead_seal(keys.header(salt), header, tag)
        key = hkdf(letter, salt, LABEL + b"letter")
        wrapped = aead_seal(key, file_key, tag + sealed)
        arguments = [b"bulla-ratchet-v1", base64_unpadded(tag), base64_unpadded(salt)]
        return arguments, sealed + wrapped

    return wrap


def stanza_header(previous, acknowledgement, answered, ciphertext, key):
    record = b"\1" + struct.pack(">I", previous) + acknowledgement + answered + ciphertext + key
    assert len(record) == 2365
    return record


def honest(state):
    """Wraps under the next key of the state's owner, who goes on in the epoch in use or begins one.

    The state stays as it is: its owner's next letter has the same number, and the key for the answer
    is forgotten.
    """
    sending, current = state.sending, state.sending.current
    if current is not None and not (current.acknowledged and sending.theirs):
        keys, chain, number = current.keys, current.chain, current.number
        answered, ciphertext, previous = current.answered, current.ciphertext, current.previous
    else:
        ciphertext, shared = xwing_encapsulate(sending.theirs)
        _, chain = sending.line.step(shared, sending.theirs, ciphertext)
        keys, number, answered = sending.line.next, 0, name(sending.theirs)
        previous = current.number if current else 0
    offered = XWing(os.urandom(32)).public
    header = stanza_header(previous, state.acknowledgement(), answered, ciphertext, offered)
    return stanza(keys, chain, number, header)


def thief_begins(state):
    """Wraps as the contact would, with nothing but the stolen state of the letters' recipient.

    The thief begins the contact's next epoch: the root is in the state, and so is a key that the
    recipient offered for it, if the contact has not answered all of them.
    """
    key_name, key = state.receiving.offered[-1]
    ciphertext, shared = xwing_encapsulate(key.public)
    _, chain = state.receiving.line.step(shared, key.public, ciphertext)
    answer = XWing(os.urandom(32)).public
    header = stanza_header(0, bytes(16), key_name, ciphertext, answer)
    return stanza(state.receiving.line.next, chain, 0, header)


def thief_goes_on(state, letter):
    """Wraps as the contact would in the epoch in use, by the stolen state and a letter of that epoch.

    The state has the chain but not the epoch's ciphertext, which every letter of the epoch carries.
    """
    epoch = state.receiving.epochs[-1]
    (_, tag, salt), body = only_stanza(letter)
    tag, salt = base64_decode(tag), base64_decode(salt)
    header = aead_open(epoch.keys.header(salt), base64_decode(body)[:2381], tag)
    return stanza(epoch.keys, epoch.chain, epoch.next, header)
