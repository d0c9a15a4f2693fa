"""``payments demo``: runs all of Payments on one machine.

The API, the worker and the gateway are real: the commands that an operator runs, each in its own process, on free
loopback ports and with files in one folder. Game hosts and viewers are simulated in this process. The demo reads all
entries from the API, adds them up itself, and at the end compares its sum with ``ledger verify``.

Not here: the gateway (``payments.edge.gateway``), which is run and never imported.

Modules:

``command``  the command line; the only module imported without the extra ``[edge]``, since the others need ``aiohttp``
``play``     one run of the demo, from start to end
``stage``    addresses, files and settings of the processes
``parts``    starts and stops the processes; none outlives the demo
``hosts``    simulated game hosts: ``/power``, signalling, and a page for a browser
``viewers``  simulated viewers: connect, subscribe, stay a while, and leave
``story``    pure: journal entries -> events and earnings
``telling``  the output, as text or JSON
"""
