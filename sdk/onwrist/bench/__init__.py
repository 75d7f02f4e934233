"""What a bundle costs on this machine, and whether the figures can be trusted.

`fresh`, `calls` and `timing` measure; `machine`, `conditions` and `emulation` say on what;
`verdict` judges; `report` is the file that holds all of it, and REPORT.md its specification.
"""
