"""The standalone process beside the API: ``python -m worker``, or ``payments-worker``.

It asks every orchestrator's host for its power and records the readings (``store.execute``), closes sessions whose end
was lost, forgets old ones, and compresses sealed segments of the journal.

Always true: credits come from recorded readings, never from how often a job ran, so stopping it at any moment, or
running two, pays nothing twice.

Modules:

``service``    the process: settings, signals, reload, the lease
``schedule``   when jobs run, and the watchdog
``sweep``      asks all hosts at once, and records the readings as one group
``power``      asks one host for its ``/power``
``dial``       connections bounded in time and size, to checked addresses
``addresses``  which addresses are never asked
``reaper``     closes and forgets sessions
"""
