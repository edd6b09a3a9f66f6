"""Formats of bulla, written from its pages and not from its code.

Implements what a sender of letters needs: age v1 files with one stanza, X-Wing over HPKE
(mlkem768x25519), letters with every kind of authenticator (src/letter/FORMAT.md), storage keys and
records at rest, and the keys that a home holds (src/letter/RATCHET.md, src/contact/PAIRING.md).
Reading of hostile input is not its business: it trusts what it reads.
"""

import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

ZERO_NONCE = bytes(12)


# ---- primitives ----


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(material, salt, info, length=32):
    return HKDF(SHA256(), length, salt, info).derive(material)


def aead_seal(key, plaintext, associated=b""):
    return ChaCha20Poly1305(key).encrypt(ZERO_NONCE, plaintext, associated)


def aead_open(key, ciphertext, associated=b""):
    return ChaCha20Poly1305(key).decrypt(ZERO_NONCE, ciphertext, associated)


# ---- text ----

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32_decode(line):
    """The bytes of a Bech32 line. The checksum is not looked at."""
    accumulator = bits = 0
    out = bytearray()
    for character in line.lower().rsplit("1", 1)[1][:-6]:
        accumulator = accumulator << 5 | BECH32.index(character)
        bits += 5
        if bits >= 8:
            bits -= 8
            out.append(accumulator >> bits & 255)
            accumulator &= (1 << bits) - 1
    return bytes(out)


def base64_unpadded(data):
    return base64.b64encode(data).rstrip(b"=")


def base64_decode(text):
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def unarmor(text):
    lines = (line for line in text.splitlines() if line and not line.startswith(("-", "#")))
    return base64.b64decode("".join(lines))


# ---- records: a version byte, then fields in bincode 2's standard configuration ----


def integer(value):
    if value < 251:
        return bytes([value])
    for mark, form, bound in ((251, "<H", 1 << 16), (252, "<I", 1 << 32), (253, "<Q", 1 << 64)):
        if value < bound:
            return bytes([mark]) + struct.pack(form, value)
    raise ValueError(value)


def sequence(data):
    return integer(len(data)) + data


def optional(data):
    return b"\0" if data is None else b"\1" + data


class Fields:
    """Reads the fields of a record in order."""

    def __init__(self, record, version=1):
        assert record[0] == version, f"version {record[0]}"
        self.rest = record[1:]

    def take(self, length):
        taken, self.rest = self.rest[:length], self.rest[length:]
        assert len(taken) == length
        return taken

    def integer(self):
        first = self.take(1)[0]
        if first < 251:
            return first
        form = {251: "<H", 252: "<I", 253: "<Q"}[first]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self):
        return self.take(self.integer()).decode()

    def flag(self):
        return self.take(1) == b"\1"

    def optional(self, read):
        return read() if self.flag() else None

    def list(self, read):
        return [read() for _ in range(self.integer())]


# ---- identities, cards, homes ----


class Identity:
    """A seed and what is derived from it."""

    def __init__(self, seed):
        self.seed = seed
        self.signer = Ed25519PrivateKey.from_private_bytes(self._derive("sign"))
        self.xwing = XWing(self._derive("age"))
        self.public = self.signer.public_key().public_bytes_raw()
        self.fingerprint = sha256(b"bulla/v1/fingerprint\1", self.xwing.public, self.public)

    def _derive(self, what):
        return hkdf(self.seed, b"", b"bulla/v1/identity/" + what.encode())

    def storage_key(self, what, salt=b""):
        return hkdf(self._derive("storage"), salt, b"bulla/v1/storage/" + what.encode())

    def sign(self, label, *parts):
        return self.signer.sign(label + b"\0" + b"".join(parts))

    def card(self):
        """A card of this identity's own, without name or relay."""
        mailbox = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        fields = sequence(b"") + self.xwing.public + self.public + b"\0" + mailbox
        record = b"\1" + fields + os.urandom(32) + integer(1)
        return record + self.sign(b"bulla/v1/card", record)


