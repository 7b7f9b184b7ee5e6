"""The package's metadata."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1] for line in (HERE / "fuel_image/__init__.py").read_text().splitlines() if "__version__" in line
)

setup(
    name="fuel-image",
    version=VERSION,
    description="Build OS images for machines that are about to be deployed",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=find_packages(include=["fuel_image", "fuel_image.*"]),
    package_data={
        "fuel_image": [
            "*.schema.json",
            "py.typed",
            "keys/*",
            "elements/lib/*",
            "elements/lib/*/*/*",
            "elements/own/*/*",
            "elements/own/*/*/*",
        ]
    },
    # The oldest versions are those of EPEL 9.
    install_requires=[
        "PyYAML>=5.4",
        "requests>=2.25",
        "tenacity>=8.2.3",
        "sh>=1.14",
        "jsonschema>=3.2",
        "isal>=1.6.1",
        "zstandard>=0.18",
        "rich>=12",
    ],
    entry_points={"console_scripts": ["fuel-image=fuel_image.cli:main"]},
)
