"""Where a Chromium is that can be driven without a screen: for pictures of the page, its tests and its benchmark."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DOWNLOADED = Path(__file__).parents[2] / ".venv" / "chromium"
"""Where setup.sh has Playwright put its own, on systems whose packages have none (Ubuntu's is a snap)."""

MISSING = "no Chromium here: 'sudo make setup' installs it (apt-get install chromium-headless-shell)"


def chromium() -> str | None:
    """The program's path; None where there is none."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name)) and not _is_snap(path)), None)
    if found:
        return found
    names = {"headless_shell", "chrome-headless-shell"}
    downloaded = (str(path) for path in DOWNLOADED.glob("chromium*/*/*") if path.name in names)
    return next((path for path in downloaded if os.access(path, os.X_OK)), None)


def _is_snap(path: str) -> bool:
    """Ubuntu's stand-in, a script that asks for a snap."""
    return "/snap/" in os.path.realpath(path) or b"snap" in Path(path).read_bytes()[:4096]
