"""What runs on an edge: the reporter, which reports sessions to Payments and loses none, and the gateway that uses it.

A gateway reports through ``Reporter`` (``payments.edge.reporter``).

Not here: what an event does (``payments.domain.billing``).

Modules:

``reporter``      ``Reporter``, which a gateway calls, and one ``ReportedSession`` for each viewer
``sessions``      open sessions: numbers and stamps their events, and knows when heartbeats are due
``spool``         undelivered events, in memory and on disk
``database``      the spool on disk, a SQLite database
``backlog``       undelivered events in order, and the last event of each open session; in memory
``dropping``      pure: which heartbeats to drop when the spool is full
``delivery``      sends the spool's events to Payments, in order and in batches
``client``        HTTP client for Payments: one connection, no redirects, no proxies, bounded time and size
``verdicts``      pure: what an answer of Payments means for the events that were sent
``backoff``       pure: how long to wait before the next try
``events``        pure: an event to be delivered, and a dead letter
``log_throttle``  logs a lasting problem once, and again every few minutes
``settings``      environment and ``.env`` -> one frozen ``EdgeSettings``
``gateway``       ``ps-gateway``
"""
