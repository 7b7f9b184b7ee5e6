"""What a request changes in the tree beside packages."""
