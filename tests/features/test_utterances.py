from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imlcmm.errors import MediaError
from imlcmm.features.words.regions import SpeechClock
from imlcmm.features.words.utterances import Cutting, Utterance, cut_utterances, ends_sentence, merge_utterances
from imlcmm.features.words.word import Word, holds_chinese, join_words, split_words, spread_words, time_words

TEXTS = st.text(alphabet="ab3 .,!'\"我你好国，。！“”（(-\n\u3000é\u0301", max_size=40)
SECONDS = st.integers(0, 6000).map(lambda x: x / 100)
REGIONS = st.lists(st.tuples(SECONDS, SECONDS).map(lambda x: (x[0], x[0] + x[1] / 8)), max_size=6)


@st.composite
def timed_words(draw):
    words, at = [], 0.0
    for _ in range(draw(st.integers(0, 25))):
        at += draw(st.sampled_from([-0.2, 0.0, 0.1, 0.4, 0.8, 6.0]))
        length = draw(st.sampled_from([0.0, 0.1, 0.3, 2.0, 20.0]))
        at = max(0.0, at)
        words.append(Word(draw(st.sampled_from(["a", "b.", "我", "好。", "Mr."])), at, at + length))
        at += length
    return words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't know, Mr. Li.", ["I", "don't", "know,", "Mr.", "Li."]),
        ("我去USA玩，好吗？", ["我", "去", "USA", "玩，", "好", "吗？"]),
        ("他说：“你好。”", ["他", "说：", "“你", "好。”"]),
        ("第3个（大）", ["第", "3", "个", "（大）"]),
        ("  \n ", []),
    ],
)
def test_english_is_split_by_spaces_and_chinese_by_characters(text, words):
    assert split_words(text) == words


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_no_character_is_lost_when_splitting(text):
    words = split_words(text)
    assert "".join(words) == "".join(text.split())
    assert all(words)
    assert "".join(join_words(words).split()) == "".join(words)


def test_words_are_joined_with_spaces_only_where_they_are_written():
    assert join_words(["I", "say:", "我", "去", "USA", "玩，", "好"]) == "I say:我去USA玩，好"
    assert join_words([]) == ""


@pytest.mark.parametrize("word", ["end.", "what?", 'so!"', "好。", "吗？”"])
def test_a_sentence_ends(word):
    assert ends_sentence(word)


@pytest.mark.parametrize("word", ["Mr.", "3.5", "well,", "so...", "好，", "我……", ""])
def test_a_sentence_goes_on(word):
    assert not ends_sentence(word)


def test_pieces_become_words_and_white_space_takes_no_time():
    pieces = [Word(" well", 1.0, 1.4), Word("-known", 1.4, 2.0), Word(" 我们", 2.0, 3.0)]
    words = time_words(pieces)
    assert [w.text for w in words] == ["well-known", "我", "们"]
    assert [(w.start, w.end) for w in words] == [(1.0, 2.0), (2.0, 2.5), (2.5, 3.0)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, SECONDS, SECONDS), max_size=8))
def test_times_of_words_never_go_back(pieces):
    words = time_words(Word(*piece) for piece in pieces)
    assert [w.text for w in words] == split_words("".join(text for text, _, _ in pieces))
    times = [t for w in words for t in (w.start, w.end)]
    assert times == sorted(times)


def test_words_are_spread_by_their_length_and_not_into_pauses():
    words = spread_words("aaa bb b aa", [(5.0, 6.0), (1.0, 2.0)])
    assert [w.text for w in words] == ["aaa", "bb", "b", "aa"]
    assert words[0].start == 1.0
    assert words[0].end == pytest.approx(1.75)
    assert words[1] == Word("bb", pytest.approx(1.75), pytest.approx(2.0)) or words[1].start == pytest.approx(5.0)
    assert words[-1].end == pytest.approx(6.0)


@settings(max_examples=60, deadline=None)
@given(TEXTS, REGIONS.filter(bool))
def test_spread_words_lie_in_the_speech(text, regions):
    words = spread_words(text, regions)
    assert [w.text for w in words] == split_words(text)
    times = [t for w in words for t in (w.start, w.end)]
    assert times == sorted(times)
    for word in words:
        assert any(a - 1e-6 <= word.start and word.end <= b + 1e-6 for a, b in SpeechClock(regions).regions)


