"""``gailkit doctor`` names what there is and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from gailkit.cli.doctor import FEATURES, PACKAGES

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


def test_a_package_that_is_not_installed_is_to_be_mended(run_here: RunHere, monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.metadata.version

    def version(name: str) -> str:
        if name == "scipy":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    done = run_here("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "scipy missing" in done.stdout and f"torch {known('torch')}" in done.stdout
    assert done.stdout.splitlines()[-1] == "TO MEND: scipy is not installed: pip install scipy"


@pytest.mark.parametrize("name", ["h5py", "torch"])
def test_a_package_that_cannot_be_imported_is_to_be_mended(
    run_here: RunHere, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # so that importing it raises
    done = run_here("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert f"TO MEND: {name} cannot be imported, ModuleNotFoundError: " in done.stdout
    assert done.stdout.rstrip().endswith(f": pip install --force-reinstall {name}")
    assert "films in MP4: " in done.stdout


@pytest.mark.parametrize("display", ["", ":0"])
def test_a_window_needs_what_play_needs(run_here: RunHere, monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    assert ("windows: there is a display" in run_here("doctor").stdout) is bool(display)


def test_the_packages_are_those_that_gailkit_requires() -> None:
    required = [each for each in importlib.metadata.requires("gailkit") or () if "extra ==" not in each]
    assert {re.split(r"[^\w-]", each)[0] for each in required} == set(PACKAGES)


def test_every_extra_that_a_user_can_install_is_a_feature(repository: Path) -> None:
    extras = {extra for _, extra in FEATURES.values()}
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras == set(project["optional-dependencies"]) - {"dev"}