class Card:
    """The public keys of a contact, and the bytes that a letter from them carries."""

    def __init__(self, record):
        self.record = record
        fields = Fields(record, record[0])
        self.name = fields.text()
        self.xwing = fields.take(1216)
        self.public = fields.take(32)
        self.fingerprint = sha256(b"bulla/v1/fingerprint\1", self.xwing, self.public)

    @classmethod
    def read(cls, path):
        with open(path, encoding="ascii") as file:
            return cls(unarmor(file.read()))


class Link:
    """What a pairing left in a home."""

    def __init__(self, fields):
        address = lambda: (fields.text(), fields.take(32), fields.take(32))
        self.fingerprint = fields.take(32)
        self.relay = fields.text()
        self.index = fields.take(16)
        self.open = fields.flag()
        self.machines = fields.list(address)
        self.pairwise = fields.take(32)


class Home:
    """A home folder whose identity is not locked: what a thief of the disk, or its owner, has."""

    def __init__(self, path):
        with open(os.path.join(path, "identity"), encoding="ascii") as file:
            lines = file.read().splitlines()
        line = next(line for line in lines if line.startswith("BULLA-SECRET-KEY-1"))
        self.identity = Identity(bech32_decode(line))
        self.folder = os.path.join(path, self.identity.storage_key("folder")[:8].hex())

    def record(self, name, key, kind):
        """Opens a record at rest: version, salt, sealed length and record and padding."""
        with open(os.path.join(self.folder, name), "rb") as file:
            sealed = file.read()
        version, salt, body = sealed[:1], sealed[1:33], sealed[33:]
        key = hkdf(key, salt, b"bulla/v1/record\0" + kind)
        plain = aead_open(key, body, version)
        length = struct.unpack(">Q", plain[:8])[0]
        return plain[8 : 8 + length]

    def link(self, contact):
        """The last link with the contact of a fingerprint.

        Before the links stand pairings that are not forgotten yet, whose layout is of no use here:
        a link is where the fingerprint is, if what follows reads as one.
        """
        record = self.record("pairs", self.identity.storage_key("pairs"), b"pairings")
        at, found = record.find(contact), None
        while at >= 0:
            try:
                link = Link(Fields(b"\1" + record[at:]))
                relays = [link.relay, *(machine[0] for machine in link.machines)]
                if len(relays) > 1 and all(relay.startswith("http") for relay in relays):
                    found = link
            except (AssertionError, KeyError, UnicodeDecodeError):
                pass
            at = record.find(contact, at + 1)
        assert found is not None, "no pairing with this contact"
        return found

    def mailbox(self, link):
        """The mailbox that was made for the contact of a link."""
        root = hkdf(self.identity.seed, b"", b"bulla/v1/identity/mailbox")
        key = hkdf(root, b"", b"bulla/v1/mailbox/contact/key" + link.index)
        return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()


# ---- X-Wing (draft-connolly-cfrg-xwing-kem), and HPKE base mode as age uses it ----


class XWing:
    """A secret key, expanded from its seed."""

    def __init__(self, seed):
        expanded = hashlib.shake_256(seed).digest(96)
        self.mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self.share = self.x25519.public_key().public_bytes_raw()
        self.public = self.mlkem.public_key().public_bytes_raw() + self.share

    def decapsulate(self, ciphertext):
        shared = self.mlkem.decapsulate(ciphertext[:1088])
        theirs = ciphertext[1088:]
        classic = self.x25519.exchange(X25519PublicKey.from_public_bytes(theirs))
        return xwing_combine(shared, classic, theirs, self.share)


def xwing_encapsulate(public):
    shared, ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral, theirs = X25519PrivateKey.generate(), public[1184:]
    share = ephemeral.public_key().public_bytes_raw()
    classic = ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs))
    return ciphertext + share, xwing_combine(shared, classic, share, theirs)


