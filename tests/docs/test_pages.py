"""Pages and figures made from the code say what the code says; Sphinx joins all pages without a warning."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def _program(name: str) -> ModuleType:
    spec = spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["commands.md", "spec-fields.md", "spec.schema.json", "errors.md", "metrics.md"])
def test_reference_is_what_the_code_says(page: str) -> None:
    made = _program("make_reference")
    assert page in made.PAGES
    assert (made.FOLDER / page).read_text(encoding="utf-8") == made.PAGES[page](), "run: make figures"


def test_the_house_is_drawn_from_its_contract() -> None:
    house = _program("draw_house")
    assert house.layers()[0] == ["ringlab"]
    assert house.layers()[-1] == ["topologies"]
    assert {name for row in house.layers() for name in row} == set(house.PURPOSES)
    assert house.FIGURE.read_text(encoding="utf-8") == house.draw(house.layers()), "run: make figures"


def test_algorithms_are_drawn_from_their_schedules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = _program("draw_algorithms")
    kept = {file.name: file.read_text(encoding="utf-8") for file in drawn.FIGURES.iterdir()}
    page = drawn.PAGE.read_text(encoding="utf-8")
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    monkeypatch.setattr(drawn, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(drawn, "PAGE", tmp_path / "page.md")
    drawn.main()
    assert {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "figures").iterdir()} == kept
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page, "run: make figures"


@pytest.mark.process
@pytest.mark.timeout(300)
def test_sphinx_joins_all_pages_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="Sphinx is in the extra 'docs'")
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, tmp_path / "html"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").is_file()
