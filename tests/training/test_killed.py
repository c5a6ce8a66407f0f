"""SIGKILL at a random moment of a real training; `python -m benchmarks resuming` does it a hundred times."""

from __future__ import annotations

import dataclasses
import os

import pytest

from benchmarks import resuming


@pytest.mark.skipif(not hasattr(os, "fork"), reason="NOT TESTED: killing a training where processes cannot be forked")
def test_a_killed_training_goes_on_as_if_it_had_not_been_killed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shorter = dataclasses.replace(resuming.CONFIGS["ppo-clip"], steps=3000)
    monkeypatch.setitem(resuming.CONFIGS, "ppo-clip", shorter)
    with pytest.raises(SystemExit) as leaving:
        resuming.resuming.main(["--kills", "3"], standalone_mode=False)
    said = capsys.readouterr().out
    assert leaving.value.code == 0, said
    assert said.startswith("3 trainings in CartPole-v1 by ppo-clip killed")
    assert "  0 faults" in said
