import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.drafts import fit_names, fitting, stem
from topologies.fabric import Cable, Fabric


@pytest.mark.parametrize(
    ("name", "fit"),
    [("leaf1", "leaf1"), ("New York", "New-York"), ("0", "n0"), ("", "n"), ("Århus (DK)", "Arhus-DK"), ("東京", "n"),
     ("a-", "a-"), ("_x", "n_x"), ("spine.1", "spine-1")],
)  # fmt: skip
def test_a_name_is_made_to_fit(name, fit):
    assert fitting(name) == fit


def test_a_name_that_fits_stays_whoever_comes_first():
    assert fit_names(["a b", "a-b", "a.b", "a-b"]) == ["a-b-2", "a-b", "a-b-3", "a-b-4"]


@given(st.lists(st.text(max_size=4), min_size=1, max_size=8))
def test_a_fabric_takes_any_names_once_they_fit(names):
    fit = fit_names(names)
    assert Fabric.cabled("f", ["some-host"], fit, [Cable("some-host", name, 1) for name in fit]).switches == tuple(fit)


def test_a_file_s_name_is_its_stem():
    assert [stem("maps/geant.v2.graphml"), stem("x"), stem(".hidden")] == ["geant", "x", "fabric"]


def test_a_hundred_thousand_equal_names_take_no_time():
    names = fit_names(["New York"] * 100_000)
    assert (len(set(names)), names[-1]) == (100_000, "New-York-100000")
