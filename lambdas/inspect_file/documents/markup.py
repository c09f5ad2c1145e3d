"""Reads SVG, XML and HTML for what would run, or grow, where they are opened. Nothing is drawn or fetched."""

import re
from typing import IO, Any
from xml.parsers import expat

from lambdas.inspect_file.kinds.texts import decode_text
from lambdas.shared.decoding.job import Limits
from workflows.errors import ActiveContent, DecompressionBomb, FileTooLarge, UnreadableDocument

_STEP_BYTES = 64 * 1024
_MAX_HTML_BYTES = 16 * 1024 * 1024
_ACTIVE_ELEMENTS = frozenset(
    {"script", "handler", "listener", "foreignobject", "iframe", "embed", "object", "applet", "frame"}
)
# A browser runs what is of these within any XML.
_ACTING_NAMESPACES = frozenset({"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"})
_SCRIPT_SCHEMES = ("javascript:", "vbscript:", "livescript:", "data:text", "data:application", "data:image/svg")
# A picture's own colours and shapes need nothing from elsewhere; a link that one has to click on may lead away.
_LOADED = re.compile(r"(?:url\s*\(\s*['\"]?|@import\s+['\"]?)\s*(?:https?:|ftp:|file:|//|\\\\)", re.I)
_ELSEWHERE = re.compile(r"\s*(?:https?:|ftp:|file:|//|\\\\)", re.I)
_LENGTH = re.compile(r"\s*\+?([0-9]{1,12}(?:\.[0-9]*)?)\s*(?:px)?\s*")
_EVENTS = (
    "abort after anim auxclick before begin blur cancel canplay change click close context copy cue cut dblclick drag"
    " drop duration empt end error focus form full gotpointer hash input invalid key load lost message mouse offline"
    " online open page paste pause play pointer popstate progress rate ready repeat reset resize scroll search seek"
    " select show slot stalled storage submit suspend time toggle touch transition unhandled unload volume wait wheel"
)
_HTML_ACTIVE = re.compile(
    r"<(?:script|iframe|object|embed|applet|frame|base)[\s/>]"
    rf"|[\s\"'/]on(?:{_EVENTS.replace(' ', '|')})[a-z]*\s*=|j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t\s*:|vbscript:"
    r"|http-equiv\s*=\s*[\"']?\s*refresh",
    re.I,
)
# Unlike libxml2, expat counts what entities grow to. These are its own words for it.
_AMPLIFIED = "limit on input amplification factor"
_REMEDY = "Upload it as a picture or a PDF."
# Of entities that name others: an illustrator's file has a few namespaces, none within another.
_MAX_ENTITY_LETTERS = 4096
_MAX_DEPTH = 1000
_STYLE_END_LETTERS = 1000


def refuse_xml_dangers(file: IO[bytes], key: str, limits: Limits) -> str:
    """Read an XML to its end and return the name of its root element, in small letters.

    Raises ActiveContent (scripts, handlers, what is loaded from elsewhere), DecompressionBomb (entities that grow),
    FileTooLarge (an SVG that says to be larger than a picture may be), UnreadableDocument (not well-formed).
    """
    reader = _XmlReader(key, limits)
    try:
        while chunk := file.read(_STEP_BYTES):
            reader.parser.Parse(chunk, False)  # noqa: FBT003  expat's own signature
        reader.parser.Parse(b"", True)  # noqa: FBT003  expat's own signature
    except expat.ExpatError as error:
        if _AMPLIFIED in str(error):
            raise reader.bomb() from error
        raise UnreadableDocument(key, f"is no well-formed XML: {error}.", "Save it again and upload it.") from error
    except (LookupError, ValueError) as error:  # an unknown encoding
        raise UnreadableDocument(key, "is XML in an unknown encoding.", "Save it as UTF-8 and upload it.") from error
    return reader.root


