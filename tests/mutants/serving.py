"""Defects in the API, the worker and the command line."""

from tests.mutants.mutant import Mutant

CALLS = "payments/cli/calls.py"
DEMO_HOSTS = "payments/cli/demo/hosts.py"
DEMO_PARTS = "payments/cli/demo/parts.py"
DEMO_PLAY = "payments/cli/demo/play.py"
DEMO_STAGE = "payments/cli/demo/stage.py"
DEMO_STORY = "payments/cli/demo/story.py"
GUNICORN = "deploy/gunicorn.conf.py"
TOKENS = "payments/web/tokens.py"
LEASE = "payments/store/file/lease.py"
DIAL = "worker/dial.py"
SCHEDULE = "worker/schedule.py"
SERVICE = "worker/service.py"
SWEEP = "worker/sweep.py"

MUTANTS = (
    Mutant(
        "a-file-is-settled-once-its-recording-has-begun", "payments/cli/payout_files.py",
        "    if slip.is_debited:\n", "    if slip.tx_hash:\n",
        "tests/cli/test_payouts.py -k nobody_is_paid_again",
    ),
    Mutant(
        "a-hash-in-doubt-settles-a-file", "payments/cli/recording.py",
        "    write_text(slip_path(file), [slip_text(slip._replace(is_debited=False))])\n", "",
        "tests/cli/test_payouts.py -k wrong_hash",
    ),
    Mutant(
        "two-prepare-the-same-payouts", "payments/cli/payout_files.py",
        "            held.enter_context(brief_lock(folder / _LOCK, _WITHIN_S))\n", "",
        "tests/cli/test_payouts.py -k two_who_prepare",
    ),
    Mutant(
        "a-payout-file-without-a-slip-is-not-seen", "payments/cli/payout_files.py",
        '    if path.suffix == ".csv" and not', '    if path.suffix == ".CSV" and not',
        "tests/cli/test_payouts.py -k nobody_knows",
    ),
    Mutant(
        "one-transaction-pays-two-files", "payments/cli/recording.py",
        "            _check_unused(file, tx_hash)\n", "            pass\n",
        "tests/cli/test_payouts.py -k another_file",
    ),
    Mutant("any-token-fits", TOKENS, "return any(matches)", "return bool(matches)", "tests/web/test_tokens.py"),
    Mutant(
        "weak-token-called-wrong", TOKENS,
        "[_REPORTER, _ADMIN], others)", "[], others)",
        "tests/web/test_tokens.py -k of_its_role_only",
    ),
    Mutant(
        "settings-left-in-the-environment", "payments/envfile.py",
        "    return Environment(values", "    os.environ.update(values)\n    return Environment(values",
        "tests/test_settings.py -k never_writes",
    ),
    Mutant(
        "left-counters-of-anybody-opened", GUNICORN,
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK", "os.O_RDONLY",
        "tests/web/test_metrics.py -k others_lay",
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
        "everybody-is-on-duty", LEASE,
        "self._has_it or self._lock.acquire_now()", "True",
        "tests/worker/test_worker_status.py",
    ),
    Mutant(
        "a-watchdog-fed-while-a-job-hangs", SCHEDULE,
        " and not any(self._hangs(each) for each in self._jobs):", ":",
        "tests/worker/test_schedule.py",
    ),
    Mutant(
        "a-watchdog-fed-by-a-job-that-may-hang", SCHEDULE,
        "if job.longest_s is not None and not any", "if not any",
        "tests/worker/test_schedule.py",
    ),
    Mutant(
        "a-sweep-that-is-stopped-records", SWEEP,
        "        if self._stopping.is_set():\n            return None\n        credited_wei", "        credited_wei",
        "tests/worker/test_sweep.py",
    ),
    Mutant("the-disabled-are-asked", SWEEP, "            if record.enabled\n", "", "tests/worker/test_sweep.py"),
    Mutant(
        "worker-reads-its-own-settings", GUNICORN,
        'for name, value in _found["environment"].items()]', "for name, value in ()]",
        "tests/web/test_start_up.py -k another_ones",
    ),
    Mutant(
        "quickstart-looks-for-the-journals-file", "deploy/quickstart.py",
        "engine_of(Settings.load()).exists()", "Settings.load().ledger_journal_path.exists()",
        "tests/test_import_map.py -k knows_nothing",
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
        "demo-sum-not-held-against-verify", DEMO_PLAY,
        'if in_all != owed:', 'if not in_all:',
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
)  # fmt: skip
