"""Files at rest: file systems, containers, and the way from a tree to them."""
