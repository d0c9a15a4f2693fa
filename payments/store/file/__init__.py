"""The embedded engine: a journal on a local file system, shared by processes, and JSON documents made from it.

The format on disk, version 1
=============================

The journal (``PAYMENTS_LEDGER_JOURNAL_PATH``) is a sequence of lines; each is one JSON object in UTF-8, without a
newline or a NUL inside, ended by a newline, and holds one entry::

    {"seq":1,"timestamp":"2026-01-31T12:00:00.000Z","event":"credit","reason":"session_time","orchestrator_id":"orch-a",
     "amount":"0.00025","delta":"0.00025","balance":"0.00025","metadata":{...},"session":[...],
     "v":1,"durable":0,"prev":"<64 hex digits>","crc":"<8 hex digits>"}

``seq``      1 for the first line of the journal, one more for each line after it.
``amount``, ``delta``, ``balance``  of money only: exact decimal strings; ``delta`` is signed, ``balance`` is after it.
``session``  the whole session after the entry, where it is about one, so that reading a line twice is reading it once:
             an array of its ``session_id``, ``incarnation``, ``opened_seq``, ``orchestrator_id``, ``upstream_addr``,
             ``upstream_port``, ``edge_id``, ``streamer_id``, ``status``, ``started_at_ms``, ``last_seen_at_ms``,
             ``last_event``, ``last_billed_at_ms``, ``ended_at_ms``, ``end_reason``, ``billed_ms``, ``billed_wei``,
             ``remainder``, ``last_credited_wei``, ``unbilled_ms``, ``heartbeat_count``, ``seq``, ``event_id`` and
             ``event_digest``, which ``payments.domain.sessions.Session`` explains; what is in wei is a decimal string.
             It is for programs: ``metadata`` tells people what happened. Behind an entry whose ``reason`` is
             ``session_forgotten`` there is no session by that name any more.
``metadata.booked_as``  of an adjustment or a payout: under this it is not booked a second time for that orchestrator.
``power``    likewise the whole power state after it, where it is about a reading: its ``orchestrator_id``, ``state``,
             ``detail``, ``read_at_ms``, ``since_ms``, ``awake_from_ms``, ``awake_until_ms``, ``metered_from_ms``,
             ``metered_to_ms``, ``billed_ms``, ``billed_wei``, ``remainder``, ``last_credited_wei``, ``no_credit`` and
             ``unbilled_ms`` (``payments.domain.readings.PowerState``). A line has ``session`` or ``power`` or neither.
``v``        1. A reader that meets another number stops: it cannot know what the line means.
``durable``  the highest ``seq`` that the writer knew to be on disk when it wrote the line. A line that says so of a
             damaged line proves that the damaged one was once whole.
``prev``     the SHA-256 of the line before, its newline included, in lower-case hex; 64 zeros in the first line.
``crc``      the CRC-32 (zlib's) of all bytes of the line before ``,"crc":``, in lower-case hex. Always the last member,
             with ``prev`` before it, so that both can be checked without parsing.

Past ``PAYMENTS_JOURNAL_SEGMENT_BYTES`` the file is sealed: synced, made read-only and renamed to
``<journal>.<seq of its first line, 20 digits>``; a new file goes on under the old name, with the same chain and count.
The folder is synced after the rename, and again after the new file is made, before that holds an acknowledged line.
The journal is the sealed segments in the order of their names, then the active file.

A sealed segment may be compressed: ``<journal>.<seq of its first line, 20 digits>.gz``, read-only, holds the same bytes
in blocked gzip (BGZF, SAM specification 4.1), which any gzip reads: members of at most 65,536 bytes of plain data each,
cut without regard to lines, whose header is ``1f8b0804 00000000 00ff 0600 4243 0200`` and the member's length less one
in two bytes, little-endian; at the end the empty member, that header with ``1b00`` and ``0300 00000000 00000000``. A
file without that at its end is damaged. Offsets are always those of the plain data. Where both forms stand, the plain
one counts: a compressed one gets its name when it is on disk and has been read back, and then the plain one goes.

Beside the journal stand ``<journal>.lock`` and ``<journal>.compress.lock`` (locks, empty), ``<segment>.gz.new`` (being
compressed, or left by a crash: no part of the journal), ``<journal>.torn-<offset>-<time>`` (a torn tail that was set
aside) and ``<journal>.halted`` (a sync failed; the next start verifies everything from disk and removes it);
``<journal>.worker.lock`` and ``<journal>.worker.json`` (the worker's lease, and what it published); and the folder
``<journal>.restoring``, in which a backup is verified before it takes the journal's place. A folder ``before-<time>``
has what stood there before that.

A projection (``sessions.json``, ``balances.json``, ``power_meter.json``) is one JSON object: ``format`` (1),
``journal`` (``seq`` and ``hash`` of the last line that it reflects, the ``segment`` that has it by the ``seq`` of its
first line, and the ``offset`` behind it there), one record a line, and ``checksum``, the SHA-256 of all before the
newline that ends the last record. A projection that is missing, damaged or of another format is made again from the
journal.

How it is written
=================

All writers hold ``<journal>.lock`` while they read on, decide and write; they sync outside it. A sync covers every line
before it, whoever wrote it, and no answer leaves before the sync that covers what it rests on. Whoever compresses holds
``<journal>.compress.lock`` and nothing else: nobody writes a sealed segment, and who has it open keeps it. Everybody
who has the journal open holds its folder (``flock``, shared), and whoever restores a backup holds it alone. No file is
opened through a symbolic link.

The projections are written by a thread of each process under ``sessions.json.lock``, which it only tries to get: nobody
waits for them. A start takes the state from them, folds what the journal has behind them, and holds every balance,
every session that goes on and every power state against the last line about it; where one differs, they are made again
from the journal.

How anyone can check it
=======================

``payments ledger verify`` checks more, and faster; this needs nothing but Python. Saved as ``check.py``, it is run with
the path of the journal::

    import gzip, hashlib, json, pathlib, sys, zlib
    from decimal import Decimal

    path = pathlib.Path(sys.argv[1])
    files, digits = {}, "[0-9]" * 20
    for pattern in (f"{path.name}.{digits}.gz", f"{path.name}.{digits}"):
        files |= {file.name.removesuffix(".gz"): file for file in path.parent.glob(pattern)}
    seq, prev, owed = 0, "0" * 64, {}
    for file in [*(files[name] for name in sorted(files)), path]:
        for line in gzip.open(file) if file.suffix == ".gz" else file.open("rb"):
            seq, entry, body = seq + 1, json.loads(line), line[: line.rindex(b',"crc":')]
            assert entry["crc"] == f"{zlib.crc32(body):08x}", f"{file}, entry {seq}: changed"
            assert (entry["seq"], entry["prev"]) == (seq, prev), f"{file}, entry {seq}: not the next one"
            if "delta" in entry:
                who = entry["orchestrator_id"]
                owed[who] = owed.get(who, 0) + Decimal(entry["delta"])
                assert owed[who] == Decimal(entry["balance"]), f"{file}, entry {seq}: does not add up"
            prev = hashlib.sha256(line).hexdigest()
    for who in sorted(owed):
        print(who, format(owed[who].normalize(), "f"))

May import what ``payments.store`` may. Not here: what entries mean.
"""
