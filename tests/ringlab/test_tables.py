from ringlab.tables import table


def test_numbers_stand_to_the_right_and_words_to_the_left():
    assert table(["name", "step"], [["a", 1], ["longer", 200]]) == "name    step\na          1\nlonger   200\n"


def test_a_table_without_rows_is_its_headings():
    assert table(["a", "b"], []) == "a  b\n"
