"""The fault table: every row with its id, what goes wrong, and the exit codes that may come of it.

A test is of a row where its name, or the id of its parameters, holds the row's id (``F-14`` or
``f_14``). ``tests`` names those that do not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row; ``phase`` is where in a run it strikes."""

    id: str
    fault: str
    phase: str
    exits: frozenset[int]
    tests: tuple[str, ...] = ()


def row(id: str, fault: str, phase: str, *exits: int, tests: tuple[str, ...] = ()) -> Row:  # noqa: A002 - it is one
    return Row(id, fault, phase, frozenset(exits), tests)


KILL = ("test_killed_then_recovered", "test_count_of_operations_is_the_kernels")

TABLE = (
    row("F-01", "token endpoint answers 400 or 401", "auth", 7),
    row("F-02", "token endpoint answers 429, 5xx or not at all", "auth", 10),
    row("F-03", "token answer malformed, without token, of another kind", "auth", 7),
    row("F-04", "expires_in missing, text, zero, negative, huge", "auth", 0, 7),
    row("F-05", "401 in the middle of a run", "read/write", 0),
    row("F-07", "403 on one agent", "write", 5),
    row("F-08", "403 on the first three writes", "write", 7),
    row("F-09", "the agent vanished since the plan", "pre-check", 5, 6),
    row("F-10", "a value that the plan would write was changed since", "pre-check", 5, 6),
    row("F-10a", "only the tag, or other values, differ", "pre-check", 0),
    row("F-11", "already as desired", "pre-check", 0),
    row("F-13", "409 or 412 on the PATCH", "write", 0, 5, 6),
    row("F-14", "applied, and the answer lost", "write", 0),
    row("F-15", "not applied, and the connection lost", "write", 0),
    row("F-16", "the answer lost, then another admin's edit", "write", 11),
    row("F-17", "the answer lost, and no read back", "write", 11),
    row("F-19", "500, 502 or 504 after the commit", "write", 0),
    row("F-20", "503 with Retry-After", "write", 0),
    row("F-21", "429 with Retry-After on one worker", "write", 0),
    row("F-22", "429 with a Retry-After of an hour", "write", 5, 10),
    row("F-23", "429 without a usable Retry-After", "write", 0),
    row("F-25", "200 that refuses an item", "write", 5),
    row("F-26", "202", "write", 0, 11),
    row("F-27", "204 on a list", "read", 0),
    row("F-28", "206, a short page, a total that differs", "read", 10),
    row("F-29", "the pages change while they are read", "read", 10),
    row("F-31", "no ETag, or a weak one, on the GET", "plan/pre-check", 4),
    row("F-32", "no ETag in the answer to the PATCH", "write", 0),
    row("F-33", "five 5xx or timeouts in a row", "write", 5, 10, 11),
    row("F-34", "the breaker's probe succeeds", "write", 0),
    row("F-35", "a body that drips or stalls", "any", 0),
    row("F-37", "certificate expired, of another host, self-signed", "any", 7),
    row("F-38", "no such host, or the connection refused", "any", 10),
    row("F-39", "a redirect", "any", 10),
    row("F-40", "killed at every durable operation", "write", 137, 12, 0, 11, tests=KILL),
    row("F-41", "SIGINT", "plan", 130),
    row("F-43", "two signals", "write", 129, 130, 143, 11),
    row("F-44", "no space, or an error, at an intent", "write", 12),
    row("F-45", "no space, or an error, at an outcome", "write", 12),
    row("F-46", "the seal cannot be written or signed", "seal", 12),
    row("F-47", "the ledger's folder is read-only or missing", "start", 12),
    row("F-55", "the machine sleeps while a write is in flight", "write", 0, 11),
    row("F-56", "no more files, memory or threads", "write", 1, 11),
    row("F-57", "stdout closed, or the terminal gone", "write", 0, 129),
    row("F-58", "an exception while showing, or in a worker", "write", 1),
    row("F-59", "the plan file changes between verify and use", "apply", 9),
    row("F-61", "the token is of another tenant than the plan", "apply", 9),
    row("F-62", "an event answered by a timeout or 5xx", "post", 0),
    row("F-63", "an event answered by 4xx", "post", 0),
    row("F-64", "eight workers, one in ten throttled, one in ten lost", "write", 0),
    row("F-65", "the same plan a second time", "start", 6),
    row("F-67", "429 for good", "write", 5, 10),
    row("F-68", "the simulator restarts in the middle", "write", 0),
)
