"""Fakes of all steps, packed as the code of each invoked function.

A file's name, a recipient's or an argument says what shall go wrong. Each event is kept in the folder
``SEEN``, so that a test can hold it against its contract.
"""

import json
import os
import re
import time
import uuid
from pathlib import Path
from typing import Any

SHA256 = "0" * 64
UNREACHABLE_USER = 404
TURN_SECONDS = 3
CRASHING_CLIENT = 500
SKIPPED_DAY = "2026-11-01"


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    earlier = remember(context.function_name, event)
    answer: dict[str, Any] = globals()[context.function_name](event, earlier)
    return answer


def remember(function: str, event: dict[str, Any]) -> int:
    """Keep the event; return how often it came before, a count of attempts aside."""
    folder, text = Path(os.environ["SEEN"]) / function, json.dumps(event)
    folder.mkdir(exist_ok=True)
    seen = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    partial = folder / f"{uuid.uuid4()}.partial"
    partial.write_text(text)
    partial.rename(partial.with_suffix(".json"))
    return sum({**event, "attempt": 0} == {**other, "attempt": 0} for other in seen)


def fail(name: str, text: str) -> None:
    raise type(name, (Exception,), {})(text)


def LoadReportFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802  the function's own name
    report: dict[str, Any] = json.loads((Path(os.environ["SEEN"]) / f"report-{event['report_id']}.json").read_text())
    return report


def ListDigestsFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    date = event["payload"].get("date", "")
    if date == SKIPPED_DAY:
        return {"date": date, "digests": [], "skipped": "The run before has not ended."}
    clients = [7, UNREACHABLE_USER, CRASHING_CLIENT, 8]
    return {
        "date": date or "2026-11-23",
        "digests": [{"client_id": client, "user_id": client, "date": date or "2026-11-23"} for client in clients],
        "skipped": None,
    }


def InspectFileFunction(event: dict[str, Any], earlier: int) -> dict[str, Any]:  # noqa: N802
    name = event["file"]["name"]
    if name == "broken.jpg":
        fail("UnreadableImage", "No decoder reads it.")
    if name == "flaky.jpg" and earlier < 2:
        fail("StorageUnavailable", "Try again.")
    if name == "outage.jpg":
        fail("StorageUnavailable", "Try again.")
    if name == "bug.jpg":
        fail("KeyError", "A bug.")
    if name == "slow.jpg":
        time.sleep(30)
    if name == "crash.jpg":
        os._exit(1)
    kind = {"jpg": "image", "pdf": "pdf"}.get(name.rsplit(".", 1)[-1], "other")
    facts = {"kind": kind, "media_type": "text/plain", "size_bytes": 1, "sha256": SHA256}
    unknown = ("width", "height", "frames", "pages", "duration_seconds")
    camera = ("captured_at", "camera", "latitude", "longitude")
    return {**facts, **dict.fromkeys((*unknown, *camera))}


def MakeThumbnailsFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    if event["file"]["name"] == "heavy.jpg":
        fail("Runtime.OutOfMemory", "Killed.")
    thumbnail = {"size": "small", "key": "t", "media_type": "image/webp", "width": 1, "height": 1, "size_bytes": 1}
    return {"thumbnails": [thumbnail], "reason": None}


def RecordReportFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    accepted = [result for result in event["results"] if result["status"] == "accepted"]
    thumbnails = sum(len(result["thumbnails"]) for result in accepted)
    return {"accepted": len(accepted), "rejected": len(event["results"]) - len(accepted), "thumbnails": thumbnails}


def RenderEmailFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    if (event.get("digest") or {}).get("client_id") == CRASHING_CLIENT:
        os._exit(1)
    if (event.get("recipient") or event.get("digest") or {}).get("user_id") == UNREACHABLE_USER:
        fail("RecipientNotFound", "No such user.")
    return {"email_key": f"emails/{event['task_id']}.json", "send_once_key": event["task_id"]}


def SendEmailFunction(_event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    return {"status": "sent", "message_id": None}


def RunTaskFunction(event: dict[str, Any], earlier: int) -> dict[str, Any]:  # noqa: N802
    task = event["input"]["task"]
    if task == "unknown":
        fail("TaskNotRegistered", "Nothing goes by that name.")
    if task == "flaky" and earlier < 2:
        fail("ZeroDivisionError", "division by zero")
    if task == "nothing":
        return {"return_value": None}
    return {"return_value": {"attempt": event["attempt"], "payload": event["input"].get("payload")}}


def ChoosePersonFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    """Ask the people that the report's id encodes: 404007 is 404, then 7."""
    people = [int(digits) for digits in re.findall("...", str(event["report_id"]))]
    number = event["previous_turn"] + 1
    if number > len(people):
        fail("NobodyAcknowledged", "All were asked.")
    recipient = {"user_id": people[number - 1], "role": "supervisor"}
    times = {"timeout_seconds": TURN_SECONDS, "heartbeat_seconds": TURN_SECONDS - 1}
    return {"number": number, "is_acknowledged": False, "inquiry_id": number, "recipient": recipient, **times}


def AwaitAcknowledgementFunction(_event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    return {"is_acknowledged": False}


def RecordAcknowledgementFunction(event: dict[str, Any], _earlier: int) -> dict[str, Any]:  # noqa: N802
    answer = event["acknowledgement"]
    return {"user_id": answer["user_id"], "acknowledged_at": answer["acknowledged_at"]}
