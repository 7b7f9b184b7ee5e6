"""The commands: for each its arguments, what it does by calling others, and what it prints.

``asked``, ``published`` and ``table`` are no commands, but the arguments and the form of output that several share.
"""
