"""``gailkit doctor`` names what there is and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
from collections.abc import Callable

import h5py
import pytest

from gailkit.cli.doctor import FEATURES

RunHere = Callable[..., "subprocess.CompletedProcess[str]"]


def test_versions_and_features_are_those_of_this_machine(run_here: RunHere) -> None:
    done = run_here("doctor")
    assert done.returncode == 0
    for name in ("torch", "gymnasium", "h5py"):
        assert f"{name} {importlib.metadata.version(name)}" in done.stdout
    assert f"HDF5 {h5py.version.hdf5_version}" in done.stdout
    for feature, (modules, _) in FEATURES.items():
        there = all(importlib.util.find_spec(module) for module in modules)
        assert (f"{feature}: ready" in done.stdout) is there
    assert done.stdout.splitlines()[-1] == "nothing is to be mended"


def test_what_is_missing_is_said_with_the_command_that_brings_it(
    run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    assert "policies in ONNX files: missing onnxruntime: pip install 'gailkit[onnx]'" in run_here("doctor").stdout


def test_a_build_of_hdf5_that_cannot_write_our_files_is_to_be_mended(
    run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: number != h5py.h5z.FILTER_DEFLATE)
    done = run_here("doctor")
    assert done.returncode == 1
    assert "TO MEND: HDF5 was built without gzip" in done.stdout


def test_every_extra_that_a_user_can_install_is_a_feature() -> None:
    extras = {extra for _, extra in FEATURES.values()}
    assert extras == set(importlib.metadata.metadata("gailkit").get_all("Provides-Extra")) - {"dev"}
