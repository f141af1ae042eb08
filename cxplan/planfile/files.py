"""Plan files on disk: read once into memory and verified as those bytes, written whole or not."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from cxplan.core.canonical import StrictJsonError, canonical, parse_json
from cxplan.core.document import document_digest, plan_bytes
from cxplan.core.errors import InvalidError, UnapprovedError
from cxplan.core.plan import FORMAT_VERSION, KIND, Plan, plan_id_of
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
    write_file(path, plan_bytes(plan))


def write_file(path: Path, data: bytes) -> None:
    """Write ``data`` whole or not at all; mode 0600.

    Raises:
        InvalidError: as ``write_plan``.
    """
    refuse_odd(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise InvalidError(
            f"Cannot write {path}: {error.strerror}.",
            code="path.unwritable",
            hint="Name a file in a folder that exists and can be written.",
        ) from None


def refuse_odd(path: Path) -> None:
    """Refuse an output path where something other than a regular file stands.

    Raises:
        InvalidError: a symlink, FIFO, device or folder is there.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise InvalidError(
            f"{path} is no regular file; cxplan does not replace it.",
            code="path.type",
            hint="Name another file.",
        )


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidError(
            f"Cannot read {path}: {error.strerror}.",
            code="path.unreadable" if path.exists() and not path.is_symlink() else "path.type",
            hint="Name a plan file that cxplan plan -o wrote.",
        ) from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise InvalidError(
            f"{path} is no regular file.", code="path.type", hint="Name a plan file."
        )
    with os.fdopen(handle, "rb") as file:
        if found.st_size > MAX_BYTES:
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
