"""Which actions recorded episodes tell of: said, or known from the words of the recording, or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.recording.acted import expert_actions, recorded_kind

DATASETS = Path(__file__).parents[2] / "datasets"


def older(source: str, *words: str, **more: str) -> dict[str, str]:
    """The provenance of a recording that does not say yet what it acted by."""
    return {"source": source, "command": " ".join(["gailkit", "record", "A-v0", "--policy", source, *words]), **more}


@pytest.mark.parametrize("name", ["cartpole-v1", "mountaincar-v0", "pendulum-v1"])
def test_the_shipped_experts_acted_by_their_likeliest_actions(name: str) -> None:
    assert expert_actions(Demonstrations.load(DATASETS / f"{name}.hdf5").provenance) == "likeliest"


@pytest.mark.parametrize(
    ("provenance", "kind"),
    [
        ({"acted": "sampled"}, "sampled"),
        ({"acted": "likeliest", **older("random")}, "likeliest"),
        ({"acted": "by heart"}, None),
        ({}, None),
        ({"source": "a.zip"}, None),  # who recorded it is not known
        ({"source": "a.zip", "command": "python record.py a.zip"}, None),
        (older("a.zip"), "likeliest"),
        (older("a.onnx"), "likeliest"),
        (older("a.zip", noise="0.1"), "sampled"),
        (older("a.zip", noise="0"), "likeliest"),
        (older("random"), "sampled"),
        (older("module:act"), None),
        (older("keyboard"), None),
        (older("run", **{"sha256:last.safetensors": "00"}), "likeliest"),
        (older("run", "--stochastic", **{"sha256:last.safetensors": "00"}), "sampled"),
        ({"source": "a.zip", "command": "gailkit record 'a"}, None),
    ],
)
def test_what_one_recording_tells(provenance: Mapping[str, str], kind: str | None) -> None:
    assert expert_actions(provenance) == kind


@pytest.mark.parametrize(
    ("added", "kind"),
    [
        (json.dumps(older("b.zip")), "likeliest"),
        (json.dumps({"acted": "likeliest"}), "likeliest"),
        (json.dumps({"acted": "sampled"}), None),
        (json.dumps({}), None),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
    ],
)
def test_of_recordings_that_were_appended_all_must_tell_the_same(added: str, kind: str | None) -> None:
    assert expert_actions({**older("a.zip"), "addition_1": added}) == kind


@pytest.mark.parametrize(("second", "kind"), [("likeliest", "likeliest"), ("sampled", None), (None, None)])
def test_of_files_that_were_merged_all_must_tell_the_same(second: str | None, kind: str | None) -> None:
    merged = {"source": "merged from 2 files", "merged_1": "3 episodes of a", "merged_2": "4 episodes of b"}
    told = {f"merged_1 {name}": text for name, text in older("a.zip").items()}
    own = {} if second is None else {"merged_2 acted": second}
    assert expert_actions({**merged, **told, **own}) == kind


def test_what_a_recording_acts_by() -> None:
    assert recorded_kind("run", True, False, None) == "likeliest"
    assert recorded_kind("run", True, True, None) == "sampled"
    assert recorded_kind("module:act", False, False, None) is None
    assert recorded_kind("module:act", False, False, "0.2") == "sampled"
