import pytest

from panels.fusion.clients.peers import PeerRules
from panels.services.addresses import address_problem

PUBLIC = PeerRules()


@pytest.mark.parametrize(
    "url",
    [
        "https://openrouter.ai/api/v1",
        "https://models.internal/v1",
        "http://localhost:8765/v1",
        "http://127.0.0.1:8765/v1",
        "http://[::1]:8765/v1",
        "http://simulator.localhost/v1",
    ],
)
def test_a_provider_may_be_reached_over_https_or_on_this_machine(url):
    assert address_problem(url, rules=PUBLIC) is None


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "１６９.254.169.254",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_a_metadata_or_link_local_address_is_refused_however_it_is_written(host):
    assert "metadata service" in str(address_problem(f"https://{host}/latest", rules=PUBLIC))


@pytest.mark.parametrize("url", ["http://openrouter.ai/api/v1", "http://10.0.0.1/v1", "http://localhost.example.com/"])
def test_plain_http_is_refused_away_from_this_machine(url):
    assert "https" in str(address_problem(url, rules=PeerRules(allows_private=True)))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "openrouter.ai",
        "ftp://openrouter.ai/",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://a b.example/",
        "https://example.com:99999/",
        "https://example.com\\@169.254.169.254/",
        "https://[::1",
    ],
)
def test_what_is_no_full_address_is_refused(url):
    assert "full address" in str(address_problem(url, rules=PUBLIC))


@pytest.mark.parametrize(
    "url", ["https://me:secret@example.com/", "https://example.com/v1?key=secret", "https://example.com/#secret"]
)
def test_an_address_has_no_place_for_a_secret(url):
    assert "read from the environment" in str(address_problem(url, rules=PUBLIC))


@pytest.mark.parametrize("host", ["exa%6dple.com", "[fe80::1%25eth0]", "-example.com", "169。254。169。254"])
def test_a_host_name_has_no_odd_characters(host):
    assert address_problem(f"https://{host}/", rules=PUBLIC) is not None


@pytest.mark.parametrize("host", ["10.1.2.3:8443", "192.168.1.4", "172.16.0.1", "[fd12:3456::1]", "[::ffff:10.0.0.1]"])
def test_a_private_address_needs_whoever_runs_the_service(host):
    assert "private network" in str(address_problem(f"https://{host}/v1", rules=PUBLIC))
    assert address_problem(f"https://{host}/v1", rules=PeerRules(allows_private=True)) is None


def test_no_setting_allows_a_metadata_address():
    rules = PeerRules(allows_private=True)
    assert "metadata service" in str(address_problem("https://[fd00:ec2::254]/", rules=rules))
    assert "metadata service" in str(address_problem("https://169.254.169.254/", rules=rules))
