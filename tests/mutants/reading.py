"""Defects in what is read of the journal, and in the projections."""

from tests.mutants.mutant import Mutant

READER = "payments/store/file/reader.py"
REBUILD = "payments/store/file/rebuild.py"
WRITER = "payments/store/file/writer.py"
STORE = "payments/store/file/store.py"
PROJECTOR = "payments/store/file/projector.py"
SNAPSHOT = "payments/store/file/snapshot.py"
WALK = "payments/store/file/scan.py"
BACKUP = "payments/store/file/backup.py"
PROOF = "payments/store/file/proof.py"
SAID = "payments/store/file/verified_line.py"
TALLY = "payments/store/file/consistency.py"
VERIFY = "payments/store/file/verify.py"

MUTANTS = (
    Mutant(
        "projection-checksum-ignored", SNAPSHOT,
        'return line.rstrip(b"\\n") == _end(checksum.hexdigest())', 'return line.endswith(b"}\\n")',
        "tests/store/file/test_projection_damage.py",
    ),
    Mutant(
        "power-projection-empty", SNAPSHOT,
        "(power_record(power) for _, power in sorted(state.power.items()))", "()",
        "tests/store/file/test_projection_damage.py",
    ),
    Mutant(
        "start-without-a-power-projection", SNAPSHOT,
        "    if len(reflected) < len(paths):",
        "    subjects.append({})\n    reflected.setdefault(paths.power_meter, Position())\n"
        "    if len(reflected) < len(paths):",
        "tests/store/file/test_projection_damage.py",
    ),
    Mutant(
        "rebuild-without-the-checksum", REBUILD, "        and has_valid_checksum(line)\n", "",
        "tests/store/file/test_rebuild.py tests/store/file/test_damage_bits.py",
    ),
    Mutant(
        "rebuild-without-the-chain", REBUILD,
        "        and line[PREV] == position.hash.encode()\n", "",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "rebuild-leaves-balances-to-sessions", REBUILD, "if amount > 0 else None", "if amount > 10**9 else None",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "rebuild-in-another-order", REBUILD, "        self._state.sort_sessions()\n", "",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "hole-in-the-journal-unnoticed-by-a-page", READER,
        "    if last_seq:\n        raise", "    if last_seq < 0:\n        raise",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "hole-between-two-segments-unnoticed-by-a-page", READER, "    if last != last_seq:", "    if last < 0:",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "damaged-line-passed-over-by-a-page", READER,
        "                    if not has_valid_checksum(line):", "                    if not line:",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "chain-ignored-by-verify", SAID,
        "if [each.prev for each in parsed] != [prev, *hashes[:-1]]:", "if not parsed:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "seq-ignored-by-verify", SAID,
        "if [each.seq for each in parsed] != list(range(seq + 1, seq + 1 + len(lines))):", "if not parsed:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "checksum-ignored-by-verify", SAID,
        "if not have_valid_checksums(lines):", "if not lines:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "a-balance-that-nothing-changed-is-owed", "payments/store/file/codec.py",
        "    if (delta is None) != (balance is None):\n", "    if False:\n",
        "tests/store/file/test_verify.py -k owes_nothing",
    ),
    Mutant(
        "a-balance-that-nothing-changed-is-passed-over-by-verify", TALLY,
        "each.amount is None and each.event not in _MONEY:", "each.amount is None:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "a-payout-is-booked-twice-and-verify-accepts-it", TALLY,
        "        if key in self.booked:\n", "        if not key:\n",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "a-payout-that-was-not-owed-is-accepted-by-verify", TALLY,
        "verified.reason == PAYOUT and self.balance_eth < 0", "verified.reason == PAYOUT and self.balance_eth < -1000",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "an-interval-that-runs-backwards-is-accepted", TALLY,
        "    if begin > end:\n", "    if not begin:\n",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "time-that-is-not-accounted-for-is-accepted-by-verify", TALLY,
        "    if begin > until and until and", "    if begin > until and not until and",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "a-projection-makes-up-the-count", "payments/store/file/journal.py",
        """ == position.hash and line.startswith(b'{"seq":%d,' % position.seq)""", " == position.hash",
        "tests/store/file/test_verify.py -k make_up",
    ),
    Mutant(
        "a-projection-of-another-journal-is-compared-by-its-count", VERIFY,
        "            if shown.position.hash != position.hash:\n", "            if not shown.position.hash:\n",
        "tests/store/file/test_verify.py -k make_up",
    ),
    Mutant(
        "version-ignored-by-verify", SAID,
        "if {each.v for each in parsed} != {VERSION}:", "if not parsed:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "spelling-of-deltas-ignored-by-verify", SAID,
        'if not _AMOUNTS.fullmatch(listed) or listed.count(",") != len(deltas):', "if not listed and deltas:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "spelling-of-balances-ignored-by-verify", TALLY,
        "if not AMOUNT.fullmatch(balance) or Decimal(balance) != total:", "if Decimal(balance) != total:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "exponent-in-a-balance-ignored-by-verify", TALLY,
        ' or "E" in balance:', ":",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "second-fault-named-by-verify", TALLY,
        "raise min(faults", "raise max(faults",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "another-last-line-kept-by-verify", TALLY,
        'subject.line = line if end == subject.shown_end else b""', "subject.line = subject.line or line",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "projections-compared-behind-a-chunk-by-verify", VERIFY,
        "self._due[0][1].position.seq - position.seq if self._due else len(rest)", "len(rest)",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "damaged-projection-passed-over-by-verify", VERIFY,
        "        for unusable in self._unusable:", "        for unusable in ():",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "projections-opened-behind-the-journal-by-verify", VERIFY,
        "        check = _Check(self._projections, self._shown)",
        "        check = _Check(self._projections, snapshot.open_projections(self._projections, print))",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "end-of-the-journal-within-a-group", WALK,
        '    with lock_free(lock_path(journal_path), _LOCK_TIMEOUT_S):\n', "    if True:\n",
        "tests/store/file/test_export.py -k cut_off_again",
    ),
    Mutant(
        "file-sealed-meanwhile-copied-twice", WALK,
        "first_seq < int(begin[1])", "True",
        "tests/store/file/test_backup.py -k is_sealed",
    ),
    Mutant(
        "cut-backup-restored", BACKUP,
        "verified.entries != self._entries", "False",
        "tests/store/file/test_backup.py -k not_whole",
    ),
    Mutant(
        "backup-names-any-file", BACKUP,
        "if name not in documents and not _PART.fullmatch(name):", "if False:",
        "tests/store/file/test_backup.py -k not_whole",
    ),
    Mutant(
        "restored-under-an-open-store", BACKUP,
        "hold_folder(folder, 0, alone=True)", "hold_folder(folder, 0, alone=False)",
        "tests/store/file/test_backup.py -k keeps_a_backup_out",
    ),
    Mutant(
        "projections-set-aside-before-the-journal", BACKUP,
        "[*journal_paths(journal_path), halt.mark_path(journal_path)]",
        "[*self._projections, *journal_paths(journal_path), halt.mark_path(journal_path)]",
        "tests/store/file/test_backup.py -k cut_short",
    ),
    Mutant(
        "projections-believed", WRITER, "        return why is None\n", "        return True\n",
        "tests/store/file/test_proof.py",
    ),
    Mutant(
        "edited-session-believed", PROOF,
        "            if self._subjects.get(subject) != last:\n", "            if not subject:\n",
        "tests/store/file/test_proof.py",
    ),
    Mutant(
        "old-balance-believed-unseen", PROOF,
        "    for balance in proof.unproven_balances():\n", "    for balance in ():\n",
        "tests/store/file/test_proof.py",
    ),
    Mutant(
        "projections-waited-for", PROJECTOR,
        "brief_lock(self._lock_path, timeout_s=0)", "brief_lock(self._lock_path, timeout_s=30)",
        "tests/store/file/test_projections.py -k does_not_wait",
    ),
    Mutant(
        "projections-written-with-every-event", PROJECTOR,
        "max(MIN_INTERVAL_S, self._last_write_s / MAX_CPU_SHARE) - age_s", "0.0",
        "tests/store/file/test_projections.py -k burst",
    ),
    Mutant(
        "idle-process-that-does-not-keep-up", PROJECTOR,
        "                    self._catch_up()\n", "                    pass\n",
        "tests/store/file/test_processes.py -k asked_nothing",
    ),
    Mutant(
        "everybody-waits-for-a-kept-lock", STORE,
        "monotonic_s() - since_s > MAX_LOCK_WAIT_S", "since_s < 0",
        "tests/store/file/test_waiting.py",
    ),
    Mutant(
        "all-threads-may-wait", STORE,
        "SHORT_TIMEOUT_S if self._committer.waiting >= MAX_WAITING else LOCK_TIMEOUT_S", "LOCK_TIMEOUT_S",
        "tests/store/file/test_waiting.py",
    ),
)  # fmt: skip
