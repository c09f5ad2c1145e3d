"""Draws pictures and PDFs of known appearance for tests."""

import base64
import io
import zlib
from typing import Any

from PIL import Image, ImageCms

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 30), (30, 30, 220), (220, 220, 30)
# What a picture stored with each EXIF orientation has to go through to be seen upright is undone here.
_STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

# One page that asks for a password, written once with fpdf2: nothing among the test tools writes one.
ENCRYPTED_PDF = zlib.decompress(
    base64.b85decode(
        r"c-n<h%Wl*#6qQ(j@Qy$5W+XOk{K~`9Xi#FurJ_}<nZjn&MMyj)DC3M059+|*u;UZDV$+WS!2%ZSaXO(BG)Q=3`&{31&-J;Zb"
        r"EyvSp$|r1zy16SFhsC^{T7VJz!UY_Scrl5qAXfCr!F+T1m3AG$}Fj`;T$;xhv*PR5Mz2sxr<(GRvLQe*_Cd=WCFA)Iyy3-Jz"
        r"HrL=eDd(&j~$M+UL-$tI82{sVCW{UR&s$87=B+y);|6g`K?VpCTf&Syf*R%Fw^m8>@|NA=~C0HT8N0$KyVEd-Z0}yJ#}guCh"
        r"j(eB($RBK5m6*VCiKF}uPpV*ga0>b71txs&1#rF7~BI@mymDl4lS*JG7gEp=WO8h9t#T-i4e^De2ijn0<f=Gm8DH;+C%J^At"
        r"J_Q8|ehu=Rw?)ds>&+HGF&zm}*X$$9`^U(F7uicj&FP)U6-$lP4Uk=0t!%uSDofFb&gJT)tSaPmJcVH1#QXmqAk{}i^LPek^"
        r"1D<felbXEQtn8__S>arPi>zw(uJ@VEOp!Iku5l8%L4act6NO^TIl`QX0Ab8RiV`U#<%)(8iDI9Mh{u#6DP2rNKH*#npZHOVM"
        r"duGZV9pmvfh)6AU9m!_?$YcoFI{tl5Jl4%r;!YT5Xm475RXwRn8b=R6?2)$g!xECsh~I^X~04iV48$D<z1;)kPQ02Zu9~m7y"
        r")#@VBq`IhYNU*VQ1J~#N1;Tkv)u{{dbh%J&e(RU_9Ex{1ELh+hk>>n>(Xs<$LWUd(*nMkZecz*eq%oY|p)sFziDT&d0Gc9up"
        r"NaNmE2s=q3V5N(C2wm?FU@|9^40o%5`*cfS^q0E|ZInF7B7E*deC"
    )
)


def corners(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """Return a picture with another colour in each quarter: red, green, then blue, yellow below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image.convert(mode)


def corner_colours(image: Image.Image) -> list[str]:
    """Return the names of the colours in the four quarters of a picture."""
    rgb = image.convert("RGB")
    width, height = rgb.size
    points = [(x * width // 4, y * height // 4) for y in (1, 3) for x in (1, 3)]
    return [_nearest(rgb.getpixel(point)) for point in points]


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """Return a picture's file."""
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def jpeg_turned(orientation: int, width: int = 60, height: int = 40, file_format: str = "JPEG") -> bytes:
    """Return ``corners`` stored so that only its EXIF orientation makes it upright."""
    turn = _STORED_AS[orientation]
    image = corners(width, height)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image if turn is None else image.transpose(turn), file_format, exif=exif)


def pdf(width: int = 300, height: int = 200, pages: int = 1, *, kids: str | None = None) -> bytes:
    """Return a PDF with a first page that is red on the left."""
    content = f"0.86 0.12 0.12 rg 0 0 {width / 2} {height} re f".encode()
    numbers = [4 + page for page in range(pages)]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers) if kids is None else kids}] "
        f"/Count {pages} >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        *[
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 3 0 R >>".encode()
            for _ in numbers
        ],
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    )


def swapped_primaries_profile() -> bytes:
    """Return an RGB profile in which the same numbers mean other colours than in sRGB."""
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Red and green are swapped: a reader that applies the profile sees green for red.
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    data = bytearray(swapped)
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def _nearest(colour: Any) -> str:
    names = {"red": RED, "green": GREEN, "blue": BLUE, "yellow": YELLOW, "white": (255, 255, 255)}
    return min(names, key=lambda name: sum((a - b) ** 2 for a, b in zip(names[name], colour, strict=True)))
