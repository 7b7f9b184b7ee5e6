"""The only code that touches the build host."""
