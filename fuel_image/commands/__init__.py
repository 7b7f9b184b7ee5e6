"""The commands: for each its arguments, what it does by calling others, and what it prints."""
