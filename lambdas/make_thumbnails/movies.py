"""Draws a video: a poster, which is the frame that shows most of several, and a short animation of them all."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from math import inf
from time import monotonic

import av
import pyvips  # type: ignore[import-untyped]  # it ships no types
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lambdas.make_thumbnails.encoding import Drawn, encode_all, fit, shrink
from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW, ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.containers import (
    aspect_of,
    check_frame,
    film_of,
    first_frames,
    open_container,
    stated_seconds,
    turns_of,
    unreadable,
)

_FRAMES = 8
# With fewer key frames than this, others are decoded as well: messengers make a clip of one, and it may be black.
_FEW = 4
# … but no more than so many pixels of them: two seconds' work of a slow core, at any size.
_MAX_DECODED_PIXELS = 250_000_000
# … and for no more than this part of a decoder's time: what was found until then is shown, rather than nothing.
_SHARE_OF_TIME = 0.4
_EDGE = 1280
_MILLISECONDS = 300
_QUALITY = 60


def draw_movie(file: MediaFile, sizes: Sequence[ThumbnailSize], limits: Limits) -> list[Drawn]:
    """Return each size, the preview animated. Raises UnreadableVideo if no frame decodes, and FileTooLarge.

    The same film gives the same bytes, unless a machine is so slow that the time is up before the frames are.
    """
    until = monotonic() + limits.decoder_seconds * _SHARE_OF_TIME
    with open_container(file, limits) as container:
        stream = film_of(container)
        if stream is None:
            raise unreadable(file, "has no video.")
        edge = max((size.edge for size in sizes), default=_EDGE)
        found: dict[int, pyvips.Image] = {}
        for frame in _chosen(container, stream, found, until):
            check_frame(file, frame, limits)
            found[len(found) if frame.pts is None else frame.pts] = _upright(frame, stream, edge)
    if not found:
        raise unreadable(file, "has no frame that can be decoded.")
    frames = [found[moment] for moment in sorted(found)]
    stills = iter(encode_all(max(frames, key=_score), [size for size in sizes if size.name != PREVIEW]))
    return [_animate(frames, size) if size.name == PREVIEW else next(stills) for size in sizes]


def _chosen(
    container: InputContainer, stream: VideoStream, found: Mapping[int, pyvips.Image], until: float
) -> Generator[VideoFrame]:
    """Give key frames, and others where few of them were found, until the time is up: one at the least."""
    stream.codec_context.skip_frame = "NONKEY"
    yield from _spread(container, stream, until)
    if len(found) < _FEW and monotonic() < until:
        stream.codec_context.skip_frame = "DEFAULT"
        yield from _in_turn(container, stream, until)


def _spread(container: InputContainer, stream: VideoStream, until: float) -> Generator[VideoFrame]:
    """Give key frames spread over the video, each once."""
    seconds = stated_seconds(container) or 0.0
    seen: set[int | None] = set()
    for part in range(_FRAMES):
        try:
            # 0 for the first: from its start time a seek may end behind the only frame.
            start = max(0, container.start_time or 0) if part else 0
            container.seek(int(seconds * part / _FRAMES * 1_000_000) + start)
        except av.FFmpegError:
            if part:
                continue  # what cannot be sought is read from where it stands
        frame = next(first_frames(container, stream, until=until if seen else inf), None)
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame
        if seen and monotonic() > until:
            return


def _in_turn(container: InputContainer, stream: VideoStream, until: float) -> Generator[VideoFrame]:
    """Give frames spread over the video, or over as much of its beginning as may be decoded."""
    most = max(1, _MAX_DECODED_PIXELS // max(1, stream.width * stream.height))
    rate = float(stream.average_rate or 0) or 30.0
    step = min(stated_seconds(container) or most / rate, most / rate) / _FRAMES
    with suppress(av.FFmpegError):  # what cannot be sought is read from where it stands
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
    """Return a frame as it is seen, in 8 bits of RGB, no larger than the largest size."""
    width, height = fit(max(1, round(frame.width * aspect_of(stream))), frame.height, edge)
    plane = frame.reformat(width=width, height=height, format="rgb24").planes[0]
    data, row = bytes(plane), width * 3
    pixels = b"".join(data[start : start + row] for start in range(0, plane.line_size * height, plane.line_size))
    picture = pyvips.Image.new_from_memory(pixels, width, height, 3, "uchar").copy(interpretation="srgb")
    for turn in turns_of(frame):
        picture = getattr(picture, turn)()
    return picture.copy_memory()


def _score(picture: pyvips.Image) -> float:
    """Return how much a frame shows: black, white and plain ones the least."""
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
    # Pages and delays are metadata, which keep="none" would drop: a frame of FFmpeg has no other.
    return Drawn(size, width, height, strip.webpsave_buffer(Q=_QUALITY, effort=2, page_height=height))
