"""The imports of the package point one way, as the design draws them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fuel_image

ROOT = Path(fuel_image.__file__).parent

# Every module may import those of its own layer and of the layers after it.
LAYERS = [
    ["cli", "__main__"],
    ["commands"],
    ["sample", "ending", "hooks"],
    ["build", "boot"],
    ["published", "stages", "verify", "compare", "machine"],
    ["portions", "record"],
    ["means", "metadata", "partitions", "disks", "exports", "checksums"],
    ["plan"],
    ["tree", "publish"],
    ["archive"],
    ["settings"],
    ["request"],
    ["customisation", "outputs", "elements"],
    ["document", "sizes", "uris"],
    ["images"],
    ["host"],
    ["suites", "log"],
    ["progress", "milestones"],
    ["errors", "plain", "kept", "xz"],
    ["printable"],
]
KNOW_NOTHING_OF_EACH_OTHER = [("tree", "images"), ("images", "tree"), ("images", "archive")]


def layer_of(module: str) -> int:
    top = module.split(".")[0]
    return next(number for number, names in enumerate(LAYERS) if top in names)


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "fuel_image":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fuel_image."):
            found.add((node.module or "").partition(".")[2])
    return {name for name in found if name != "__version__"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    if path.name == "__init__.py":
        assert imports_of(path) == set()
        return
    for imported in imports_of(path):
        assert layer_of(imported) >= layer_of(module), f"{module} imports {imported}"
        assert (module.split(".")[0], imported.split(".")[0]) not in KNOW_NOTHING_OF_EACH_OTHER


def test_only_one_module_starts_programs() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and {alias.name for alias in node.names} & {"sh", "subprocess"}
    }
    assert users == {"host/command.py"}
