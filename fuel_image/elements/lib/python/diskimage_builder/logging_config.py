"""How programs of elements log."""

import logging
import os


def setup() -> None:
    """Log to standard error; more of it where DIB_DEBUG_TRACE asks for that."""
    level = logging.DEBUG if int(os.environ.get("DIB_DEBUG_TRACE", "0") or 0) > 0 else logging.INFO
    logging.basicConfig(level=level, format="%(levelname)s %(name)s %(message)s")
