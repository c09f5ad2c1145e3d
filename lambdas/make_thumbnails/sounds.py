"""Draws a sound: the peaks of its samples as a wave."""

from array import array
from collections.abc import Generator, Sequence
from contextlib import suppress
from itertools import pairwise

import av
import pyvips  # type: ignore[import-untyped]  # it ships no types
from av.audio.frame import AudioFrame
from av.container import InputContainer

from lambdas.make_thumbnails.encoding import Drawn, encode_all
from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.containers import open_container, stated_seconds, unreadable

_BARS, _BAR, _STEP, _HEIGHT = 160, 5, 8, 480
_WAVE, _GROUND = bytes((45, 108, 163)), bytes((233, 239, 245))
_RATE = 8000
_MAX_PACKETS = 25_000  # decoded of a sound that lasts longer than it says
_WHOLE_SECONDS = 300  # what lasts longer is sampled: a few packets for each bar


def draw_sound(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:
    """Return each size of the wave. Raises UnreadableAudio if no sample decodes, and FileTooLarge."""
    with open_container(file, limits) as container:
        if not container.streams.audio:
            raise unreadable(file, "has no sound.")
        peaks = _peaks(container)
    if not peaks:
        raise unreadable(file, "has no sound that can be decoded.")
    return encode_all(_draw(_bars(peaks)), sizes)


def _peaks(container: InputContainer) -> list[int]:
    seconds = stated_seconds(container) or 0.0
    # One for all of them: each has threads, whose stacks are held until its cycle of references is collected.
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    if seconds <= _WHOLE_SECONDS:
        return list(_decoded(container, resampler, _MAX_PACKETS))
    peaks = []
    for bar in range(_BARS):
        with suppress(av.FFmpegError):  # what cannot be sought is read from where it stands
            container.seek(int(seconds * bar / _BARS * 1_000_000))
        peaks.append(max(_decoded(container, resampler, 8), default=0))
    return peaks


def _decoded(container: InputContainer, resampler: av.AudioResampler, packets: int) -> Generator[int]:
    """Give the highest sample of each frame; 0 once for what is too short to be resampled."""
    has_sound = has_peak = False
    for count, packet in enumerate(container.demux(audio=0)):
        if count >= packets:
            break
        try:
            whole = packet.decode()
            for frame in whole:
                frame.pts = None  # the packets do not follow each other
            frames = [small for frame in whole for small in resampler.resample(frame)]
        except av.FFmpegError:
            continue  # broken in the middle: the next may do
        has_sound = has_sound or bool(whole)
        for peak in _highest(frames):
            has_peak = True
            yield peak
    if has_sound and not has_peak:
        yield 0


def _highest(frames: Sequence[AudioFrame]) -> Generator[int]:
    for frame in frames:
        samples = array("h", bytes(frame.planes[0])[: frame.samples * 2])
        if samples:
            low, high = min(samples), max(samples)
            yield max(high, -low)


def _bars(peaks: Sequence[int]) -> list[int]:
    count = len(peaks)
    edges = [bar * count // _BARS for bar in range(_BARS + 1)]
    return [max(peaks[start : max(start + 1, end)]) for start, end in pairwise(edges)]


def _draw(bars: Sequence[int]) -> pyvips.Image:
    highest = max(1, *bars)
    halves = [max(2, peak * (_HEIGHT // 2 - 20) // highest) for peak in bars]
    rows = []
    for row in range(_HEIGHT):
        away = abs(row - _HEIGHT // 2)
        rows.append(b"".join((_WAVE if away < half else _GROUND) * _BAR + _GROUND * (_STEP - _BAR) for half in halves))
    picture = pyvips.Image.new_from_memory(b"".join(rows), _BARS * _STEP, _HEIGHT, 3, "uchar")
    return picture.copy(interpretation="srgb").copy_memory()
