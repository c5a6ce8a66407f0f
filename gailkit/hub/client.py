"""The Hub as gailkit speaks to it. No token is asked for, kept or shown here: ``hf auth login`` has it, or HF_TOKEN."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import CommitOperationAdd, HfApi, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils.tqdm import disable_progress_bars

from gailkit.errors import DataError, HubError, InputError
from gailkit.storage import PatientFile, replacing

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
CHUNK = 2**20  # bytes that are asked for at a time
PATIENCE = 30.0  # seconds without a byte
# The errors of the library that it speaks HTTP by, which has been another from one version to the next.
HTTP_ERROR: type[Exception] = next(
    kind for kind in HfHubHTTPError.__mro__ if issubclass(kind, Exception) and kind.__name__ == "HTTPError"
)


class Found(NamedTuple):
    """A repository at one commit."""

    repo: str
    commit: str
    sizes: Mapping[str, int | None]  # bytes of every file, as they are said to be


def check_name(repo: str) -> None:
    """Raise InputError unless ``repo`` is OWNER/NAME in the letters that the Hub has."""
    if not NAME.fullmatch(repo) or ".." in repo or "--" in repo:
        raise InputError(f"a repository is called OWNER/NAME in letters, digits, '-', '_' and '.'; found {repo!r}")


def endpoint() -> str:
    """Where the Hub is: HF_ENDPOINT, or the one of Hugging Face."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def send(
    repo: str,
    contents: Mapping[str, bytes],
    paths: Mapping[str, Path],
    message: str,
    private: bool,
    revision: str | None,
) -> str:
    """Put files into a repository, made where it is not there, in one commit; where they can be looked at.

    Raises:
        HubError, InputError: as ``hub_failures``.
    """
    api = HfApi(endpoint=endpoint())
    files: dict[str, bytes | Path] = {**contents, **paths}
    additions = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=files[name]) for name in sorted(files)]
    disable_progress_bars()
    with hub_failures(repo, revision), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, about itself
        api.create_repo(repo, private=private or None, exist_ok=True)
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        api.create_commit(repo, additions, commit_message=message, revision=revision)
    return f"{endpoint()}/{repo}" + (f"/tree/{revision}" if revision else "")


def look_up(repo: str, revision: str | None) -> Found:
    """What a repository holds. Raises HubError, InputError as ``hub_failures``."""
    with hub_failures(repo, revision):
        info = HfApi(endpoint=endpoint()).model_info(repo, revision=revision, files_metadata=True, timeout=PATIENCE)
    sizes = {each.rfilename: each.size for each in info.siblings or []}
    return Found(repo, str(info.sha), sizes)


def fetch(found: Found, name: str, path: Path, most: int) -> None:
    """Write the file ``name`` of a repository to ``path``.

    Raises:
        DataError: if it has more than ``most`` bytes, whatever it is said to have.
        HubError, InputError: as ``hub_failures``.
        StorageError: if the disk refuses.
    """
    url = hf_hub_url(found.repo, name, revision=found.commit, endpoint=endpoint())
    with hub_failures(found.repo, None), replacing(path) as file:
        _stream(url, file, f"{name} of {found.repo}", most)


def _stream(url: str, file: PatientFile, name: str, most: int) -> None:
    session: Any = get_session()
    asked = session.stream("GET", url, headers=build_hf_headers(), follow_redirects=True, timeout=PATIENCE)
    with asked as answer:
        if answer.status_code != 200:
            raise HubError(f"{endpoint()} answered {answer.status_code} when it was asked for {name}")
        taken = 0
        for chunk in answer.iter_bytes(CHUNK):
            taken += len(chunk)
            if taken > most:
                raise DataError(f"{name} has more than {most:,} bytes, the most that is taken")
            file.write(chunk)


@contextmanager
def hub_failures(repo: str, revision: str | None) -> Iterator[None]:
    """Turn what the Hub's library raises into one sentence, in which no token can be.

    Raises:
        InputError: if there is no such repository or revision, or a name is refused.
        HubError: if the Hub cannot be reached, or refuses.
    """
    where = endpoint()
    try:
        yield
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise InputError(f"{where} has no {repo}, or shows it only to others; `hf auth login` says who asks") from error
    except RevisionNotFoundError as error:
        raise InputError(f"{repo} on {where} has no revision {revision!r}") from error
    except HFValidationError as error:
        raise InputError(f"the Hub takes no such name: {str(error).splitlines()[0]}") from error
    except LocalTokenNotFoundError as error:
        raise HubError(f"nobody is logged in to {where}; `hf auth login` logs in, or HF_TOKEN names a token") from error
    except OfflineModeIsEnabled as error:
        raise HubError(f"{where} is not asked, for HF_HUB_OFFLINE is set") from error
    except HfHubHTTPError as error:
        raise HubError(_refused(where, repo, error)) from error
    except HTTP_ERROR as error:
        raise HubError(f"{where} cannot be reached: {type(error).__name__}") from error
    except (RuntimeError, ValueError) as error:  # what it makes of a failure while a file goes up
        raise HubError(f"{where} did not take what was sent to {repo}: {str(error).splitlines()[0]}") from error


def _refused(where: str, repo: str, error: HfHubHTTPError) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        return f"{where} does not let you do that to {repo}; `hf auth login` with a token that may write there does"
    return f"{where} answered {status} to what was asked of {repo}"
