"""Defects to plant, one at a time, each with the tests that must notice it."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One edit of one source file.

    Attributes:
        name: what the defect is.
        path: the file, from the root of the tree; ``old`` occurs in it exactly once and becomes ``new``.
        tests: what to give to pytest: the fewest tests that are sure to notice.
    """

    name: str
    path: str
    old: str
    new: str
    tests: str


OPERATIONS = "payments/disk/operations.py"
REPLACEMENT = "payments/disk/replacement.py"
LOCK = "payments/disk/lock.py"
CALLS = "payments/cli/calls.py"
DEMO_HOSTS = "payments/cli/demo/hosts.py"
DEMO_PARTS = "payments/cli/demo/parts.py"
DEMO_PLAY = "payments/cli/demo/play.py"
DEMO_STAGE = "payments/cli/demo/stage.py"
DEMO_STORY = "payments/cli/demo/story.py"
AHEAD = "payments/store/file/ahead.py"
CODEC = "payments/store/file/codec.py"
JOURNAL = "payments/store/file/journal.py"
GUNICORN = "deploy/gunicorn.conf.py"
JOURNAL_WORKER = "deploy/journal_worker.py"
LATER = "payments/web/later.py"
READER = "payments/store/file/reader.py"
REBUILD = "payments/store/file/rebuild.py"
RECOVERY = "payments/store/file/recovery.py"
SHARED = "payments/store/file/shared.py"
STORE = "payments/store/file/store.py"
COMMITTER = "payments/store/file/committer.py"
PROJECTOR = "payments/store/file/projector.py"
SNAPSHOT = "payments/store/file/snapshot.py"
WALK = "payments/store/file/walk.py"
SAID = "payments/store/file/said.py"
TALLY = "payments/store/file/tally.py"
VERIFY = "payments/store/file/verify.py"
BILLING = "payments/domain/billing.py"
MONEY = "payments/domain/money.py"
POWER = "payments/domain/power.py"
READINGS = "payments/domain/readings.py"
UPKEEP = "payments/domain/upkeep.py"
STATE = "payments/domain/state.py"
REGISTRY = "payments/registry/registry.py"
TOKENS = "payments/web/tokens.py"
DUTY = "payments/duty.py"
DIAL = "worker/dial.py"
SCHEDULE = "worker/schedule.py"
SWEEP = "worker/sweep.py"
EDGE_BACKLOG = "payments/edge/backlog.py"
EDGE_DELIVERY = "payments/edge/delivery.py"
EDGE_FOLDER = "payments/edge/folder.py"
EDGE_SEGMENTS = "payments/edge/segments.py"
EDGE_SESSIONS = "payments/edge/sessions.py"
EDGE_SETTINGS = "payments/edge/settings.py"
EDGE_SPOOL = "payments/edge/spool.py"
EDGE_THINNING = "payments/edge/thinning.py"
EDGE_VERDICTS = "payments/edge/verdicts.py"
GATEWAY_LINK = "payments/edge/gateway/link.py"
GATEWAY_PULSE = "payments/edge/gateway/pulse.py"
GATEWAY_SIDE = "payments/edge/gateway/side.py"
GATEWAY_UPSTREAM = "payments/edge/gateway/upstream.py"
GATEWAY_VIEWER = "payments/edge/gateway/viewer.py"

