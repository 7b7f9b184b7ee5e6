"""The packages: built, accepted by rpmlint, and their life in a root of their own: installed, run, upgraded, removed.

The root is empty but for the shell that rpm needs for scripts, and find. What the packages depend on is not there: the
Python libraries are those of the tests, and the other tools those of this host.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fuel_image import __version__

from .conftest import SMALL, metadata_of, sample
from .images import ImageSet, installed, output_of

TOP = Path(__file__).parents[2]
CONFIG = "etc/fuel-image/fuel-image.yaml"
NEWER = f"{__version__}.1"


def built(source: Path, target: Path) -> tuple[Path, Path]:
    """Return the RPM and the SRPM of a clone's HEAD."""
    subprocess.run([source / "rpm/build.sh", target], check=True, stdout=subprocess.DEVNULL)
    binary, srpm = sorted(target.glob("*.rpm"), key=lambda path: path.name.endswith(".src.rpm"))
    return binary, srpm


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built(TOP, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RPM of the next version, which ships another configuration."""
    clone = tmp_path_factory.mktemp("newer") / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", TOP, clone], check=True)
    for name in ("fuel_image/__init__.py", "rpm/fuel-image.spec"):
        text = (clone / name).read_text()
        (clone / name).write_text(text.replace(__version__, NEWER))
    for name in ("rpm/fuel-image.yaml", "rpm/fuel-image.logrotate"):
        with (clone / name).open("a") as file:
            file.write("# Newer.\n")
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.org"]
    subprocess.run(["git", *identity, "commit", "--quiet", "--all", "--message=newer"], check=True, cwd=clone)
    return built(clone, clone.parent / "dist")[0]


@pytest.fixture
def root(packages: tuple[Path, Path], tmp_path: Path) -> Path:
    """A root in which the package is installed."""
    directory = tmp_path / "root"
    for program in ("sh", "find"):
        binary = shutil.which(program)
        for path in (f"/bin/{program}", *re.findall(r"(/\S+) \(", output_of("ldd", binary))):
            target = directory / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(binary) if path.startswith("/bin/") else path, target)
    rpm(directory, "--install", packages[0])
    return directory


def rpm(root: Path, *arguments: object, check: bool = True) -> str:
    argv = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "--nodeps", *map(str, arguments)]
    return subprocess.run(argv, check=check, stdout=subprocess.PIPE, text=True).stdout


def program(root: Path, *arguments: str) -> str:
    """Run what is installed; with -I Python looks neither in the working directory nor where PYTHONPATH says."""
    return output_of(sys.executable, "-I", root / "usr/bin/fuel-image", *arguments)


def bytecode(root: Path) -> list[Path]:
    """Return the compiled modules in a root: those that a program has imported from there."""
    return list(root.rglob("*.pyc"))


def ours(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if "fuel" in str(path.relative_to(root))}


def test_the_packages(packages: tuple[Path, Path]) -> None:
    binary, source = packages
    assert (binary.name.endswith(".noarch.rpm"), source.name.endswith(".src.rpm")) == (True, True)
    required = {line.split()[0] for line in output_of("rpm", "-qp", "--requires", binary).splitlines()}
    libraries = re.findall(r'(?m)^        "(\w+)>=', (TOP / "setup.py").read_text())
    assert {name for name in required if name.startswith("python3-")} == {
        f"python3-{name.lower()}" for name in libraries
    }
    files = ["rpm/rpmlintrc", "rpm/fuel-image.spec", str(binary), str(source)]
    lint = ["rpmlint", "-r", *files]
    said = subprocess.run(lint, check=False, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert said.returncode == 0, said.stdout


def test_the_source_package_makes_the_same(packages: tuple[Path, Path], tmp_path: Path) -> None:
    defined = [f"--define=_{name} {tmp_path}/{name}" for name in ("topdir", "tmppath", "dbpath")]
    (tmp_path / "tmppath").mkdir()
    rebuild = ["rpmbuild", "--rebuild", "--nodeps", *defined, str(packages[1])]
    said = subprocess.run(rebuild, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert said.returncode == 0, said.stdout
    (again,) = tmp_path.rglob("*.noarch.rpm")
    listing = "[%{FILENAMES} %{FILEMODES:perms} %{FILEDIGESTS} %{FILEFLAGS:fflags}\n]"
    first, second = (output_of("rpm", "-qp", "--queryformat", listing, one) for one in (packages[0], again))
    assert first == second


def test_the_man_page() -> None:
    said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", TOP / "docs/fuel-image.1"], check=False)
    assert said.returncode == 0


def test_what_is_installed(root: Path) -> None:
    assert {
        "etc/fuel-image/fuel-image.yaml",
        "etc/logrotate.d/fuel-image",
        "usr/bin/fuel-image",
        "usr/lib/tmpfiles.d/fuel-image.conf",
        "usr/share/bash-completion/completions/fuel-image",
        "var/cache/fuel-image",
        "var/lib/fuel-image",
    } <= ours(root)
    assert list(root.glob("usr/share/man/man1/fuel-image.1*"))
    assert list(root.glob("usr/share/doc/fuel-image*/README.rst"))
    assert (root / "usr/share/fuel-image/request.schema.json").read_text() == program(root, "schema")
    json.loads((root / "usr/share/fuel-image/settings.schema.json").read_text())


def test_the_installed_program_makes_an_image(root: Path, cache_dir: Path, tmp_path: Path) -> None:
    """With no option but that for the configuration, which is the installed one with other places."""
    config = root / CONFIG
    places = f"work_dir: {root}/var/lib/fuel-image\ncache_dir: {cache_dir}\n"
    config.write_text(config.read_text().replace("/var/log", f"{root}/var/log") + places)
    log = root / "var/log/fuel-agent-env-4.log"
    log.parent.mkdir()
    request = sample(None, root / "var/www/targetimages", packages=SMALL)
    request["image_data"]["/"]["uri"] = "http://127.0.0.1/env_4_debian.img.gz"
    program(root, "--config", str(config), json.dumps(request))

    image_set = ImageSet(metadata_of(request))
    (tmp_path / "look").mkdir()
    with image_set.mounted("/", tmp_path / "look") as tree:
        assert set(SMALL) <= set(installed(tree))
    raw = image_set.unpack("/", tmp_path / "look/raw")
    assert output_of("md5sum", raw).split()[0] == image_set.image("/")["raw_md5"]
    assert any(path.name.startswith("partitions.") for path in bytecode(root))
    assert rpm(root, "--verify", "fuel-image", check=False).split() == ["S.5....T.", "c", f"/{CONFIG}"]
    assert "Building image END" in log.read_text()
    rotate(root, log)


def rotate(root: Path, log: Path) -> None:
    """Have logrotate do at once what it would do in a week: the log's file stays, since a build may have it open."""
    written, inode = log.read_text(), log.stat().st_ino
    rules = root / "etc/logrotate.d/fuel-image"
    rules.write_text(rules.read_text().replace("/var/log", f"{root}/var/log"))
    subprocess.run(["logrotate", "--force", "--state", root / "var/lib/logrotate.status", rules], check=True)
    assert (log.read_text(), log.stat().st_ino) == ("", inode)
    assert output_of("gzip", "-dc", f"{log}.1.gz") == written


def test_an_upgrade_and_a_removal(root: Path, newer: Path) -> None:
    assert program(root, "--version") == f"fuel-image {__version__}\n"
    config, shipped = root / CONFIG, (root / CONFIG).read_text()
    config.write_text(shipped + "cpus: 1\n")
    kept = ["var/www/targetimages/env_4.img.gz", "var/cache/fuel-image/layers/1", "var/log/fuel-agent-env-4.log"]
    for name in kept:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    assert bytecode(root)

    rpm(root, "--upgrade", newer)
    assert not bytecode(root)
    assert program(root, "--version") == f"fuel-image {NEWER}\n"
    assert config.read_text() == shipped + "cpus: 1\n"
    assert Path(f"{config}.rpmnew").read_text() == shipped + "# Newer.\n"
    assert (root / "etc/logrotate.d/fuel-image").read_text().endswith("# Newer.\n")
    assert [(root / name).read_text() for name in kept] == kept

    rpm(root, "--erase", "fuel-image")
    assert Path(f"{config}.rpmsave").read_text() == shipped + "cpus: 1\n"
    assert [(root / name).read_text() for name in kept] == kept
    left = {"etc/fuel-image", f"{CONFIG}.rpmnew", f"{CONFIG}.rpmsave", "var/cache/fuel-image"}
    assert ours(root) == left | {"var/cache/fuel-image/layers", *kept[1:]}


def test_a_removal_leaves_nothing_where_nothing_was_made(root: Path) -> None:
    program(root, "--version")
    rpm(root, "--erase", "fuel-image")
    assert ours(root) == set()
