"""The table in the terminal: what it says, and that it fits."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from ringlab.experiments.figures import bandwidth_text, rate_text, share_text, size_text, time_text
from ringlab.experiments.result import Certificate
from ringlab.experiments.table import PIPED_WIDTH, console, show


def printed(result, width=120, **options):
    file = io.StringIO()
    show(result, Console(file=file, width=width, highlight=False, **options))
    return file.getvalue()


def row(text, label, size):
    """The words of the row ``label`` in the section of ``size``."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.lstrip().startswith(size))
    return next(line for line in lines[start:] if label in line).replace(size, "").split()


def test_a_row_holds_the_figures_of_its_arm(make_result):
    result = make_result()
    found = next(arm for arm in result.arms if arm.name == "pinned").results[-1]
    words = row(printed(result), "pinned", "16 MiB")
    assert words == [
        "pinned",
        *time_text(found.time_us).split(),
        bandwidth_text(found.algbw_GBps),
        bandwidth_text(found.busbw_GBps),
        bandwidth_text(found.nominal.busbw_GBps),
        *share_text(found.line_share).split(),
        "█████████▌",
        *time_text(found.predicted_us).split(),
        f"{found.time_us / found.predicted_us:.2f}x",
        "0",
    ]


def test_a_group_of_several_arms_has_a_median_row_and_a_single_one_has_none(make_result):
    text = printed(make_result())
    assert row(text, "ecmp median", "16 MiB")[2:4] == row(text, "ecmp:seed=1", "16 MiB")[1:3]
    assert "pinned median" not in text


def test_the_baseline_stands_at_equal_size_with_its_share(make_result):
    text = printed(make_result(baseline="rtx2080ti-16x1-tcp10g-allreduce-default-linear"))
    # Between its 15,048,576 bytes in 32,360 us and 17,048,576 bytes in 36,966 us: 16 ranks, 1.25 GB/s.
    assert row(text, "GPU baseline", "16 MiB")[:5] == ["GPU", "baseline", "0.8657", "~69.3", "%"]
    assert "interpolated" in text
    assert "rtx2080ti-16x1-tcp10g-allreduce-default-linear, at equal size; its line rate is 1.25 GB/s" in text
    assert "No figure at 64 KiB: rtx2080ti-16x1-tcp10g-allreduce-default-linear was measured from 1048576" in text


def test_without_a_baseline_nothing_is_said_of_one(make_result):
    assert "GPU" not in printed(make_result(baseline=None))


def test_a_baseline_without_line_rate_shows_no_share(make_result):
    result = make_result()
    points = tuple(replace(point, line_share=None) for point in result.baseline.points)
    unknown = replace(result.baseline, nominal_line_rate_GBps=None, points=points)
    text = printed(replace(result, baseline=unknown))
    assert "its line rate is not known, so no share" in text
    assert "%" not in " ".join(row(text, "GPU baseline", "16 MiB"))


@pytest.mark.parametrize("verdict", ["valid", "doubtful", "invalid"])
def test_the_verdict_and_its_reasons(make_result, verdict):
    text = printed(make_result(certificate=Certificate(verdict, ("the CPU was busy", "drops on leaf1:3"), ())))
    lines = text.splitlines()
    place = lines.index(f"Verdict: {verdict}")
    assert [line.strip() for line in lines[place + 1 : place + 3]] == ["- the CPU was busy", "- drops on leaf1:3"]


def test_the_sentences_come_last_the_best_group_first(make_result):
    result = make_result()
    text = printed(result)
    largest = {one.text for one in result.comparisons if one.size_bytes == 16777216}
    sentences = [line for line in text.splitlines() if line in largest]
    assert [line.split(" is ")[0] for line in sentences] == ["pinned", "pinned", "ecmp"]
    assert "than ecmp at 16 MiB" in sentences[0]
    assert "x at 1 MiB, " in text.splitlines()[-1]


