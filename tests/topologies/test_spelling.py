from topologies.spelling import did_you_mean


def test_a_near_word_is_offered_and_otherwise_all():
    assert did_you_mean("ecpm", ["ecmp", "pinned"]) == "did you mean 'ecmp'?"
    assert did_you_mean("PINNED", ["ecmp", "pinned"]) == "did you mean 'pinned'?"
    assert did_you_mean("x", ["ecmp", "pinned"]) == "there are ecmp, pinned"