def refuse_html_dangers(file: IO[bytes], key: str) -> None:
    """Raise ActiveContent for HTML that runs scripts or holds frames; UnreadableDocument where it is too long."""
    content = file.read(_MAX_HTML_BYTES + 1)
    if len(content) > _MAX_HTML_BYTES:
        raise UnreadableDocument(key, f"is an HTML page of more than {_MAX_HTML_BYTES:,} bytes.", _REMEDY)
    text = decode_text(content, is_whole=True)
    if _HTML_ACTIVE.search(content.decode("latin-1") if text is None else text):
        raise ActiveContent(key, "is an HTML page with scripts or frames in it.", "Print it to a PDF and upload that.")


class _XmlReader:
    def __init__(self, key: str, limits: Limits) -> None:
        self.key, self.limits, self.root, self.acts = key, limits, "", False
        self.depth = 0
        self.parser = expat.ParserCreate()
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start_element
        self.parser.EntityDeclHandler = self.declare_entity
        self.parser.ProcessingInstructionHandler = self.process
        self.parser.CharacterDataHandler = self.text
        self.style_depth = 0  # of the outermost <style> that is open, 0 outside
        self.style_end = ""  # of its text so far, which comes in pieces
        self.parser.EndElementHandler = self.end_element

    def bomb(self) -> DecompressionBomb:
        return DecompressionBomb(self.key, "has entities that grow out of all measure.", _REMEDY)

    def active(self, what: str) -> ActiveContent:
        return ActiveContent(self.key, f"has {what} in it.", _REMEDY)

    def declare_entity(self, _name: str, is_parameter: int, value: str | None, *_where: Any) -> None:
        if value is None:
            raise self.active("an entity from elsewhere")
        if len(value) > _MAX_ENTITY_LETTERS or (re.search(r"[&%][\w:.-]+;", value) and not is_parameter):
            raise self.bomb()

    def start_element(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise DecompressionBomb(self.key, f"has elements more than {_MAX_DEPTH:,} deep.", _REMEDY)
        if not self.root:
            self.root, self.acts = local, local in {"svg", "html"}
            self.refuse_size(attributes)
        self.acts = self.acts or not _ACTING_NAMESPACES.isdisjoint(attributes.values())
        if local in _ACTIVE_ELEMENTS and self.acts:
            raise self.active(f"<{local}>")
        if local == "style" and not self.style_depth:
            self.style_depth, self.style_end = self.depth, ""
        for attribute, value in attributes.items():
            self.check_attribute(local, attribute.rpartition(":")[2].lower(), value)

    def end_element(self, _name: str) -> None:
        if self.depth == self.style_depth:
            self.style_depth = 0
        self.depth -= 1

    def check_attribute(self, element: str, attribute: str, value: str) -> None:
        packed = re.sub(r"[\s\x00-\x1f]+", "", value[:200]).lower()
        if packed.startswith(_SCRIPT_SCHEMES[:3]):
            raise self.active("a link that runs a script")
        if not self.acts:
            return
        if re.fullmatch(r"on[a-z]+", attribute):
            raise self.active("an event handler")
        if attribute in {"href", "src"} and packed.startswith(_SCRIPT_SCHEMES):
            raise self.active("a document within a link")
        loads = attribute in {"href", "src"} and element != "a" and _ELSEWHERE.match(value)
        if loads or _LOADED.search(value):
            raise self.active("something that is loaded from elsewhere")

    def process(self, target: str, data: str) -> None:
        if target == "xml-stylesheet" and not re.search(r"href\s*=\s*[\"']#", data):
            raise self.active("a style sheet that is loaded from elsewhere")

    def text(self, data: str) -> None:
        if self.style_depth and self.acts:
            text = self.style_end + data
            if _LOADED.search(text):
                raise self.active("something that is loaded from elsewhere")
            self.style_end = text[-_STYLE_END_LETTERS:]

    def refuse_size(self, attributes: dict[str, str]) -> None:
        """It is never drawn here, but somebody will open it."""
        found = [_LENGTH.fullmatch(attributes.get(side, "")) for side in ("width", "height")]
        if self.root != "svg" or not (found[0] and found[1]):
            return
        width, height = float(found[0][1]), float(found[1][1])
        if width * height > self.limits.max_pixels:
            problem = f"says to be {width:,.0f} by {height:,.0f} pixels, more than {self.limits.max_pixels:,}."
            raise FileTooLarge(self.key, problem, "Upload a smaller picture.")
