import pytest

from collectives.interchange.msccl_document import Cell, ProgramError, Spot, parse


@pytest.fixture
def good(msccl):
    return msccl("allreduce", 2, [[(1, 1, "s i0 s0", "rrc s0 i1 x2 <1.0 !"), (-1, -1, "nop")], [(0, 0)]])


def test_a_program_is_read_with_its_lines(good):
    algo = parse(good)
    assert (algo.name, algo.coll, algo.in_place, algo.num_chunks, len(algo.gpus)) == ("t", "allreduce", True, 2, 2)
    block, idle = algo.gpus[0].blocks
    assert (block.send, block.recv, block.channel, idle.send) == (1, 1, 0, None)
    sends, adds = block.steps
    assert (sends.source, sends.target, sends.waits_for, sends.awaited) == (Cell("i", 0), None, None, False)
    assert (adds.source, adds.target, adds.count) == (Cell("s", 0), Cell("i", 1), 2)
    assert (adds.waits_for, adds.awaited, adds.spot) == ((1, 0), True, Spot(5, 0, 0, 1))
    assert str(adds.spot) == "line 5 (gpu 0, tb 0, step 1)"


def test_what_a_type_does_not_use_may_be_anything(good):
    text = good.replace('dstbuf="s" dstoff="0"', 'dstbuf="?"').replace('type="nop" srcbuf="i"', 'type="nop" srcbuf=""')
    assert parse(text).gpus[0].blocks[0].steps[0].source == Cell("i", 0)


@pytest.mark.parametrize("entity", ['<!ENTITY a "aaaa">', '<!ENTITY a SYSTEM "file:///etc/passwd">', ""])
def test_a_doctype_is_refused_before_anything_is_expanded(good, entity):
    with pytest.raises(ProgramError, match=r"line 1: a DOCTYPE .* take it out"):
        parse(f"<!DOCTYPE algo [{entity}]>{good}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("</algo>", "", "line 15: no XML: "),
        ("<algo", "algo", "line 1: no XML: "),
        ("</tb>", "</gpu>", "line 6: no XML: mismatched tag"),
        ('chan="0"', 'chan="0" chan="1"', "line 3: no XML: duplicate attribute"),
        ("<gpu id", "<cpu id", "line 2: <cpu> in algo: gpu belongs there"),
        ("<algo ", "<algorithm ", "line 1: <algorithm> at the top: algo belongs there"),
        ('hasdep="0"/>', 'hasdep="0"><step/></step>', "line 4: <step> in step: a step holds nothing"),
        (' coll="allreduce"', "", 'line 1: this algo has no coll: write coll="..."'),
        ('ngpus="2"', 'ngpus="4000"', 'line 1: ngpus="4000": a number from 1 to 1024 belongs there'),
        ('ngpus="2"', 'ngpus="two"', 'line 1: ngpus="two": a number from'),
        ('ngpus="2"', 'ngpus="\\u0662"', "line 1: ngpus="),
        ('ngpus="2"', 'ngpus="3"', "line 1: ngpus is 3, and gpu 2 is missing"),
        ('id="1" i_', 'id="0" i_', "line 11: gpu 0 is there twice"),
        ('id="1" i_', 'id="2" i_', 'line 11: id="2": a number from 0 to 1'),
        ('<tb id="1"', '<tb id="0"', "line 7: gpu 0 has tb 0 twice: number them"),
        ('send="-1" recv="-1"', 'send="1" recv="-1"', "line 7: gpu 0 has two tbs that send to gpu 1 on channel 0"),
        ('send="1" recv="1"', 'send="0" recv="1"', 'line 3: send="0" on gpu 0 itself: take a cpy step'),
        ('send="1" recv="1"', 'send="-1" recv="1"', r'step 0\): type s in a tb with send="-1": name the peer'),
        ('send="1" recv="1"', 'send="1" recv="-1"', r'step 1\): type rrc in a tb with recv="-1"'),
        ('chan="0"', 'chan="64"', 'line 3: chan="64": a number from 0 to 63'),
        (' s="1"', ' s="2"', r"line 5 \(gpu 0, tb 0, step 2\): steps of a tb count 0, 1, 2, ... in their order"),
        ('type="rrc"', 'type="rrr"', r"line 5 .* no step type 'rrr' here: did you mean 'rrs'\?"),
        ('type="rrc"', 'type="ra"', "no step type 'ra' here"),
        ('srcbuf="s"', 'srcbuf="q"', 'line 5: srcbuf="q": i, o or s'),
        ('dstoff="1"', 'dstoff="-1"', 'line 5: dstoff="-1": a number from 0'),
        (' cnt="2"', "", "line 5: this step has no cnt"),
        ('cnt="2"', 'cnt="0"', 'line 5: cnt="0": a number from 1'),
        ('nchunksperloop="2"', 'nchunksperloop="99999999999"', 'line 1: nchunksperloop="99999999999"'),
    ],
)
def test_each_kind_of_bad_text_gets_one_line(good, old, new, said):
    text = good.replace(old, new.encode().decode("unicode_escape"), 1)
    assert text != good
    with pytest.raises(ProgramError, match=said) as error:
        parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "   ", "ring", "<algo", "\0", "<algo/><algo/>", "\ud800", "<?xml version='1.0'?>"]
)
def test_what_is_no_xml_is_refused(text):
    with pytest.raises(ProgramError, match="line 1: "):
        parse(text)


def test_a_program_of_too_many_steps_is_refused_while_it_is_read(monkeypatch, good):
    monkeypatch.setattr("collectives.interchange.msccl_document.MAX_STEPS", 2)
    with pytest.raises(ProgramError, match="more than 2 steps"):
        parse(good)
