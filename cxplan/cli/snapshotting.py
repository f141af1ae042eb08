"""snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session

if TYPE_CHECKING:
    from pathlib import Path

    from cxplan.core.snapshot import SnapshotSummary


@click.option(
    "-o", "--out", required=True, metavar="FILE", help="Write the snapshot to FILE; required."
)
def snapshot(session: Session, out: str) -> Result:
    """Read the live state of the agents into a file.

    The agents are those that the files declare. cxplan plan --snapshot FILE then plans without
    credentials and network.
    """
    from cxplan.cli.progress import StderrProgress
    from cxplan.files.regular import refuse_odd
    from cxplan.snapshots.writer import SnapshotWriter
    from cxplan.usecases.snapshot import SnapshotRequest, SnapshotWorld, take_snapshot
    from cxplan.version import __version__
    from cxplan.wiring import edges, system

    settings = session.settings
    refuse_odd(settings.path(out))
    declarations = edges.read_declarations(settings, edges.desired_source(settings))
    clock = system.SystemClock()
    world = SnapshotWorld(
        edges.tenant(settings, session.environ),
        clock,
        system.ThreadWorkers(),
        StderrProgress(session.screen, clock),
    )
    writer = SnapshotWriter()
    request = SnapshotRequest(settings.concurrency, __version__)
    taken = take_snapshot(world, request, declarations, writer)
    writer.write(settings.path(out))
    return _result(session, taken, _after(out))


def shown(session: Session, path: Path) -> Result:
    """Return the snapshot in a file as the result of ``show``.

    Raises:
        InvalidError: it is not intact.
    """
    from cxplan.snapshots.file import SnapshotFile

    return _result(session, SnapshotFile(path).summary())


def _result(session: Session, summary: SnapshotSummary, after: str = "") -> Result:
    from cxplan.views.snapshot_text import snapshot_document, snapshot_text
    from cxplan.wiring import system

    text = snapshot_text(summary, system.SystemClock().now(), session.paint)
    members = snapshot_document(summary)
    return Result(text=text, members=members, kind="cxplan/snapshot", after=after)


def _after(out: str) -> str:
    return (
        f"Snapshot written to {out}. It names people by nothing but their ids, and it holds "
        f"their skills and shifts: keep it as you keep the files.\n"
        f"To plan on it: cxplan plan --snapshot {out}\n"
    )


COMMANDS = {"snapshot": command("snapshot", snapshot)}
