"""The founding document's own example, unchanged, with a real repository behind its URI."""

from __future__ import annotations

from pathlib import Path

from tests.unit.test_request import SEED

from .conftest import Fuel, sample
from .images import ImageSet
from .servers import serving, stand_in

OUTPUT = Path("/var/www/nailgun/targetimages")
ROOT = "env_4_ubuntu_1204_amd64"


def test_five_fields_no_more(fuel: Fuel, tmp_path: Path) -> None:
    mirror = sample("xenial", tmp_path)["repos"][0]["uri"]
    handler = stand_in("/2014.2-6.1/ubuntu/x86_64", "precise", mirror, "xenial")
    existed = OUTPUT.exists()
    try:
        with serving(handler, port=8080):
            ended = fuel(SEED, cwd="/", env={"PATH": "/bin:/usr/bin", "LC_ALL": "C"})
        found = ImageSet(OUTPUT / f"{ROOT}.yaml")
        with found.mounted("/boot", tmp_path) as boot:
            assert list(boot.glob("vmlinuz-*")) and list(boot.glob("initrd.img-*"))
        with found.mounted("/", tmp_path) as tree:
            assert (tree / "usr/sbin/grub-install").exists() and (tree / "usr/bin/cloud-init").exists()
            assert (tree / "sbin/mdadm").exists() and (tree / "sbin/lvm").exists() and (tree / "usr/sbin/sshd").exists()
            assert "root:*:" in (tree / "etc/shadow").read_text()
        assert len(ended.stderr) < 10_000
        assert not ended.stdout
    finally:
        for path in OUTPUT.glob(f"{ROOT}*"):
            path.unlink()
        if not existed:
            OUTPUT.rmdir()
