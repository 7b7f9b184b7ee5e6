"""Build OS images for machines that are about to be deployed."""

__version__ = "1.0.0"
