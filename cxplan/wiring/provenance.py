"""Who runs this, where, and from which commit: claimed, for the record."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from cxplan.core.evidence import Actor

_COMMIT = re.compile(r"[0-9a-f]{40,64}", re.ASCII)


def actor_of(environ: Mapping[str, str]) -> Actor:
    """Return who says that they run it: the CI's user where there is one, else the OS user."""
    if environ.get("GITHUB_ACTIONS") == "true":
        names = ("GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_WORKFLOW", "GITHUB_SHA")
        return Actor("ci", environ.get("GITHUB_ACTOR", "unknown"), _present(environ, names))
    if environ.get("GITLAB_CI") == "true":
        names = ("CI_PROJECT_PATH", "CI_PIPELINE_ID", "CI_JOB_ID", "CI_COMMIT_SHA")
        return Actor("ci", environ.get("GITLAB_USER_LOGIN", "unknown"), _present(environ, names))
    return Actor("user", getpass.getuser())


def _present(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: environ[name] for name in names if name in environ}


def run_url(environ: Mapping[str, str]) -> str | None:
    """Return where the CI shows this run, or None outside of one."""
    if environ.get("GITHUB_ACTIONS") == "true":
        parts = [environ.get(n, "") for n in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY")]
        return "/".join([*parts, "actions/runs", environ.get("GITHUB_RUN_ID", "")])
    return environ.get("CI_JOB_URL")


def commit_of(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the commit of the files: from the CI, else from git, else None.

    git runs with a clean environment and without hooks, monitors or embedded bare repositories,
    since the folder may hold a stranger's pull request.
    """
    named = environ.get("GITHUB_SHA") or environ.get("CI_COMMIT_SHA")
    if named is not None:
        return named if _COMMIT.fullmatch(named) else None
    safe = ("safe.bareRepository=explicit", "core.fsmonitor=false", "core.hooksPath=/dev/null")
    options = [part for setting in safe for part in ("-c", setting)]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words; the folder is an argument of its own
            ["git", *options, "-C", str(folder), "rev-parse", "--verify", "HEAD"],  # noqa: S607 - git as installed
            env={"PATH": environ.get("PATH", os.defpath), "HOME": environ.get("HOME", "/")},
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    commit = done.stdout.decode("ascii", "replace").strip()
    return commit if done.returncode == 0 and _COMMIT.fullmatch(commit) else None
