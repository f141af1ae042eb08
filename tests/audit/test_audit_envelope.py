"""Envelopes: published vectors, the exact form, and whose signature counts."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]  # re-exports

from cxplan.audit import envelope
from cxplan.audit.envelope import Signed
from cxplan.audit.keys import PublicKey, public_key
from cxplan.audit.refusal import Refused
from cxplan.core.canonical import signed_form
from tests.audit.samples import ecdsa_key, ed25519_key

VECTORS = Path(__file__).parent / "vectors"
DSSE: dict[str, Any] = json.loads((VECTORS / "dsse" / "vectors.json").read_bytes())
IN_TOTO = VECTORS / "in-toto-dsse"


@pytest.mark.parametrize("case", DSSE["pae"], ids=lambda case: case["paeUtf8"])
def test_pae_is_the_published_one(case: dict[str, str]) -> None:
    payload = base64.b64decode(case["payloadBase64"])
    assert envelope.pae(payload, case["payloadType"]) == case["paeUtf8"].encode()


def published_key() -> PublicKey:
    point = DSSE["ecdsaP256Sha256"]
    numbers = ec.EllipticCurvePublicNumbers(int(point["x"]), int(point["y"]), ec.SECP256R1())
    key = public_key(numbers.public_key())
    assert key is not None
    return key


def test_published_signature_verifies_once_it_is_der() -> None:
    said = DSSE["ecdsaP256Sha256"]["envelope"]
    raw = base64.b64decode(said["signatures"][0]["sig"])
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    data = envelope.pae(base64.b64decode(said["payload"]), said["payloadType"])
    assert published_key().verifies(der, data)
    assert not published_key().verifies(raw, data)
    assert not published_key().verifies(der, data + b" ")


@pytest.mark.parametrize(
    ("link", "signer"), [("package.2f89b927.link", "carl"), ("write-code.776a00e2.link", "bob")]
)
def test_what_others_signed_is_over_our_pae(link: str, signer: str) -> None:
    said = json.loads((IN_TOTO / link).read_bytes())
    data = envelope.pae(base64.b64decode(said["payload"]), said["payloadType"])
    key = SSlibKey.from_crypto(load_pem_public_key((IN_TOTO / f"{signer}.pub").read_bytes()))
    signature = base64.b64decode(said["signatures"][0]["sig"])
    key.verify_signature(Signature(key.keyid, signature.hex()), data)


@pytest.mark.parametrize("link", ["package.2f89b927.link", "write-code.776a00e2.link"])
def test_envelopes_in_the_form_of_others_are_refused(link: str) -> None:
    with pytest.raises(Refused) as refused:
        envelope.parse((IN_TOTO / link).read_bytes(), "link")
    assert refused.value.failure.code == "audit.form"


@pytest.mark.parametrize("make", [ecdsa_key, ed25519_key])
def test_signed_envelope_has_the_exact_form(make: Any) -> None:
    key = make()
    data = envelope.sign(b"{}", key)
    signed = envelope.parse(data, "here")
    signature = base64.b64encode(signed.signature).decode()
    assert data.decode() == (
        '{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":'
        f'[{{"keyid":"{key.public.fingerprint}","sig":"{signature}"}}]}}\n'
    )
    assert signed.payload == b"{}"
    assert envelope.check(signed, (key.public,), "here") == key.public


def body(**changed: Any) -> dict[str, Any]:
    signature = {"keyid": "SHA256:x", "sig": "AAAA"}
    return {"payload": "e30=", "payloadType": "t", "signatures": [signature]} | changed


FORMS: dict[str, Any] = {
    "a list": [],
    "no payload": {name: value for name, value in body().items() if name != "payload"},
    "one more member": body(note=""),
    "no signature": body(signatures=[]),
    "two signatures": body(signatures=[{"keyid": "a", "sig": ""}, {"keyid": "b", "sig": ""}]),
    "signature without key id": body(signatures=[{"sig": "AAAA"}]),
    "signature with a certificate": body(signatures=[{"cert": "", "keyid": "", "sig": "AAAA"}]),
    "payload of another type": body(payload=1),
    "payload with another alphabet": body(payload="-_8="),
    "payload with bits to spare": body(payload="e31="),
    "payload without padding": body(payload="e30"),
    "payload with a line break": body(payload="e3\n0="),
    "payload beyond ASCII": body(payload="é"),
    "signature with bits to spare": body(signatures=[{"keyid": "a", "sig": "AB=="}]),
}


@pytest.mark.parametrize("what", FORMS)
def test_any_other_form_is_refused(what: str) -> None:
    with pytest.raises(Refused) as refused:
        envelope.parse(signed_form(FORMS[what]) + b"\n", "here")
    assert refused.value.failure.code == "audit.form"
    assert refused.value.failure.place == "here"


def test_missing_newline_is_another_form() -> None:
    assert envelope.parse(signed_form(body()) + b"\n", "here").payload == b"{}"
    with pytest.raises(Refused):
        envelope.parse(signed_form(body()), "here")


def test_one_key_listed_twice_is_one_key() -> None:
    key, other = ecdsa_key(), ecdsa_key()
    signed = envelope.parse(envelope.sign(b"{}", key), "here")
    assert envelope.check(signed, (other.public, key.public, key.public), "here") == key.public


@pytest.mark.parametrize("signature", [b"", b"\x00", b"\x30" * 70, b"\x00" * 64, b"\xff" * 5000])
@pytest.mark.parametrize("make", [ecdsa_key, ed25519_key])
def test_hostile_signatures_are_refused(make: Any, signature: bytes) -> None:
    key = make()
    forged = Signed(b"{}", envelope.PAYLOAD_TYPE, key.public.fingerprint, signature)
    with pytest.raises(Refused) as refused:
        envelope.check(forged, (key.public,), "here")
    assert refused.value.failure.code == "audit.signature"


def test_hostile_key_id_is_shown_escaped() -> None:
    forged = Signed(b"{}", envelope.PAYLOAD_TYPE, "\x1b[2J" + "x" * 500, b"")
    with pytest.raises(Refused) as refused:
        envelope.check(forged, (ecdsa_key().public,), "here")
    assert refused.value.failure.code == "audit.signer"
    assert refused.value.failure.summary.isprintable()
    assert len(refused.value.failure.summary) < 200
