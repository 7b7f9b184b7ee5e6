"""Filling a root tree."""
