import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives.transport.hello import (
    HELLO,
    REPLY,
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


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n", b"\x00", b"RINGLAB2...", encode_reply("")])
def test_strangers_are_known_by_their_first_bytes(noise):
    with pytest.raises(HelloError, match="no rank of ringlab"):
        missing(noise, HELLO)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1,2]", b'["t",0,1,0,3]', b'["t","x",1,0,{}]', b"\xff"])
def test_what_is_no_hello(body):
    with pytest.raises(HelloError, match="can't be read"):
        decode_hello(b"RINGLAB1\0\0" + body)


def test_the_first_difference_is_named():
    assert difference({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == ("b", "2", "3")
    assert difference({"a": "1"}, {"a": "1", "c": "3"}) == ("c", "none", "3")
    assert difference({"a": "1"}, {"a": "1"}) is None
