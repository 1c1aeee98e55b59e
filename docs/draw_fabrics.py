"""Write the figures of ``topologies.gallery``, and the tables in ``explanation/fabrics.md``: ``make figures``."""

from __future__ import annotations

from pathlib import Path

from topologies import gallery

DOCS = Path(__file__).resolve().parent
FIGURES = DOCS / "figures" / "fabrics"
PAGE = DOCS / "explanation" / "fabrics.md"


def main() -> None:
    FIGURES.mkdir(parents=True, exist_ok=True)
    for example in gallery.EXAMPLES:
        (FIGURES / f"{example}.svg").write_text(gallery.figure(example), encoding="utf-8")
    PAGE.write_text(gallery.with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
