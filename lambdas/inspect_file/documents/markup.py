"""Searches SVG, XML, HTML and Office parts for active content and entity bombs."""

import re
from typing import IO, Any
from xml.parsers import expat

from lambdas.inspect_file.sniffing import decode_text
from lambdas.shared.decoding.job import Limits
from workflows.errors import ActiveContent, DecompressionBomb, FileTooLarge, UnreadableDocument

_STEP_BYTES = 64 * 1024
_MAX_HTML_BYTES = 16 * 1024 * 1024
_ACTIVE_ELEMENTS = frozenset(
    {"script", "handler", "listener", "foreignobject", "iframe", "embed", "object", "applet", "frame"}
)
# A browser runs active elements of these namespaces in any XML.
_ACTIVE_NAMESPACES = frozenset({"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"})
_SCRIPT_SCHEMES = ("javascript:", "vbscript:", "livescript:", "data:text", "data:application", "data:image/svg")
# A picture's own colours and shapes need no external resource; a link that has to be clicked may lead anywhere.
_LOADED = re.compile(r"(?:url\s*\(\s*['\"]?|@import\s+['\"]?)\s*(?:https?:|ftp:|file:|//|\\\\)", re.I)
_EXTERNAL = re.compile(r"\s*(?:https?:|ftp:|file:|//|\\\\)", re.I)
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
# Unlike libxml2, expat limits the size of expanded entities. This is in its error message.
_AMPLIFIED = "limit on input amplification factor"
_REMEDY = "Upload it as a picture or a PDF."
# Entities may not contain others: a file of a drawing program has a few namespaces as entities, none nested.
_MAX_ENTITY_CHARACTERS = 4096
_MAX_DEPTH = 1000
_STYLE_END_CHARACTERS = 1000

CONTENT_TYPES = "[content_types].xml"
MACROS_REMEDY = "Save it without macros, or as a PDF, and upload that."
# Loaded when the file is opened; a link that has to be clicked may lead anywhere.
_LOADED_KINDS = re.compile(r"/(?:attachedTemplate|oleObject|frame|subDocument)\s*", re.I)
_EXTERNAL_PART = re.compile(r"\s*(?:https?|ftp|mhtml|ms-[a-z]+):", re.I)
# The type of a binary workbook (.xlsb) is "macroEnabled" even without macros: its parts decide.
_MACRO_TYPES = re.compile(r"(?<!sheet\.binary\.)macroEnabled|vnd\.ms-office\.vbaProject", re.I)


def refuse_xml_dangers(file: IO[bytes], key: str, limits: Limits) -> str:
    """Read XML to its end and return its root element, in lower case.

    Raises ActiveContent (scripts, handlers, external resources), DecompressionBomb (growing entities), FileTooLarge (an
    SVG that states more pixels than the limit) and UnreadableDocument (malformed).
    """
    reader = _XmlReader(key, limits)
    try:
        while chunk := file.read(_STEP_BYTES):
            reader.parser.Parse(chunk, False)  # noqa: FBT003  expat's own signature
        reader.parser.Parse(b"", True)  # noqa: FBT003  expat's own signature
    except expat.ExpatError as error:
        if _AMPLIFIED in str(error):
            raise reader.bomb() from error
        problem = f"is not well-formed XML: {error}."
        raise UnreadableDocument(key, problem, "Save it again and upload it.") from error
    except (LookupError, ValueError) as error:  # an unknown encoding
        raise UnreadableDocument(key, "is XML in an unknown encoding.", "Save it as UTF-8 and upload it.") from error
    return reader.root


def refuse_html_dangers(file: IO[bytes], key: str) -> None:
    """Raise ActiveContent for HTML with scripts or frames, UnreadableDocument if too long."""
    content = file.read(_MAX_HTML_BYTES + 1)
    if len(content) > _MAX_HTML_BYTES:
        raise UnreadableDocument(key, f"is an HTML page of more than {_MAX_HTML_BYTES:,} bytes.", _REMEDY)
    text = decode_text(content, is_whole=True)
    if _HTML_ACTIVE.search(content.decode("latin-1") if text is None else text):
        raise ActiveContent(key, "is an HTML page with scripts or frames in it.", "Print it to a PDF and upload that.")


def _new_parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    return parser


