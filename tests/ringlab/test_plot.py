"""The figure: its curves, its spread, and what it says where a run is not valid."""

import io
import struct
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from ringlab.experiments.plot import curves, figure, png, svg
from ringlab.experiments.result import Certificate


def texts(result):
    return [text.get_text() for text in figure(result).findobj(match=lambda artist: hasattr(artist, "get_text"))]


def test_a_curve_is_the_group_s_median_with_its_spread(make_result):
    result = make_result()
    tree, ecmp, pinned = curves(result)
    shares = {arm.name: arm.results[-1].line_share for arm in result.arms}
    assert ecmp.label == "ecmp (3 arms, worst to best)"
    assert ecmp.shares[-1] == pytest.approx(shares["ecmp:seed=1"])
    assert ecmp.lows[-1] == pytest.approx(shares["ecmp:seed=2"])
    assert ecmp.highs[-1] == pytest.approx(shares["ecmp:seed=3"])
    assert pinned.shares[-1] == pytest.approx(shares["pinned"])
    assert pinned.lows[-1] < pinned.shares[-1] < pinned.highs[-1]
    assert tree.sizes == (65536, 1048576, 16777216)


def test_both_axes_read_the_same(make_result):
    axes = figure(make_result()).axes[0]
    (right,) = axes.child_axes
    axes.figure.draw_without_rendering()
    assert right.get_ylim() == pytest.approx([400 * end for end in axes.get_ylim()])
    assert right.get_ylabel() == "busbw, Mb/s as measured"
    fast = figure(make_result(line_rate_bps=10e9)).axes[0]
    assert fast.child_axes[0].get_ylabel() == "busbw, Gb/s as measured"


def test_the_line_rate_and_the_baseline_are_in_it(make_result):
    found = texts(make_result())
    assert "line rate 400 Mb/s, standing for 100 Gb/s (250x slower)" in found
    assert "GPU: a100-4x8-hdr-ib-allreduce" in found
    assert not any(text.startswith("GPU") for text in texts(make_result(baseline=None)))


def test_a_baseline_above_its_line_still_fits(make_result):
    result = make_result(sizes=(2**24, 2**30), baseline="b200-2x8-roce3200-allreduce-a4")
    assert result.baseline.points[-1].line_share > 1.5
    assert figure(result).axes[0].get_ylim()[1] > result.baseline.points[-1].line_share


@pytest.mark.parametrize("verdict", ["doubtful", "invalid"])
def test_a_run_that_is_not_valid_says_so_in_the_figure(make_result, verdict):
    found = texts(make_result(certificate=Certificate(verdict, ("the CPU was busy",), ())))
    assert f"{verdict.upper()}: the CPU was busy" in found
    assert verdict.upper() in found
    assert not any("VALID" in text for text in texts(make_result()))


def test_one_size_and_one_arm_are_enough(make_result):
    result = make_result(sizes=(1048576,), shares={"pinned": 0.9}, baseline=None)
    assert len(curves(result)) == 1
    assert svg(result).count("1 MiB") >= 1


def test_more_groups_than_colours_are_drawn(make_result):
    shares = {f"policy{number}": 0.1 * number for number in range(1, 9)}
    lines = figure(make_result(shares=shares, baseline=None)).axes[0].get_legend_handles_labels()[1]
    assert lines == list(shares)


def test_the_files_are_what_they_claim_and_equal_for_equal_results(make_result):
    result = make_result()
    text, image = svg(result), png(result)
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert image.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", io.BytesIO(image[16:24]).read())
    assert (width, height) == (1360, 840)
    assert svg(replace(result, id="another")) == text
