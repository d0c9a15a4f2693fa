"""Payments: credits the people who run game hosts for Pixel Streaming.

An event travels    web -> store.execute -> domain.decide -> journal -> domain.evolve -> answer.
A reading travels   worker -> store.execute -> the same.

Always true: the journal is the only source of truth; nothing is acknowledged before it is on disk; money is integer
wei.

Modules:

``errors``         the kinds of failure, grouped by who must act
``clock``          the current time, as an argument that tests can replace
``domain``         pure: decides which entries a command becomes, and folds entries into state
``fields``         the kinds of value that JSON from outside may hold
``events``         the schema of an edge's events, shared by both sides
``strictjson``     a strict JSON parser for input from outside
``endpoints``      parses server addresses
``envfile``        reads ``.env`` and the environment; finds mistyped names
``configuration``  declares, reads and prints settings
``settings``       environment and ``.env`` -> one frozen ``Settings``
``disk``           file operations, locks, atomic replacement
``store``          where entries live: the journal, its projections, and ``execute``, the only way to write
``registry``       orchestrator records, and attribution by address
``importing``      moves in from another backend, livepeer-ops
``worker_status``  which worker is on duty, and how it is doing
``logs``           JSON logs
``notify``         tells systemd how a process is doing
``probe``          asks a server whether it answers, for systemd, containers and scripts
``exports``        pure: entries and payouts as text for other programs
``web``            the HTTP API: ``create_app(settings)``
``cli``            the ``payments`` command
``edge``           what runs on an edge: the reporter and the gateway

The process that asks the hosts for their power is the package ``worker``, beside this one.
"""
