"""Where recorded episodes come from, in words that go into their file."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gailkit import __version__
from gailkit.demonstrations.provenance import additions


def describe_source(spec: str, files: Sequence[Path], seed: int, command: str) -> dict[str, str]:
    """Provenance of a recording: the policy and the SHA-256 of its files, versions, the command line and the date."""
    packages = ["gymnasium", "numpy", "torch", *(["mujoco"] if "mujoco" in sys.modules else [])]
    return {
        "source": spec,
        **{f"sha256:{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "seed": str(seed),
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python_version": platform.python_version(),
        "gailkit_version": __version__,
        **{f"{package}_version": importlib.metadata.version(package) for package in packages},
    }


def merged_provenance(sources: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The first provenance, and under a name of its own each further one that is not in it yet, as JSON."""
    merged: dict[str, str] = {}
    for source in sources:
        added = additions(merged)  # compared by what they say: a file does not keep the order of names
        first = {name: text for name, text in merged.items() if not name.startswith("addition_")}
        if not merged:
            merged.update(source)
        elif source not in (first, merged) and source not in added:
            merged[f"addition_{len(added) + 1}"] = json.dumps(dict(source))
    return merged
