"""What no fault may do: the promises of docs/reliability.rst, each tried."""
