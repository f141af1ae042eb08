"""Every way of tampering with a ledger that evidence has to tell, and what only a head tells."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from cxplan.core.canonical import sha256_hex
from cxplan.core.errors import Exit
from cxplan.core.evidence import Completeness
from tests.audit.samples import (
    OPEN,
    PLAN,
    STATEMENT,
    CountingIds,
    carry_out,
    chain_again,
    codes,
    copy_ledger,
    ledger_at,
    records_of,
    seal_again,
    sign_again,
    statement_of,
    uuid,
)
from tests.audit.scene import (
    Scene,
    append_line,
    folder,
    predicate,
    remove,
)

# --- the ledger: bundles as a whole ---------------------------------------------------------------


def delete(number: int) -> Callable[[Scene], object]:
    return lambda scene: shutil.rmtree(scene.bundle(number))


def rename(number: int, to: str) -> Callable[[Scene], object]:
    return lambda scene: scene.bundle(number).rename(scene.ledger / to)


def copy(number: int, to: str) -> Callable[[Scene], object]:
    return lambda scene: shutil.copytree(scene.bundle(number), scene.ledger / to)


def swap_folders(scene: Scene) -> None:
    aside = scene.ledger / ".aside"
    scene.bundle(1).rename(aside)
    scene.bundle(2).rename(scene.bundle(1))
    aside.rename(scene.bundle(2))


def fork(scene: Scene) -> None:
    """Another runner went on from the second bundle, and somebody merged the two."""
    elsewhere = copy_ledger(scene.ledger, scene.ledger.parent / "elsewhere")
    shutil.rmtree(elsewhere / folder(3))
    carry_out(ledger_at(elsewhere, scene.key), 4)
    shutil.copytree(elsewhere / f"000003-{uuid(4)}", scene.ledger / f"000003-{uuid(4)}")


def foreign(scene: Scene) -> None:
    shutil.rmtree(scene.bundle(3))
    shutil.copytree(scene.other / folder(3), scene.bundle(3))


def rewritten(scene: Scene) -> None:
    """The key's holder writes history again, and does not rebuild what follows."""
    predicate(actor={"kind": "user", "id": "nobody", "ci": {}})(scene.bundle(2), scene)
    changed = statement_of(scene.bundle(2) / OPEN)
    changed["predicate"]["actor"] = {"kind": "user", "id": "nobody", "ci": {}}
    sign_again(scene.bundle(2) / OPEN, scene.key, changed)
    chain_again(scene.bundle(2), records_of(scene.bundle(2)))
    seal_again(scene.bundle(2), scene.key)


def replayed(scene: Scene) -> None:
    ledger = ledger_at(scene.ledger, scene.key)
    head = carry_out(ledger, 4)
    bundle = scene.ledger / head.folder
    first = statement_of(scene.bundle(1) / STATEMENT)["predicate"]["plan"]
    shutil.copy(scene.bundle(1) / PLAN, bundle / PLAN)
    digest = {"sha256": sha256_hex((bundle / PLAN).read_bytes())}
    changed = statement_of(bundle / OPEN)
    changed["predicate"]["plan"] = first
    changed["subject"][0]["digest"] = digest
    sign_again(bundle / OPEN, scene.key, changed)
    chain_again(bundle, records_of(bundle))
    seal_again(bundle, scene.key, lambda said: said["predicate"].update(plan=first))


def first_names_one_before(scene: Scene) -> None:
    bundle = scene.bundle(1)
    before = {"previous": {"sha256": "0" * 64}}
    changed = statement_of(bundle / OPEN)
    changed["predicate"]["ledger"].update(before)
    sign_again(bundle / OPEN, scene.key, changed)
    chain_again(bundle, records_of(bundle))
    seal_again(bundle, scene.key, lambda said: said["predicate"]["ledger"].update(before))
    shutil.rmtree(scene.bundle(2))
    shutil.rmtree(scene.bundle(3))


def bundle_is_a_link(scene: Scene) -> None:
    scene.bundle(3).rename(scene.ledger / ".aside")
    scene.bundle(3).symlink_to(".aside")


def bundle_is_a_file(scene: Scene) -> None:
    shutil.rmtree(scene.bundle(3))
    scene.bundle(3).write_bytes(b"")


