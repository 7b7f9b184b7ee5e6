"""A machine that boots what was made: what it starts from, what it is made of, and what it says."""
