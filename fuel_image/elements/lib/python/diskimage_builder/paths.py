"""Where things are."""

import os


def get_path(name: str) -> str:
    """Return the directory ``lib`` or ``elements``."""
    return {"lib": os.environ["_LIB"], "elements": os.environ["ELEMENTS_PATH"].split(":")[-1]}[name]
