"""What was written when the formats were first fixed is read for ever: format 1 of runs and of demonstrations.

``format_1`` holds three episodes of random actions in CartPole-v1, and an imitation of them with 4 units that was
stopped after two of three iterations, as gailkit 0.1.0 left them. What is expected of them was written down then.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gailkit.demonstrations import Demonstrations
from gailkit.evaluation.evaluate import evaluate
from gailkit.report.record import RunRecord
from gailkit.training.metrics import read_metrics
from gailkit.training.resuming import resume
from gailkit.training.run import RunFolder, load_policy

WRITTEN = Path(__file__).with_name("format_1")
PLACES = np.array([[x, v, a, w] for x in (-1, 1) for v in (-0.5, 0.5) for a in (-0.1, 0.1) for w in (-0.6, 0.6)])
LN_LEFT = [
    -0.69080, -0.69071, -0.69146, -0.69085, -0.69084, -0.69084, -0.69103, -0.69085,
    -0.69980, -0.69951, -0.69982, -0.69982, -0.69976, -0.69879, -0.69988, -0.69983,
]  # fmt: skip
DIGESTS = [
    "52e6b0af69424d5ee4fa88a719dc04ead820190f49b81592a09a63202c08249a",
    "e0a146b7f75183ecf651f0df0d9c61ceb27589186b93adc0061fb5836f4d5a0b",
    "438eace16fd408d251164e68e0b42b3584694331713fab78b343f54801cb1178",
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(WRITTEN / "run", tmp_path / "run"))


@pytest.fixture(scope="module")
def shown() -> Demonstrations:
    return Demonstrations.load(WRITTEN / "demonstrations.hdf5")


@pytest.mark.parametrize("memory", [2**30, 0], ids=["in memory", "from the file"])
def test_demonstrations_of_format_1_hold_what_they_held(memory: int) -> None:
    shown = Demonstrations.load(WRITTEN / "demonstrations.hdf5", memory=memory)
    assert [len(episode) for episode in shown.trajectories] == [13, 13, 30]
    assert shown.digests() == DIGESTS
    assert shown.env_id == "CartPole-v1" and shown.trajectories.terminated.all()
    assert shown.trajectories[0].observations[0] == pytest.approx([0.01369617, -0.02302133, -0.04590265, -0.04834723])


def test_a_run_of_format_1_acts_as_it_did(run: Path) -> None:
    policy = load_policy(run)
    places = PLACES.astype(np.float32)
    assert policy(places).tolist() == [0] * 8 + [1] * 8
    assert policy.log_likelihood(places, np.zeros(16, int)) == pytest.approx(np.array(LN_LEFT), abs=2e-5)
    assert policy.trained_on == frozenset(DIGESTS)


def test_a_run_of_format_1_is_evaluated_and_reported(run: Path, shown: Demonstrations) -> None:
    found = evaluate(load_policy(run), shown, "CartPole-v1", episodes=2)
    assert found.episodes == 2
    record = RunRecord.read(run)
    assert [row["steps"] for row in record.rows] == [64, 128] and record.plan.steps == 164
    assert record.command is not None and record.command.startswith("gailkit train CartPole-v1")


def test_a_run_of_format_1_goes_on_to_its_end(run: Path, shown: Demonstrations) -> None:
    before = read_metrics(run)
    result = resume(run, shown, tell=lambda text: None)
    assert result.metrics[:2] == before
    assert [row["steps"] for row in result.metrics] == [64, 128, 192]
    assert result.trainer.collector.not_restored == []  # two episodes amid which it was stopped
    assert RunFolder(run).load("chosen")["choice"]["policy"] == "last"


def test_what_a_run_says_of_itself_today_is_what_format_1_said(run: Path, shown: Demonstrations) -> None:
    """A name that goes, or comes to mean something else, is another format."""
    described = json.loads((run / "config.json").read_text())
    resume(run, shown, steps=400, tell=lambda text: None)
    again = json.loads((run / "config.json").read_text())
    assert again == {**described, "config": {**described["config"], "steps": 400}}
