"""Here the process that reads a file is started as it is for whoever uses gailkit."""

from __future__ import annotations

import pytest

from gailkit.untrusted import process, source


@pytest.fixture(autouse=True)
def started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "start_child", process.start_child)
