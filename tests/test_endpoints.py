"""Server addresses as people write them: valid ones are accepted, others are refused with a reason."""

import pytest

from payments.endpoints import Endpoint, read_endpoint, read_http_url

ENDPOINTS = {
    "203.0.113.10:80": Endpoint("203.0.113.10", 80),
    "[::1]:65535": Endpoint("::1", 65535),
    "[::ffff:192.0.2.1]:1": Endpoint("::ffff:192.0.2.1", 1),
    "game_host-7.example.:80": Endpoint("game_host-7.example.", 80),
    "localhost:80": Endpoint("localhost", 80),
}
NO_ENDPOINTS = [
    "", "8080", ":8080", "host:", "host:0", "host:65536", "host:x", "host:\u00b2", "host:\u0663", "::1:80", "[host]:80",
    "[::1:80", "[]:80", "[1.2.3.4]:80", "[:::1]:80", "[fe80::1%eth0]:80", "203.0.113.256:80", "10.1:80", "a..b:80",
    ".:80", "ho st:80", "http://host:80", "caf\u00e9.example:80", "host:80\n",
]  # fmt: skip
BASES = [
    "http://192.0.2.1:8081", "https://payments.example.org/", "HTTP://h", "http://[2001:db8::1]:8081/behind/",
    "http://[fe80::1%25eth0]:8081", "http://caf\u00e9.example", "http://h:65535",
]  # fmt: skip
PAGES = ["https://[2001:db8::1]:9090/power?x=1", "http://h/#part"]
NEITHER = [
    "", "h", "192.0.2.1:8081", "ftp://192.0.2.1", "file:///etc/passwd", "http://", "http:///power", "http://:8081",
    "http://h:0", "http://h:x", "http://h:65536", "http://h:", "http://[", "http://[::1", "http://[::1]x:80",
    "http://[v1.x]", "http://192.0.2.256", "http://a\\b", "http://a b", "http://h ", "http://h/\n", "http://h/\ud800",
]  # fmt: skip


@pytest.mark.parametrize(("text", "endpoint"), ENDPOINTS.items())
def test_host_and_port_are_read_and_written_alike(text: str, endpoint: Endpoint) -> None:
    assert read_endpoint(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize("text", NO_ENDPOINTS, ids=ascii)
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'\A".*" is not HOST:PORT, such as .+\Z'):
        read_endpoint(text)


@pytest.mark.parametrize("text", BASES + PAGES, ids=ascii)
def test_address_is_taken_as_it_is(text: str) -> None:
    assert read_http_url(text) == text


@pytest.mark.parametrize("text", BASES, ids=ascii)
def test_address_that_paths_are_appended_to_is_taken_as_it_is(text: str) -> None:
    assert read_http_url(text, is_base=True) == text


@pytest.mark.parametrize("text", [*NEITHER, *PAGES, "http://h?", "http://h#"], ids=ascii)
def test_what_is_no_such_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'\A".*" is not an http:// or https:// address, such as .+ without \? or #\Z'):
        read_http_url(text, is_base=True)
    if text in NEITHER:
        with pytest.raises(ValueError, match=r"is not an http:// or https:// address"):
            read_http_url(text)


@pytest.mark.parametrize("text", ["http://user:s3cret@h", "user:s3cret@h:80", "http://user:s3cret@[::1"])
def test_password_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="leave out user and password") as caught:
        read_http_url(text)
    assert "s3cret" not in str(caught.value)
