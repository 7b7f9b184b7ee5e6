"""diskimage-builder's elements: what they are, which of them a request takes, and what is wrong with them."""