def xwing_combine(mlkem, x25519, ephemeral, static):
    return hashlib.sha3_256(mlkem + x25519 + ephemeral + static + b"\\.//^\\").digest()


def hpke_key(shared, info):
    """Key and nonce of the first message: HKDF-SHA256, ChaCha20-Poly1305."""
    suite = b"HPKE" + struct.pack(">HHH", 0x647A, 1, 3)

    def extract(salt, label, material):
        return hmac_sha256(salt or bytes(32), b"HPKE-v1", suite, label, material)

    def expand(prk, label, context, length):
        info = struct.pack(">H", length) + b"HPKE-v1" + suite + label + context
        return HKDFExpand(SHA256(), length, info).derive(prk)

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


CARD_STANZA = b"mlkem768x25519"
AGE_INFO = b"age-encryption.org/mlkem768x25519"


def wrap_to_card(card):
    """A function that wraps a file key to the key on a card, as an age recipient does."""

    def wrap(file_key):
        ciphertext, shared = xwing_encapsulate(card.xwing)
        key, nonce = hpke_key(shared, AGE_INFO)
        body = ChaCha20Poly1305(key).encrypt(nonce, file_key, b"")
        return [CARD_STANZA, base64_unpadded(ciphertext)], body

    return wrap


# ---- age v1 ----


def age_header(wrap, file_key):
    """A header with one stanza."""
    arguments, body = wrap(file_key)
    encoded = base64_unpadded(body)
    lines = [encoded[at : at + 64] for at in range(0, len(encoded) + 1, 64)]
    stanza = b"-> " + b" ".join(arguments) + b"\n" + b"\n".join(lines) + b"\n"
    unsigned = b"age-encryption.org/v1\n" + stanza + b"---"
    mac = hmac_sha256(hkdf(file_key, b"", b"header"), unsigned)
    return unsigned + b" " + base64_unpadded(mac) + b"\n"


def age_payload(file_key, plaintext):
    nonce = os.urandom(16)
    cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    chunks = [plaintext[at : at + 65536] for at in range(0, len(plaintext), 65536)] or [b""]
    sealed = [
        cipher.encrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, b"")
        for number, chunk in enumerate(chunks)
    ]
    return nonce + b"".join(sealed)


def age_split(sealed):
    """The header, to the line feed after its MAC, and the payload."""
    end = sealed.index(b"\n", sealed.index(b"\n--- ") + 1) + 1
    return sealed[:end], sealed[end:]


def only_stanza(sealed):
    """Type and arguments of the stanza, and its body in Base64."""
    header, _ = age_split(sealed)
    stanza, body = header.split(b"\n-> ", 1)[1].split(b"\n---", 1)[0].split(b"\n", 1)
    return stanza.split(b" "), body.replace(b"\n", b"")


def age_open(identity, sealed):
    """Opens a file that is sealed to the card of an identity: header, file key, plaintext."""
    header, payload = age_split(sealed)
    (kind, encapsulated), body = only_stanza(sealed)
    assert kind == CARD_STANZA, kind
    key, nonce = hpke_key(identity.xwing.decapsulate(base64_decode(encapsulated)), AGE_INFO)
    file_key = ChaCha20Poly1305(key).decrypt(nonce, base64_decode(body), b"")
    cipher = ChaCha20Poly1305(hkdf(file_key, payload[:16], b"payload"))
    chunks = [payload[at : at + 65552] for at in range(16, len(payload), 65552)]
    opened = [
        cipher.decrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, b"")
        for number, chunk in enumerate(chunks)
    ]
    return header, file_key, b"".join(opened)


