"""The site that ``make docs`` builds: no link of it breaks, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import gailkit
from gailkit.cli.main import COMMANDS
from gailkit.training.policy_config import EVERY, PolicyConfig
from tests.docs.blocks import DOCS, PAGES, ROOT
from tests.docs.site import Parsed, built, led_to

pytest.importorskip("sphinx", reason="NOT TESTED whether the site can be built: no sphinx here")

LARGEST_SITE, LARGEST_FIRST_PAGE = 20_000_000, 500_000  # bytes, the latter without the film


@pytest.fixture(scope="module")
def site() -> Path:
    """The folder of the site."""
    return built()


@pytest.fixture(scope="module")
def parsed(site: Path) -> dict[Path, Parsed]:
    """Every page of it."""
    return {path: Parsed(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_to_a_place_that_there_is(parsed: dict[Path, Parsed]) -> None:
    broken = []
    for page, found in parsed.items():
        for link in found.links:
            if urlsplit(link).scheme:
                continue
            target, anchor = led_to(page, link)
            known = parsed.get(target)
            if not target.is_file() or (anchor and known is not None and anchor not in known.anchors):
                broken.append((page.name, link))
    assert broken == []


def test_all_that_a_page_loads_lies_beside_it(parsed: dict[Path, Parsed]) -> None:
    for page, found in parsed.items():
        for address in found.loaded:
            assert not urlsplit(address).scheme.startswith("http") and not address.startswith("//"), (page, address)
            assert address.startswith("data:") or led_to(page, address)[0].is_file(), (page, address)


def test_style_sheets_and_scripts_fetch_nothing(site: Path) -> None:
    for path in [*site.rglob("*.css"), *site.rglob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""(@import\s+|url\(|fetch\(|src\s*=\s*)["']?https?:""", text), path


def test_the_site_is_small(site: Path, parsed: dict[Path, Parsed]) -> None:
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < LARGEST_SITE
    first = site / "index.html"
    loaded = {led_to(first, address)[0] for address in parsed[first].loaded if not address.startswith("data:")}
    size = first.stat().st_size + sum(path.stat().st_size for path in loaded if path.name != "side-by-side.webp")
    assert size < LARGEST_FIRST_PAGE


def test_every_page_of_docs_is_on_the_site_and_in_llms_txt(site: Path) -> None:
    told = (site / "llms.txt").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert (site / f"{name}.html").is_file()
        if name not in ("index", "changes"):
            assert f"(_sources/{name}.md.txt)" in told or f"({name}.html)" in told
    assert all((site / address).is_file() for address in re.findall(r"\]\(([^)]*)\)", told))


def test_every_file_of_results_that_is_to_be_read_is_shown() -> None:
    files = {path.stem for path in (ROOT / "benchmarks" / "results").iterdir() if path.suffix in (".md", ".txt")}
    assert files == {path.stem for path in (DOCS / "benchmarks").glob("*.md")}


def test_every_optimiser_has_a_page_with_its_settings(site: Path) -> None:
    for name in EVERY:
        page = (site / "algorithms" / f"{name}.html").read_text(encoding="utf-8")
        for setting in PolicyConfig().of(name):
            assert f"--policy-{setting.replace('_', '-')}</span>" in page, (name, setting)


def test_every_command_and_public_name_is_documented(site: Path) -> None:
    commands = (site / "command-line.html").read_text(encoding="utf-8")
    assert all(f'id="gailkit-{name}"' in commands for name in COMMANDS)
    assert 'id="gailkit-data-check"' in commands
    api = (site / "api.html").read_text(encoding="utf-8")
    assert all(f'id="gailkit.{name}"' in api for name in set(gailkit.__all__) - {"losses", "rewards"})
