"""What hypothesis draws for the machine: a tenant, files, and what goes wrong and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from cxplan.core.answers import Answer, Failure
from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId, SkillName
from cxplan.core.model import Off, SkillSetting
from cxplan.core.rules import Coverage, Freeze, GuardSettings, Policy, ShiftPolicy
from tests.core.make import MODES, NOW, SKILLS
from tests.machine.faults import FAULTS, THROUGH, Lands
from tests.machine.script import (
    EXCHANGES,
    MOMENTS,
    RECORDS,
    Begin,
    Contend,
    Deliver,
    Disk,
    Edit,
    Hang,
    Kill,
    Leave,
    Moment,
    Reading,
    Replan,
    Script,
    Signal,
    Wait,
)
from tests.machine.world import Held, Shape

KEYS = ("a", "b", "c")
AGENTS = tuple(AgentId(f"id-{key}") for key in KEYS)
SKILL_IDS = tuple(skill.id for skill in SKILLS.values())
MODE_IDS = tuple(mode.id for mode in MODES.values())
LENIENT = ShiftPolicy(mode_conflict=Policy.WARN, unreadable=Policy.ALLOW)
LEVELS = (3, 5, 9)
"""So few that people often want the same."""


def dying(script: Script, death: tuple[str, int, Kill]) -> Script:
    """The same, and the process is killed."""
    return replace(script, acts=(*script.acts, death))


moments = st.sampled_from((*MOMENTS, *EXCHANGES, *EXCHANGES))
nth = st.sampled_from((0, 0, 0, 1, 1, 2, 3))
whom = st.sampled_from((0, 0, 0, 1, 2, 3))
levels = st.sampled_from(LEVELS)
concurrent = st.sampled_from((1, 1, 1, 2))
skill_ids = st.sampled_from((*SKILL_IDS, SKILL_IDS[0]))
skill_names = st.sampled_from((*SKILLS, next(iter(SKILLS))))

some_levels = st.sampled_from((0, *LEVELS))
moves = st.builds(Edit, whom, st.just("level"), skill_ids, some_levels)
rivals = st.builds(Contend, some_levels)
edits = st.one_of(
    moves,
    moves,
    st.builds(Edit, whom, st.sampled_from(("drop", "touch")), skill_ids, st.just(0)),
    st.builds(Edit, whom, st.just("concurrent"), skill_ids, concurrent),
    st.builds(Edit, whom, st.just("mode"), st.just(""), st.sampled_from(MODE_IDS)),
)
others = st.one_of(
    edits,
    st.builds(Edit, whom, st.just("maximum"), skill_ids, st.integers(1, 3)),
    st.builds(Replan, whom, st.sampled_from((None, "available", "training"))),
)
readings = st.builds(Reading, st.sampled_from(("missing", "unread", "no tag", "auth", "down")))
waits = st.builds(Wait, st.sampled_from((1.0, 20.0, 60.0, 300.0)))
deliveries = st.builds(Deliver, st.integers(0, 2))
failures = st.one_of(
    st.builds(Disk, st.booleans()),
    st.builds(Leave, whom),
    readings,
    readings,
)
while_reading = st.one_of(others, deliveries, deliveries, waits, failures)
while_writing = st.one_of(
    while_reading,
    st.builds(Begin),
    st.builds(Signal, st.sampled_from((Exit.INTERRUPTED, Exit.HANGUP))),
    st.builds(Hang, st.sampled_from((Exit.INTERRUPTED, Exit.TERMINATED))),
)
interventions = st.one_of(edits, rivals, deliveries)
close = (Moment.PAGED, Moment.SEEN, Moment.SEND, Moment.SEND, Moment.DONE)
in_between = st.tuples(st.sampled_from(EXCHANGES), nth, interventions)
rivalry = st.tuples(st.sampled_from(close), st.sampled_from((0, 0, 0, 1)), rivals)
late = st.sampled_from([f.name for f in FAULTS.values() if f.lands is Lands.LATER])
lost = st.sampled_from([name for name in FAULTS if name.startswith(("lost", "504"))])
faults = st.one_of(st.sampled_from(sorted(FAULTS)), st.just(THROUGH.name), lost)
refusals = st.sampled_from([f.name for f in FAULTS.values() if f.lands is Lands.NEVER])
own = st.sampled_from(("500 never", "503 never"))
bad_luck = st.one_of(
    st.lists(faults, min_size=1, max_size=5).map(tuple),
    st.tuples(late, refusals),
    st.tuples(late, own, refusals),
)
misread = st.tuples(st.just(Moment.READ), nth, readings)
timed = st.one_of(st.tuples(moments, nth, while_writing), in_between, rivalry, misread)
told = st.sampled_from((Answer(202), Answer(500), Answer(400), Answer(None, Failure.LOST), None))
stormy = st.builds(
    Script,
    st.lists(timed, max_size=4).map(tuple),
    bad_luck,
    st.lists(told, max_size=2).map(tuple),
)
calm = st.builds(
    Script,
    st.lists(timed, max_size=3).map(tuple),
    st.just(()),
    st.one_of(st.just(()), st.tuples(told)),
)
"""The wire and the tenant do what they should; people don't."""

