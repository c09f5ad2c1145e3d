"""Draws a video as its most detailed frame and an animation, audio as a waveform."""

from array import array
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from math import inf
from time import monotonic

import av
import pyvips  # type: ignore[import-untyped]  # it ships no types
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lambdas.make_thumbnails.pictures import encode_all, fit, shrink
from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW, Drawn, ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.containers import (
    aspect_of,
    check_frame,
    first_frames,
    open_container,
    stated_seconds,
    turns_of,
    unreadable,
    video_of,
)

_FRAMES = 8
# With fewer key frames, others are decoded too: clips of messengers have a single one, which may be black.
_FEW_FRAMES = 4
# Decode at most this many pixels of them: two seconds of a slow core, at any size.
_MAX_DECODED_PIXELS = 250_000_000
# Stop after this share of the decoder's time, and draw the frames found until then.
_SHARE_OF_TIME = 0.4
_EDGE = 1280
_MILLISECONDS = 300
_QUALITY = 60

_BARS, _BAR, _STEP, _HEIGHT = 160, 5, 8, 480
_WAVE, _GROUND = bytes((45, 108, 163)), bytes((233, 239, 245))
_RATE = 8000
_MAX_PACKETS = 25_000  # decoded of a sound that lasts longer than it states
_WHOLE_SECONDS = 300  # longer sounds are sampled: a few packets for each bar


