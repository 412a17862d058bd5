"""What a run ran on: versions, git state, BLAS, processor."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from .. import __version__

PACKAGE = Path(__file__).resolve().parents[1]


def environment() -> dict[str, Any]:
    """Everything about this machine and installation that may bear on the numbers or the time; JSON-ready."""
    from threadpoolctl import threadpool_info

    shown = ("user_api", "internal_api", "version", "architecture", "num_threads")
    return {
        "llrsim": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "numba")},
        "git": git_state(),
        "blas": [{key: pool.get(key) for key in shown} for pool in threadpool_info()],
        "cpu": processor(),
        "cpu_count": os.cpu_count(),
        "system": platform.platform(),
    }


def environment_json() -> str:
    """`environment` as one line of JSON."""
    return msgspec.json.encode(environment(), order="deterministic").decode()


def commit_of(machine: dict[str, Any]) -> str | None:
    """The commit of an `environment` in a few digits, and whether files differed from it; None without git."""
    git = machine.get("git")
    return f"{git['commit'][:12]}{' with changes' if git['modified'] else ''}" if git else None


def versions_of(machine: dict[str, Any]) -> str:
    """Versions of llrsim and of what its numbers rest on in an `environment`, and its commit."""
    told = {name: machine[name] for name in ("llrsim", "numpy", "scipy", "numba", "python")}
    told["commit"] = commit_of(machine)
    return ", ".join(f"{name} {what}" for name, what in told.items() if what)


def processor_of(machine: dict[str, Any]) -> str:
    """The processor of an `environment`, and how many CPUs of it there are."""
    return f"{machine['cpu']}, {machine['cpu_count']} CPUs"


def git_state() -> dict[str, Any] | None:
    """Commit, and whether files differ from it, where the package is in a git checkout of its own; else None."""
    root = PACKAGE.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return {"commit": commit, "modified": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def processor() -> str:
    """The processor's name, as exactly as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