again = st.sampled_from((0, 1, 1, 2))
arrivals = st.tuples(st.sampled_from((Moment.READ, *close)), again, deliveries)
straggling = st.builds(Script, st.tuples(arrivals), st.tuples(late, faults))
"""A write arrives late, while it is looked for or sent again."""

unseen = st.builds(
    Script,
    st.tuples(st.tuples(st.just(Moment.READ), again, readings)),
    st.tuples(st.sampled_from(("204", "no tag"))),
)
"""A write is made, and what it made cannot be read."""

scripts = st.one_of(calm, calm, stormy, stormy, straggling, unseen)
while_planning = st.builds(Script, st.lists(in_between, max_size=2).map(tuple))
in_flight = st.sampled_from(("send", "send", "done", "agent.attempt<", "agent.attempt>"))
deadly = ("read", "told", "agent.outcome<", *(f"{k}{s}" for k in RECORDS for s in "<>"))
deaths = st.tuples(st.one_of(st.sampled_from(deadly), in_flight), nth, st.just(Kill()))
before_a_crash = st.builds(dying, scripts, deaths)
with_a_write_open = st.builds(
    dying,
    st.builds(Script, st.just(()), st.one_of(st.just(()), st.tuples(late), st.tuples(faults))),
    st.tuples(in_flight, st.sampled_from((0, 0, 0, 1)), st.just(Kill())),
)
gone_on_with = st.builds(
    Script,
    st.lists(st.one_of(arrivals, timed), max_size=2).map(tuple),
    st.one_of(st.tuples(refusals), st.lists(faults, max_size=2).map(tuple)),
)
resumptions = st.one_of(
    gone_on_with, gone_on_with, gone_on_with, scripts, st.builds(dying, gone_on_with, deaths)
)
recoveries = st.builds(
    Script,
    st.lists(st.one_of(st.tuples(moments, nth, while_reading), in_between, deaths), max_size=3).map(
        tuple
    ),
)
"""A recovery hears no signals: it is cut off like any process, and may be cut off again."""

wanted_skills = st.one_of(
    st.builds(SkillSetting, levels),
    st.builds(SkillSetting, levels),
    st.builds(SkillSetting, levels, concurrent),
    st.builds(SkillSetting, st.none(), concurrent),
    st.sampled_from((SkillSetting(off=Off.DISABLED), SkillSetting(off=Off.ABSENT))),
)
wants = st.one_of(
    st.tuples(st.sampled_from(AGENTS), skill_names, wanted_skills),
    st.tuples(st.sampled_from(AGENTS), skill_names, wanted_skills),
    st.tuples(st.sampled_from(AGENTS), st.just(None), st.sampled_from((None, "scheduled", *MODES))),
)
helds = st.builds(Held, st.sampled_from((0, *LEVELS)), concurrent, st.sampled_from((4, 4, 4, None)))
shapes = st.builds(
    lambda mode, skills: Shape(mode, tuple(sorted(skills.items()))),
    st.sampled_from(MODE_IDS),
    st.dictionaries(st.sampled_from(SKILL_IDS), helds, max_size=3),
)
on_shift = st.sampled_from(("available", "available", "available", "training", None))
guards = st.sampled_from(
    (
        GuardSettings(None, None, no_agent_without_skill=False, shifts=LENIENT),
        GuardSettings(None, None, shifts=LENIENT, total_concurrent=6),
        GuardSettings(None, None, shifts=LENIENT, min_coverage=(Coverage(SkillName("voice"), 1),)),
        GuardSettings(
            None,
            None,
            no_agent_without_skill=False,
            freeze=(Freeze("f", NOW + timedelta(seconds=30), NOW + timedelta(seconds=90)),),
        ),
    )
)
overrides = st.one_of(
    st.none(), st.tuples(st.sampled_from(KEYS), st.sampled_from((5, 30, 90, 300)), levels)
)
