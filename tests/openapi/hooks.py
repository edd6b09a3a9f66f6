"""Hooks for schemathesis: real mailboxes, messages and signatures, so that what is behind the
owner's proof is reached too. What is generated stays as it is in a part of the cases."""

import base64
import hashlib
import os
import random
import time
import urllib.parse
import urllib.request

import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BASE = os.environ["RELAY"]
AUTHORITY = urllib.parse.urlsplit(BASE).netloc
KEYS = {}
CAPABILITY = "c0ffee00" * 8
BODIES = [b"hello", b"world" * 1000, bytes(300 << 10)]
OWNERS = {
    "register", "close", "list", "events", "status", "fetch", "take", "ack", "capabilities",
    "allow", "revoke",
}
JSON_BODIES = {"take", "ack", "allow"}


def mailbox_of(seed):
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    name = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    KEYS[name] = key
    return name


MAILBOXES = [mailbox_of(seed) for seed in range(1, 6)]


def sign(method, target, key, mailbox, body=None):
    """The one form of a signature in PROTOCOL.md."""
    path, _, query = target.partition("?")
    components = [
        ("@method", method), ("@authority", AUTHORITY), ("@path", path), ("@query", "?" + query)
    ]
    headers = {}
    if body is not None:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers["Content-Digest"] = f"sha-256=:{digest}:"
        components.append(("content-digest", headers["Content-Digest"]))
    names = " ".join(f'"{name}"' for name, _ in components)
    nonce = os.urandom(16).hex()
    parameters = (
        f'({names});created={int(time.time())};nonce="{nonce}";'
        f'keyid="{mailbox}";tag="bulla-relay-v1"'
    )
    base = "".join(f'"{name}": {value}\n' for name, value in components)
    base += f'"@signature-params": {parameters}'
    headers["Signature-Input"] = "bulla=" + parameters
    headers["Signature"] = f"bulla=:{base64.b64encode(key.sign(base.encode())).decode()}:"
    return headers


def prepared_by(method, target, body=None, headers=None):
    made = urllib.request.Request(BASE + target, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(made) as answer:
        return answer.status


def prepare():
    """A mailbox each, open to one capability, with what waits in it."""
    for mailbox in MAILBOXES:
        key = KEYS[mailbox]
        target = f"/v1/m/{mailbox}"
        prepared_by("PUT", target, headers=sign("PUT", target, key, mailbox))
        allow = f"{target}/capabilities/{hashlib.sha256(CAPABILITY.encode()).hexdigest()}"
        prepared_by("PUT", allow, b"{}", sign("PUT", allow, key, mailbox, b"{}"))
        for body in BODIES:
            name = hashlib.sha256(body).hexdigest()
            prepared_by("PUT", f"{target}/{name}", body, {"Authorization": f"Bearer {CAPABILITY}"})


# A signature from before the start is stale.
time.sleep(1.1)
prepare()


def aim(parameters):
    """Mostly at what is there."""
    if "mailbox" in parameters and random.random() < 0.9:
        parameters["mailbox"] = random.choice(MAILBOXES)
    if "id" in parameters and random.random() < 0.7:
        parameters["id"] = hashlib.sha256(random.choice(BODIES)).hexdigest()


def raw(value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.serializer("application/partial-upload")
def part(context, value):
    return raw(value)


@schemathesis.serializer("application/vnd.bulla.messages")
def frames(context, value):
    """What is generated, or a batch of it."""
    body = raw(value)
    if not body or random.random() < 0.3:
        return body
    return hashlib.sha256(body).digest() + len(body).to_bytes(8, "big") + body


@schemathesis.hook
def before_call(context, case, kwargs):
    """Signs what an owner asks, with the bytes that will be sent."""
    operation = case.operation.definition.raw.get("operationId")
    aim(case.path_parameters)
    if operation in {"push", "pushBatch", "progress", "pushPart"}:
        if random.random() < 0.9:
            case.headers["Authorization"] = f"Bearer {CAPABILITY}"
        return
    mailbox = (case.path_parameters or {}).get("mailbox")
    # A mailbox that is closed would take the depth away from what follows.
    if operation not in OWNERS - {"close"} or mailbox not in KEYS or random.random() < 0.1:
        return
    sent = case.as_transport_kwargs(base_url=BASE)
    names = ("method", "url", "params", "json", "data")
    prepared = requests.Request(**{name: sent.get(name) for name in names}).prepare()
    target = urllib.parse.urlsplit(prepared.url)
    target = target.path + ("?" + target.query if target.query else "")
    body = None
    if operation in JSON_BODIES:
        body = raw(prepared.body or b"")
    for name, value in sign(case.method.upper(), target, KEYS[mailbox], mailbox, body).items():
        case.headers[name] = value
