"""Orchestrator records, and attribution by address.

``registry.json`` is a readable document that an operator may also edit by hand. It is read again whenever it changes,
and takes effect only if it is valid.

Always true: one ``host_public_ip`` belongs to one orchestrator; attribution is one look-up in a dictionary; a broken
file is never overwritten, and the records from before it stay in force.

Not here: what orchestrators earn (the journal knows).

Modules:

``document``  pure: ``registry.json`` <-> records
``records``   one orchestrator's record, the same in ``registry.json`` and over HTTP
``registry``  the records in force: read from ``registry.json``, changed in it
"""

from payments.registry.document import host_conflict, read_fields
from payments.registry.document import read_document as read_records
from payments.registry.records import Record, RecordSchema
from payments.registry.registry import Registry, bootstrap, good_path

__all__ = [
    "Record",
    "RecordSchema",
    "Registry",
    "bootstrap",
    "good_path",
    "host_conflict",
    "read_fields",
    "read_records",
]
