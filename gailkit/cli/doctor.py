"""``gailkit doctor``: what there is on this machine, and what is missing for what."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterator

import rich_click as click

from gailkit import __version__

PACKAGES = ("torch", "gymnasium", "numpy", "h5py", "scipy", "matplotlib", "safetensors", "tensorboard", "click")
FEATURES = {  # what needs packages beside those -> their modules, the extra of gailkit that installs them
    "MuJoCo tasks": (("mujoco",), "mujoco"),
    "drawing the classic tasks, a person at the keyboard": (("pygame",), "classic"),
    "films in MP4": (("imageio_ffmpeg",), "video"),
    "policies in ONNX files": (("onnx", "onnxruntime"), "onnx"),
    "demonstrations in Arrow folders": (("pyarrow",), "arrow"),
}
OLDEST_HDF5 = (1, 10, 0)  # of which files are made whose metadata has checksums


@click.command("doctor", epilog="Example:\n\ngailkit doctor")
def doctor() -> None:
    """Say which versions, threads and devices there are, what is missing for which feature, and what to do about it.

    Whoever reports a fault copies this into the report. Exits with 1 if something must be mended.
    """
    for line in _versions():
        click.echo(line)
    for line in _threads():
        click.echo(line)
    for line in _features():
        click.echo(line)
    faults = list(_faults())
    click.echo("\n".join(f"TO MEND: {fault}" for fault in faults) or "nothing is to be mended")
    raise SystemExit(1 if faults else 0)


def _versions() -> Iterator[str]:
    import h5py

    yield f"gailkit {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    yield f"HDF5 {h5py.version.hdf5_version}"


def _threads() -> Iterator[str]:
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = torch.get_num_threads()
    yield f"{usable} of {os.cpu_count()} processors may be used; gailkit takes 1 thread of torch (usual: {threads})"
    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield f"GPUs that torch sees: {', '.join(devices) or 'none'}; gailkit trains on the CPU"


def _features() -> Iterator[str]:
    for feature, (modules, extra) in FEATURES.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        told = f"missing {', '.join(missing)}: pip install 'gailkit[{extra}]'" if missing else "ready"
        yield f"{feature}: {told}"
    shown = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or os.name == "nt"
    yield f"windows: {'there is a display' if shown else 'no display; gailkit play writes films instead (--video)'}"


def _faults() -> Iterator[str]:
    """What keeps gailkit from working as it promises."""
    import h5py

    if h5py.version.hdf5_version_tuple < OLDEST_HDF5:
        yield f"HDF5 {h5py.version.hdf5_version} writes files without checksums: pip install --upgrade h5py"
    if h5py.h5z.filter_avail(h5py.h5z.FILTER_DEFLATE) == 0:
        yield "HDF5 was built without gzip, in which demonstrations are written: pip install --force-reinstall h5py"
    if h5py.h5z.filter_avail(h5py.h5z.FILTER_FLETCHER32) == 0:
        yield "HDF5 was built without checksums of its data: pip install --force-reinstall h5py"
