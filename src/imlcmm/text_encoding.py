"""Which encoding a text is in: told by its mark, by strict UTF-8, or by how usual its characters are."""

import codecs
import unicodedata
from collections import Counter
from typing import NamedTuple

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
GB18030 = "gb18030"
# The most usual characters of running Chinese, simplified and traditional, with those of opinions and films.
_CHINESE = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笑爱喜欢"
    "哭快乐怕恨累错谢请吃喝玩买钱谁吗吧呢啊哦嗯哈您咱爸妈妹弟姐哥孩朋友电影剧演戏剪辑画面精彩推荐讨厌失望"
    "片早晚午饭房车晴雨冷热忙坏丑差赞棒酷帅烂糟腻伤悲痛苦怒惊奇静温暖甜幸福每够刚跟离找远近"
    "這個們來為國說時會對後過發還進樣開從實軍無與長機關點業將兩間問應戰頭體見產話給門東聲員論處義幾認條"
    "氣題爾別變總電數報結務場計區隊決馬書聽達強難權設記類據邊張該規萬覺術領確傳師觀讓識帶導爭運愛歡樂錯謝請"
    "買錢誰嗎媽電劇演戲輯畫推薦討厭爛傷驚靜溫熱壞醜讚夠剛離遠沒裡當現動經麼學種著於"
    "‘’“”…—，。！？、：；（）《》"
)
_KOREAN = frozenset(
    "이다는을가에고하의은지를도로한사자서기어나인시대그아해있수것리라만과들스보일정부게여상제장주전원면소안조성"
    "으구니거우때무신동세오공해까러말내모요네영화좋아했습않없었였겠음저진짜너무재미감유생비마와"
    "‘’“”…"
)
_JAPANESE = frozenset(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD)))) | frozenset("、。「」！？…")


class _Writing(NamedTuple):
    """An encoding of two bytes a character.

    Attributes:
        encoding: Python's name.
        title: Name in print.
        common: Its most usual characters.
        leads: The first bytes of its ordinary characters: first and last.
        trail: The lowest second byte of those.
        ordinary: What an ordinary character counts, where a common one counts 1.
    """

    encoding: str
    title: str
    common: frozenset[str]
    leads: tuple[int, int]
    trail: int
    ordinary: float


_WRITINGS = (
    _Writing(GB18030, "Chinese in GB18030", _CHINESE, (0xB0, 0xD7), 0xA1, 0.3),
    _Writing("cp950", "Chinese in Big5", _CHINESE, (0xA4, 0xC6), 0x40, 0.3),
    _Writing("cp949", "Korean in EUC-KR", _KOREAN, (0xB0, 0xC8), 0xA1, 0.3),
    # Japanese without a kana is no Japanese.
    _Writing("cp932", "Japanese in Shift-JIS", _JAPANESE, (0x88, 0x97), 0x40, 0.2),
    _Writing("euc_jp", "Japanese in EUC-JP", _JAPANESE, (0xB0, 0xCF), 0xA1, 0.2),
)


def find_encoding(content: bytes) -> str | None:
    """Tell the encoding of a text where there is no doubt: by its mark, UTF-8, UTF-16, or Chinese in GB18030."""
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    if marked:
        soiled = marked == "utf-8-sig" and _is_soiled_utf8(content)
        return marked if soiled or _decoded(content, marked) is not None else None
    if _decoded(content, "utf-8") is not None and b"\x1b$" not in content:
        return "utf-8"
    if b"\0" in content:
        return "utf-8" if _is_soiled_utf8(content) else _utf16_without_mark(content)
    return GB18030 if _likely(content) == _WRITINGS[0].title else None


def describe(content: bytes) -> str:
    """Say what a text of which `find_encoding` knows nothing seems to be."""
    if any(content.startswith(mark) for mark in MARKS):
        return "is damaged: its mark says Unicode, and its bytes are none"
    if b"\0" in content:
        return "is no text"
    if b"\x1b$" in content:
        return "seems to be Japanese in ISO-2022-JP"
    likely = _likely(content)
    return f"seems to be {likely}" if likely else "is neither UTF-8 nor Chinese in GB18030"


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _is_soiled_utf8(content: bytes) -> bool:
    """Tell UTF-8 in which a few zero bytes and other controls stand, at the end for example."""
    controls = sum(byte < 0x20 and byte not in b"\t\n\r" for byte in content)
    return controls * 10 <= len(content) and _decoded(content.replace(b"\0", b""), "utf-8") is not None


def _utf16_without_mark(content: bytes) -> str | None:
    """Take UTF-16 where all zero bytes stand on one side, and all characters are in use."""
    sides = {place % 2 for place, byte in enumerate(content) if byte == 0}
    encoding = "utf-16-be" if sides == {0} else "utf-16-le"
    text = _decoded(content, encoding) if len(sides) == 1 else None
    if text is None or any(c not in "\t\n\r" and unicodedata.category(c) in ("Cc", "Cn", "Co") for c in set(text)):
        return None
    return encoding


def _likely(content: bytes) -> str | None:
    """Name the encoding in which the text is most usual, if one is ahead of the others."""
    scores: dict[str, tuple[float, str]] = {}
    for writing in _WRITINGS:
        text = _decoded(content, writing.encoding)
        if text is not None:
            scores[writing.title] = (_usualness(text, writing), text)
    western, cyrillic = _one_byte_scores(content)
    scores["Windows-1252 (Western European)"] = (western, "")
    scores["an encoding of one byte a letter, such as Windows-1251 (Cyrillic)"] = (cyrillic, "")
    best = max(score for score, _ in scores.values())
    ahead = {title: text for title, (score, text) in scores.items() if score == best}
    return next(iter(ahead)) if best >= 0.15 and len(set(ahead.values())) == 1 else None


def _usualness(text: str, writing: _Writing) -> float:
    """Give the share of usual characters among those that are not ASCII, from 0 to 1."""
    counts = Counter(c for c in text if c > "\x7f")
    letters = {c: count for c, count in counts.items() if c.isalnum()} or dict(counts)
    total = sum(letters.values())
    share = sum(count * _worth(c, writing) for c, count in letters.items()) / max(1, total)
    # A few characters may all be unusual; many are so only in another encoding.
    return share if total <= 5 or share >= 0.4 else 0.0


def _worth(character: str, writing: _Writing) -> float:
    if character in writing.common:
        return 1.0
    lead, *trail = character.encode(writing.encoding)
    is_ordinary = len(trail) == 1 and writing.leads[0] <= lead <= writing.leads[1] and trail[0] >= writing.trail
    return writing.ordinary if is_ordinary else 0.0


def _one_byte_scores(content: bytes) -> tuple[float, float]:
    """Score Western European, where letters above ASCII stand alone, and Cyrillic's like, where they are words."""
    padded = b" " + content + b" "
    high = [(byte, padded[place], padded[place + 2]) for place, byte in enumerate(content) if byte > 0x7F]
    alone = sum(before < 0x80 > after and bytes((before, after)).strip(b" ,") != b"" for _, before, after in high)
    letters = sum(byte >= 0xC0 and max(before, after) > 0x7F for byte, before, after in high)
    share = letters / max(1, len(high))
    # Two Chinese characters may be four such bytes by chance, so Cyrillic is never as sure as usual Chinese.
    return alone / max(1, len(high)), 0.6 * (share >= 0.9)
