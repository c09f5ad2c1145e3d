"""Reads the parts of an Office file that say what else is loaded with it, while they are unpacked. None is kept."""

import re
from typing import Any
from xml.parsers import expat

from workflows.errors import ActiveContent, DecompressionBomb, UnreadableDocument

CONTENT_TYPES = "[content_types].xml"
MACROS_REMEDY = "Save it without macros, or as a PDF, and upload that."
# What is loaded without being asked for; a link that one has to click on may lead away.
_LOADED_KINDS = re.compile(r"/(?:attachedTemplate|oleObject|frame|subDocument)\s*", re.I)
_ELSEWHERE = re.compile(r"\s*(?:https?|ftp|mhtml|ms-[a-z]+):", re.I)
# A binary workbook (.xlsb) is "macroEnabled" by its type, whether or not it has any: its parts decide.
_MACRO_TYPES = re.compile(r"(?<!sheet\.binary\.)macroEnabled|vnd\.ms-office\.vbaProject", re.I)


class PartReader:
    """Reads one part: relations and content types to their end, any other XML up to its root, behind its entities."""

    def __init__(self, name: str, key: str, *, is_office: bool) -> None:
        """``name`` is the part's in small letters. Of what is not ``is_office``, what is no XML is left alone."""
        self.key, self.is_office = key, is_office
        self._is_read_whole = name == CONTENT_TYPES or name.endswith(".rels")
        self._is_done, self._has_types = False, name == CONTENT_TYPES
        self._parser = expat.ParserCreate()
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartElementHandler = self._start_element
        if is_office:
            self._parser.EntityDeclHandler = self._declare_entity

    def feed(self, chunk: bytes) -> None:
        """Read more of it. Raises ActiveContent, DecompressionBomb (entities) and UnreadableDocument (no XML)."""
        if not self._is_done:
            self._parse(chunk, is_last=False)

    def close(self) -> None:
        """Tell that this was all. Raises as feed."""
        if self._is_read_whole and not self._is_done:
            self._parse(b"", is_last=True)
        self._parser.StartElementHandler = self._parser.EntityDeclHandler = None  # else they would hold each other

    def _parse(self, chunk: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(chunk, is_last)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the latter: an unknown encoding
            if self._is_done:  # what follows a root is not read
                return
            self._is_done = True
            if self.is_office:
                problem = "has a part that is no well-formed XML."
                raise UnreadableDocument(self.key, problem, "Save it again and upload it.") from error

    def _declare_entity(self, *_what: Any) -> None:
        problem = "has entities in its XML, which no office program writes."
        raise DecompressionBomb(self.key, problem, "Save it again.")

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        if self._is_read_whole:
            named = {attribute.rpartition(":")[2].lower(): value for attribute, value in attributes.items()}
            if self._has_types:
                self._refuse_macros(named)
            elif name.rpartition(":")[2].lower() == "relationship":
                self._refuse_loaded(named)
        else:
            self._is_done = True

    def _refuse_macros(self, attributes: dict[str, str]) -> None:
        if any(map(_MACRO_TYPES.search, attributes.values())):
            raise ActiveContent(self.key, "has macros.", MACROS_REMEDY)

    def _refuse_loaded(self, attributes: dict[str, str]) -> None:
        kind, mode = attributes.get("type", ""), attributes.get("targetmode", "")
        if not mode.strip().lower().startswith("external") or not _ELSEWHERE.match(attributes.get("target", "")):
            return
        if _LOADED_KINDS.fullmatch(kind, max(0, kind.rfind("/"))):
            problem = "loads a template or an object from elsewhere when it is opened."
            raise ActiveContent(self.key, problem, "Save it as a PDF and upload that.")
