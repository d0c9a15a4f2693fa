"""Hosts with hostile answers, each asked twenty times at once, beside a healthy host."""

import gzip
import json
import logging
from pathlib import Path

import pytest

from payments.clock import now_ms
from payments.domain.money import parse_rate
from payments.domain.readings import AWAKE as IS_AWAKE
from payments.domain.readings import UNKNOWN, Reading
from tests.harness import state_of
from tests.worker.hosts import AWAKE, BLOCK, Act, HostConnection, PowerHost, answers, says
from tests.worker.process import register_urls
from tests.worker.sweeping import sweeping

ASKED, TIMEOUT_S, MOST_S = 20, 1, 2.0
MOST_SENT_BYTES = 80 * 1024
"""Limit for one answer: what is read, plus what the system buffered before."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SOUND = b'{"state":"awake"}'
METADATA = "http://169.254.169.254/latest/meta-data/"


def raw(data: bytes) -> Act:
    def act(peer: HostConnection) -> None:
        peer.read_request()
        peer.send(data)

    return act


def forever(head: bytes, block: bytes = BLOCK) -> Act:
    def act(peer: HostConnection) -> None:
        peer.read_request()
        peer.send(head)
        peer.send_forever(block)

    return act


def dripping(head: bytes, rest: bytes) -> Act:
    def act(peer: HostConnection) -> None:
        peer.read_request()
        if head:
            peer.send(head)
        peer.drip(rest, every_s=0.1)

    return act


def reset_in_mid_answer(peer: HostConnection) -> None:
    peer.read_request()
    peer.send(HEAD + b'Content-Length: 17\r\n\r\n{"sta')
    peer.reset()


def reset_at_once(peer: HostConnection) -> None:
    peer.reset()


def close_at_once(peer: HostConnection) -> None:
    pass


def stops_half_way(peer: HostConnection) -> None:
    peer.read_request()
    peer.send(HEAD + b'Content-Length: 17\r\n\r\n{"state":"awake"')
    peer.wait()


CHUNK = b"10000\r\n" + BLOCK + b"\r\n"
BOMB = gzip.compress(b'{"state":"awake"}' + b" " * 50_000_000)
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"

HOSTILE: dict[str, Act] = {
    "redirect-to-metadata": answers(b"", "302 Found", f"Location: {METADATA}\r\n"),
    "redirect-with-a-sound-body": answers(SOUND, "301 Moved Permanently", f"Location: {METADATA}\r\n"),
    "redirect-with-a-huge-body": forever(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /power\r\nContent-Length: 1000000000\r\n\r\n"
    ),
    "drip-in-the-status-line": dripping(b"", b"HTTP/1.1 200 OK"),
    "drip-in-a-header": dripping(HEAD, b"X-Slow: xxxxxxxxxxxx"),
    "drip-in-the-body": dripping(HEAD + b"Content-Length: 4000\r\n\r\n", SOUND + b" "),
    "stops-half-way": stops_half_way,
    "huge-body": forever(HEAD + b"Content-Length: 1000000000\r\n\r\n"),
    "huge-body-of-unknown-length": forever(HEAD + b"\r\n"),
    "huge-body-in-chunks": forever(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "chunk-of-absurd-size": forever(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
    "chunk-line-without-end": forever(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536),
    "chunk-of-no-number": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "trailers-without-end": forever(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 9000),
    "negative-length": raw(HEAD + b"Content-Length: -1\r\n\r\n"),
    "two-lengths": raw(HEAD + b"Content-Length: 17\r\nContent-Length: 3\r\n\r\n" + SOUND),
    "gzip-bomb": raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
    "small-gzip": answers(gzip.compress(SOUND), headers="Content-Encoding: gzip\r\n"),
    "small-deflate": answers(SOUND, headers="Content-Encoding: deflate, br\r\n"),
    "nested-brackets": answers(b"[" * 4000),
    "nested-objects": answers(b'{"state":' * 400 + b"1" + b"}" * 400),
    "a-little-too-large": answers(b'{"state":"awake"}' + b" " * 4096),
    "duplicate-keys": answers(b'{"state":"awake","state":"sleeping"}'),
    "not-a-number": answers(b'{"state":"awake","load":NaN}'),
    "infinity": answers(b'{"state":"awake","load":-Infinity}'),
    "not-json": answers(b"awake"),
    "json-and-more": answers(SOUND + b"x"),
    "empty-body": answers(b""),
    "not-utf-8": answers(b'{"state":"awake\xff"}'),
    "utf-16": answers('{"state":"awake"}'.encode("utf-16")),
    "byte-order-mark": answers(b"\xef\xbb\xbf" + SOUND),
    "only-a-word": answers(b'"awake"'),
    "a-list": answers(b'[{"state":"awake"}]'),
    "no-state": answers(b'{"State":"awake"}'),
    "state-is-a-number": says(1),
    "state-is-true": says(True),
    "state-is-a-list": says(["awake"]),
    "state-is-null": says(None),
    "state-is-an-object": says({"awake": "awake"}),
    "state-is-empty": says(""),
    "state-is-very-long": says("a" * 10**6),
    "state-is-rather-long": says("a" * 33),
    "state-with-control-characters": says("awake\x00\x1b[2J"),
    "state-with-a-line-end": says("awake\n"),
    "state-with-a-lone-surrogate": answers(b'{"state":"\\ud800"}'),
    "state-is-unknown": says("unknown"),
    "header-flood": forever(HEAD, b"X-Flood: " + b"x" * 100 + b"\r\n"),
    "header-without-end": forever(HEAD + b"X-Long: "),
    "hundred-and-one-headers": raw(HEAD + b"X: y\r\n" * 101 + b"\r\n" + SOUND),
    "header-of-no-sense": raw(HEAD + b"\x00\xff no colon\r\n\x1b[2J\r\nContent-Length: 17\r\n\r\n"),
    "continue-flood": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "early-hints-flood": forever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
    "switching-protocols": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + SOUND),
    "no-content": raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "partial-content": answers(SOUND, "206 Partial Content"),
    "not-found": answers(SOUND, "404 Not Found"),
    "unavailable": answers(SOUND, "503 Service Unavailable", "Retry-After: 0\r\n"),
    "authentication": answers(SOUND, "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n'),
    "status-of-no-sense": raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "status-with-control-characters": raw(b"HTTP/1.1 200\x1b[2J\x00\r\n\r\n"),
    "version-of-no-sense": raw(b"HTTP/9.9 200 OK\r\n\r\n" + SOUND),
    "reset-in-mid-answer": reset_in_mid_answer,
    "reset-at-once": reset_at_once,
    "closes-at-once": close_at_once,
    "tls-alert": raw(TLS_ALERT),
    "not-http": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "noise": forever(bytes(range(256)), bytes(range(256)) * 256),
    "cut-short": raw(HEAD + b"Content-Length: 100\r\n\r\n" + SOUND),
}  # fmt: skip


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in HOSTILE.items()])
def test_hostile_host_is_unknown_in_bounded_time_and_size_and_harms_nobody(
    act: Act, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hostile, sound = PowerHost(act), PowerHost(AWAKE)
    try:
        with sweeping(tmp_path, power_timeout_s=TIMEOUT_S, power_rate_wei_per_minute=parse_rate("6")) as here:
            urls = {f"hostile-{number}": hostile.url for number in range(ASKED)}
            names = [*urls, "sound"]
            for ago_ms in (20_000, 10_000):
                here.store.execute([Reading(name, IS_AWAKE, now_ms() - ago_ms) for name in names])
            before = here.power()
            register_urls(tmp_path, **urls, sound=sound.url)
            caplog.clear()
            report = here.sweep()
            after = here.power()
            owed = {name: balance.balance_wei for name, balance in state_of(here.store).balances.items()}
    finally:
        hostile.close()
        sound.close()
    assert (report.asked, report.awake, report.unknown) == (ASKED + 1, 1, ASKED)
    assert report.seconds < MOST_S
    assert max(peer.sent_bytes for peer in hostile.peers) < MOST_SENT_BYTES
    for name in urls:
        assert after[name].state == UNKNOWN
        detail = after[name].detail
        assert detail is not None
        assert detail.isprintable()
        assert 0 < len(detail) <= 100
        assert after[name].billed_wei == before[name].billed_wei == owed[name] > 0
    assert after["sound"].billed_wei > before["sound"].billed_wei
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == []


GOOD: dict[str, Act] = {
    "sets-a-cookie": answers(SOUND, headers="Set-Cookie: a=b; Path=/\r\n"),
    "keeps-the-connection-with-garbage-behind": raw(
        HEAD + b"Connection: keep-alive\r\nContent-Length: 17\r\n\r\n" + SOUND + BLOCK[:5000]
    ),
    "old-http": raw(b"HTTP/1.0 200 OK\r\n\r\n" + SOUND),
    "chunked": raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n8\r\n" + SOUND[:8] + b"\r\n9;x=y\r\n" + SOUND[8:]
        + b"\r\n0\r\n\r\n"),
    "continue-first": raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 17\r\n\r\n" + SOUND),
    "says-more": answers(b'{"since": 1.5, "state": "awake", "gpu": {"n": 10000000000000000000001}}'),
    "in-another-type": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 17\r\n\r\n" + SOUND),
}  # fmt: skip


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in GOOD.items()])
def test_odd_but_sound_answer_is_understood(act: Act, tmp_path: Path) -> None:
    host = PowerHost(act)
    try:
        with sweeping(tmp_path) as here:
            assert here.sweep_urls(odd=host.url)["odd"].state == "awake"
            here.sweep()
    finally:
        host.close()
    requests = [peer.request for peer in host.peers]
    assert requests[0] == requests[1]
    assert b"cookie" not in requests[1].lower()


@pytest.mark.parametrize("word", ["sleeping", "off", "Awake", "\u0141\u00f3d\u017a", "a" * 32])
def test_another_word_is_kept_as_it_is_and_earns_nothing(word: str, tmp_path: Path) -> None:
    host = PowerHost(answers(json.dumps({"state": word}).encode()))
    try:
        with sweeping(tmp_path, power_rate_wei_per_minute=parse_rate("6")) as here:
            here.sweep_urls(orch=host.url)
            power = here.sweep_urls(orch=host.url)["orch"]
    finally:
        host.close()
    assert (power.state, power.detail, power.billed_wei, power.no_credit) == (word, None, 0, "asleep")
