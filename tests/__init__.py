"""One folder per package, and ``system`` for real processes; ``README.rst`` says how to run what.

Test names are claims. Nothing of our own is mocked: files, processes and sockets are real, and time is a ``Clock`` that
tests set. Each index lists helpers only; test modules speak for themselves.

Modules:

``harness``        what several folders need: a settable clock, events, stores, a real server
``audit``          reads a journal by the specification of its format, with nothing but the standard library
``alerts``         files of alert rules and their cases, as ``promtool`` takes them
``messages``       every message that Payments can log or raise, read from its source
``readme``         the documents: writes their generated parts, reads sections and scripts
``generated``      makes the generated parts of guides: settings, metrics, commands
``generated_api``  makes the generated parts of ``API.rst``
``domain``         tests of ``payments.domain``
``store``          tests of ``payments.store``
``disk``           tests of ``payments.disk``
``registry``       tests of ``payments.registry``
``exports``        tests of ``payments.exports``
``importing``      tests of ``payments.importing``
``web``            tests of ``payments.web``
``cli``            tests of ``payments.cli``
``edge``           tests of ``payments.edge``
``worker``         tests of ``worker``
``deploy``         tests of ``deploy``
``system``         several real processes
``bench``          speed
``mutants``        planted defects
"""