def draw_video(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:
    """Return each size, the preview animated. Equal videos give equal bytes, unless time runs out.

    Raises UnreadableVideo if no frame can be decoded, and FileTooLarge.
    """
    until = monotonic() + limits.decoder_seconds * _SHARE_OF_TIME
    with open_container(file, limits) as container:
        stream = video_of(container)
        if stream is None:
            raise unreadable(file, "has no video.")
        edge = max((size.edge for size in sizes), default=_EDGE)
        found: dict[int, pyvips.Image] = {}
        for frame in _chosen_frames(container, stream, found, until):
            check_frame(file, frame, limits)
            found[len(found) if frame.pts is None else frame.pts] = _upright(frame, stream, edge)
    if not found:
        raise unreadable(file, "has no frame that can be decoded.")
    frames = [found[moment] for moment in sorted(found)]
    stills = iter(encode_all(max(frames, key=_score), [size for size in sizes if size.name != PREVIEW]))
    return [_animate(frames, size) if size.name == PREVIEW else next(stills) for size in sizes]


def draw_audio(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:
    """Return each size of the waveform. Raises UnreadableAudio if nothing can be decoded, and FileTooLarge."""
    with open_container(file, limits) as container:
        if not container.streams.audio:
            raise unreadable(file, "has no sound.")
        peaks = _peaks(container)
    if not peaks:
        raise unreadable(file, "has no sound that can be decoded.")
    return encode_all(_waveform(_bars(peaks)), sizes)


def _chosen_frames(
    container: InputContainer, stream: VideoStream, found: Mapping[int, pyvips.Image], until: float
) -> Generator[VideoFrame]:
    """Yield key frames, then others if there are few, until the deadline; at least one."""
    stream.codec_context.skip_frame = "NONKEY"
    yield from _key_frames(container, stream, until)
    if len(found) < _FEW_FRAMES and monotonic() < until:
        stream.codec_context.skip_frame = "DEFAULT"
        yield from _any_frames(container, stream, until)


def _key_frames(container: InputContainer, stream: VideoStream, until: float) -> Generator[VideoFrame]:
    """Yield different key frames spread over the video."""
    seconds = stated_seconds(container) or 0.0
    seen: set[int | None] = set()
    for part in range(_FRAMES):
        try:
            # The first seeks to 0: a seek to the start time may end behind the only frame.
            start = max(0, container.start_time or 0) if part else 0
            container.seek(int(seconds * part / _FRAMES * 1_000_000) + start)
        except av.FFmpegError:
            if part:
                continue  # not seekable: read from the current position
        frame = next(first_frames(container, stream, until=until if seen else inf), None)
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame
        if seen and monotonic() > until:
            return


def _any_frames(container: InputContainer, stream: VideoStream, until: float) -> Generator[VideoFrame]:
    """Yield frames spread over the video, or over the part that may be decoded."""
    most = max(1, _MAX_DECODED_PIXELS // max(1, stream.width * stream.height))
    rate = float(stream.average_rate or 0) or 30.0
    step = min(stated_seconds(container) or most / rate, most / rate) / _FRAMES
    with suppress(av.FFmpegError):
        container.seek(0)
    first, given = None, 0
    for count, frame in enumerate(first_frames(container, stream, None, until)):
        now = frame.time if frame.time is not None else count / rate
        first = now if first is None else first
        if now - first >= given * step:
            given += 1
            yield frame
        if given >= _FRAMES or count >= most:
            return


def _upright(frame: VideoFrame, stream: VideoStream, edge: int) -> pyvips.Image:
    """Return a frame as displayed, in 8-bit RGB, no larger than the largest size."""
    width, height = fit(max(1, round(frame.width * aspect_of(stream))), frame.height, edge)
    plane = frame.reformat(width=width, height=height, format="rgb24").planes[0]
    data, row = bytes(plane), width * 3
    pixels = b"".join(data[start : start + row] for start in range(0, plane.line_size * height, plane.line_size))
    picture = pyvips.Image.new_from_memory(pixels, width, height, 3, "uchar").copy(interpretation="srgb")
    for turn in turns_of(frame):
        picture = getattr(picture, turn)()
    return picture.copy_memory()


def _score(picture: pyvips.Image) -> float:
    """Return the amount of detail: lowest for black, white and plain frames."""
    grey = picture.colourspace("b-w")
    mean: float = grey.avg()
    spread: float = grey.deviate()
    return spread * (0.2 if mean < 20 or mean > 235 else 1.0) + mean / 1000


def _animate(frames: Sequence[pyvips.Image], size: ThumbnailSize) -> Drawn:
    width, height = fit(frames[0].width, frames[0].height, size.edge)
    strip = pyvips.Image.arrayjoin([shrink(frame, width, height) for frame in frames], across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", height)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [_MILLISECONDS] * len(frames))
    strip.set_type(pyvips.GValue.gint_type, "loop", 0)
    # Without keep="none": it would drop pages and delays, the only metadata of FFmpeg's frames.
    return Drawn(size, width, height, strip.webpsave_buffer(Q=_QUALITY, effort=2, page_height=height))


def _peaks(container: InputContainer) -> list[int]:
    seconds = stated_seconds(container) or 0.0
    # One for all packets: each has threads, whose stacks are freed only by the garbage collector.
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    if seconds <= _WHOLE_SECONDS:
        return list(_frame_peaks(container, resampler, _MAX_PACKETS))
    peaks = []
    for bar in range(_BARS):
        with suppress(av.FFmpegError):  # not seekable: read from the current position
            container.seek(int(seconds * bar / _BARS * 1_000_000))
        peaks.append(max(_frame_peaks(container, resampler, 8), default=0))
    return peaks


def _frame_peaks(container: InputContainer, resampler: av.AudioResampler, packets: int) -> Generator[int]:
    """Yield the highest sample of each frame; one 0 if too short to resample."""
    has_sound = has_peak = False
    for count, packet in enumerate(container.demux(audio=0)):
        if count >= packets:
            break
        try:
            whole = packet.decode()
            for frame in whole:
                frame.pts = None  # the packets are not consecutive
            frames = [small for frame in whole for small in resampler.resample(frame)]
        except av.FFmpegError:
            continue  # a broken packet: try the next
        has_sound = has_sound or bool(whole)
        for peak in _highest_samples(frames):
            has_peak = True
            yield peak
    if has_sound and not has_peak:
        yield 0


def _highest_samples(frames: Sequence[AudioFrame]) -> Generator[int]:
    for frame in frames:
        samples = array("h", bytes(frame.planes[0])[: frame.samples * 2])
        if samples:
            low, high = min(samples), max(samples)
            yield max(high, -low)


def _bars(peaks: Sequence[int]) -> list[int]:
    edges = [bar * len(peaks) // _BARS for bar in range(_BARS + 1)]
    return [max(peaks[start : max(start + 1, end)]) for start, end in pairwise(edges)]


def _waveform(bars: Sequence[int]) -> pyvips.Image:
    highest = max(1, *bars)
    halves = [max(2, peak * (_HEIGHT // 2 - 20) // highest) for peak in bars]
    rows = []
    for row in range(_HEIGHT):
        away = abs(row - _HEIGHT // 2)
        rows.append(b"".join((_WAVE if away < half else _GROUND) * _BAR + _GROUND * (_STEP - _BAR) for half in halves))
    picture = pyvips.Image.new_from_memory(b"".join(rows), _BARS * _STEP, _HEIGHT, 3, "uchar")
    return picture.copy(interpretation="srgb").copy_memory()
