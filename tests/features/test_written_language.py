"""Which language a text is in, where that is sure."""

import pytest

from imlcmm.features.text import language
from imlcmm.features.text.language import written_language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I think it went rather well, all things considered.", "en"),
        ("THE FILM WAS NOT AS GOOD AS I HAD HOPED", "en"),
        ("这部电影真的很好看", "zh"),
        ("今天 meeting 很顺利", "zh"),
        ("この映画はとても面白かったです。", "ja"),
        ("Das war leider gar nicht so gut, wie wir gehofft hatten.", "de"),
        ("Je ne suis pas du tout content de cette réponse.", "fr"),
        ("Мне очень понравился этот фильм.", "ru"),
        ("UM IT WASNT BAD AT ALL UM I LIKED IT", "en"),
        ("um uh", ""),
        ("", ""),
        ("?!", ""),
        ("so", ""),
    ],
)
def test_a_language_is_told_where_it_is_sure(text, code):
    assert written_language(text) == code


def test_without_the_package_only_chinese_is_known(monkeypatch):
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    assert written_language("Das war leider gar nicht gut.") == ""
    assert written_language("很好") == "zh"
