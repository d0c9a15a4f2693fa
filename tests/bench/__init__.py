"""How fast it is: ``python -m tests.bench`` measures every figure in one run, prints a table and writes JSON."""
