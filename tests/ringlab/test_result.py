"""The result object: figures that follow from samples, and its way through JSON and back."""

import json
import math
from dataclasses import replace

import pytest

from ringlab.experiments.result import LinkBytes, ResultError, SizeResult, dumps, from_data, loads, to_data

# What other programs read: the keys of the JSON object that `ringlab run SPEC --json -` prints.
KEYS = {
    "": "schema id name created spec fabric collective algorithm channels ranks placement scale line_rate_bps "
    "nominal_line_rate_bps arms comparisons certificate fingerprint links baseline timeline failure",
    "arms.0": "name group objective lower_bound results library",
    "arms.0.results.0": "size_bytes count dtype redop time_us samples_us algbw_GBps busbw_GBps line_share predicted_us "
    "wrong nominal",
    "arms.0.results.0.nominal": "time_us algbw_GBps busbw_GBps",
    "comparisons.0": "better than size_bytes ratio low high blocks text",
    "certificate": "verdict reasons checks",
    "certificate.checks.0": "name value unit limit verdict detail",
    "links.0": "arm name bytes_counted bytes_predicted difference",
    "baseline": "name nominal_line_rate_GBps source points caveat",
    "baseline.points.0": "size_bytes busbw_GBps line_share interpolated why",
    "timeline.0": "t_s event",
}


def at(data, place):
    for word in place.split(".") if place else ():
        data = data[int(word)] if word.isdigit() else data[word]
    return data


@pytest.mark.parametrize("place", KEYS)
def test_the_keys_that_others_read(make_result, place):
    assert set(at(json.loads(dumps(make_result())), place)) == set(KEYS[place].split())


def test_a_result_goes_through_json_and_back_unchanged(make_result):
    for result in (make_result(), make_result(baseline=None), make_result(sizes=(1048576,))):
        assert loads(dumps(result)) == result
        assert from_data(to_data(result)) == result


def test_figures_follow_from_the_samples():
    found = SizeResult.measured(
        [[100.0, 300.0], [200.0, 250.0]],
        size_bytes=1_000_000,
        count=250_000,
        dtype="float",
        redop="sum",
        bus_factor=1.75,
        line_rate_bps=400e9,
        scale=10.0,
        predicted_us=None,
        wrong=0,
    )
    assert found.time_us == 225.0
    assert found.algbw_GBps == pytest.approx(1e6 / 225e-6 / 1e9)
    assert found.busbw_GBps == pytest.approx(1.75 * found.algbw_GBps)
    assert found.line_share == pytest.approx(found.busbw_GBps / 50)
    assert found.nominal.time_us == pytest.approx(22.5)
    assert found.nominal.busbw_GBps == pytest.approx(10 * found.busbw_GBps)
    assert found.samples_us == ((100.0, 300.0), (200.0, 250.0))


def test_the_difference_of_a_link_is_relative_to_what_was_predicted():
    assert LinkBytes.of("pinned", "a->b", 103, 100).difference == pytest.approx(0.03)
    assert LinkBytes.of("pinned", "a->b", 103, 0).difference is None


def test_groups_and_sizes_keep_their_order(make_result):
    assert make_result().groups() == ("spanning-tree", "ecmp", "pinned")
    assert make_result(sizes=(4096, 1024)).sizes() == (1024, 4096)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_can_not_hold_is_named(make_result, bad):
    with pytest.raises(ResultError, match=r"leaf-spine: fingerprint\.load is not a finite number"):
        dumps(make_result(fingerprint={"load": bad}))
    result = make_result()
    arms = (*result.arms[:1], replace(result.arms[1], objective=bad))
    with pytest.raises(ResultError, match=r"arms\.1\.objective"):
        dumps(replace(result, arms=arms))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(schema=2), "found 2"),
        (lambda data: data.pop("schema"), "found None"),
        (lambda data: data.pop("scale"), "scale: Field required"),
        (lambda data: data["arms"][0]["results"][1].update(time_us="soon"), r"arms\.0\.results\.1\.time_us"),
        (lambda data: data["certificate"].update(verdict="fine"), r"certificate\.verdict"),
    ],
)
def test_data_that_is_no_result_is_refused_with_its_place(make_result, change, message):
    data = to_data(make_result())
    change(data)
    with pytest.raises(ResultError, match=message):
        from_data(data)


def test_keys_that_a_later_version_adds_are_passed_over(make_result):
    result = make_result()
    assert from_data(to_data(result) | {"colour": "red"}) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "line 1: not JSON"), ("[]", "found 'list'"), ('{"schema": NaN}', "NaN is no JSON number")],
)
def test_text_that_is_no_result_is_refused(text, message):
    with pytest.raises(ResultError, match=message):
        loads(text)
