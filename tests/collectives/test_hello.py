import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives.transport.hello import (
    HEADER,
    HELLO,
    LONGEST,
    REPLY,
    VERSION,
    Hello,
    HelloError,
    decode_hello,
    decode_reply,
    difference,
    encode_hello,
    encode_reply,
    missing,
)

WORDS = st.text(max_size=20)


@given(token=WORDS, src=st.integers(0, 999), channel=st.integers(0, 63), settings=st.dictionaries(WORDS, WORDS))
def test_hello_round_trips_byte_by_byte(token, src, channel, settings):
    hello = Hello(token, src, 3, channel, settings)
    message = encode_hello(hello)
    received = b""
    while left := missing(received, HELLO):
        received += message[len(received) : len(received) + min(left, 7)]
    assert received == message
    assert decode_hello(received) == hello


def test_reply_round_trips():
    message = encode_reply("because")
    assert missing(message, REPLY) == 0
    assert decode_reply(message) == "because"


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n", b"\x00", encode_reply("")])
def test_strangers_are_known_by_their_first_bytes(noise):
    with pytest.raises(HelloError, match="no rank of ringlab"):
        missing(noise, HELLO)


def test_both_versions_are_named():
    with pytest.raises(HelloError, match=f"speaks version {VERSION + 1} of .* the called version {VERSION}"):
        missing(HEADER.pack(HELLO, VERSION + 1, 9), HELLO)
    assert missing(HEADER.pack(REPLY, VERSION + 1, 9), REPLY) == 9  # a refusal is understood in every version


def test_long_words_are_not_listened_to():
    with pytest.raises(HelloError, match="it would say 65535 bytes"):
        missing(HEADER.pack(HELLO, VERSION, 65535), HELLO)
    with pytest.raises(ValueError, match=r"token and settings take \d+ bytes: at most 8192"):
        encode_hello(Hello("t" * LONGEST, 0, 1, 0, {}))
    assert missing(encode_reply("r" * 2 * LONGEST), REPLY) == 0


def test_a_reason_is_one_printable_line():
    assert decode_reply(encode_reply("one\nline\x1b[2J")) == "one line?[2J"


NO_HELLOS = [
    b"",
    b"{}",
    b"[1,2]",
    b'["t",0,1,0,3]',
    b'["t","x",1,0,{}]',
    b'["t",Infinity,1,0,{}]',
    b"\xff",
    b"[" * 8000,
]


@pytest.mark.parametrize("body", NO_HELLOS)
def test_what_is_no_hello(body):
    with pytest.raises(HelloError, match="can't be read"):
        decode_hello(HEADER.pack(HELLO, VERSION, len(body)) + body)


def test_the_first_difference_is_named():
    assert difference({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == ("b", "2", "3")
    assert difference({"a": "1"}, {"a": "1", "c": "3"}) == ("c", "none", "3")
    assert difference({"a": "1"}, {"a": "1"}) is None
