"""Payments: credits the people who run game hosts for Pixel Streaming.

The rooms, from the ground up; each opens with a docstring of its own, and ``tests/test_import_map.py`` holds the
arrows:

``errors``    what can go wrong, grouped by who must act
``domain``    pure: what an event, a session, an entry and a wei are; decides which entries a command becomes
``fields``    the kinds of value that JSON from outside may hold
``events``    what an edge reports: the schema that both sides have in common
``strictjson``  reads JSON from outside, and nothing that only looks like it
``envfile``   ``.env``, read as a whole, and the environment above it; names that are no setting
``configuration``  how settings are declared, read and spelled
``settings``  environment and ``.env`` -> one frozen ``Settings``
``disk``      the narrow seam to the operating system: file operations, locks, atomic replacement
``store``     where entries live: the journal, its projections, and ``execute``, the one way to write
``registry``  orchestrator records, and attribution by address
``importing``  takes over what another backend, livepeer-ops, has kept
``worker_status``  which worker is on duty, and how it fares
``logs``      logs as JSON
``notify``    tells the service manager how a process fares
``probe``     asks a server whether it answers, for systemd, containers and scripts
``exports``   pure: entries and payouts as text that other programs read
``web``       the HTTP API: ``create_app(settings)``
``edge``      what runs on an edge: the reporter, and the gateway; it shares the event's schema with the rest

Beside them, on the top level, stands ``worker``, the process that asks the hosts for their power.

An event travels  web -> store.execute -> domain.decide -> journal -> domain.evolve -> answer,
a reading         worker -> store.execute -> the same.
"""
