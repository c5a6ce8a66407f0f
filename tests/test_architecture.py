"""The house rules: imports go one way, nothing heavy loads before it is needed, public names exist."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import gailkit

PACKAGE = Path(gailkit.__file__).parent

LAYERS = (  # lowest first; a module imports from its own room and from lower layers
    {
        "types",
        "devices",
        "errors",
        "importing",
        "memory",
        "ranks",
        "spaces",
        "storage",
        "untrusted",
        "windows",
        "wording",
    },
    {"functional"},
    {"networks"},
    {"demonstrations", "discriminator", "generator", "experts", "simulators"},
    {"rollouts"},
    {"exporting", "viewing", "tracking"},
    {"recording"},
    {"checks"},
    {"evaluation"},
    {"health"},
    {"training"},
    {"report", "hub"},
    {"sweep"},
    {"cli"},
)
ROOFS = {"gailkit", "gailkit.__main__"}  # the public names and the entry point: above every layer, imported by none
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
HEAVY = {"torch", "h5py", "gymnasium", "numpy", "scipy", "matplotlib", "tensorboard", "huggingface_hub", "wandb"}


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported_modules(name: str) -> set[str]:
    """Modules of the package that ``name`` imports anywhere: at the top, in a function, or for type checking only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.partition(".")[0] == "gailkit"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import in line {node.lineno}; the house writes full names"
            if node.module is not None and node.module.partition(".")[0] == "gailkit":
                found |= set(targets(node.module, [alias.name for alias in node.names]))
    return found


def targets(module: str, names: list[str]) -> Iterator[str]:
    """The modules that ``from module import names`` reaches; the version, a constant of the roof, is free to all."""
    for name in names:
        if f"{module}.{name}" in MODULES:
            yield f"{module}.{name}"
        elif (module, name) != ("gailkit", "__version__"):
            yield module


def room(module: str) -> str:
    """``gailkit.functional.losses`` lives in ``functional``."""
    return module.split(".")[1]


GRAPH = {name: imported_modules(name) for name in MODULES}
BELOW_THE_ROOF = sorted(set(MODULES) - ROOFS)


def test_the_page_on_the_house_names_every_room_and_no_file_that_is_not_there() -> None:
    page = (PACKAGE.parent / "docs" / "house.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= set(re.findall(r"`(\w+)/`", page))
    named = set(re.findall(r"\b(\w+/[\w/]+\.py)", page)) - {"tests/test_architecture.py"}
    assert not {name for name in named if "NAME" not in name and not (PACKAGE / name).is_file()}


def test_the_walk_sees_the_package() -> None:
    assert {"gailkit.types", "gailkit.cli.main", "gailkit.functional.statistics"} <= set(MODULES)
    assert "gailkit.errors" in GRAPH["gailkit.types"]


@pytest.mark.parametrize("module", BELOW_THE_ROOF)
def test_a_module_lives_in_a_room_of_the_house(module: str) -> None:
    assert room(module) in LEVEL, f"{module} is in no layer; the layers are {LAYERS}"


@pytest.mark.parametrize("module", BELOW_THE_ROOF)
def test_imports_go_down_and_never_to_a_sibling(module: str) -> None:
    for target in GRAPH[module]:
        assert target not in ROOFS, f"{module} imports {target}; import the module that defines the name"
        lowest = LEVEL[room(module)] == 0 == LEVEL[room(target)]
        downwards = LEVEL[room(target)] < LEVEL[room(module)]
        assert downwards or lowest or room(target) == room(module), f"{module} must not import {target}"


def test_no_imports_run_in_a_circle() -> None:
    remaining = dict(GRAPH)
    while leaves := {name for name, needed in remaining.items() if not (needed - {name}) & set(remaining)}:
        remaining = {name: needed for name, needed in remaining.items() if name not in leaves}
    assert not remaining, f"these modules import each other in a circle, or import one that does: {sorted(remaining)}"


@pytest.mark.parametrize("name", gailkit.__all__)
def test_a_public_name_can_be_had(name: str) -> None:
    assert getattr(gailkit, name) is not None
    assert name in dir(gailkit)


def test_a_name_that_is_not_public_is_an_attribute_error_that_lists_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"'nosuch'.*Trajectory"):
        gailkit.nosuch  # noqa: B018


def test_the_three_lists_of_public_names_are_one() -> None:
    tree = ast.parse(MODULES["gailkit"].read_text(encoding="utf-8"))
    for_type_checkers = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert set(gailkit.__all__) == set(gailkit._HOME) == for_type_checkers


def loaded_by(statements: str) -> set[str]:
    """Top-level modules in memory after ``statements`` ran in a fresh interpreter, whether or not they exited."""
    program = (
        f"import sys, json\ntry:\n    {statements}\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.__stderr__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


FOREIGN_SETTING = "CartPole-v1 --out run --generator trpo --policy-clip 0.2"
CROSSED_BAND = "CartPole-v1 --out run --generator ppo-penalty --policy-kl-min 1"


@pytest.mark.parametrize(
    "words",
    [
        "--help", "--version", "nosuch", "--nosuch", "", "train --nosuch", "train --help", "expert --nosuch",
        "expert --help", "evaluate --help", "evaluate --nosuch", "evaluate run", "evaluate run run --demos a.hdf5",
        "evaluate run --demos a.hdf5 --report a.pdf", "control --help", "control --nosuch",
        f"train --demos a.hdf5 {FOREIGN_SETTING}", f"expert {FOREIGN_SETTING}",
        f"expert {CROSSED_BAND}", "expert CartPole-v1 --out run --policy-std states",
        "push --help", "push run", "pull --help", "pull --nosuch", "pull",
        "sweep --help", "sweep --nosuch", "sweep", "sweep nosuch.toml", "sweep pyproject.toml",
    ],
)  # fmt: skip
def test_help_and_mistakes_load_nothing_heavy(words: str) -> None:
    loaded = loaded_by(f"from gailkit.cli import main; main({words.split()!r})")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_by("import gailkit") & HEAVY


def test_only_the_package_goes_into_the_wheel(repository: Path) -> None:
    setuptools = pytest.importorskip("setuptools", reason="NOT TESTED what goes into the wheel: no setuptools here")
    find = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    packages = setuptools.find_packages(str(repository), **find["find"])
    assert "gailkit.cli" in packages
    assert {name.partition(".")[0] for name in packages} == {"gailkit"}
