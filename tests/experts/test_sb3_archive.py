"""A zip is read or refused with one sentence; nothing in it runs and nothing it declares fills the memory."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from gailkit.errors import DataError, InputError
from gailkit.experts import sb3_archive
from gailkit.experts.sb3_archive import check_fits, read_archive

PLANE = Box(-np.inf, np.inf, (2,), np.float32)
WEIGHTS = {"action_net.weight": [[2.0, 0.5]]}

WriteZip = Callable[..., Path]


@pytest.fixture
def sound(write_zip: WriteZip) -> Path:
    return write_zip(PLANE, PLANE, WEIGHTS, {"net_arch": []})


def replace_member(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for member, old in members.items():
            archive.writestr(member, content if member == name else old)
    return path


def saved(value: Any) -> bytes:
    packed = io.BytesIO()
    torch.save(value, packed)
    return packed.getvalue()


class Malicious:
    """Would create a file called ``path`` when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_settings_and_weights_are_read(sound: Path) -> None:
    archive = read_archive(sound)
    assert archive.policy_kwargs == {"net_arch": []}
    np.testing.assert_array_equal(archive.weights["action_net.weight"], [[2.0, 0.5]])
    check_fits(archive, PLANE, PLANE)


@pytest.mark.parametrize("keep", [0, 10, 400, -1])
def test_a_zip_that_is_cut_short_is_damaged(sound: Path, keep: int) -> None:
    sound.write_bytes(sound.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"policy\.zip"):
        read_archive(sound)


def test_a_flipped_bit_is_noticed(sound: Path) -> None:
    content = bytearray(sound.read_bytes())
    content[content.index(b"net_arch")] ^= 1
    sound.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read_archive(sound)


def test_a_zip_of_something_else_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "holiday.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("beach.jpg", b"sand")
    with pytest.raises(InputError, match=r"no data and no policy\.pth; it holds beach\.jpg"):
        read_archive(path)


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("data", b"{not json"),
        ("data", b"[]"),
        ("data", b"\xff\xfe"),
        ("policy.pth", b""),
        ("policy.pth", b"no weights at all"),
        ("policy.pth", saved([1, 2, 3])),
        ("policy.pth", saved({"action_net.weight": "many"})),
        ("policy.pth", saved({"action_net.weight": torch.tensor([[float("nan"), 1.0]])})),
    ],
)
def test_a_damaged_part_is_refused(sound: Path, member: str, content: bytes) -> None:
    with pytest.raises(DataError, match=r"policy\.zip"):
        read_archive(replace_member(sound, member, content))


def test_weights_from_before_torch_1_6_are_read(sound: Path) -> None:
    packed = io.BytesIO()
    torch.save({"action_net.weight": torch.tensor([[7.0, 8.0]])}, packed, _use_new_zipfile_serialization=False)
    archive = read_archive(replace_member(sound, "policy.pth", packed.getvalue()))
    np.testing.assert_array_equal(archive.weights["action_net.weight"], [[7.0, 8.0]])


@pytest.mark.parametrize("pack", [saved, pickle.dumps])
def test_nothing_in_the_weights_is_executed(sound: Path, tmp_path: Path, pack: Callable[[Any], bytes]) -> None:
    replace_member(sound, "policy.pth", pack({"action_net.weight": Malicious(tmp_path / "executed")}))
    with pytest.raises(DataError):
        read_archive(sound)
    assert not (tmp_path / "executed").exists()


def test_the_pickles_in_the_settings_are_left_alone(sound: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(sound) as archive:
        settings = json.loads(archive.read("data"))
    settings["policy_class"][":serialized:"] = pickle.dumps(Malicious(tmp_path / "executed")).hex()
    read_archive(replace_member(sound, "data", json.dumps(settings).encode()))
    assert not (tmp_path / "executed").exists()


def test_a_part_that_unpacks_to_too_much_is_not_read(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb3_archive, "MAX_SETTINGS_BYTES", 100)
    with pytest.raises(DataError, match="at most 100 are read"):
        read_archive(sound)


def test_weights_that_unpack_to_too_much_are_not_read(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10**6))
    monkeypatch.setattr(sb3_archive, "MAX_WEIGHTS_BYTES", 10**5)
    with pytest.raises(DataError, match="declares 1000000 bytes of weights"):
        read_archive(replace_member(sound, "policy.pth", bomb.getvalue()))


def test_one_number_repeated_without_end_is_not_read(sound: Path) -> None:
    endless = torch.zeros(1).expand(10**12)
    with pytest.raises(DataError, match="declares 1000000000000 weights"):
        read_archive(replace_member(sound, "policy.pth", saved({"action_net.weight": endless})))


@pytest.mark.parametrize("space", [None, 3, {}, {":type:": "<class 'gymnasium.spaces.dict.Dict'>"}])
def test_spaces_that_are_missing_or_unknown_are_refused(sound: Path, space: Any) -> None:
    with zipfile.ZipFile(sound) as archive:
        settings = json.loads(archive.read("data"))
    settings["observation_space"] = space
    archive = read_archive(replace_member(sound, "data", json.dumps(settings).encode()))
    with pytest.raises((DataError, InputError), match="observation space"):
        check_fits(archive, PLANE, PLANE)


def test_policies_of_images_are_refused(write_zip: WriteZip) -> None:
    images = Box(0, 255, (8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="images"):
        check_fits(read_archive(write_zip(images, PLANE, WEIGHTS)), images, PLANE)
