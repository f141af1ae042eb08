"""DSSE envelopes in one exact form, one signature each.

Another form of the same envelope is refused: a member ``Payload`` beside ``payload`` verifies in
one language and shows other content in another. PAE and signatures are securesystemslib's.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from securesystemslib.dsse import Envelope

from cxplan.audit.keys import PublicKey, SigningKey
from cxplan.audit.refusal import Refused, shown
from cxplan.core.canonical import StrictJsonError, parse_json, signed_form
from cxplan.core.errors import UnapprovedError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
ENVELOPE_LIMIT = 1024 * 1024
"""Bytes of an envelope at most."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An envelope in its exact form, whoever signed it; nothing in it is to be believed yet."""

    payload: bytes
    payload_type: str
    key_id: str
    signature: bytes


def pae(payload: bytes, payload_type: str) -> bytes:
    """Return the bytes that a DSSE signature is over."""
    return Envelope(payload, payload_type, {}).pae()


def sign(payload: bytes, key: SigningKey, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the envelope of ``payload``, its fresh signature checked with the public half.

    Raises:
        UnapprovedError: ``key.sign``, where the key cannot sign or the signature does not verify.
    """
    envelope = Envelope(payload, payload_type, {})
    try:
        signature = envelope.sign(key.signer)
    except (ValueError, OSError) as error:
        raise _cannot_sign(f"the signer says {type(error).__name__}") from None
    if not key.public.verifies(bytes.fromhex(signature.signature), envelope.pae()):
        raise _cannot_sign("its public half does not verify what it signed")
    return signed_form(envelope.to_dict()) + b"\n"


def _cannot_sign(why: str) -> UnapprovedError:
    return UnapprovedError(
        f"The signing key cannot be used: {why}.",
        code="key.sign",
        hint="Check the key, or make another one with `cxplan keys generate`.",
    )


def parse(data: bytes, place: str) -> Signed:
    """Return the envelope in ``data``, of which nothing is verified.

    Raises:
        Refused: ``audit.json``, or ``audit.form`` for anything but the exact form.
    """
    try:
        value = parse_json(data)
    except StrictJsonError as error:
        raise Refused("audit.json", place, str(error)) from None
    signed = _taken_apart(value)
    if signed is None or _put_together(signed) != data:
        raise Refused("audit.form", place, "this is not an envelope in the form that cxplan writes")
    return signed


def _taken_apart(value: Any) -> Signed | None:
    match value:
        case {
            "payload": str(payload),
            "payloadType": str(payload_type),
            "signatures": [{"keyid": str(key_id), "sig": str(signature)}],
        }:
            try:
                return Signed(_decoded(payload), payload_type, key_id, _decoded(signature))
            except binascii.Error:
                return None
        case _:
            return None


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.encode("utf-8"), validate=True)


def _put_together(signed: Signed) -> bytes:
    body = {
        "payload": base64.b64encode(signed.payload).decode("ascii"),
        "payloadType": signed.payload_type,
        "signatures": [
            {"keyid": signed.key_id, "sig": base64.b64encode(signed.signature).decode("ascii")}
        ],
    }
    return signed_form(body) + b"\n"


def check(signed: Signed, keys: tuple[PublicKey, ...], place: str) -> PublicKey:
    """Return the key among ``keys`` that signed, whatever key id the envelope claims.

    Raises:
        Refused: ``audit.signature`` where the key id of one of ``keys`` is claimed and its
            signature does not hold, ``audit.signer`` where nobody among ``keys`` signed,
            ``audit.keyid`` where one did and another id is claimed, ``audit.type`` where the
            payload is of another type.
    """
    data = pae(signed.payload, signed.payload_type)
    signer = next((key for key in keys if key.verifies(signed.signature, data)), None)
    if signer is None:
        raise _unsigned(signed, keys, place)
    if signed.key_id != signer.fingerprint:
        raise Refused(
            "audit.keyid", place, f"signed by {signer.fingerprint}, but another key id stands there"
        )
    if signed.payload_type != PAYLOAD_TYPE:
        raise Refused("audit.type", place, "the payload is of another type than a statement")
    return signer


def _unsigned(signed: Signed, keys: tuple[PublicKey, ...], place: str) -> Refused:
    if any(key.fingerprint == signed.key_id for key in keys):
        return Refused(
            "audit.signature", place, f"the signature is not that of {shown(signed.key_id)}"
        )
    return Refused(
        "audit.signer", place, f"signed by a key that is not trusted: {shown(signed.key_id)}"
    )
