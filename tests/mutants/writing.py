"""Defects in what writes the journal and takes it up again, and the disk below it."""

from tests.mutants.mutant import Mutant

OPERATIONS = "payments/disk/operations.py"
REPLACEMENT = "payments/disk/replacement.py"
LOCK = "payments/disk/lock.py"
CODEC = "payments/store/file/codec.py"
JOURNAL = "payments/store/file/journal.py"
RECOVERY = "payments/store/file/recovery.py"
WRITER = "payments/store/file/writer.py"
STORE = "payments/store/file/store.py"
COMMITTER = "payments/store/file/committer.py"

MUTANTS = (
    Mutant("data-sync-does-nothing", OPERATIONS, "os.fdatasync(descriptor)", "pass", "tests/disk/test_operations.py"),
    Mutant("links-are-followed", OPERATIONS, " | os.O_NOFOLLOW", "", "tests/disk/test_links.py"),
    Mutant(
        "temporary-file-written-over", REPLACEMENT, "os.O_CREAT | os.O_EXCL", "os.O_CREAT | os.O_TRUNC",
        "tests/disk/test_links.py",
    ),
    Mutant("folder-sync-does-nothing", OPERATIONS, "os.fsync(descriptor)", "pass", "tests/disk/test_operations.py"),
    Mutant(
        "data-sync-of-the-journal-left-out", JOURNAL,
        "        self.disk.sync(self.descriptor)\n", "",
        "tests/store/file/test_group_commit.py",
    ),
    Mutant(
        "answer-without-a-sync", WRITER,
        "        if self.journal.durable_seq < self.journal.position.seq:\n            self._sync()\n", "",
        "tests/store/file/test_group_commit.py",
    ),
    Mutant(
        "answer-before-its-sync", STORE,
        "        self._journal.sync()\n",
        "        for request in requests:\n"
        "            request.answer()\n"
        "            request._answered = Ticket()._answered\n"
        "        self._journal.sync()\n",
        "tests/store/file/test_group_commit.py",
    ),
    Mutant(
        "fold-before-its-sync", WRITER,
        "        if self.journal.durable_seq < self.journal.position.seq:\n            self._sync()\n"
        "        if self._recorded is not None:\n            self.state.adopt(self._recorded)\n",
        "        if self._recorded is not None:\n            self.state.adopt(self._recorded)\n"
        "        if self.journal.durable_seq < self.journal.position.seq:\n            self._sync()\n",
        "tests/store/file/test_group_commit.py -k no_answer",
    ),
    Mutant(
        "look-before-its-sync", STORE,
        "        self._journal.sync()\n        if count",
        "        for request in requests:\n            _call_back(request)\n"
        "        self._journal.sync()\n        if count",
        "tests/store/file/test_group_commit.py -k look",
    ),
    Mutant(
        "view-before-its-sync", WRITER,
        "self.state.seq == position.seq and self.journal.durable_seq >= position.seq", "self.state.seq == position.seq",
        "tests/store/file/test_group_commit.py -k another_process",
    ),
    Mutant(
        "sync-only-of-what-was-recorded", WRITER,
        "if self.journal.durable_seq < self.journal.position.seq:", "if self._recorded:",
        "tests/store/file/test_group_commit.py -k another_process",
    ),
    Mutant(
        "written-taken-for-on-disk", WRITER,
        "        self._recorded = after\n",
        "        self._recorded = after\n        self.journal.durable_seq += len(entries)\n",
        "tests/store/file/test_group_commit.py",
    ),
    Mutant(
        "lock-kept-during-the-sync", STORE,
        "            self._journal.record(entries, draft)\n        self._journal.sync()\n",
        "            self._journal.record(entries, draft)\n            self._journal.sync()\n",
        "tests/store/file/test_group_commit.py -k lock",
    ),
    Mutant(
        "one-commit-for-each-caller", COMMITTER,
        "            while (ticket", "            if waiting:\n                raise Empty\n            while (ticket",
        "tests/store/file/test_committer.py",
    ),
    Mutant(
        "who-gave-up-is-served", COMMITTER,
        "[ticket for ticket in waiting if not ticket.given_up]", "list(waiting)",
        "tests/store/file/test_waiting.py -k refused",
    ),
    Mutant(
        "tickets-taken-before-the-lock-is-had", STORE,
        "        with self._journal.turn():\n            requests = take_waiting()\n",
        "        requests = take_waiting()\n        with self._journal.turn():\n",
        "tests/store/file/test_waiting.py -k refused",
    ),
    Mutant(
        "error-of-a-commit-not-told", COMMITTER,
        "ticket.error = ticket.error or error", "ticket.error = ticket.error",
        "tests/store/file/test_committer.py",
    ),
    Mutant(
        "closing-waits-for-the-lock", COMMITTER,
        "        self._queue.put(None)\n        self._thread", "        self._queue.put(Ticket())\n"
        "        self._queue.put(None)\n        self._thread",
        "tests/store/file/test_committer.py -k closing",
    ),
    Mutant(
        "folder-sync-at-start-left-out", WRITER,
        "                self._disk.sync_folder(self._path.parent)\n", "",
        "tests/store/file/test_waiting.py",
    ),
    Mutant(
        "folder-sync-after-replacing-left-out", REPLACEMENT,
        "    disk.sync_folder(path.parent)\n", "",
        "tests/disk/test_replacement.py",
    ),
    Mutant(
        "data-sync-before-replacing-left-out", REPLACEMENT,
        "        disk.sync(descriptor)\n", "",
        "tests/disk/test_replacement.py",
    ),
    Mutant(
        "folder-sync-after-sealing-left-out", JOURNAL,
        "        self._sync_folder()\n        # Only now", "        # Only now",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "folder-sync-of-the-next-segment-left-out", JOURNAL,
        "            self._sync_folder()\n        except OSError:", "            pass\n        except OSError:",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "sealed-before-it-is-synced", WRITER,
        "            self.sync()\n", "",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "checksum-ignored", CODEC,
        """return line.endswith(b',"crc":"%08x"}\\n' % crc32(line[:-_CRC_LENGTH]))""", "return bool(line)",
        "tests/store/file/test_codec.py",
    ),
    Mutant(
        "checksum-asked-of-no-line", CODEC,
        "            if following[PREV] != digest.encode():\n", "            if False:\n",
        "tests/store/file/test_codec.py",
    ),
    Mutant(
        "chain-ignored", CODEC,
        "if record.prev != prev:", "if not record.prev:",
        "tests/store/file/test_codec.py",
    ),
    Mutant(
        "seq-ignored", CODEC,
        "if record.seq != seq + 1:", "if not record.seq:",
        "tests/store/file/test_codec.py",
    ),
    Mutant(
        "torn-tail-never-set-aside", RECOVERY,
        "or not looks_torn(tail) or", "or looks_torn(tail) or tail or",
        "tests/store/file/test_damage_cuts.py",
    ),
    Mutant(
        "any-bad-tail-set-aside", RECOVERY,
        "or not looks_torn(tail) or", "or",
        "tests/store/file/test_damage_bits.py",
    ),
    Mutant(
        "confirmation-by-later-lines-ignored", RECOVERY,
        ".durable >= lost_seq", ".durable < 0",
        "tests/store/file/test_damage_sectors.py",
    ),
    Mutant(
        "confirmation-by-projections-ignored", RECOVERY,
        "if confirmed_seq >= lost_seq or", "if",
        "tests/store/file/test_damage_sectors.py",
    ),
    Mutant(
        "torn-tail-not-kept", RECOVERY,
        "        write_file(journal.disk, kept, [tail])\n", "",
        "tests/store/file/test_damage_cuts.py",
    ),
    Mutant(
        "projection-of-another-journal-believed", WRITER,
        "if not self.journal.contains(position):", "if not position:",
        "tests/store/file/test_damage_cuts.py",
    ),
    Mutant(
        "lock-without-flock", LOCK,
        "        fcntl.flock(self._descriptor, fcntl.LOCK_EX)\n        while", "        while",
        "tests/disk/test_lock.py",
    ),
    Mutant(
        "polled-lock-without-flock", LOCK,
        "while lock_descriptor(self._descriptor, blocking=False):", "while self._descriptor:",
        "tests/disk/test_lock.py",
    ),
    Mutant(
        "lock-file-identity-ignored", LOCK,
        "while not self.path_is_current():", "while not self._path:",
        "tests/disk/test_lock.py -k unlinked",
    ),
    Mutant(
        "polled-lock-file-identity-ignored", LOCK,
        "if self.path_is_current():", "if self._path:",
        "tests/disk/test_lock.py -k unlinked",
    ),
    Mutant(
        "lock-file-made-anew-not-locked", LOCK,
        "            self._reopen()\n            fcntl.flock(self._descriptor, fcntl.LOCK_EX)\n",
        "            self._reopen()\n",
        "tests/disk/test_lock.py -k unlinked",
    ),
    Mutant(
        "short-write-not-cut-back", JOURNAL,
        "            self.disk.truncate(self.descriptor, position.offset)\n", "            pass\n",
        "tests/store/file/test_faults_writing.py",
    ),
    Mutant(
        "failed-sync-tried-again", WRITER,
        "            self.journal.sync()\n        except OSError as error:\n            self._halt(error)\n",
        "            self.journal.sync()\n        except OSError:\n            self.journal.sync()\n",
        "tests/store/file/test_faults_syncing.py",
    ),
    Mutant(
        "mark-of-a-failed-sync-ignored", WRITER,
        "if self._halted is None and self._disk.exists(self._mark):", "if not self._mark:",
        "tests/store/file/test_faults_syncing.py",
    ),
    Mutant(
        "start-after-a-failed-sync-trusts-projections", WRITER,
        "found.snapshot is None or halted or not", "found.snapshot is None or not",
        "tests/store/file/test_faults_syncing.py",
    ),
    Mutant(
        "projection-before-the-journal-is-synced", STORE,
        "return self._between_commits(copy)", "return copy()",
        "tests/store/file/test_group_commit.py -k no_answer",
    ),
    Mutant(
        "rebuild-takes-readings-for-one", CODEC,
        "return line[at : name.end()] if name else line[at:]",
        "return line[at : name.end()] if line.startswith(SESSION_MARK, at) and name else POWER_MARK",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "rebuild-decodes-every-reading", CODEC,
        "return at if at >= 0 else line.find(POWER_MARK, begin)", "return at",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "projection-without-the-power-of-its-moment", STORE,
        "dict(state.balances), dict(state.power))", "dict(state.balances), {})",
        "tests/store/file/test_projections.py -k shows",
    ),
    Mutant(
        "cut-off-but-not-on-disk", WRITER,
        "was rolled back.\n            self._sync()\n", "was rolled back.\n",
        "tests/store/file/test_faults_writing.py",
    ),
    Mutant(
        "failed-folder-sync-tried-again", WRITER,
        "        except SyncFailed as error:\n            self._halt(error)\n", "",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "hole-in-the-journal-unnoticed-by-a-start", WRITER, "        self.journal.check_sealed()\n", "",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "wei-as-numbers", CODEC,
        "        row[place] = str(row[place])", "        row[place] = row[place]",
        "tests/store/file/test_codec.py",
    ),
)  # fmt: skip