class _XmlReader:
    def __init__(self, key: str, limits: Limits) -> None:
        self.key, self.limits, self.root, self.is_active, self.depth = key, limits, "", False, 0
        self.style_depth = 0  # of the outermost open <style>, 0 outside
        self.style_end = ""  # end of its text so far, which comes in pieces
        self.parser = _new_parser()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start_element
        self.parser.EndElementHandler = self.end_element
        self.parser.EntityDeclHandler = self.declare_entity
        self.parser.ProcessingInstructionHandler = self.process
        self.parser.CharacterDataHandler = self.text

    def bomb(self) -> DecompressionBomb:
        return DecompressionBomb(self.key, "has entities that expand excessively.", _REMEDY)

    def active(self, what: str) -> ActiveContent:
        return ActiveContent(self.key, f"has {what} in it.", _REMEDY)

    def declare_entity(self, _name: str, is_parameter: int, value: str | None, *_where: Any) -> None:
        if value is None:
            raise self.active("an external entity")
        if len(value) > _MAX_ENTITY_CHARACTERS or (re.search(r"[&%][\w:.-]+;", value) and not is_parameter):
            raise self.bomb()

    def start_element(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise DecompressionBomb(self.key, f"has elements more than {_MAX_DEPTH:,} deep.", _REMEDY)
        if not self.root:
            self.root, self.is_active = local, local in {"svg", "html"}
            self.refuse_size(attributes)
        self.is_active = self.is_active or not _ACTIVE_NAMESPACES.isdisjoint(attributes.values())
        if local in _ACTIVE_ELEMENTS and self.is_active:
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
        if not self.is_active:
            return
        if re.fullmatch(r"on[a-z]+", attribute):
            raise self.active("an event handler")
        if attribute in {"href", "src"} and packed.startswith(_SCRIPT_SCHEMES):
            raise self.active("a document within a link")
        loads = attribute in {"href", "src"} and element != "a" and _EXTERNAL.match(value)
        if loads or _LOADED.search(value):
            raise self.active("an external resource")

    def process(self, target: str, data: str) -> None:
        if target == "xml-stylesheet" and not re.search(r"href\s*=\s*[\"']#", data):
            raise self.active("an external style sheet")

    def text(self, data: str) -> None:
        if self.style_depth and self.is_active:
            text = self.style_end + data
            if _LOADED.search(text):
                raise self.active("an external resource")
            self.style_end = text[-_STYLE_END_CHARACTERS:]

    def refuse_size(self, attributes: dict[str, str]) -> None:
        """Refuse an SVG too large to open elsewhere; it is never drawn here."""
        found = [_LENGTH.fullmatch(attributes.get(side, "")) for side in ("width", "height")]
        if self.root != "svg" or not (found[0] and found[1]):
            return
        width, height = float(found[0][1]), float(found[1][1])
        if width * height > self.limits.max_pixels:
            problem = f"states {width:,.0f} by {height:,.0f} pixels, more than {self.limits.max_pixels:,}."
            raise FileTooLarge(self.key, problem, "Upload a smaller picture.")


class PartReader:
    """Reads a part of an Office file while it is unpacked.

    Reads relationships and content types to the end, other XML up to its root, for entities.
    """

    def __init__(self, name: str, key: str, *, is_office: bool) -> None:
        """``name`` is in lower case. Malformed XML is ignored unless ``is_office``."""
        self.key, self.is_office = key, is_office
        self._is_read_whole = name == CONTENT_TYPES or name.endswith(".rels")
        self._is_done, self._has_types = False, name == CONTENT_TYPES
        self._parser = _new_parser()
        self._parser.StartElementHandler = self._start_element
        if is_office:
            self._parser.EntityDeclHandler = self._declare_entity

    def feed(self, chunk: bytes) -> None:
        """Read a chunk. Raises ActiveContent, DecompressionBomb (entities) and UnreadableDocument (malformed)."""
        if not self._is_done:
            self._parse(chunk, is_last=False)

    def close(self) -> None:
        """Finish. Raises the same as ``feed``."""
        if self._is_read_whole and not self._is_done:
            self._parse(b"", is_last=True)
        self._parser.StartElementHandler = self._parser.EntityDeclHandler = None  # break the reference cycle

    def _parse(self, chunk: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(chunk, is_last)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: an unknown encoding
            if self._is_done:  # the content after a root is not read
                return
            self._is_done = True
            if self.is_office:
                problem = "has a part that is not well-formed XML."
                raise UnreadableDocument(self.key, problem, "Save it again and upload it.") from error

    def _declare_entity(self, *_what: Any) -> None:
        problem = "has entities in its XML, which no office program writes."
        raise DecompressionBomb(self.key, problem, "Save it again.")

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        if not self._is_read_whole:
            self._is_done = True
            return
        named = {attribute.rpartition(":")[2].lower(): value for attribute, value in attributes.items()}
        if self._has_types and any(map(_MACRO_TYPES.search, named.values())):
            raise ActiveContent(self.key, "has macros.", MACROS_REMEDY)
        if not self._has_types and name.rpartition(":")[2].lower() == "relationship":
            self._refuse_loaded(named)

    def _refuse_loaded(self, attributes: dict[str, str]) -> None:
        kind, mode = attributes.get("type", ""), attributes.get("targetmode", "")
        if not mode.strip().lower().startswith("external") or not _EXTERNAL_PART.match(attributes.get("target", "")):
            return
        if _LOADED_KINDS.fullmatch(kind, max(0, kind.rfind("/"))):
            problem = "loads an external template or object when it is opened."
            raise ActiveContent(self.key, problem, "Save it as a PDF and upload that.")
