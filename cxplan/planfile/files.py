"""Plan files on disk: read once into memory and verified as those bytes, written whole or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cxplan.core.canonical import StrictJsonError, canonical, parse_json
from cxplan.core.document import document_digest, plan_bytes
from cxplan.core.errors import UnapprovedError
from cxplan.core.plan import FORMAT_VERSION, KIND, Plan, plan_id_of
from cxplan.files.regular import open_regular, write_file
from cxplan.planfile.convert import plan_of
from cxplan.planfile.schema import MalformedPlan, plan_part

MAX_BYTES = 64 * 1024 * 1024
PLAN_AGAIN = "Run cxplan plan -o FILE again."


def read_plan(path: Path) -> tuple[Plan, bytes]:
    """Return the plan in a file, and the very bytes that were verified.

    Raises:
        InvalidError: no regular file there, or it cannot be read.
        UnapprovedError: altered, not a plan, of a newer format, or too large.
    """
    data = _read(path)
    return parse_plan(data, str(path)), data


def parse_plan(data: bytes, name: str) -> Plan:
    """Return the plan that ``data`` holds; ``name`` stands in messages.

    Raises:
        UnapprovedError: as ``read_plan``.
    """
    document = _document(data, name)
    if document.get("kind") != KIND and "digest" not in document:
        raise _refused(name, "plan.kind", "is no cxplan plan")
    if not _intact(document):
        raise _refused(name, "plan.digest", "was changed after cxplan wrote it")
    if document.get("kind") != KIND:
        raise _refused(name, "plan.kind", "is no cxplan plan")
    if str(document.get("formatVersion")).partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise _refused(name, "plan.version", "is of another format version than this cxplan reads")
    if canonical(document) != data:
        raise _refused(name, "plan.notCanonical", "was rewritten in another form")
    try:
        return plan_of(plan_part(document))
    except MalformedPlan as error:
        raise _refused(name, "plan.shape", f"has no usable member {error}") from None
    except ValueError:
        raise _refused(name, "plan.shape", "holds an instant that is none") from None


def write_plan(path: Path, plan: Plan) -> None:
    """Write the plan file: to a temporary name beside it, renamed over a regular file.

    Raises:
        InvalidError: a symlink, FIFO or folder stands there, or the folder cannot be written.
    """
    write_file(path, (plan_bytes(plan),))


def _read(path: Path) -> bytes:
    handle = open_regular(path, "Name a plan file that cxplan plan -o wrote.")
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_size > MAX_BYTES:
            raise _refused(str(path), "plan.too_large", f"is over {MAX_BYTES >> 20} MiB")
        return file.read()


def _document(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = parse_json(data)
    except StrictJsonError as error:
        duplicate = error.code == "json.duplicate"
        code = "plan.duplicate_key" if duplicate else "plan.digest"
        raise _refused(name, code, f"was changed after cxplan wrote it ({error})") from None
    if not isinstance(value, dict):
        raise _refused(name, "plan.kind", "is no cxplan plan")
    return value


def _intact(document: dict[str, Any]) -> bool:
    try:
        digest = document_digest(document)
    except ValueError:
        return False
    named = document.get("digest"), document.get("planId")
    return named == (digest, plan_id_of(digest))


def _refused(name: str, code: str, what: str) -> UnapprovedError:
    return UnapprovedError(f"{name} {what}.", code=code, hint=PLAN_AGAIN)
