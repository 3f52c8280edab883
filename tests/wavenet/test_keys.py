import pytest

from rtwave.wavenet.keys import find_key, key_name, key_number


def test_names_of_keys_read_back():
    assert [key_name(key) for key in (0, 60, 61, 127)] == ["C-1", "C4", "C#4", "G9"]
    assert all(key_number(key_name(key)) == key for key in range(128))
    assert key_number(key_name(61.5)) == 61.5
    assert [key_number(text) for text in ("60", "bb3", "Ds2")] == [60, 58, 39]


def test_the_last_key_in_a_name_counts_and_words_are_none():
    assert find_key("kit_A1_C#4_v100") == 61
    assert find_key("Cello v100") is None
    with pytest.raises(ValueError, match="colour"):
        key_number("colour")
