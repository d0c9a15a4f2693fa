"""Orchestrator records, and attribution by address.

``registry.json`` is a readable document that an operator may also edit by hand; it is read again whenever it changes,
and only a sound one takes effect. May import ``payments.domain``, ``payments.disk`` and ``payments.errors``.

Always true: one ``host_public_ip`` belongs to one orchestrator; attribution is one look-up in a dictionary; a file that
is broken is never overwritten, and the records that were in force before it stay in force.

Not here: what orchestrators earn (the journal knows).
"""

from payments.registry.document import read_document as read_records
from payments.registry.document import read_fields, taken
from payments.registry.records import Record, RecordSchema
from payments.registry.registry import Registry, bootstrap, good_path

__all__ = ["Record", "RecordSchema", "Registry", "bootstrap", "good_path", "read_fields", "read_records", "taken"]
