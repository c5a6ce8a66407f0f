"""What the benchmark of memory says, by hand, and that the files it measures hold what it says."""

from __future__ import annotations

from pathlib import Path

from benchmarks.memory import FEW, KINDS, told, told_of_run, write_demonstrations
from gailkit.demonstrations import Demonstrations


def test_the_largest_peak_is_told_beside_the_demonstrations() -> None:
    measured = {"peaks": [200e6, 260e6, 260e6], "seconds": [1.0, 2.5, 3.0]}
    title, *stages, ratio = told(KINDS["images"], 200_000_000, measured)
    assert title == "200 MB of uint8 images (84, 84, 4):"
    assert [line.split() for line in stages] == [
        ["loaded", "1.0", "s", "200", "MB"],
        ["trainer", "built", "2.5", "s", "260", "MB"],
        ["described", "3.0", "s", "260", "MB"],
    ]
    assert ratio.split() == ["peak", "/", "demonstrations", "1.30", "(at", "most", "1.5)"]


def test_of_a_run_it_is_the_whole_process_that_counts() -> None:
    title, line = told_of_run({"peaks": [1.4e9], "seconds": [70.0]})
    assert title == "Two iterations of a default run on uint8 images (84, 84, 4), from 60 MB:"
    assert line.split() == ["process", "in", "all", "70.0", "s", "1400", "MB", "(at", "most", "2000)"]


def test_the_size_is_that_of_the_arrays(tmp_path: Path) -> None:
    size = write_demonstrations(tmp_path / "d.hdf5", FEW, 5000)
    found = Demonstrations.load(tmp_path / "d.hdf5").trajectories
    assert size == sum(each.observations.nbytes + each.actions.nbytes for each in found)
    assert len(found) == 6  # 101 rows of two float32 are 808 bytes
