"""Let ``python -m fuel_image`` be the same program as ``fuel-image``."""

from fuel_image.cli import main

raise SystemExit(main())
