"""What can be told of a key and a ledger before they are needed; nothing of it lasts."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cxplan.audit import disk, envelope, lock
from cxplan.audit.folders import folder_error, names_in, run_of, ways_on
from cxplan.audit.history import LedgerMemory
from cxplan.audit.keys import load_signing_key
from cxplan.audit.ledger import PROBE_TYPE
from cxplan.audit.refusal import shown
from cxplan.audit.sealed import read_sealed
from cxplan.core.health import LedgerRuns
from cxplan.core.instant import utc_text
from cxplan.ports import Clock

_PROBE = b"cxplan doctor"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def probe_key(path: Path) -> str:
    """Return the fingerprint of the signing key at ``path``, once it has signed and verified.

    Raises:
        UnapprovedError: there is no key, or one that cannot sign.
        InvalidError: the file is refused, or others can read it.
    """
    key = load_signing_key(path)
    envelope.sign(_PROBE, key, PROBE_TYPE)
    return key.public.fingerprint


class FolderHealth:
    """The ledger in one folder, looked at from outside: not locked for long, not changed."""

    def __init__(self, root: Path, clock: Clock) -> None:
        """Keep the folder; nothing is looked at yet."""
        self._root = root
        self._clock = clock

    @property
    def place(self) -> str:
        """The folder, as it was named."""
        return str(self._root)

    def folder(self) -> bool:
        """Tell whether the folder is there; where not, it can be made.

        A file without a name is written to find out.

        Raises:
            EvidenceError: it cannot be written, or not be made.
        """
        there = os.path.lexists(self._root)
        where = self._root if there else self._root.parent
        try:
            with tempfile.TemporaryFile(prefix=".cxplan-doctor-", dir=where) as file:
                file.write(_PROBE)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            what = "it" if there else "it is not there, and the folder that it would lie in"
            raise folder_error(f"{what} cannot be written: {disk.reason(error)}") from None
        return there

    def refuse_held(self) -> None:
        """Refuse a ledger that another process holds; its lock is shared for a moment.

        Raises:
            LockedError: the message says who, since when, on which plan.
            EvidenceError: the folder or its lock cannot be opened.
        """
        with self._opened() as root:
            if root is None or not _held(root):
                return
            since = utc_text(self._clock.now())
            # The lock itself knows who; should it be free again by now, this passes.
            with lock.held(root, owner="cxplan doctor", plan_id="none", since=since):
                return

    def runs(self, tenant: str | None) -> LedgerRuns:
        """Return which runs the ledger holds, unverified; none where there is no folder.

        Raises:
            UnapprovedError: the ledger is not that of ``tenant``.
            EvidenceError: the folder, the newest bundle or a journal cannot be read.
        """
        with self._opened() as root:
            if root is None:
                return LedgerRuns()
            names = names_in(root)
            heads = [read_sealed(root, name).head for name in names.sealed[-1:]]
            head = heads[0] if heads else None
            unsealed = tuple(run_of(name) for name in names.open)
            hint = ways_on(unsealed[0]) if unsealed else None
            if tenant is not None:
                LedgerMemory(self._root).past(tenant)
            return LedgerRuns(len(names.sealed), head, tuple(map(shown, unsealed)), hint)

    def free(self) -> int:
        """Return the bytes that may still be written to the folder's disk.

        Raises:
            EvidenceError: neither the folder nor the one around it is there.
        """
        where = self._root if self._root.exists() else self._root.parent
        try:
            found = os.statvfs(where)
        except OSError as error:
            raise folder_error(disk.reason(error)) from None
        return found.f_bavail * found.f_frsize

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Hold the folder open; None where there is none."""
        with ExitStack() as stack:
            root: int | None = None
            try:
                root = stack.enter_context(disk.folder(self._root))
            except FileNotFoundError:
                pass
            except OSError as error:
                raise folder_error(disk.reason(error)) from None
            yield root


def _held(root: int) -> bool:
    """Tell whether somebody holds the lock in the open folder ``root``."""
    try:
        fd = os.open(lock.LOCK, _READ, dir_fd=root)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise folder_error(f"its lock cannot be opened: {disk.reason(error)}") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise folder_error("its lock is not a regular file")
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise folder_error(f"it cannot be locked: {disk.reason(error)}") from None
    finally:
        os.close(fd)
    return False
