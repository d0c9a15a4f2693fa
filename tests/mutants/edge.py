"""Defects in the gateway and what reports for it."""

from tests.mutants.mutant import Mutant

EDGE_BACKLOG = "payments/edge/backlog.py"
EDGE_DATABASE = "payments/edge/database.py"
EDGE_DELIVERY = "payments/edge/delivery.py"
EDGE_SESSIONS = "payments/edge/sessions.py"
EDGE_SETTINGS = "payments/edge/settings.py"
EDGE_SPOOL = "payments/edge/spool.py"
EDGE_DROPPING = "payments/edge/dropping.py"
EDGE_VERDICTS = "payments/edge/verdicts.py"
GATEWAY_LINK = "payments/edge/gateway/link.py"
GATEWAY_LIVENESS = "payments/edge/gateway/liveness.py"
GATEWAY_CONNECTION = "payments/edge/gateway/connection.py"
GATEWAY_UPSTREAM = "payments/edge/gateway/upstream.py"
GATEWAY_VIEWER = "payments/edge/gateway/viewer.py"

MUTANTS = (
    Mutant(
        "spool-never-synced", EDGE_DATABASE,
        '"synchronous=FULL"', '"synchronous=OFF"',
        "tests/edge/test_crashes.py -k without",
    ),
    Mutant(
        "spool-synced-when-the-log-goes-into-the-file", EDGE_DATABASE,
        '"synchronous=FULL"', '"synchronous=NORMAL"',
        "tests/edge/test_crashes.py -k without",
    ),
    Mutant(
        "event-sent-before-it-is-on-disk", EDGE_SPOOL,
        "return self.error is not None or event.position > 0", "return True",
        "tests/edge/test_spool.py -k before_it_is_synced",
    ),
    Mutant(
        "spool-goes-on-behind-a-sync-that-failed", EDGE_DATABASE,
        '                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")\n            with self._transaction',
        "                pass\n            with self._transaction",
        "tests/edge/test_crashes.py -k sync_that_failed",
    ),
    Mutant(
        "spool-of-another-reporter-used", EDGE_DATABASE,
        'connection.execute("PRAGMA locking_mode=EXCLUSIVE")', "pass",
        "tests/edge/test_spool.py -k second_reporter",
    ),
    Mutant(
        "spool-that-is-full-leaves-no-room-to-shrink", EDGE_DATABASE,
        "if len(events) > len(removed) and", "if len(events) < 0 and",
        "tests/edge/test_spool_disk.py -k itself_has_filled",
    ),
    Mutant(
        "damaged-spool-not-read-from-its-end", EDGE_DATABASE,
        "{_IN_ORDER} DESC", "{_IN_ORDER} LIMIT 0",
        "tests/edge/test_spool_disk.py -k not_on_a_damaged_page",
    ),
    Mutant(
        "spool-taken-away-unnoticed", EDGE_DATABASE,
        "return self._file_ids() != self._opened_file_ids", "return False",
        "tests/edge/test_spool_disk.py -k cleaned_away",
    ),
    Mutant(
        "old-event-sent-again-stands-for-its-session", EDGE_SPOOL,
        "self._backlog.add_resent(letter.event)", "letter.event.seq += 100; self._backlog.add(letter.event)",
        "tests/edge/test_spool.py -k old_event",
    ),
    Mutant(
        "spool-without-a-bound", EDGE_SPOOL,
        "if kept_bytes > self._drop_above_bytes:", "if kept_bytes < 0:",
        "tests/edge/test_spool.py -k below_the_bound",
    ),
    Mutant(
        "start-dropped", EDGE_DROPPING,
        "if event.kind == HEARTBEAT and not event.in_flight and", "if not event.in_flight and",
        "tests/edge/test_dropping.py",
    ),
    Mutant(
        "end-dropped", EDGE_DROPPING,
        "and not event.in_flight and chain.later[index] != _NONE",
        "and not event.in_flight and chain.later[index] != _NONE or event.kind not in (HEARTBEAT, \"start\")",
        "tests/edge/test_dropping.py",
    ),
    Mutant(
        "last-evidence-dropped-first", EDGE_DROPPING,
        "(chain.newest[event.session_id] == index, chain.silence_ms(index), index)",
        "(chain.newest[event.session_id] != index, chain.silence_ms(index), index)",
        "tests/edge/test_dropping.py",
    ),
    Mutant(
        "event-in-flight-dropped", EDGE_DROPPING,
        "if event.kind == HEARTBEAT and not event.in_flight and", "if event.kind == HEARTBEAT and",
        "tests/edge/test_dropping.py",
    ),
    Mutant(
        "dead-letters-dropped", EDGE_SPOOL,
        "            self._new_letters += [letter._replace(rejected_ms=self._clock()) for letter in letters]\n", "",
        "tests/edge/test_delivery_refusals.py -k refused",
    ),
    Mutant(
        "retry-after-ignored", EDGE_DELIVERY,
        "self._backoff.next_wait_s(outcome.retry_after_s)", "self._backoff.next_wait_s()",
        "tests/edge/test_delivery_failures.py -k retry_after",
    ),
    Mutant(
        "sessions-of-the-last-life-left-open", EDGE_SPOOL,
        "        self._end_open_sessions(self._backlog.prepend_new(found.events))\n",
        "        self._backlog.prepend_new(found.events)\n",
        "tests/edge/test_spool.py -k crash",
    ),
    Mutant(
        "sessions-of-the-last-life-forgotten-once-delivered", EDGE_BACKLOG,
        "and (session is None or session.latest is not event)", "and True",
        "tests/edge/test_spool.py -k of_which_all_is_delivered",
    ),
    Mutant(
        "replayed-in-another-order", EDGE_BACKLOG,
        "behind, self._order = self._order, deque()", "behind = deque[SpooledEvent]()",
        "tests/edge/test_spool_disk.py -k read_only_at_the_start",
    ),
    Mutant(
        "delivered-events-replayed-for-ever", EDGE_SPOOL,
        "            self._unwritten += [event for event in done if event.is_kept]\n", "",
        "tests/edge/test_spool.py -k nothing_else_is_sent_again",
    ),
    Mutant(
        "batch-with-an-item-untaken-counted-as-done", EDGE_VERDICTS,
        "            if not (type(status) is int and 400 <= status < 500):\n                break\n", "",
        "tests/edge/test_delivery_refusals.py -k cannot_be_taken_now",
    ),
    Mutant(
        "wrong-token-taken-for-a-refusal", EDGE_VERDICTS,
        "if answer.status in (400, 415, 422):\n        return RetryStrategy.ONE_BY_ONE",
        "if answer.status in (400, 401, 403, 415, 422):\n        return Settled(len(events), [])",
        "tests/edge/test_delivery_failures.py -k whatever_comes_back",
    ),
    Mutant(
        "stranger-taken-for-payments", EDGE_VERDICTS,
        "if not isinstance(results, list) or len(results) != len(events):",
        "if not isinstance(results, list):\n        return Settled(len(events), [])\n"
        "    if len(results) != len(events):",
        "tests/edge/test_delivery_failures.py -k whatever_comes_back",
    ),
    Mutant(
        "session-time-by-a-clock-that-is-set", EDGE_SESSIONS,
        "self._begun_ms + round((self._sessions.monotonic_s() - self._begun_s) * 1000)", "self._sessions.clock()",
        "tests/edge/test_sessions.py -k clock",
    ),
    Mutant(
        "heartbeat-claims-more-than-is-known", EDGE_SESSIONS,
        "self.add(session, HEARTBEAT, _ask_last_seen_ms(session._last_seen_ms))", "self.add(session, HEARTBEAT, None)",
        "tests/edge/test_sessions.py -k known",
    ),
    Mutant(
        "session-ended-twice", EDGE_SESSIONS,
        "            if session._is_over:\n                return\n", "",
        "tests/edge/test_sessions.py -k reported_once",
    ),
    Mutant(
        "all-heartbeats-at-once", EDGE_SESSIONS,
        "self._heartbeat_s * (session_id.int % _PHASES + 1) / _PHASES", "self._heartbeat_s",
        "tests/edge/test_sessions.py -k phase",
    ),
    Mutant(
        "streamer-never-told", EDGE_SESSIONS,
        "            self._labels = self._labels._replace(streamer_id=streamer_id)\n", "            pass\n",
        "tests/edge/test_sessions.py -k streamer",
    ),
    Mutant(
        "no-end-when-a-link-ends", GATEWAY_LINK,
        "            session.end(self._ended_ms(ending))\n"
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
        "answers-to-pings-never-missed", GATEWAY_LIVENESS,
        "if side.silent_s(other, self._silent_s) > self._silent_s:", "if side.silent_s(other, self._silent_s) is None:",
        "tests/edge/gateway/test_silence.py -k takes_nothing_more",
    ),
    Mutant(
        "viewers-never-pinged", GATEWAY_LIVENESS,
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
        "self._reporter.open(peer.host, peer.port, last_seen_ms=link.last_seen_ms)",
        "self._reporter.open(peer.host, peer.port)",
        "tests/edge/gateway/test_silence.py",
    ),
    Mutant(
        "silence-paid-until-it-was-found", GATEWAY_LINK,
        "session.end(self._ended_ms(ending))", "session.end()",
        "tests/edge/gateway/test_silence.py -k who_hangs",
    ),
    Mutant(
        "the-other-ones-absence-paid-until-one-leaves", GATEWAY_LINK,
        "return None if is_fresh and", "return None if",
        "tests/edge/gateway/test_silence.py -k where_one_leaves",
    ),
    Mutant(
        "whoever-is-talked-to-taken-to-be-there", GATEWAY_CONNECTION,
        "        if self._was_backed_up and accepted_bytes", "        if accepted_bytes",
        "tests/edge/gateway/test_silence.py -k who_hangs",
    ),
    Mutant(
        "delivered-kept-in-memory-while-the-disk-is-away", EDGE_SPOOL,
        "        self._unwritten = [event for event in self._unwritten if event.is_kept]\n", "",
        "tests/edge/test_spool_disk.py -k delivered",
    ),
    Mutant(
        "gateway-that-slept-takes-all-for-gone", GATEWAY_LIVENESS,
        "return clock() - due_s > self._ping_s / 3", "return False",
        "tests/edge/gateway/test_silence.py -k has_slept",
    ),
    Mutant(
        "slow-reader-taken-for-gone", GATEWAY_CONNECTION,
        "        if self._was_backed_up and accepted_bytes > self._accepted_bytes:\n            self.reset_silence()\n",
        "",
        "tests/edge/gateway/test_silence.py -k slow_reader",
    ),
    Mutant(
        "who-waits-for-a-slow-reader-taken-for-gone", GATEWAY_CONNECTION,
        "if other.is_backed_up and now_s - other._progress_s <= max_wait_s:", "if not other.name:",
        "tests/edge/gateway/test_silence.py -k slow_reader",
    ),
    Mutant(
        "two-who-take-nothing-waited-for-for-ever", GATEWAY_CONNECTION,
        "if other.is_backed_up and now_s - other._progress_s <= max_wait_s:", "if other.is_backed_up:",
        "tests/edge/gateway/test_silence.py -k for_for_ever",
    ),
    Mutant(
        "close-code-lost", "payments/edge/gateway/ending.py",
        'EndCause.CLOSED, CloseFrame(code, last.extra or ""))', 'EndCause.CLOSED, CloseFrame(1000, last.extra or ""))',
        "tests/edge/gateway/test_closing.py",
    ),
    Mutant(
        "abort-told-as-a-proper-close", "payments/edge/gateway/ending.py",
        "    return Ending(by, EndCause.ABORTED)\n", "    return Ending(by, EndCause.CLOSED, CloseFrame(1000))\n",
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
        "            link.finish(Ending(GATEWAY, EndCause.STOPPED, RESTART))\n", "            pass\n",
        "tests/edge/gateway/test_service.py -k sigterm",
    ),
    Mutant(
        "stop-after-which-no-viewer-comes-back", "payments/edge/gateway/ending.py",
        "CloseFrame(1001), CloseFrame(1011), CloseFrame(1012)", "CloseFrame(1001), CloseFrame(1011), CloseFrame(1001)",
        "tests/edge/gateway/test_service.py -k sigterm",
    ),
    Mutant(
        "ipv6-without-brackets", GATEWAY_UPSTREAM,
        'scheme="http", authority=str(route.upstream), path=path',
        'scheme="http", host=route.upstream.host, port=route.upstream.port, path=path',
        "tests/edge/gateway/test_addresses.py -k canonical",
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
)  # fmt: skip
