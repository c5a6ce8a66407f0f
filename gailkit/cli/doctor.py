"""``gailkit doctor``: what there is on this machine, and what is missing for what."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterator

import rich_click as click

from gailkit import __version__
from gailkit.cli.examples import examples
from gailkit.importing import describe_foreign
from gailkit.rollouts.machine import usable_processors

PACKAGES = {  # that gailkit cannot do without, behind those that they need -> what they are imported as
    "numpy": "numpy",
    "torch": "torch",
    "gymnasium": "gymnasium",
    "h5py": "h5py",
    "scipy": "scipy",
    "pillow": "PIL",
    "matplotlib": "matplotlib",
    "safetensors": "safetensors",
    "tensorboard": "tensorboard",
    "click": "click",
    "rich": "rich",
    "rich-click": "rich_click",
}
FEATURES = {  # what needs packages beside those -> their modules, the extra of gailkit that installs them
    "MuJoCo tasks": (("mujoco",), "mujoco"),
    "Box2D tasks, as LunarLander": (("Box2D",), "box2d"),
    "drawing the classic tasks, a person at the keyboard": (("pygame",), "classic"),
    "films in MP4": (("imageio_ffmpeg",), "video"),
    "policies in ONNX files": (("onnx", "onnxruntime", "onnxscript"), "onnx"),
    "sweeps on a Ray cluster": (("ray",), "ray"),
    "settings that a sweep searches for": (("optuna",), "search"),
    "demonstrations in Arrow folders": (("pyarrow",), "arrow"),
    "policies on the Hugging Face Hub": (("huggingface_hub",), "hub"),
    "runs on Weights & Biases": (("wandb",), "wandb"),
    "runs in Trackio's dashboard": (("trackio",), "trackio"),
    "building the documentation": (("sphinx", "myst_parser", "furo"), "docs"),
}
OLDEST_HDF5 = (1, 10, 0)  # of which files are made whose metadata has checksums


@click.command(
    "doctor", epilog=examples("gailkit doctor", "- says what is installed, and ends with what is to be mended")
)
def doctor() -> None:
    """Say which versions, threads and devices there are, what is missing for which feature, and what to do about it.

    Whoever reports a fault copies this into the report. Exits with 1 if something must be mended.
    """
    faults = {package: fault for package in PACKAGES if (fault := _fault_of(package)) is not None}
    sections = [_versions(), _features()]
    if "h5py" not in faults:
        sections.append(_hdf5())
    if "torch" not in faults:
        sections.append(_threads())
    if not faults:  # what looks for a display loads most of them
        sections.append(_windows())
    for section in sections:
        for line in section:
            click.echo(line)
    to_mend = [*faults.values(), *(() if "h5py" in faults else _faults_of_hdf5())]
    click.echo("\n".join(f"TO MEND: {fault}" for fault in to_mend) or "nothing is to be mended")
    raise SystemExit(1 if to_mend else 0)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _fault_of(package: str) -> str | None:
    """Why gailkit cannot use it; None where it can."""
    if _version(package) is None:
        return f"{package} is not installed: pip install {package}"
    try:
        importlib.import_module(PACKAGES[package])
    except Exception as error:  # half an installation may raise anything
        found = describe_foreign(error, __file__)
        return f"{package} cannot be imported, {found}: pip install --force-reinstall {package}"
    return None


def _versions() -> Iterator[str]:
    yield f"gailkit {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield ", ".join(f"{package} {_version(package) or 'missing'}" for package in PACKAGES)


def _hdf5() -> Iterator[str]:
    import h5py

    yield f"HDF5 {h5py.version.hdf5_version}"


def _threads() -> Iterator[str]:
    import torch

    usable = usable_processors()
    threads = torch.get_num_threads()
    yield f"{usable} of {os.cpu_count()} processors may be used; gailkit takes 1 thread of torch (usual: {threads})"
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield f"GPUs that torch sees: {', '.join(devices) or 'none'}; --device takes one"


def _features() -> Iterator[str]:
    for feature, (modules, extra) in FEATURES.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        told = f"missing {', '.join(missing)}: pip install 'gailkit[{extra}]'" if missing else "ready"
        yield f"{feature}: {told}"


def _windows() -> Iterator[str]:
    from gailkit.viewing.rendering import has_display

    yield f"windows: {'there is a display' if has_display() else 'no display; gailkit play writes films'}"


def _faults_of_hdf5() -> Iterator[str]:
    """What keeps it from writing files as gailkit promises."""
    import h5py

    if h5py.version.hdf5_version_tuple < OLDEST_HDF5:
        yield f"HDF5 {h5py.version.hdf5_version} writes files without checksums: pip install --upgrade h5py"
    if h5py.h5z.filter_avail(h5py.h5z.FILTER_DEFLATE) == 0:
        yield "HDF5 was built without gzip, in which demonstrations are written: pip install --force-reinstall h5py"
    if h5py.h5z.filter_avail(h5py.h5z.FILTER_FLETCHER32) == 0:
        yield "HDF5 was built without checksums of its data: pip install --force-reinstall h5py"
