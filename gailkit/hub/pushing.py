"""A run's policy onto the Hub."""

from __future__ import annotations

from pathlib import Path

from gailkit.hub.card import card, read_evaluation
from gailkit.hub.parcel import CARD, pack
from gailkit.importing import require
from gailkit.training.run import damaged


def push(
    run: Path,
    repo: str,
    *,
    checkpoint: str | None = None,
    evaluation: Path | None = None,
    film: Path | None = None,
    demonstrations: Path | None = None,
    private: bool = False,
    revision: str | None = None,
) -> str:
    """Publish the policy of ``run`` as the repository ``repo``, OWNER/NAME, with a card that says what it is.

    Args:
        checkpoint: chosen, last or best; the usual one where it is None.
        evaluation: what ``gailkit evaluate --json`` has written of it, for the card.
        film: of the policy; the newest that the run has made itself where it is None.
        demonstrations: a native file that is published too.
        private: whether a repository that is made now is seen by nobody else; one that is there stays as it is.
        revision: the branch that takes the commit, made where it is not there; main where it is None.

    Returns:
        Where it can be looked at.

    Raises:
        InputError, DataError: if something that is to be published is not there, or damaged; for a name that the Hub
            does not take; if the extra ``gailkit[hub]`` is not installed.
        HubError: if the Hub cannot be reached, or refuses.
    """
    require("publishing", "hub", "huggingface_hub")
    from gailkit.hub.client import check_name, send

    check_name(repo)
    parcel = pack(run, checkpoint, film, demonstrations)
    found = None if evaluation is None else read_evaluation(evaluation, parcel.described["env_id"])
    with damaged(run):
        contents = {**parcel.contents, CARD: card(repo, parcel, found).encode()}
    message = f"A policy for {parcel.described['env_id']}"
    return send(repo, contents, parcel.paths, message, private, revision)
