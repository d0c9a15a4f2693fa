"""Payments: credits the people who run game hosts for Pixel Streaming.

The rooms, from the ground up; each opens with a docstring of its own, and ``tests/test_import_map.py`` holds the
arrows:

``errors``    what can go wrong, grouped by who must act
``domain``    pure: what an event, a session, an entry and a wei are; decides which entries a command becomes
``fields``    the kinds of value that JSON from outside may hold
``strictjson``  reads JSON from outside, and nothing that only looks like it
``settings``  environment and ``.env`` -> one frozen ``Settings``
``disk``      the narrow seam to the operating system: file operations, locks, atomic replacement
``store``     where entries live: the journal, its projections, and ``execute``, the one way to write
``registry``  orchestrator records, and attribution by address
``web``       the HTTP API: ``create_app(settings)``

An event travels  web -> store.execute -> domain.decide -> journal -> domain.evolve -> answer.
"""
