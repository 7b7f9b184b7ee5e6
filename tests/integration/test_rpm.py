"""The RPM and SRPM are built, and rpmlint accepts them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .images import output_of

TOP = Path(__file__).parents[2]


def test_the_packages(tmp_path: Path) -> None:
    subprocess.run([TOP / "rpm/build.sh", tmp_path], check=True, stdout=subprocess.DEVNULL)
    binary, source = sorted(tmp_path.glob("*.rpm"), key=lambda path: path.name.endswith(".src.rpm"))
    assert (binary.name.endswith(".noarch.rpm"), source.name.endswith(".src.rpm")) == (True, True)
    names = output_of("rpm", "-qpl", binary).splitlines()
    assert {"/usr/bin/fuel-image", "/usr/share/fuel-image/fuel_image/cli.py"} <= set(names)
    requires = {line.split()[0] for line in output_of("rpm", "-qpR", binary).splitlines()}
    assert {"python3-pyyaml", "python3-requests", "python3-tenacity", "python3-sh"} <= requires
    files = ["rpm/rpmlintrc", "rpm/fuel-image.spec", str(binary), str(source)]
    lint = ["rpmlint", "-r", *files]
    said = subprocess.run(lint, check=False, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert said.returncode == 0, said.stdout
