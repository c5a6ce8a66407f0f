"""A stand-in for the Hub: the few requests that ``huggingface_hub`` makes to publish a repository and to read one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_secretofthetests"


class Hub(ThreadingHTTPServer):
    """Repositories in memory: of each its branches, and of these every file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: dict[str, bool] = {}
        self.large: dict[str, bytes] = {}  # by SHA-256
        self.stated: dict[str, int] = {}  # sizes that are said of files, where they are not the true ones
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def standing_in() -> Iterator[Hub]:
    """A Hub of its own, where whoever asks is logged in. Large files go there by LFS: nothing stands in for Xet."""
    pytest.importorskip("huggingface_hub", reason="NOT TESTED: push and pull; pip install 'gailkit[hub]'")
    from huggingface_hub import constants

    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server
    server.shutdown()
    server.server_close()


class Answering(BaseHTTPRequestHandler):
    """One request."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._route(
            (r"/api/models/([^/]+/[^/]+)/revision/(.+)", self._info),
            (r"/api/models/([^/]+/[^/]+)", lambda repo: self._info(repo, "main")),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._file),
        )

    def do_POST(self) -> None:
        self._route(
            (r"/api/validate-yaml", lambda: self._answer({"errors": [], "warnings": []})),
            (r"/api/repos/create", self._create),
            (r"/api/models/([^/]+/[^/]+)/branch/(.+)", self._branch),
            (r"/api/models/([^/]+/[^/]+)/preupload/(.+)", self._preupload),
            (r"/api/models/([^/]+/[^/]+)/commit/(.+)", self._commit),
            (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
        )

    def do_PUT(self) -> None:
        self._route((r"/lfs/(\w+)", self._take_large))

    def _route(self, *routes: tuple[str, Callable[..., None]]) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        for pattern, answer in routes:
            if found := re.fullmatch(pattern, path):
                answer(*found.groups())
                return
        self._answer({"error": "no such thing"}, 404)

    def _answer(self, values: Any, status: int = 200, **headers: str) -> None:
        self._send(json.dumps(values).encode(), status, {"Content-Type": "application/json", **headers})

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _may(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _refuse(self) -> bool:
        if not self._may():
            self._answer({"error": f"not with {self.headers.get('Authorization')}"}, 403)
        return not self._may()

    def _create(self) -> None:
        if self._refuse():
            return
        asked = json.loads(self.body)
        repo = f"{asked['organization']}/{asked['name']}"
        status = 409 if repo in self.server.repos else 200
        if status == 200:
            self.server.repos[repo] = {"main": {}}
            self.server.private[repo] = asked.get("visibility") == "private" or bool(asked.get("private"))
        self._answer({"url": f"{self.server.url}/{repo}", "id": repo, "name": repo}, status)

    def _branch(self, repo: str, branch: str) -> None:
        branches = self.server.repos[repo]
        status = 409 if branch in branches else 200
        branches.setdefault(branch, dict(branches["main"]))
        self._answer({}, status)

    def _preupload(self, repo: str, revision: str) -> None:
        files = json.loads(self.body)["files"]
        modes = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if each["path"].endswith((".safetensors", ".hdf5", ".gif")) else "regular",
                "shouldIgnore": False,
            }
            for each in files
        ]
        self._answer({"files": modes})

    def _batch(self, repo: str) -> None:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}}}
            for each in json.loads(self.body)["objects"]
        ]
        self._answer({"transfer": "basic", "objects": objects})

    def _take_large(self, oid: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == oid
        self.server.large[oid] = self.body
        self._answer({})

    def _commit(self, repo: str, revision: str) -> None:
        if self._refuse():
            return
        files = self.server.repos[repo][revision]
        for line in self.body.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        oid = "0" * 40
        self._answer({"success": True, "commitOid": oid, "commitUrl": f"{self.server.url}/{repo}/commit/{oid}"})

    def _branches(self, repo: str) -> dict[str, dict[str, bytes]] | None:
        if repo not in self.server.repos or (self.server.private.get(repo) and not self._may()):
            self._answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return None
        return self.server.repos[repo]

    def _info(self, repo: str, revision: str) -> None:
        branches = self._branches(repo)
        if branches is None:
            return
        if revision not in branches:
            self._answer({"error": "no such revision"}, 404, X_Error_Code="RevisionNotFound")
            return
        files = branches[revision].items()
        siblings = [{"rfilename": name, "size": self.server.stated.get(name, len(content))} for name, content in files]
        self._answer({"id": repo, "modelId": repo, "sha": sha_of(revision), "siblings": siblings, "tags": []})

    def _file(self, repo: str, commit: str, name: str) -> None:
        branches = self._branches(repo)
        if branches is None:
            return
        (files,) = (files for revision, files in branches.items() if sha_of(revision) == commit)
        self._send(files[name], 200, {"Content-Type": "application/octet-stream"})


def sha_of(revision: str) -> str:
    """The commit that a branch is at."""
    return hashlib.sha1(revision.encode()).hexdigest()
