"""A package archive, seen from outside."""
