"""``payments demo``: all of Payments at work on one machine.

The API, the worker and the gateway are real: the commands that an operator runs, each a process of its own, on free
loopback ports and files in one folder. Game hosts and viewers are simulated in this process. The demo reads sessions,
power and money from the API, entry by entry, adds them up itself, and at the end compares its sum with ``ledger
verify``.

Not here: the gateway (``payments.edge.gateway``), which is run and never imported.

Modules:

``command``  the command line; the only module imported without the extra ``[edge]``, since the others need ``aiohttp``
``play``     one run, from beginning to end
``stage``    addresses, files and settings of the processes
``parts``    starts the processes, and makes sure that none outlives the demo
``hosts``    game hosts: ``/power``, signalling, and a page for a browser
``viewers``  simulated viewers: they connect, subscribe, stay a while, and leave
``story``    pure: journal entries -> what happened, and who earned what
``telling``  the output, as text or JSON
"""
