"""The film of the first page, and what is said beneath it: both are taken from an evaluation.

python docs/pictures/film.py closeness.html result.json, from the root of a checkout
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image

STATIC, CAPTION = Path("docs/static"), Path("docs/pictures/side-by-side.md")
QUALITY, SHARE = 60, 0.2  # of WebP; how far into the film the still is, which stands where motion is not wanted


def main(report: Path, result: Path) -> None:
    """Take the film out of the report that `gailkit evaluate --report` wrote, and the numbers out of its --json."""
    found = re.search(r'src="data:image/webp;base64,([^"]+)"', report.read_text(encoding="utf-8"))
    if found is None:
        sys.exit(f"{report} has no film; `gailkit evaluate --report` makes one where the environment can be drawn")
    content = base64.b64decode(found[1])
    (STATIC / "side-by-side.webp").write_bytes(content)
    with Image.open(io.BytesIO(content)) as film:
        film.seek(int(SHARE * getattr(film, "n_frames", 1)))
        film.convert("RGB").save(STATIC / "side-by-side-still.webp", quality=QUALITY)
    CAPTION.write_text(caption(json.loads(result.read_text(encoding="utf-8"))), encoding="utf-8")


def caption(said: dict[str, Any]) -> str:
    """The numbers of the evaluation, as Markdown."""
    low, high = said["closeness_ci95"]
    found = said["two_sample"]
    return (
        f"**{said['verdict'].capitalize()}.** Closeness **{said['closeness']:.2f}** (95 % interval {low:.2f} to "
        f"{high:.2f}; 1 is the expert beside itself, 0 random actions). A classifier that has to tell the policy's "
        f"steps from the expert's is right as often as chance: AUC {found['auc']:.2f}, p = {found['p']:.2f}. "
        f"{said['episodes']} episodes of the policy beside {said['compared_episodes']} that it never saw.\n"
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
