"""The rows P of the bad inputs, and what is read of a folder at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxplan.core.errors import DesiredInvalid
from cxplan.desired.files import Limits
from cxplan.desired.source import FolderSource
from tests.desired.trees import CANARY, SKILLS, problems, read, team, tree, write


def refused(folder: Path) -> list[tuple[str, str]]:
    """Return code and place of each problem; the place of the folder itself is empty."""
    return [(p.code, p.origin.file if p.origin else "") for p in problems(folder)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "desired", tree())


def test_p01_a_link_to_a_file(folder: Path) -> None:
    write(folder, {".git/config": f"token = {CANARY}\n".encode()})
    (folder / "a.yaml").symlink_to(".git/config")
    assert refused(folder) == [("path.symlink", "a.yaml")]


def test_p03_a_link_to_an_endless_device(folder: Path) -> None:
    (folder / "a.yaml").symlink_to("/dev/zero")
    assert refused(folder) == [("path.symlink", "a.yaml")]


def test_p04_a_link_to_a_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "teams").symlink_to("/etc")
    assert refused(folder) == [("path.symlink", "teams")]
    (tmp_path / "elsewhere").symlink_to(folder)
    assert refused(tmp_path / "elsewhere") == [("path.symlink", "")]


def test_p04_a_link_on_the_way_to_a_relative_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("link").symlink_to(folder.parent)
    assert refused(Path("link/desired")) == [("path.symlink", "")]
    assert refused(Path("desired")) == []


def test_a_link_with_another_name_is_refused_too(folder: Path) -> None:
    (folder / "README.md").symlink_to("/etc/passwd")
    assert refused(folder) == [("path.symlink", "README.md")]


def test_p06_a_fifo(folder: Path) -> None:
    os.mkfifo(folder / "a.yaml")
    assert refused(folder) == [("path.type", "a.yaml")]


def test_p07_a_folder_named_like_a_file(folder: Path) -> None:
    (folder / "a.yaml").mkdir()
    assert refused(folder) == [("path.type", "a.yaml")]


def test_p09_a_file_as_the_folder() -> None:
    assert refused(Path("/etc/passwd")) == [("path.type", "")]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere") == [("path.missing", "")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_p12_a_file_that_may_not_be_read(folder: Path) -> None:
    (folder / "team.yaml").chmod(0)
    assert refused(folder) == [("path.unreadable", "team.yaml")]


def test_p13_an_invisible_character_in_a_name(folder: Path) -> None:
    write(folder, {"\u202elmay.a": team(), "sub\u200b/x.yaml": team()})
    assert refused(folder) == [("path.name", "\\u{202E}lmay.a"), ("path.name", "sub\\u{200B}")]


def test_a_name_that_is_not_utf_8(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.yaml")).write_bytes(team())
    assert refused(folder) == [("path.name", "caf\\u{DCE9}.yaml")]


def test_p15_too_many_files(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(Limits().files):
        (folder / f"many/{number}.yaml").touch()
    assert refused(folder) == [("path.too_many", "")]


@pytest.mark.parametrize(
    ("limits", "code", "named"),
    [
        (Limits(files=4), "path.too_many", "4 files"),
        (Limits(file_bytes=100), "yaml.too_large", "larger than"),
        (Limits(total_bytes=300), "path.too_large", "together"),
        (Limits(depth=2), "path.depth", "more than 2 deep"),
    ],
)
def test_each_limit_is_named(folder: Path, limits: Limits, code: str, named: str) -> None:
    write(folder, {"a/b/c.yaml": team()})
    with pytest.raises(DesiredInvalid) as caught:
        FolderSource(folder, limits=limits).read()
    first = caught.value.problems[0]
    assert first.code == code
    assert named in first.summary


def test_an_ending_in_other_letters_is_not_passed_over(folder: Path) -> None:
    write(folder, {"TEAM.YAML": team(), "b.Yml": team()})
    assert refused(folder) == [("path.name", "TEAM.YAML"), ("path.name", "b.Yml")]


def test_what_is_read_and_what_is_passed_over(folder: Path) -> None:
    (folder / "skills.yaml").unlink()
    write(
        folder,
        {
            "deep/er/skills.yml": SKILLS,
            "README.md": b"\xff not ours",
            ".hidden.yaml": b"\xff not ours",
            ".git/x.yaml": b"\xff not ours",
            "team.yaml~": b"\xff not ours",
        },
    )
    os.mkfifo(folder / "pipe")
    assert sorted(read(folder).skills) == ["chat", "voice"]


def test_one_bad_path_does_not_hide_the_others(folder: Path) -> None:
    os.mkfifo(folder / "a.yaml")
    write(folder, {"b.yaml": b"hello", "c.yaml": b"team: C\nmembres: {}\nmembers: {c: {id: 1}}\n"})
    assert refused(folder) == [
        ("path.type", "a.yaml"),
        ("yaml.root_type", "b.yaml"),
        ("schema.unknown_key", "c.yaml"),
        ("schema.type", "c.yaml"),
    ]
