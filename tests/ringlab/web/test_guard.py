"""Who may ask for what."""

import base64
import hashlib

import pytest

from ringlab.web import guard

OURS = ["127.0.0.1", "127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765", "192.0.2.7:80", "lab7", "Lab7:1"]
OTHERS = ["", "evil.example", "evil.example:8765", "127.0.0.1.evil.example", "lab7.evil.example", "localhost@evil"]


@pytest.mark.parametrize("host", OURS)
def test_addresses_and_our_own_names_are_ours(host):
    assert guard.is_our_name(host, ["lab7"])


@pytest.mark.parametrize("host", [*OTHERS, "[::1", "a b"])
def test_a_name_that_others_lead_here_is_not(host):
    assert not guard.is_our_name(host, ["lab7"])


def test_only_the_token_may_change_anything():
    assert guard.may_change("Bearer abc", "abc")
    for said in ("", "abc", "Bearer ab", "Bearer abcd", "bearer abc", "Bearer \u00e9"):
        assert not guard.may_change(said, "abc")
    assert not guard.may_change("Bearer None", None)
    assert not guard.may_change("Bearer ", None)


def test_a_page_of_another_site_is_another_site():
    assert guard.is_same_site(None, "127.0.0.1:8765")
    assert guard.is_same_site("http://127.0.0.1:8765", "127.0.0.1:8765")
    assert not guard.is_same_site("http://evil.example", "127.0.0.1:8765")
    assert not guard.is_same_site("null", "127.0.0.1:8765")


def test_the_policy_allows_our_files_and_the_drawings_own_style_by_its_hash():
    policy = guard.headers("<svg><style>a{}</style></svg>")["Content-Security-Policy"]
    wanted = base64.b64encode(hashlib.sha256(b"a{}").digest()).decode()
    assert f"style-src 'self' 'sha256-{wanted}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
