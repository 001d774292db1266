"""The formats that are read: how FFmpeg calls each, and how its files' names end.

Playlists, image sequences and text art are left out: they open other files, or make pictures of any text.
"""

_MOVING = {
    "mov": ".mp4 .m4v .mov .qt .3gp .3g2 .f4v",
    "matroska": ".mkv .webm .mk3d",
    "avi": ".avi .divx",
    "asf": ".wmv .asf",
    "mpeg": ".mpg .mpeg .vob",
    "mpegts": ".ts .mts .m2ts .m2t",
    "mpegvideo": ".m2v .mpv",
    "flv": ".flv",
    "live_flv": "",
    "ogg": ".ogv .ogm",
    "h264": ".h264 .264 .avc",
    "hevc": ".hevc .h265 .265",
    "m4v": "",
    "vc1": ".vc1",
    "ivf": ".ivf",
    "obu": ".obu",
    "av1": "",
    "rm": ".rm .rmvb",
    "mxf": ".mxf",
    "gxf": ".gxf",
    "dv": ".dv .dif",
    "nut": ".nut",
    "wtv": ".wtv",
    "nsv": ".nsv",
    "gif": ".gif",
    "yuv4mpegpipe": ".y4m",
}
_SOUNDING = {
    "mov": ".m4a .m4b",
    "matroska": ".mka .weba",
    "asf": ".wma",
    "ogg": ".ogg .oga .opus .spx",
    "rm": ".ra",
    "wav": ".wav .wave .bwf .rf64",
    "w64": ".w64",
    "mp3": ".mp3 .mp2 .mpa .m2a",
    "aac": ".aac .adts",
    "flac": ".flac",
    "aiff": ".aiff .aif .aifc",
    "au": ".au .snd",
    "caf": ".caf",
    "amr": ".amr .awb",
    "ac3": ".ac3",
    "eac3": ".eac3 .ec3",
    "dts": ".dts",
    "wv": ".wv",
    "ape": ".ape",
    "tta": ".tta",
    "voc": ".voc",
}

DEMUXERS = tuple(dict.fromkeys((*_MOVING, *_SOUNDING)))
"""FFmpeg's names of the formats; nothing else is opened."""

MEDIA = tuple(" ".join((*_MOVING.values(), *_SOUNDING.values())).split())
"""Endings of the names of all files that a folder is searched for: first what may hold pictures, then sound."""
