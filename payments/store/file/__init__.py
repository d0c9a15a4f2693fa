"""The embedded engine: a journal on a local file system, shared by processes, and JSON documents made from it.

``FORMAT.rst`` beside this file specifies what is on disk and how it is written.

Always true: only the process that holds the journal's lock writes it; no answer leaves before the sync that covers it;
a failed sync is never retried; a torn tail is set aside only if no line confirms it; any other damage stops a start.

Not here: what entries mean (``payments.domain``).

Modules:

``engine``         the files of one ledger: whether they exist and are usable, and how to open them
``store``          ``FileStore``, the engine as its users see it
``committer``      the only thread that works on the journal: serves queued callers in groups
``writer``         the journal shared by processes: under the lock read on, repair, append; sync outside it
``journal``        the active file: read on, append, sync
``codec``          pure: entry <-> line, checksum and chain
``segments``       names of sealed segments, and how to read any segment
``lines``          the lines of a segment, read forwards; describes damaged ones
``blocks``         pure: blocked gzip (BGZF), readable from any offset
``compression``    compresses sealed segments, without the journal's lock
``recovery``       unreadable journal: set a torn tail aside, or refuse to start
``halt``           the mark that stops all writers after a failed sync
``rebuild``        rebuilds the state from a long journal, decoding only the lines that decide it
``snapshot``       reads and writes the projections
``projector``      the thread that keeps the projections up to date
``proof``          checks a projection's state against the journal's last lines
``reader``         reads the journal backwards, a page at a time
``scan``           reads the whole journal forwards, beside its writers
``verified_line``  reads and checks lines by the chunk
``consistency``    checks each entry against the ones before it
``verify``         ``payments ledger verify``
``export``         ``payments ledger export``
``backup``         backup and restore
``lease``          a role that only one process may have, and its status file
"""