def test_wrong_elements_are_shown(make_result):
    result = make_result()
    arms = tuple(replace(arm, results=tuple(replace(one, wrong=12) for one in arm.results)) for arm in result.arms)
    assert row(printed(replace(result, arms=arms)), "pinned", "16 MiB")[-1] == "12"


@pytest.mark.parametrize("width", [120, 110, 100, 80, 60])
def test_it_fits_and_keeps_what_is_needed(make_result, width):
    text = printed(make_result(), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for head in ("size", "arm", "time", "busbw", "of line", "#wrong"):
        assert head in text
    assert ("predicted" in text, "algbw" in text, "█" in text) == (width >= 80, width >= 100, width >= 110)


def test_a_long_arm_name_is_the_first_to_be_cut(make_result):
    text = printed(make_result(shares={"policy-with-a-name-that-is-far-too-long:seed=12345": 0.5, "b": 0.9}), 60)
    line = next(line for line in text.splitlines() if "64 KiB" in line)
    assert line.split()[2].startswith("policy-with")
    assert line.split()[2].endswith("…")
    assert line.count("…") == 1
    assert "time" in text


def test_no_colour_and_no_block_characters_are_needed(make_result):
    assert "\x1b" not in printed(make_result())
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show(make_result(), Console(file=plain, width=70, highlight=False))
    plain.flush()
    assert b"Verdict: valid" in plain.buffer.getvalue()
    coloured = printed(make_result(), force_terminal=True, color_system="standard")
    assert "\x1b[1;32mvalid" in coloured


def test_a_pipe_gets_all_columns(monkeypatch, make_result):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert console().width == PIPED_WIDTH
    monkeypatch.setenv("COLUMNS", "72")
    assert console().width == 72
    assert "█" in printed(make_result(), PIPED_WIDTH)


def test_arms_of_other_libraries_are_named_with_version_and_without_predictions(make_result):
    result = make_result()
    own, other = result.arms[0], result.arms[-1]
    rows = tuple(replace(found, predicted_us=None) for found in other.results)
    gloo = replace(other, name="pinned+gloo", group="pinned+gloo", results=rows, library="gloo of torch 2.13.0")
    text = printed(replace(result, arms=(own, gloo), comparisons=()))
    assert text.startswith("leaf-spine  ring allreduce, 8 ranks\n")
    assert "\npinned+gloo: gloo of torch 2.13.0\n" in text
    assert not any(word.endswith("x") for word in row(text, "pinned+gloo", "16 MiB"))
    assert printed(replace(result, arms=(gloo,), comparisons=())).startswith("leaf-spine  allreduce, 8 ranks\n")


def test_an_undilated_result_states_one_line_rate(make_result):
    assert "standing for" not in printed(make_result(scale=1.0))
    assert "line rate 400 Mb/s, standing for 100 Gb/s (time dilation: 250x slower)" in printed(make_result())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (size_text(8), "8 B"),
        (size_text(1024), "1 KiB"),
        (size_text(16777216), "16 MiB"),
        (size_text(97048576), "92.6 MiB"),
        (size_text(17179869184), "16 GiB"),
        (time_text(8.123), "8.123 us"),
        (time_text(999.96), "1.000 ms"),
        (time_text(335942.0), "335.9 ms"),
        (time_text(2.5e6), "2.500 s"),
        (time_text(None), "-"),
        (bandwidth_text(480.16), "480.2"),
        (bandwidth_text(0.00571), "0.00571"),
        (bandwidth_text(0.04714), "0.0471"),
        (bandwidth_text(None), "-"),
        (rate_text(400e6), "400 Mb/s"),
        (rate_text(1e11), "100 Gb/s"),
        (rate_text(12.5), "12.5 b/s"),
        (share_text(0.9412), "94.1 %"),
        (share_text(None), "-"),
    ],
)
def test_numbers_as_people_read_them(text, expected):
    assert text == expected