def test_words_cannot_be_spread_over_nothing():
    assert spread_words("", []) == []
    with pytest.raises(MediaError, match="no speech regions"):
        spread_words("a", [])


def test_the_clock_leaves_pauses_out():
    clock = SpeechClock([(1.0, 2.0), (5.0, 7.0)])
    assert clock.total == 3
    assert clock(0.25, 0.5) == (1.25, 1.5)
    assert clock(1.5, 2.5) == (5.5, 6.5)
    assert clock(0.9, 1.8) == (5.0, 5.8)


def test_cuts_at_pauses_and_sentences_but_not_at_short_ones():
    words = [Word("I", 0.0, 0.2), Word("see.", 0.6, 1.0), Word("You", 1.0, 1.3), Word("too", 1.9, 2.5)]
    utterances = cut_utterances(words, language="en")
    # "You" is .3 s long: it joins the nearer neighbour.
    assert [(u.text, u.start, u.end) for u in utterances] == [("I see. You", 0.0, 1.3), ("too", 1.9, 2.5)]
    assert {u.language for u in utterances} == {"en"}
    whole = cut_utterances(words, cutting=Cutting(pause=0.6, shortest=0.0))
    assert [u.text for u in whole] == ["I see.", "You too"]


def test_a_silence_between_regions_cuts_where_words_reach_into_it():
    words = [Word("one", 0.0, 1.9), Word("two", 1.9, 4.0)]
    assert len(cut_utterances(words)) == 1
    assert [u.text for u in cut_utterances(words, [(0.0, 1.0), (2.0, 4.0)])] == ["one", "two"]


def test_long_speech_is_cut_at_its_longest_gap():
    words = [Word("a", float(t), t + 0.9) for t in range(20)]
    words[6:] = [Word(w.text, w.start + 0.2, w.end + 0.2) for w in words[6:]]
    parts = cut_utterances(words, cutting=Cutting(longest=15.0))
    assert [len(u.words) for u in parts] == [6, 14]
    assert [len(u.words) for u in cut_utterances([Word("我", float(t), t + 1.0) for t in range(20)])] == [10, 10]


def test_regions_without_words_are_kept_only_where_asked():
    words, regions = [Word("hello", 10.0, 11.0)], [(0.0, 3.0), (9.9, 11.2), (20.0, 60.0)]
    assert [u.text for u in cut_utterances(words, regions)] == ["hello"]
    kept = cut_utterances(words, regions, keep_wordless=True)
    assert [(u.text, u.words != ()) for u in kept] == [("", False), ("hello", True)] + 3 * [("", False)]
    assert all(u.end - u.start <= 15 for u in kept)
    assert (kept[2].start, kept[-1].end) == (20, 60)


@settings(max_examples=60, deadline=None)
@given(timed_words(), REGIONS, st.booleans())
def test_utterances_are_ordered_apart_and_hold_every_word_once(words, regions, keep):
    utterances = cut_utterances(words, regions, keep_wordless=keep)
    assert [w for u in utterances for w in u.words] == sorted(words, key=lambda w: w.start)
    assert all(a.end <= b.start for a, b in pairwise(utterances))
    for one in utterances:
        assert one.start <= one.end
        assert one.end - one.start <= 15 + 1e-9 or len(one.words) == 1
        assert one.text == join_words(w.text for w in one.words)
    assert keep or all(u.words for u in utterances)


def test_a_short_utterance_joins_the_nearer_neighbour_unless_both_last_too_long():
    long, short, other = Utterance(0.0, 14.9, "a"), Utterance(15.0, 15.2, "b"), Utterance(15.9, 17.0, "c")
    assert [u.text for u in merge_utterances([long, short, other])] == ["a", "b c"]
    assert [u.text for u in merge_utterances([long, short])] == ["a", "b"]
    assert [u.text for u in merge_utterances([long._replace(start=9.0), short, other])] == ["a b", "c"]
    assert merge_utterances([]) == []


@pytest.mark.parametrize("wrong", [{"pause": -1.0}, {"shortest": 20.0}, {"longest": float("nan")}])
def test_rules_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(MediaError, match="give seconds"):
        Cutting(**wrong)


@pytest.mark.parametrize(
    ("text", "expected"), [("真好", True), ("so 好", True), ("great 😀", False), ("좋아요", False)]
)
def test_chinese_is_told_by_its_characters(text, expected):
    assert holds_chinese(text) is expected
