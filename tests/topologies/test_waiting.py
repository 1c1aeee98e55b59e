from topologies.waiting import in_order


def test_each_is_after_all_it_needs():
    assert in_order([(3,), (0, 3), (), (2, 2)]) == ([2, 3, 0, 1], None)
    assert in_order([]) == ([], None)


def test_a_circle_is_told_by_one_of_it_not_by_what_waits_for_it():
    order, stuck = in_order([(1,), (2,), (3,), (2,), ()])
    assert order == [4]
    assert stuck in (2, 3)
