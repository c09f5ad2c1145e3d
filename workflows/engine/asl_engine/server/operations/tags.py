"""Operations on the tags of state machines and activities."""

from asl_engine.jsontext import Json
from asl_engine.server.catalog import MACHINE, TAGS, changing
from asl_engine.server.protocol import ApiCall
from asl_engine.server.validation import StatesArn, api_error, parse_arn
from asl_engine.store import Store
from asl_engine.store.records import Document

MAX_TAGS = 50


def keep_tags(store: Store, arn: str, tags: list[dict[str, str]]) -> None:
    """Add tags to a resource, replacing those of the same key. Raises TooManyTags."""
    if not tags:
        return
    document = store.document(TAGS, arn)
    kept: dict[str, str] = {} if document is None else dict(document.body)
    kept.update({tag["key"]: tag.get("value", "") for tag in tags})
    if len(kept) > MAX_TAGS:
        raise api_error("TooManyTags", arn)
    store.put_document(Document(TAGS, arn, kept))


def _taggable(call: ApiCall) -> StatesArn:
    arn = parse_arn(call.arguments["resourceArn"], "stateMachine", "activity")
    kind = MACHINE if arn.kind == "stateMachine" else "activity"
    if call.store.document(kind, arn.text) is None:  # a version or an alias has no tags
        raise api_error("ResourceNotFound", arn.text)
    return arn


def tag_resource(call: ApiCall) -> Json:
    """TagResource."""
    arn = _taggable(call)
    with changing:
        keep_tags(call.store, arn.text, call.arguments["tags"])
    return {}


def untag_resource(call: ApiCall) -> Json:
    """UntagResource. Safe to repeat."""
    arn = _taggable(call)
    with changing:
        document = call.store.document(TAGS, arn.text)
        if document is not None:
            left = {key: value for key, value in document.body.items() if key not in call.arguments["tagKeys"]}
            call.store.put_document(Document(TAGS, arn.text, left))
    return {}


def list_tags_for_resource(call: ApiCall) -> Json:
    """ListTagsForResource."""
    document = call.store.document(TAGS, _taggable(call).text)
    tags = {} if document is None else document.body
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
