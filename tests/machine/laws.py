"""What holds whatever the tenant, other people, the wire, the disk and the process do.

Each law has a name, so that a test can say which one a wrong engine breaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId
from cxplan.core.plan import Status
from cxplan.core.report import RunReport
from cxplan.usecases.apply.inflight import LEFT
from tests.machine.books import Journal
from tests.machine.engine import Bench, Claim
from tests.machine.world import Entry, Sent, Wish, differing, planned_in, still_open, wishes

LANDED = frozenset({"applied", "converged"})
NOT_LANDED = frozenset(
    {
        *("alreadyThere", "conflict", "failed", "rejected", "stale", "notAttempted"),
        *("blocked", "deferred", "unread"),
    }
)
AS_WANTED = LANDED | {"alreadyThere"}


class Broken(AssertionError):
    """A law does not hold."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law}: {text}")
        self.law = law


def _hold(holds: bool, law: str, *about: object) -> None:
    if not holds:
        raise Broken(law, "; ".join(map(str, about)))


# --- every change at the server ---------------------------------------------------------------


def check_changes(bench: Bench) -> None:
    """Our changes: once, explained, and over nothing that somebody else wrote."""
    landed: Counter[tuple[str, str]] = Counter()
    for entry in bench.world.log:
        if entry.sent is not None:
            landed[entry.sent.plan, entry.agent] += 1
            _hold(landed[entry.sent.plan, entry.agent] == 1, "landed twice", entry)
            _check_change(bench, entry, entry.sent)


def _check_change(bench: Bench, entry: Entry, sent: Sent) -> None:
    wanted = wishes(planned_in(bench.plans[sent.plan], entry.agent))
    for wish in still_open(wanted, entry.before):
        as_planned = entry.before.value(wish.key) == wish.before
        _hold(as_planned or not _touches(entry, wish), "overwritten", wish, entry)
    moved = differing(entry.before, entry.after)
    _hold(moved <= _allowed(wanted), "moved more than planned", moved, entry)
    missed = still_open(wanted, entry.after)
    _hold(not (entry.whole and missed), "moved less than planned", missed, entry)
    intents = [line for line in entry.intents if line["ifMatch"] == sent.tag]
    _hold(bool(intents), "no intent", entry)
    told = {key for line in intents for key in _told(line, entry)}
    _hold(moved <= told, "not in the intent", moved - told, entry)


def _touches(entry: Entry, wish: Wish) -> bool:
    return entry.before.value(wish.key) != entry.after.value(wish.key)


def _allowed(wanted: tuple[Wish, ...]) -> set[tuple[str, str]]:
    """The values of a plan; the concurrency of a skill goes when the skill goes off."""
    off = {(w.key[0], "concurrent") for w in wanted if w.key[1] == "level" and w.after == 0}
    return {wish.key for wish in wanted} | off


def _told(intent: dict[str, object], entry: Entry) -> Iterator[tuple[str, str]]:
    """The values that an intent says will be as this change made them."""
    desired = intent["desired"]
    assert isinstance(desired, dict)
    if desired["workModeId"] == entry.after.mode:
        yield "", "workMode"
    for skill in desired["skills"]:
        key = skill["skillId"]
        level = (key, "level"), (skill["level"] or 0)
        off = level[1] == 0
        concurrent = (key, "concurrent"), None if off else skill["concurrentInteractions"]
        yield from (where for where, v in (level, concurrent) if entry.after.value(where) == v)


# --- everything that was said -------------------------------------------------------------------


def check_claims(bench: Bench) -> None:
    """What a run said of an agent is so, and stays so."""
    for claim in bench.claims:
        whole, part = (
            sum(
                entry.whole is wanted and _covers(claim, sent)
                for entry, sent in bench.world.ours(claim.agent)
            )
            for wanted in (True, False)
        )
        if claim.outcome == "applied":
            _hold(whole == 1 and not part, "applied and not landed", claim)
        if claim.outcome == "converged":
            _hold(claim.shown, "converged and not as wanted", claim)
        if claim.outcome in NOT_LANDED:
            _hold(not whole, "said not to have landed and landed", claim)
            _hold(not part or claim.outcome == "rejected", "landed in part", claim)
            may = [s for s in bench.world.under_way if _covers(claim, s)]
            still = any(bench.world.would_land(sent) for sent in may)
            _hold(not still, "said not to have landed and still may", claim)