def envelopes(stream):
    """The sealed letters of an envelope stream."""
    assert stream[:8] == b"\x8bbulla E"
    at, found = 8, []

    def block():
        nonlocal at
        length = struct.unpack(">I", stream[at : at + 4])[0]
        at += 4 + length
        return stream[at - length : at]

    while block():
        letter = b""
        while part := block():
            letter += part
        assert stream[at : at + 32] == sha256(letter)
        at += 32
        found.append(letter)
    return found


# ---- letters ----

MAGIC = b"\x8bbulla L"


def padme(length):
    exponent = length.bit_length() - 1
    mask = (1 << max(exponent - exponent.bit_length(), 0)) - 1
    return (length + mask) & ~mask


def frame(record):
    return struct.pack(">I", len(record)) + record


def header(to, sender=None, date=0, subject=None, postscript=b"\0\0\0\0"):
    """The letter header; `sender` is the record of a card."""
    text = lambda value: optional(None if value is None else sequence(value.encode()))
    record = b"\1" + os.urandom(16) + to
    record += optional(None if sender is None else sequence(sender))
    record += b"\0" + integer(date) + text(subject) + b"\0\0" + integer(0)
    return record + postscript


def postscript(machine=None, reply=None, offer=None, notice=None):
    """`reply` is relay, mailbox and capability; `notice` is kind and content."""
    if reply is not None:
        relay, mailbox, capability = reply
        reply = optional(sequence(relay.encode())) + mailbox + optional(capability)
    if notice is not None:
        notice = integer(notice[0]) + sequence(notice[1])
    offer = None if offer is None else sequence(offer)
    return b"".join(map(optional, (machine, reply, offer, notice)))


def offer(xwing_public, created):
    """A new start of the ratchet."""
    return b"\1" + integer(created) + os.urandom(32) + xwing_public


# Authenticators: functions of the message, SHA-256(age header) and SHA-256(letter header).


def anonymous(_message):
    return b"\1\0"


def signature_alone(signer):
    return lambda message: b"\1\1" + signer.sign(b"bulla/v1/letter/signature", message)


def pairwise_mac(pairwise, label, message):
    return hmac_sha256(hkdf(pairwise, b"", b"bulla/v1/pairwise/" + label), message)


def mac_alone(pairwise):
    return lambda message: b"\1\2" + pairwise_mac(pairwise, b"letter", message)


def signature_and_mac(signer, pairwise):
    def authenticate(message):
        signature = signer.sign(b"bulla/v1/letter/paired", message)
        return b"\1\3" + signature + pairwise_mac(pairwise, b"signed", message)

    return authenticate


def body_signature(signer, body):
    """The trailer of a signed letter."""
    return lambda message: signer.sign(b"bulla/v1/letter/body", message, sha256(body))


def no_trailer(_message):
    return b""


def plaintext(letter_header, authenticator, body, trailer=b""):
    blocks = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    plain = MAGIC + frame(letter_header) + frame(authenticator)
    plain += b"".join(map(frame, blocks)) + bytes(4) + trailer
    return plain.ljust(padme(max(len(plain), 4096)), b"\0")


def seal(wrap, letter_header, authenticate, body=b"", trailer=no_trailer):
    """A letter. `wrap` makes the stanza, `authenticate` and `trailer` take the message."""
    file_key = os.urandom(16)
    age = age_header(wrap, file_key)
    return reseal(age, file_key, letter_header, authenticate, body, trailer)


def reseal(age, file_key, letter_header, authenticate, body=b"", trailer=no_trailer):
    """A letter under an age header that is there already, by somebody with its file key."""
    message = sha256(age) + sha256(letter_header)
    plain = plaintext(letter_header, authenticate(message), body, trailer(message))
    return age + age_payload(file_key, plain)


def parts(plain):
    """Letter header, authenticator and what follows them."""
    assert plain[:8] == MAGIC
    at, found = 8, []
    for _ in range(2):
        length = struct.unpack(">I", plain[at : at + 4])[0]
        found.append(plain[at + 4 : at + 4 + length])
        at += 4 + length
    return *found, plain[at:]