MUTANTS = (
    Mutant("data-sync-does-nothing", OPERATIONS, "os.fdatasync(descriptor)", "pass", "tests/disk/test_operations.py"),
    Mutant("folder-sync-does-nothing", OPERATIONS, "os.fsync(descriptor)", "pass", "tests/disk/test_operations.py"),
    Mutant(
        "data-sync-of-the-journal-left-out", JOURNAL,
        "        self.disk.sync(self.descriptor)\n", "",
        "tests/store/file/test_group_commit.py",
    ),
    Mutant(
        "answer-without-a-sync", SHARED,
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
        "fold-before-its-sync", SHARED,
        "        if self.journal.durable_seq < self.journal.position.seq:\n            self._sync()\n"
        "        if self._recorded is not None:\n            self.state.adopt(self._recorded)\n",
        "        if self._recorded is not None:\n            self.state.adopt(self._recorded)\n"
        "        if self.journal.durable_seq < self.journal.position.seq:\n            self._sync()\n",
        "tests/store/file/test_group_commit.py -k no_answer",
    ),
    Mutant(
        "look-before-its-sync", STORE,
        "        self._journal.sync()\n        if count",
        "        for request in requests:\n            _look(request)\n"
        "        self._journal.sync()\n        if count",
        "tests/store/file/test_group_commit.py -k look",
    ),
    Mutant(
        "adopted-draft-forgets-nothing", STATE,
        "            self._below.pop(key, None)\n", "            pass\n",
        "tests/domain/test_state.py",
    ),
    Mutant(
        "view-before-its-sync", SHARED,
        "self.state.seq == position.seq and self.journal.durable_seq >= position.seq", "self.state.seq == position.seq",
        "tests/store/file/test_group_commit.py -k another_process",
    ),
    Mutant(
        "sync-only-of-what-was-recorded", SHARED,
        "if self.journal.durable_seq < self.journal.position.seq:", "if self._recorded:",
        "tests/store/file/test_group_commit.py -k another_process",
    ),
    Mutant(
        "written-taken-for-on-disk", SHARED,
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
        "        with self._journal.turn():\n            requests = take()\n",
        "        requests = take()\n        with self._journal.turn():\n",
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
        "folder-sync-at-start-left-out", SHARED,
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
        "sealed-before-it-is-synced", SHARED,
        "            self.sync()\n", "",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "checksum-ignored", CODEC,
        """return line.endswith(b',"crc":"%08x"}\\n' % crc32(line[:-CRC_LENGTH]))""", "return bool(line)",
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
        "projection-of-another-journal-believed", SHARED,
        "if not self.journal.names(position):", "if not position:",
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
        "while not self.names_its_file():", "while not self._path:",
        "tests/disk/test_lock.py -k unlinked",
    ),
    Mutant(
        "polled-lock-file-identity-ignored", LOCK,
        "if self.names_its_file():", "if self._path:",
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
        "failed-sync-tried-again", SHARED,
        "            self.journal.sync()\n        except OSError as error:\n            self._halt(error)\n",
        "            self.journal.sync()\n        except OSError:\n            self.journal.sync()\n",
        "tests/store/file/test_faults_syncing.py",
    ),
    Mutant(
        "mark-of-a-failed-sync-ignored", SHARED,
        "if self._disk.exists(self._mark):", "if not self._mark:",
        "tests/store/file/test_faults_syncing.py",
    ),
    Mutant(
        "start-after-a-failed-sync-trusts-projections", SHARED,
        "found.snapshot is not None and not halted", "found.snapshot is not None",
        "tests/store/file/test_faults_syncing.py",
    ),
    Mutant(
        "projection-before-the-journal-is-synced", STORE,
        "return self._look(copy)", "return copy()",
        "tests/store/file/test_group_commit.py -k no_answer",
    ),
    Mutant(
        "projections-without-a-rest", PROJECTOR,
        "                self._closing.wait(rest_s)\n", "",
        "tests/store/file/test_projections.py -k have_time",
    ),
    Mutant(
        "projection-checksum-ignored", SNAPSHOT,
        'return line.rstrip(b"\\n") == _end(checksum.hexdigest())', 'return line.endswith(b"}\\n")',
        "tests/store/file/test_projection_damage.py",
    ),
    Mutant(
        "event-id-ignored", BILLING,
        "event.event_id is not None and event.event_id == session.event_id", "not event.event and not session.event_id",
        "tests/domain/test_billing_idempotence.py",
    ),
    Mutant(
        "event-id-with-other-content-taken-for-a-duplicate", BILLING,
        "if event.digest() == session.event_digest:", "if event.digest():",
        "tests/domain/test_billing_idempotence.py",
    ),
    Mutant(
        "seq-lateness-ignored", BILLING,
        "event.seq <= session.last_seq:", "event.seq < 0:",
        "tests/domain/test_billing_idempotence.py",
    ),
    Mutant(
        "end-again-recorded", BILLING,
        "if closed and event.event == END:", "if closed and not event.event:",
        "tests/domain/test_billing_lifecycle.py",
    ),
    Mutant(
        "heartbeat-after-the-end-bills", BILLING,
        "if closed and event.event == HEARTBEAT:", "if closed and not event.event:",
        "tests/domain/test_billing_lifecycle.py",
    ),
    Mutant(
        "time-runs-backwards", BILLING,
        "max(0, event.evidence_ms - session.last_billed_at_ms)", "event.evidence_ms - session.last_billed_at_ms",
        "tests/domain/test_billing_credit.py",
    ),
    Mutant(
        "remainder-dropped", BILLING,
        "billed_ms, session.remainder)", "billed_ms, 0)",
        "tests/domain/test_billing_credit.py",
    ),
    Mutant(
        "remainder-of-an-hour", MONEY,
        "MS_PER_MINUTE = 60_000", "MS_PER_MINUTE = 60_001",
        "tests/domain/test_money.py",
    ),
    Mutant(
        "gap-credited", BILLING,
        "length_ms > terms.max_gap_ms:", "length_ms < 0:",
        "tests/domain/test_billing_time.py",
    ),
    Mutant(
        "gap-one-millisecond-early", BILLING,
        "length_ms > terms.max_gap_ms:", "length_ms >= terms.max_gap_ms:",
        "tests/domain/test_billing_time.py",
    ),
    Mutant(
        "expired-time-credited", BILLING,
        "event.evidence_ms < event.received_at_ms - terms.max_event_age_ms", "event.evidence_ms < 0",
        "tests/domain/test_billing_time.py",
    ),
    Mutant(
        "interval-billed-to-the-new-orchestrator", BILLING,
        "earner = session.orchestrator_id", "earner = after.orchestrator_id",
        "tests/domain/test_billing_credit.py",
    ),
    Mutant(
        "power-gap-credited", POWER,
        "    if reading.read_at_ms - before.read_at_ms > terms.power_max_gap_ms:\n        return GAP\n", "",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-gap-one-millisecond-early", POWER,
        "before.read_at_ms > terms.power_max_gap_ms:", "before.read_at_ms >= terms.power_max_gap_ms:",
        "tests/domain/test_power_stories.py",
    ),
    Mutant(
        "power-clock-ignored", POWER,
        "    if reading.read_at_ms <= before.read_at_ms or not length_ms:\n        return CLOCK\n", "",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-metered-again-after-a-step-back", POWER,
        "length_ms = max(0, reading.read_at_ms - before.metered_to_ms)",
        "length_ms = max(0, reading.read_at_ms - before.read_at_ms)",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-high-water-mark-follows-the-clock", POWER,
        "metered_to_ms=before.metered_to_ms + length_ms,", "metered_to_ms=reading.read_at_ms,",
        "tests/domain/test_power_stories.py",
    ),
    Mutant(
        "power-reading-again-recorded", POWER,
        "if known is not None and (known.read_at_ms, known.state) == (reading.read_at_ms, reading.state):",
        "if known is not None and reading.read_at_ms < 0:",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-other-state-at-the-same-moment-taken-for-a-duplicate", POWER,
        "(known.read_at_ms, known.state) == (reading.read_at_ms, reading.state)",
        "known.read_at_ms == reading.read_at_ms",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-paid-though-it-was-asleep-before", POWER,
        "if before.state != AWAKE or reading.state != AWAKE:", "if reading.state != AWAKE:",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-paid-though-it-fell-asleep", POWER,
        "if before.state != AWAKE or reading.state != AWAKE:", "if before.state != AWAKE:",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-first-reading-paid", POWER,
        "if known else FIRST_READING", "if known else None",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-remainder-dropped", POWER,
        "billed_ms, before.remainder)", "billed_ms, 0)",
        "tests/domain/test_power_stories.py",
    ),
    Mutant(
        "power-priced-as-a-session", POWER,
        "accrue(terms.power_rate_wei_per_minute,", "accrue(terms.rate_wei_per_minute,",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "power-state-since-the-last-reading", POWER,
        "since_ms=before.since_ms if before.state == reading.state else reading.read_at_ms,",
        "since_ms=reading.read_at_ms,",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "awake-gate-removed", BILLING,
        "elif rest_ms and terms.require_awake and", "elif rest_ms and not terms.attribution and",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "awake-gate-always-on", BILLING,
        "elif rest_ms and terms.require_awake and", "elif rest_ms and",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "awake-gate-ignores-freshness", READINGS,
        "min(to_ms, self.awake_until_ms)", "to_ms",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "awake-gate-ignores-the-beginning", READINGS,
        "max(from_ms, self.awake_from_ms)", "from_ms",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "awake-gate-open-while-no-reading-exists", BILLING,
        "if power else 0)", "if power else length_ms)",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "awake-gate-counts-expired-time", BILLING,
        "begin_ms = session.last_billed_at_ms + after_ms", "begin_ms = session.last_billed_at_ms",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "awake-stretch-goes-on-over-sleep", POWER,
        "goes_on = before.state == AWAKE and", "goes_on =",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "awake-stretch-goes-on-over-a-gap", POWER,
        "before.awake_from_ms <= read_at_ms <= before.awake_until_ms", "before.awake_from_ms <= read_at_ms",
        "tests/domain/test_power.py",
    ),
    Mutant(
        "awake-stretch-broken-by-a-second-worker", POWER,
        "before.awake_from_ms <= read_at_ms <= before.awake_until_ms",
        "before.read_at_ms <= read_at_ms <= before.awake_until_ms",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "asleep-does-not-end-the-stretch", POWER,
        "min(before.awake_until_ms, read_at_ms)", "before.awake_until_ms",
        "tests/domain/test_awake_gate.py",
    ),
    Mutant(
        "reap-though-it-has-spoken-since", UPKEEP,
        "if (session.status, session.last_seen_at_ms) != (wanted, command.last_seen_at_ms):",
        "if session.status != wanted:",
        "tests/domain/test_upkeep.py",
    ),
    Mutant(
        "reap-at-the-last-receipt", UPKEEP,
        "ended_at_ms=session.last_billed_at_ms", "ended_at_ms=session.last_seen_at_ms",
        "tests/domain/test_upkeep.py",
    ),
    Mutant(
        "forgotten-too-early-after-a-step-back", UPKEEP,
        "now_ms - max(session.last_seen_at_ms, session.last_billed_at_ms) > keep_ms", "silent_ms > keep_ms",
        "tests/domain/test_upkeep.py",
    ),
    Mutant(
        "forgotten-at-once", UPKEEP,
        "session.last_billed_at_ms) > keep_ms:", "session.last_billed_at_ms) > 0:",
        "tests/domain/test_upkeep.py",
    ),
    Mutant(
        "forgetting-forgets-nothing", STATE,
        "is_forgotten = entry.reason == SESSION_FORGOTTEN", "is_forgotten = False",
        "tests/domain/test_upkeep.py",
    ),
    Mutant(
        "draft-remembers-what-it-forgot", STATE,
        "        self._gone.add(key)\n", "",
        "tests/domain/test_state.py",
    ),
    Mutant(
        "reading-not-folded", STATE,
        "        state.power[entry.power.orchestrator_id] = entry.power\n", "        pass\n",
        "tests/domain/test_state.py",
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
        "projection-without-the-power-of-its-moment", STORE,
        "dict(state.balances), dict(state.power))", "dict(state.balances), {})",
        "tests/store/file/test_projections.py -k shows",
    ),
    Mutant(
        "broken-registry-overwritten", REGISTRY,
        "                if self.problem is not None:\n", "                if not self._name:\n",
        "tests/registry/test_hand_edits.py",
    ),
    Mutant("any-token-fits", TOKENS, "if not any(fits):", "if not fits:", "tests/web/test_tokens.py"),
    Mutant(
        "rebuild-without-the-checksum", REBUILD, "        and is_whole(line)\n", "",
        "tests/store/file/test_rebuild.py tests/store/file/test_damage_bits.py",
    ),
    Mutant(
        "rebuild-without-the-chain", REBUILD,
        "        and line[PREV] == position.hash.encode()\n", "",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "rebuild-leaves-balances-to-sessions", REBUILD, "        if amount > 0:\n", "        if False:\n",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "rebuild-in-another-order", REBUILD, "        self._state.restore_order()\n", "",
        "tests/store/file/test_rebuild.py",
    ),
    Mutant(
        "read-ahead-taken-as-it-was", AHEAD,
        " and piece.lines == lines[begin : begin + len(piece.lines)]:", ":",
        "tests/store/file/test_ahead.py",
    ),
    Mutant(
        "read-ahead-for-nothing", AHEAD,
        "        self._pieces[self._position] = ", "        _ = ",
        "tests/store/file/test_ahead.py",
    ),
    Mutant(
        "read-ahead-without-end", LOCK,
        "pauses < 0 or time.monotonic() >= deadline_s", "pauses < 0",
        "tests/store/file/test_ahead.py",
    ),
    Mutant(
        "unsettled-folded-without-the-lock", AHEAD,
        "[: max(0, settled_seq - position.seq)]", "",
        "tests/store/file/test_approach.py",
    ),
    Mutant(
        "next-segment-opened-without-the-lock", AHEAD,
        "yield from journal.read_behind_seal()", "yield from journal.take_up_next()",
        "tests/store/file/test_approach.py",
    ),
    Mutant(
        "all-read-on-under-the-lock", SHARED,
        "        if monotonic_s() - self._turned_s >= _LONG_S and self._fold_settled():\n", "        if False:\n",
        "tests/store/file/test_approach.py",
    ),
    Mutant(
        "group-never-in-pieces", STORE,
        "if len(entries) >= PIECE_ENTRIES:", "if False:",
        "tests/store/file/test_pieces.py",
    ),
    Mutant(
        "pieces-of-a-group-that-fails-stay", SHARED,
        "            self.journal.cut_back(self._begin)\n", "",
        "tests/store/file/test_pieces.py",
    ),
    Mutant(
        "pieces-cut-off-taken-for-on-disk", SHARED,
        "            self.journal.cut_back(self._begin)\n",
        "            self._sync()\n            self.journal.cut_back(self._begin)\n",
        "tests/store/file/test_pieces.py",
    ),
    Mutant(
        "pieces-cut-off-but-not-on-disk", SHARED,
        "was cut off.\n            self._sync()\n", "was cut off.\n",
        "tests/store/file/test_pieces.py",
    ),
    Mutant(
        "failed-folder-sync-tried-again", SHARED,
        "        except SyncFailed as error:\n            self._halt(error)\n", "",
        "tests/store/file/test_rotation.py tests/store/file/test_approach.py",
    ),
    Mutant(
        "refused-addresses-are-asked", DIAL,
        "        if why := refusal(str(address[0])):", "        if (why := refusal(str(address[0]))) and not address:",
        "tests/worker/test_refused_addresses.py",
    ),
    Mutant(
        "a-drip-is-waited-for", DIAL,
        "            self.settimeout(_left_s(self.deadline_s))\n            count", "            count",
        "tests/worker/test_hostile_hosts.py",
    ),
    Mutant(
        "an-answer-without-end-is-read", DIAL,
        "        if self.left_bytes <= 0:", "        if self.left_bytes <= -(10**12):",
        "tests/worker/test_hostile_hosts.py",
    ),
    Mutant(
        "everybody-is-on-duty", DUTY,
        "self._has_it or self._lock.acquire_now()", "True",
        "tests/worker/test_duty.py tests/worker/test_service.py",
    ),
    Mutant(
        "a-watchdog-fed-while-a-job-hangs", SCHEDULE,
        "            if not any(self._hangs(each) for each in self._jobs):\n                self._finished()",
        "            self._finished()",
        "tests/worker/test_schedule.py",
    ),
    Mutant(
        "a-sweep-that-is-stopped-records", SWEEP,
        "        if self._stopping.is_set():\n            return None\n        credited_wei", "        credited_wei",
        "tests/worker/test_sweep.py",
    ),
    Mutant("the-disabled-are-asked", SWEEP, "            if record.enabled\n", "", "tests/worker/test_sweep.py"),
    Mutant(
        "hole-in-the-journal-unnoticed-by-a-start", SHARED, "                self.journal.check_sealed()\n", "",
        "tests/store/file/test_rotation.py",
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
        "                    if not is_whole(line):", "                    if not line:",
        "tests/store/file/test_rotation.py",
    ),
    Mutant(
        "chain-ignored-by-verify", SAID,
        "if [each.prev for each in said] != [prev, *hashes[:-1]]:", "if not said:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "seq-ignored-by-verify", SAID,
        "if [each.seq for each in said] != list(range(seq + 1, seq + 1 + len(lines))):", "if not said:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "checksum-ignored-by-verify", SAID,
        "    _check_whole(lines)\n", "",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "version-ignored-by-verify", SAID,
        "if any(each.v != VERSION for each in said):", "if not said:",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "spelling-of-deltas-ignored-by-verify", SAID,
        "if not _AMOUNTS.fullmatch(listed) or listed.count(\",\") != len(deltas):", "if not listed and deltas:",
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
        "wei-as-numbers", CODEC,
        "        row[place] = str(row[place])", "        row[place] = row[place]",
        "tests/store/file/test_codec.py",
    ),
    Mutant(
        "damaged-projection-passed-over-by-verify", VERIFY,
        "        for unsound in self._unsound:", "        for unsound in ():",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "projections-opened-behind-the-journal-by-verify", VERIFY,
        "        check = _Check(self._projections, self._shown)",
        "        check = _Check(self._projections, snapshot.open_each(self._projections, print))",
        "tests/store/file/test_verify.py",
    ),
    Mutant(
        "worker-reads-its-own-settings", GUNICORN,
        'for name, value in _found["environment"].items()]', "for name, value in ()]",
        "tests/web/test_start_up.py -k another_ones",
    ),
    Mutant(
        "reload-begun-without-a-look", GUNICORN, "if _preflight(server.cfg.env_orig) is None:", "if server is None:",
        "tests/web/test_start_up.py -k not_begun",
    ),
    Mutant(
        "id-in-a-path-as-it-is", CALLS, "{quote(session_id, safe='', errors='surrogateescape')}", "{session_id}",
        "tests/cli/test_ids.py",
    ),
    Mutant(
        "spool-never-synced", EDGE_SEGMENTS,
        "            self._disk.sync(self._descriptor)\n", "            pass\n",
        "tests/edge/test_spool.py -k then_synced",
    ),
    Mutant(
        "spool-file-whose-name-is-not-synced", EDGE_SEGMENTS,
        "                self._disk.sync_folder(self._folder)\n", "                pass\n",
        "tests/edge/test_spool.py -k then_synced",
    ),
    Mutant(
        "event-sent-before-it-is-on-disk", EDGE_SPOOL,
        "return self.trouble is not None or 0 < event.position <= self._folder.durable", "return True",
        "tests/edge/test_spool.py -k before_it_is_synced",
    ),
    Mutant(
        "spool-sync-that-failed-tried-again", EDGE_SEGMENTS,
        "        except OSError:\n            self.seal()\n            raise\n        self._is_synced = True",
        "        except OSError:\n            raise\n        self._is_synced = True",
        "tests/edge/test_spool_disk.py -k sync_that_fails",
    ),
    Mutant(
        "spool-of-another-reporter-used", EDGE_FOLDER,
        "if lock.acquire_now():", "if lock.acquire_now() or True:",
        "tests/edge/test_spool.py -k second_reporter",
    ),
    Mutant(
        "spool-without-a-bound", EDGE_SPOOL,
        "if kept_bytes > self._thin_above_bytes:", "if kept_bytes < 0:",
        "tests/edge/test_spool.py -k below_the_bound",
    ),
    Mutant(
        "start-thinned", EDGE_THINNING,
        "if event.kind == HEARTBEAT and not event.in_flight and", "if not event.in_flight and",
        "tests/edge/test_thinning.py",
    ),
    Mutant(
        "end-thinned", EDGE_THINNING,
        "and not event.in_flight and chain.later[index] != _NONE",
        "and not event.in_flight and chain.later[index] != _NONE or event.kind not in (HEARTBEAT, \"start\")",
        "tests/edge/test_thinning.py",
    ),
    Mutant(
        "last-evidence-thinned-first", EDGE_THINNING,
        "(chain.newest[event.session_id] == index, chain.silence_ms(index), index)",
        "(chain.newest[event.session_id] != index, chain.silence_ms(index), index)",
        "tests/edge/test_thinning.py",
    ),
    Mutant(
        "event-in-flight-thinned", EDGE_THINNING,
        "if event.kind == HEARTBEAT and not event.in_flight and", "if event.kind == HEARTBEAT and",
        "tests/edge/test_thinning.py",
    ),
    Mutant(
        "rejects-dropped", EDGE_SPOOL,
        "            self._folder.note(refused, self._clock())\n", "",
        "tests/edge/test_delivery_refusals.py -k refused",
    ),
    Mutant(
        "rejects-written-behind-the-cursor", EDGE_FOLDER,
        "        self._rejects.write()\n        self._segments.mend()\n"
        "        if self._cursor_is_behind:\n            self._cursor.move(self._settled)\n",
        "        self._segments.mend()\n"
        "        if self._cursor_is_behind:\n            self._cursor.move(self._settled)\n"
        "        self._rejects.write()\n        if self._cursor_is_behind:\n",
        "tests/edge/test_spool_disk.py -k before_the_cursor_passes",
    ),
    Mutant(
        "retry-after-ignored", EDGE_DELIVERY,
        "self._backoff.failed_s(reply.told_s)", "self._backoff.failed_s()",
        "tests/edge/test_delivery_failures.py -k retry_after",
    ),
    Mutant(
        "sessions-of-the-last-life-left-open", EDGE_SPOOL,
        "        self._end_all([event for event in found.events if event.is_kept])\n", "",
        "tests/edge/test_spool.py -k crash",
    ),
    Mutant(
        "sessions-of-the-last-life-forgotten-once-delivered", EDGE_BACKLOG,
        "return event.is_pending or (not self.is_over and event in (self.last, self.safe))", "return event.is_pending",
        "tests/edge/test_spool.py -k of_which_all_is_delivered",
    ),
    Mutant(
        "replayed-in-another-order", EDGE_BACKLOG,
        "behind, self._order = self._order, deque()", "behind = deque[Spooled]()",
        "tests/edge/test_spool_disk.py -k read_only_at_the_start",
    ),
    Mutant(
        "replayed-from-the-newest-file-on", "payments/edge/recovery.py",
        "paths = sorted(folder.iterdir())", "paths = sorted(folder.iterdir(), reverse=True)",
        "tests/edge/test_spool.py",
    ),
    Mutant(
        "delivered-events-replayed-for-ever", "payments/edge/recovery.py",
        "event.is_pending = event.position > settled", "event.is_pending = True",
        "tests/edge/test_spool.py -k next_life",
    ),
    Mutant(
        "batch-with-an-item-untaken-counted-as-done", EDGE_VERDICTS,
        "            if not (type(status) is int and 400 <= status < 500):\n                break\n", "",
        "tests/edge/test_delivery_refusals.py -k cannot_be_taken_now",
    ),
    Mutant(
        "wrong-token-taken-for-a-refusal", EDGE_VERDICTS,
        "if answer.status in (400, 415, 422):\n        return Otherwise.ALONE",
        "if answer.status in (400, 401, 403, 415, 422):\n        return Done(len(events), [])",
        "tests/edge/test_delivery_failures.py -k whatever_comes_back",
    ),
    Mutant(
        "stranger-taken-for-payments", EDGE_VERDICTS,
        "if not isinstance(results, list) or len(results) != len(events):",
        "if not isinstance(results, list):\n        return Done(len(events), [])\n    if len(results) != len(events):",
        "tests/edge/test_delivery_failures.py -k whatever_comes_back",
    ),
    Mutant(
        "session-time-by-a-clock-that-is-set", EDGE_SESSIONS,
        "self._begun_ms + round((self._sessions.monotonic_s() - self._begun_s) * 1000)", "self._sessions.clock()",
        "tests/edge/test_sessions.py -k clock",
    ),
    Mutant(
        "heartbeat-claims-more-than-is-known", EDGE_SESSIONS,
        "self.add(session, HEARTBEAT, _known_ms(session._evidence))", "self.add(session, HEARTBEAT, None)",
        "tests/edge/test_sessions.py -k known",
    ),
    Mutant(
        "session-ended-twice", EDGE_SESSIONS,
        "            if session._is_over:\n                return\n", "",
        "tests/edge/test_sessions.py -k told_once",
    ),
    Mutant(
        "all-heartbeats-at-once", EDGE_SESSIONS,
        "self._heartbeat_s * (session_id.int % _PHASES + 1) / _PHASES", "self._heartbeat_s",
        "tests/edge/test_sessions.py -k phase",
    ),
    Mutant(
        "streamer-never-told", EDGE_SESSIONS,
        "            self._said = self._said._replace(streamer_id=streamer_id)\n", "            pass\n",
        "tests/edge/test_sessions.py -k streamer",
    ),
    Mutant(
        "no-end-when-a-link-ends", GATEWAY_LINK,
        "            session.end(self._evidence_ms() if ending.how is How.SILENT else None)\n"
        "        finally:\n            session.end()\n",
        "        finally:\n",
        "tests/edge/gateway/test_closing.py",
    ),
    Mutant(
        "start-before-the-game-host-has-accepted", GATEWAY_VIEWER,
        "        connecting = asyncio.create_task(self._connect(request, route))\n",
        "        connecting = asyncio.create_task(self._connect(request, route))\n"
        "        self._reporter.open(route.upstream.host, route.upstream.port)\n",
        "tests/edge/gateway/test_refusing.py -k without_a_game_host",
    ),
    Mutant(
        "answers-to-pings-never-missed", GATEWAY_PULSE,
        "if side.silent_s(other, self._silent_s) > self._silent_s:", "if side.silent_s(other, self._silent_s) is None:",
        "tests/edge/gateway/test_silence.py -k takes_nothing_more",
    ),
    Mutant(
        "viewers-never-pinged", GATEWAY_PULSE,
        "            await link.viewer.ping(self.own_ping)\n", "",
        "tests/edge/gateway/test_silence.py",
    ),
    Mutant(
        "heartbeats-as-rare-as-what-a-kill-may-cost", EDGE_SETTINGS,
        "return self.heartbeat_s - min(_MOMENTS_S, self.heartbeat_s / 2)", "return self.heartbeat_s",
        "tests/edge/test_reporter.py -k come_by_themselves",
    ),
    Mutant(
        "heartbeats-without-evidence", GATEWAY_VIEWER,
        "self._reporter.open(peer.host, peer.port, evidence=link.evidence)",
        "self._reporter.open(peer.host, peer.port)",
        "tests/edge/gateway/test_silence.py",
    ),
    Mutant(
        "silence-paid-until-it-was-found", GATEWAY_LINK,
        "session.end(self._evidence_ms() if ending.how is How.SILENT else None)", "session.end()",
        "tests/edge/gateway/test_silence.py",
    ),
    Mutant(
        "gateway-that-slept-takes-all-for-gone", GATEWAY_PULSE,
        "return clock() - due_s > self._ping_s / 3", "return False",
        "tests/edge/gateway/test_silence.py -k has_slept",
    ),
    Mutant(
        "slow-reader-taken-for-gone", GATEWAY_SIDE,
        "        if accepted_bytes > self._accepted_bytes:\n            self.excuse()\n", "",
        "tests/edge/gateway/test_silence.py -k slow_reader",
    ),
    Mutant(
        "who-waits-for-a-slow-reader-taken-for-gone", GATEWAY_SIDE,
        "if other.is_backed_up and now_s - other._moved_s <= patience_s:", "if not other.name:",
        "tests/edge/gateway/test_silence.py -k slow_reader",
    ),
    Mutant(
        "two-who-take-nothing-waited-for-for-ever", GATEWAY_SIDE,
        "if other.is_backed_up and now_s - other._moved_s <= patience_s:", "if other.is_backed_up:",
        "tests/edge/gateway/test_silence.py -k for_for_ever",
    ),
    Mutant(
        "close-code-lost", "payments/edge/gateway/ending.py",
        "How.CLOSED, Frame(code, last.extra or \"\"))", "How.CLOSED, Frame(1000, last.extra or \"\"))",
        "tests/edge/gateway/test_closing.py",
    ),
    Mutant(
        "abort-told-as-a-proper-close", "payments/edge/gateway/ending.py",
        "    return Ending(by, How.ABORTED)\n", "    return Ending(by, How.CLOSED, Frame(1000))\n",
        "tests/edge/gateway/test_closing.py",
    ),
    Mutant(
        "backpressure-lost", GATEWAY_LINK,
        "                await send(data, kind)\n",
        "                asyncio.ensure_future(send(data, kind))\n                await asyncio.sleep(0)\n",
        "tests/edge/gateway/test_flood.py",
    ),
    Mutant(
        "streamer-not-taken", GATEWAY_LINK,
        "                    session.set_streamer(streamer_id)\n", "                    pass\n",
        "tests/edge/gateway/test_passing.py -k streamer",
    ),
    Mutant(
        "own-ping-answered-to-the-other-side", GATEWAY_LINK,
        "                if data == self._own_ping:\n                    continue\n", "                pass\n",
        "tests/edge/gateway/test_passing.py -k own_pings",
    ),
    Mutant(
        "letters-that-are-none-passed-on", GATEWAY_LINK,
        "if not data.isascii() and not _is_utf8(data):", "if not data.isascii() and not data:",
        "tests/edge/gateway/test_closing.py -k not_allowed",
    ),
    Mutant(
        "drain-without-ends", GATEWAY_VIEWER,
        "            link.finish(Ending(GATEWAY, How.STOPPED, GOING_AWAY))\n", "            pass\n",
        "tests/edge/gateway/test_service.py -k sigterm",
    ),
    Mutant(
        "a-hundred-viewers-at-most", GATEWAY_UPSTREAM,
        "TCPConnector(limit=0, force_close=True)", "TCPConnector(force_close=True)",
        "tests/bench/test_gateway.py",
    ),
    Mutant(
        "redirect-of-a-game-host-followed", GATEWAY_UPSTREAM,
        "if is_socket and response.status != 101:", "if is_socket and not response.status:",
        "tests/edge/gateway/test_refusing.py -k redirect",
    ),
    Mutant(
        "demo-sum-not-held-against-verify", DEMO_PLAY,
        'if found["owed"] != owed:', 'if not found["owed"]:',
        "tests/cli/test_demo.py -k own_sum",
    ),
    Mutant(
        "demo-guardian-that-ends-nobody", DEMO_PARTS,
        'kill -TERM 0\nsleep 3\nrm -rf -- "$@"\nkill -KILL 0\n', 'rm -rf -- "$@"\n',
        "tests/cli/test_demo.py -k kill_9",
    ),
    Mutant(
        "demo-guardian-that-leaves-files", DEMO_PARTS,
        'rm -rf -- "$@"\n', "",
        "tests/cli/test_demo.py -k kill_9",
    ),
    Mutant(
        "demo-entry-told-twice", DEMO_PLAY,
        'if entry["seq"] > self._story.last_seq:', 'if entry["seq"]:',
        "tests/cli/test_demo.py -k it_shows",
    ),
    Mutant(
        "demo-last-entries-not-told", DEMO_PLAY,
        "        await self._catch_up()\n        await self._parts.stop(self._api, 20)\n",
        "        await self._parts.stop(self._api, 20)\n",
        "tests/cli/test_demo.py -k ctrl_c",
    ),
    Mutant(
        "demo-by-the-settings-that-are-here", DEMO_STAGE,
        '_OURS = ("PAYMENTS_", "PS_GATEWAY_", "LISTEN_")', '_OURS = ("PAYMENTS_", "LISTEN_")',
        "tests/cli/test_demo.py -k it_shows",
    ),
    Mutant(
        "demo-host-awake-for-ever", DEMO_HOSTS,
        "AWAKE if self.is_awake else SLEEPING", "AWAKE",
        "tests/cli/test_demo.py -k it_shows",
    ),
    Mutant(
        "demo-session-that-earned-its-last-interval", DEMO_STORY,
        "session.earned_wei += wei", "session.earned_wei = wei",
        "tests/cli/test_demo_story.py",
    ),
    Mutant(
        "demo-milliseconds-without-zeros", DEMO_STORY,
        "{milliseconds % 1000:03d} s", "{milliseconds % 1000} s",
        "tests/cli/test_demo_story.py",
    ),
    Mutant(
        "demo-amount-in-wei", DEMO_STORY,
        '"power_time": format_eth(account.power_wei)', '"power_time": str(account.power_wei)',
        "tests/cli/test_demo_story.py",
    ),
    Mutant(
        "event-that-says-not-when-it-is-answered", LATER,
        '"payments.answer_within_s"', '"payments.answers_within_s"',
        "tests/deploy/test_journal_worker.py -k keep_nobody",
    ),
    Mutant(
        "event-whose-answer-nobody-is-told-of", LATER,
        '"payments.answerable"', '"payments.answered"',
        "tests/deploy/test_journal_worker.py -k once_it_is_recorded",
    ),
    Mutant(
        "event-with-a-thread-of-its-own", JOURNAL_WORKER,
        'b"POST /api/sessions/events "', 'b"PUT /api/sessions/events "',
        "tests/deploy/test_journal_worker.py -k events_that_wait_keep_nobody",
    ),
    Mutant(
        "batch-with-a-thread-of-its-own", JOURNAL_WORKER,
        'b"POST /api/sessions/events/batch "', 'b"PUT /api/sessions/events/batch "',
        "tests/deploy/test_journal_worker.py -k batches_that_wait_keep_nobody",
    ),
    Mutant(
        "rest-of-an-answer-forgotten", JOURNAL_WORKER,
        "            self._end(call, stays, unsent)\n", "            self._end(call, stays)\n",
        "tests/deploy/test_journal_worker.py -k long_answer_in_pieces",
    ),
    Mutant(
        "answer-that-wakes-nobody", JOURNAL_WORKER,
        "            self.method_queue.defer(self._answer_all)\n", "",
        "tests/deploy/test_journal_worker.py -k once_it_is_recorded",
    ),
    Mutant(
        "event-begun-before-its-body-is-here", JOURNAL_WORKER,
        "len(data) >= end + int(length[1])", "len(data) >= end",
        "tests/deploy/test_journal_worker.py -k in_pieces",
    ),
    Mutant(
        "slow-client-given-up", JOURNAL_WORKER,
        "        while rest:\n            rest = rest[self.sock.send(rest) :]\n", "        self.sock.sendall(rest)\n",
        "tests/deploy/test_journal_worker.py -k long_answer_slowly",
    ),
    Mutant(
        "end-of-the-journal-within-a-group", WALK,
        '    with nobody_holding(lock_path(journal_path), _WITHIN_S):\n', "    if True:\n",
        "tests/store/file/test_export.py -k cut_off_again",
    ),
    Mutant(
        "body-that-nobody-read-left-there", JOURNAL_WORKER,
        "        self.parser.mesg.body.read()\n", "",
        "tests/deploy/test_journal_worker.py -k nobody_read",
    ),
    Mutant(
        "worker-that-seems-dead", JOURNAL_WORKER,
        "            super().notify()\n", "            pass\n",
        "tests/deploy/test_journal_worker.py -k alive",
    ),
    Mutant(
        "event-sent-ahead-forgotten", JOURNAL_WORKER,
        "return bool(self.parser.unreader.buf.getvalue())", "return False",
        "tests/deploy/test_journal_worker.py -k sent_ahead",
    ),
    Mutant(
        "idle-connections-make-no-room", JOURNAL_WORKER,
        "                longest.timeout = now_s\n", "                pass\n",
        "tests/deploy/test_journal_worker.py -k idle_connections",
    ),
    Mutant(
        "busy-connections-make-no-room", JOURNAL_WORKER,
        "return 0 if self._lacks_room() else self.worker_connections", "return self.worker_connections",
        "tests/deploy/test_journal_worker.py -k busy_connections",
    ),
    Mutant(
        "closing-in-the-thread-that-polls", JOURNAL_WORKER,
        "self._pool.submit(super().close, True)", "super().close(True)",
        "tests/deploy/test_journal_worker.py -k does_not_close",
    ),
    Mutant(
        "connection-that-is-ended-heard-of", JOURNAL_WORKER,
        "elif conn not in self.keepalived_conns:", "elif False:",
        "tests/deploy/test_journal_worker.py -k moment",
    ),
)  # fmt: skip
