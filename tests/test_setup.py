"""What ``setup.sh`` says where it can't go on."""

import shutil
import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.sh"
PYTHON_WITHOUT_VENV = """\
case "$*" in
    *ensurepip*) exit 1 ;;
    *version_info*) exit 0 ;;
esac
echo "python3 was asked: $*" >&2
exit 1
"""


def _program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)


def test_a_user_without_venv_is_told_what_to_install_in_one_line(tmp_path: Path) -> None:
    shutil.copy(SETUP, tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    _program(programs, "id", "echo 1000\n")
    _program(programs, "python3", PYTHON_WITHOUT_VENV)
    done = subprocess.run(
        [tmp_path / "setup.sh"], env={"PATH": f"{programs}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "stay missing" not in line]
    assert done.returncode == 3
    assert said == ["setup: python3 can't make a virtual environment; as root: apt-get install python3-venv"]
    assert not (tmp_path / ".venv").exists()
