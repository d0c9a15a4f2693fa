"""Several real processes: kills, faults, backup, quickstart, and the commands of the README.

Modules:

``load``                edges that send each event until it is acknowledged
``tracing``             system calls that fail or kill, by ``strace -e inject``
``recorder_process``    a process with a store
``recorder_processes``  starts and controls such processes
"""