LEDGER_ATTACKS: dict[str, tuple[Callable[[Scene], object], list[tuple[str, str]]]] = {
    "bundle deleted": (delete(2), [("audit.sequence", folder(3))]),
    "first bundle deleted": (delete(1), [("audit.sequence", folder(2))]),
    "bundle renamed": (
        rename(3, f"000004-{uuid(3)}"),
        [("audit.name", f"000004-{uuid(3)}/{STATEMENT}"), ("audit.sequence", f"000004-{uuid(3)}")],
    ),
    "bundle given another run": (
        rename(3, f"000003-{uuid(9)}"),
        [("audit.name", f"000003-{uuid(9)}/{STATEMENT}")],
    ),
    "folders swapped": (
        swap_folders,
        [("audit.name", f"{folder(1)}/{STATEMENT}"), ("audit.name", f"{folder(2)}/{STATEMENT}")],
    ),
    "bundle copied to the end": (
        copy(2, f"000004-{uuid(2)}"),
        [("audit.name", f"000004-{uuid(2)}/{STATEMENT}")],
    ),
    "bundle copied beside": (
        copy(2, "copy of 2"),
        [("audit.name", "copy of 2")],
    ),
    "sequence written in another way": (
        rename(3, f"0000003-{uuid(3)}"),
        [("audit.name", f"0000003-{uuid(3)}")],
    ),
    "ledger forked": (fork, [("audit.sequence", f"000003-{uuid(4)}")]),
    "bundle of another ledger": (
        foreign,
        [("audit.ledgerId", folder(3)), ("audit.previous", folder(3))],
    ),
    "old bundle rewritten with the key": (rewritten, [("audit.previous", folder(3))]),
    "first bundle names one before": (first_names_one_before, [("audit.previous", folder(1))]),
    "plan carried out twice": (replayed, [("audit.replay", f"000004-{uuid(4)}")]),
    "unsealed run": (
        copy(1, f"000004-{uuid(4)}.open"),
        [("audit.unsealed", f"000004-{uuid(4)}.open")],
    ),
    "a link for a bundle": (bundle_is_a_link, [("path.symlink", folder(3))]),
    "a file for a bundle": (bundle_is_a_file, [("path.type", folder(3))]),
    "a file beside the bundles": (
        lambda scene: (scene.ledger / "notes.txt").write_text("x"),
        [("audit.name", "notes.txt")],
    ),
}


@pytest.mark.parametrize("what", LEDGER_ATTACKS)
def test_attack_on_the_ledger_is_told(what: str, scene: Scene) -> None:
    attack, expected = LEDGER_ATTACKS[what]
    attack(scene)

    report = scene.verify()

    assert [(f.code, f.place) for f in report.all_failures] == expected
    assert report.exit is Exit.AUDIT


def test_what_begins_with_a_dot_is_no_part_of_the_ledger(scene: Scene) -> None:
    (scene.ledger / ".git").mkdir()
    (scene.ledger / ".gitattributes").write_text("* -text\n")
    assert scene.verify().exit is Exit.OK


def test_first_failure_of_each_bundle_and_all_bundles(scene: Scene) -> None:
    append_line(scene.bundle(1), scene)
    (scene.bundle(1) / PLAN).write_bytes(b"{}")
    remove(OPEN)(scene.bundle(3), scene)

    report = scene.verify()

    assert [(f.code, f.place) for f in report.all_failures] == [
        ("audit.digest", f"{folder(1)}/{PLAN}"),
        ("audit.missing", f"{folder(3)}/{OPEN}"),
    ]


# --- completeness ----------------------------------------------------------------------------


def head_of(scene: Scene) -> str:
    head = scene.verify().head
    assert head is not None
    return f"{head.sequence}:{head.sha256}"


def test_head_that_was_kept_elsewhere_makes_it_complete(scene: Scene) -> None:
    head = scene.verify().head
    for text in (head_of(scene), str(head), f" {head_of(scene)}\n"):
        report = scene.verify(expect_head=text)
        assert (report.exit, report.completeness) == (Exit.OK, Completeness.MATCHES)


def test_newest_deleted_is_told_only_by_a_head(scene: Scene) -> None:
    head = head_of(scene)
    shutil.rmtree(scene.bundle(3))

    unasked, asked = scene.verify(), scene.verify(expect_head=head)

    assert (unasked.exit, unasked.completeness) == (Exit.OK, Completeness.NOT_CHECKED)
    assert (asked.exit, asked.completeness) == (Exit.AUDIT, Completeness.DIFFERS)
    assert codes(asked) == ["audit.head"]


def test_everything_deleted_is_told_only_by_a_head(scene: Scene) -> None:
    head = head_of(scene)
    for number in (1, 2, 3):
        shutil.rmtree(scene.bundle(number))
    assert scene.verify().exit is Exit.OK
    assert codes(scene.verify(expect_head=head)) == ["audit.head"]


def test_history_written_again_whole_is_told_only_by_a_head(scene: Scene) -> None:
    head = head_of(scene)
    shutil.rmtree(scene.ledger)
    ledger = ledger_at(scene.ledger, scene.key, ids=CountingIds(1))
    for number in (1, 2, 4):
        carry_out(ledger, number)

    assert scene.verify().exit is Exit.OK
    assert codes(scene.verify(expect_head=head)) == ["audit.head"]


def test_older_head_is_no_match_and_the_message_says_that_others_follow(scene: Scene) -> None:
    head = head_of(scene)
    carry_out(ledger_at(scene.ledger, scene.key), 4)

    report = scene.verify(expect_head=head)

    assert codes(report) == ["audit.head"]
    assert "bundles follow the given head, 3" in report.failures[0].summary


def test_head_of_another_ledger_is_no_match(scene: Scene) -> None:
    other = uuid(0xDEAD)
    sequence, digest = head_of(scene).split(":")
    report = scene.verify(expect_head=f"{other} {sequence} sha256:{digest}")
    assert codes(report) == ["audit.head"]
