"""The worker and the hosts that it asks.

Modules:

``hosts``       hosts on loopback with a ``/power`` that tests control
``sweeping``    a sweeper in this process
``process``     worker processes, with their log, systemd's messages and the journal
``launcher``    a worker with another clock, or one that dies
``many_hosts``  a sweep over many hosts
"""