def _covers(claim: Claim, sent: Sent) -> bool:
    """Whether a claim speaks of a write."""
    if (sent.run, sent.agent) != (claim.run, claim.agent):
        return False
    return claim.session is None or sent.session <= claim.session


def check_told(bench: Bench, journal: Journal, report: RunReport) -> None:
    """A run that came to its end: each agent once, and the sums are right."""
    plan = bench.plans[journal.plan_id]
    told = {agent.id: agent.outcome.value for agent in report.agents}
    _hold(len(told) == len(report.agents) == len(plan.agents), "an agent without outcome", told)
    _hold(set(told) == {agent.id for agent in plan.agents}, "an agent of no plan", told)
    lines = {line["agentId"]: line["outcome"] for line in journal.of("agent.outcome")}
    _hold(lines.items() <= told.items() or _torn(journal), "said otherwise", lines, told)
    ready = [told[agent.id] for agent in plan.agents if agent.status is Status.READY]
    fine = set(ready) <= AS_WANTED | {"deferred"}
    _hold(report.exit is not Exit.OK or fine, "exit 0", told)
    open_end = report.exit in {Exit.UNKNOWN, Exit.INTERNAL}
    _hold("unknown" not in ready or open_end, "exit of an unknown", report.exit, told)
    if journal.sealed is not None:
        _check_sealed(journal, told)


def _torn(journal: Journal) -> bool:
    return journal.sealed is None


def _check_sealed(journal: Journal, told: Mapping[AgentId, str]) -> None:
    outcomes = Counter(line["outcome"] for line in journal.of("agent.outcome"))
    (end,) = journal.of("run.end")
    assert journal.sealed is not None
    _hold(outcomes == Counter(told.values()), "sums", outcomes, told)
    _hold(end["counts"] == dict(journal.sealed.summary) == dict(outcomes), "sums", end, outcomes)
    check_order(journal)
    for line in journal.of("agent.intent"):
        found = journal.of("agent.outcome", line["agentId"])
        _hold(len(found) == 1, "an intent without outcome", line)
    for line in journal.of("event.intent"):
        ended = [o for o in journal.of("event.outcome", line["agentId"]) if o["of"] == line["of"]]
        _hold(bool(ended), "an event without outcome", line)
    for line in journal.of("agent.outcome"):
        said = [o for o in journal.of("event.intent", line["agentId"]) if o["of"] is None]
        _hold(bool(said) == (line["outcome"] in LANDED), "an event for each change", line)


def check_order(journal: Journal) -> None:
    """However much of a journal there is: intent, attempts, outcome, each agent by itself."""
    states: dict[str, str] = {}
    attempts: Counter[str] = Counter()
    before_a_cut: Counter[str] = Counter()
    for line in journal.lines:
        kind, agent = line["kind"], line.get("agentId")
        if kind == "recovery.start":
            before_a_cut.update(attempts)
            attempts.clear()
        if agent is None or not kind.startswith("agent."):
            continue
        before = states.get(agent)
        if kind == "agent.intent":
            _hold(before != "agent.outcome", "an intent after the outcome", line)
        elif kind == "agent.attempt":
            attempts[agent] += 1
            _hold(before in {"agent.intent", "agent.attempt"}, "an attempt unannounced", line)
            _hold(line["attempt"] == attempts[agent], "attempts miscounted", line)
        else:
            _hold(before != "agent.outcome", "two outcomes", line)
            made = before_a_cut[agent] + attempts[agent]
            unanswered = line["metrics"]["attempts"] - made
            in_flight = unanswered == 1 and LEFT in line["message"]
            untold = line["apiResponse"] is None
            _hold(unanswered == 0 or in_flight or untold, "attempts miscounted", line)
        states[agent] = kind
