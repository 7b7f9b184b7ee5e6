"""What elements import of diskimage-builder."""
