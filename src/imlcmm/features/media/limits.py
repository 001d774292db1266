"""How large a recording may be: a header can claim anything, so no claim beyond these is believed."""

from dataclasses import dataclass

from imlcmm.errors import MediaError

RATES = (1_000, 1_000_000)
"""Samples a second of a stored sound: telephones have 8,000, the finest recorders 768,000."""

CHANNELS = 64
"""Channels of a stored sound; the largest formats for cinemas and spheres have 64."""

STILL = 3600.0
"""Seconds that one picture may last before it is taken for an error of the time stamps."""

SAMPLES = 1 << 28
"""Samples that are read in one piece: 4.6 hours at 16,000 a second, a GiB."""


@dataclass(frozen=True)
class MediaLimits:
    """What a recording may have at most; the values are far above those of real ones.

    Attributes:
        hours: From the first to the last moment.
        megapixels: Pixels of a picture, in millions; 8K has 33, a sphere in 8K 67.
    """

    hours: float = 24.0
    megapixels: float = 128.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            MediaError: If nothing could be read within them.
        """
        for name, value in (("longest", self.hours), ("largest", self.megapixels)):
            if not value > 0:
                raise MediaError(f"{name} is {value}; give a number above 0")

    @property
    def seconds(self) -> float:
        """Seconds of a recording, at most."""
        return self.hours * 3600

    @property
    def pixels(self) -> int:
        """Pixels of a picture, at most."""
        return round(self.megapixels * 1_000_000)

    def check_sound(self, rate: int, channels: int, name: str) -> None:
        """Refuse a sound that no recorder makes.

        Raises:
            MediaError: Naming the figure.
        """
        if not RATES[0] <= rate <= RATES[1]:
            raise MediaError(f"{name} claims {rate:,} samples a second; from {RATES[0]:,} to {RATES[1]:,} are read")
        if not 1 <= channels <= CHANNELS:
            raise MediaError(f"{name} claims {channels:,} channels of sound; from 1 to {CHANNELS} are read")

    def check_picture(self, width: int, height: int, name: str) -> None:
        """Refuse a picture that would fill the memory.

        Raises:
            MediaError: Naming the figure.
        """
        if width * height > self.pixels:
            raise MediaError(
                f"{name} claims pictures of {width:,} x {height:,}; up to {self.megapixels:g} megapixels are read "
                "(option largest)"
            )

    def check_time(self, seconds: float, name: str) -> None:
        """Refuse a moment that no recording reaches.

        Raises:
            MediaError: Naming the figure.
        """
        if seconds > self.seconds:
            raise MediaError(
                f"{name} claims to last {seconds / 3600:,.1f} hours; up to {self.hours:g} are read (option longest)"
            )


USUAL = MediaLimits()
