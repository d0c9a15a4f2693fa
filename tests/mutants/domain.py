"""Defects in money and lifecycle, and who earns."""

from tests.mutants.mutant import Mutant

BILLING = "payments/domain/billing.py"
MONEY = "payments/domain/money.py"
POWER = "payments/domain/power.py"
READINGS = "payments/domain/readings.py"
RETENTION = "payments/domain/retention.py"
STATE = "payments/domain/state.py"
REGISTRY = "payments/registry/registry.py"

MUTANTS = (
    Mutant(
        "bookings-shown-with-a-balance", "payments/domain/units.py",
        "if each.unit is None or each.unit.is_shown", "if each",
        "tests/domain/test_records.py",
    ),
    Mutant(
        "moments-named-in-records-as-in-the-program", "payments/domain/units.py",
        'f"{name.removesuffix(unit.suffix)}{unit.shown_suffix}" if unit else name', "name",
        "tests/domain/test_records.py",
    ),
    Mutant(
        "a-forgotten-session-begins-when-it-likes", "payments/domain/billing.py",
        "event.received_at_ms - terms.keep_ms", "0",
        "tests/domain/test_retention.py -k kept_back",
    ),
    Mutant(
        "adopted-draft-forgets-nothing", STATE,
        "            self._base.pop(key, None)\n", "            pass\n",
        "tests/domain/test_state.py",
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
        "event.seq <= session.seq:", "event.seq < 0:",
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
        "reap-though-it-has-spoken-since", RETENTION,
        "if (session.status, session.last_seen_at_ms) != (status, command.last_seen_at_ms):",
        "if session.status != wanted:",
        "tests/domain/test_retention.py",
    ),
    Mutant(
        "reap-at-the-last-receipt", RETENTION,
        "ended_at_ms=session.last_billed_at_ms", "ended_at_ms=session.last_seen_at_ms",
        "tests/domain/test_retention.py",
    ),
    Mutant(
        "forgotten-too-early-after-a-step-back", RETENTION,
        "        if now_ms - session.last_billed_at_ms > purge_after_ms:\n", "        if purge_after_ms >= 0:\n",
        "tests/domain/test_retention.py",
    ),
    Mutant(
        "forgotten-at-once", RETENTION,
        "now_ms - session.last_seen_at_ms <= purge_after_ms:", "now_ms - session.last_seen_at_ms <= 0:",
        "tests/domain/test_retention.py",
    ),
    Mutant(
        "forgetting-forgets-nothing", STATE,
        "is_forgotten = entry.reason == SESSION_FORGOTTEN", "is_forgotten = False",
        "tests/domain/test_retention.py",
    ),
    Mutant(
        "draft-remembers-what-it-forgot", STATE,
        "        self._deleted.add(key)\n", "",
        "tests/domain/test_state.py",
    ),
    Mutant(
        "reading-not-folded", STATE,
        "        state.power[entry.power.orchestrator_id] = entry.power\n", "        pass\n",
        "tests/domain/test_state.py",
    ),
    Mutant(
        "broken-registry-overwritten", REGISTRY,
        "                if self.problem is not None:\n", "                if not self._name:\n",
        "tests/registry/test_hand_edits.py",
    ),
)  # fmt: skip
