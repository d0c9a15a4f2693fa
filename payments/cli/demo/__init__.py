"""``payments demo``: all of Payments at work on one machine, and what it makes of it, told in plain lines.

Real are the API, the worker and the gateway: the commands that an operator runs, each a process of its own, on free
ports of loopback and files in one folder. Played are the game hosts and the viewers, in this process. What is told of
sessions, power and money is what Payments has recorded: the demo reads it from the API, entry by entry, and adds it up
by an account of its own, which ``ledger verify`` has to meet at the end.

``command``  the command line
``stage``    addresses, files and settings of all that takes part
``parts``    the processes, and that none of them outlives the demo, however it ends
``hosts``    the game hosts: ``/power``, signalling, and a page for whoever looks with a browser
``viewers``  those who come, subscribe, stay a while, and leave
``story``    pure: entries of the journal -> what happened, and who has earned what
``telling``  the lines, as text or JSON
``play``     one performance from its beginning to its end

``command`` alone is imported by the command line: the rest needs ``aiohttp``, of the extra ``[edge]``. Not here: the
gateway itself (``payments.edge.gateway``), which is run and never imported.
"""
