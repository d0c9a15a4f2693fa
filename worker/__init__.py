"""The standalone process beside the API: ``python -m worker``, or ``payments-worker``.

It asks every orchestrator's host for its power, records what it hears (``store.execute``), closes and forgets sessions
that nobody reports any more, and compresses what the journal has sealed:

``addresses``  which addresses are never asked
``dial``       connections that keep to a moment and an amount, to addresses that were checked
``power``      asks one host for its ``/power``
``sweep``      asks all of them at once and records the readings as one group
``reaper``     looks after the sessions
``schedule``   when all that is done, and that the watchdog hears of it
``service``    from the settings to the end of the process: signals, reload, duty

May import every room of ``payments`` but ``web``. Always true: what is owed comes from recorded readings, never from
how often a job ran, so stopping it at any moment, or running two, pays nothing twice.
"""
