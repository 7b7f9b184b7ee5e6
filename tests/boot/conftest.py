"""Boot tests share the built images of the integration tests."""

from tests.integration.conftest import cache_dir, fuel, host_as_it_was, noble

__all__ = ["cache_dir", "fuel", "host_as_it_was", "noble"]
