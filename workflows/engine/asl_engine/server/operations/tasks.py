"""Operations on task tokens and activities."""

import asyncio
from collections.abc import Callable
from functools import partial

from asl_engine.json_problems import problem_of
from asl_engine.jsontext import Json, loads
from asl_engine.server.catalog import TAGS, account_key, changing, sortable
from asl_engine.server.operations.tags import keep_tags
from asl_engine.server.protocol import ApiCall, seconds
from asl_engine.server.validation import api_error, check_encryption, check_name, parse_arn, with_default
from asl_engine.store import Store
from asl_engine.store.records import Document

ACTIVITY = "activity"
# The duration of a worker's long poll, and the interval at which it checks the queue.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html
POLL_SECONDS, CHECK_SECONDS = 60.0, 0.05


def send_task_success(call: ApiCall) -> Json:
    """SendTaskSuccess."""
    try:
        output = loads(call.arguments["output"])
    except ValueError:
        raise api_error("InvalidOutput", problem_of(call.arguments["output"]).message) from None
    call.engine.succeed_task(call.arguments["taskToken"], output)
    return {}


def send_task_failure(call: ApiCall) -> Json:
    """SendTaskFailure."""
    asked = call.arguments
    call.engine.fail_task(asked["taskToken"], asked.get("error"), asked.get("cause"))
    return {}


def send_task_heartbeat(call: ApiCall) -> Json:
    """SendTaskHeartbeat."""
    call.engine.beat(call.arguments["taskToken"])
    return {}


def create_activity(call: ApiCall) -> Json:
    """CreateActivity. Safe to retry."""
    asked = call.arguments
    name = check_name(asked["name"])
    encryption = check_encryption(with_default("encryptionConfiguration", asked))
    arn = call.account.arn("activity", name)
    with changing:
        document = call.store.document(ACTIVITY, arn)
        if document is None:
            now = call.now_ms()
            body = {"name": name, "created_ms": now, "encryption": encryption}
            document = Document(ACTIVITY, arn, body, account_key(call.account), sortable(now))
            call.store.put_document(document)
            keep_tags(call.store, arn, asked.get("tags") or [])
        elif document.body["encryption"] != encryption:
            raise api_error("ActivityAlreadyExists", arn)
    return {"activityArn": arn, "creationDate": seconds(document.body["created_ms"])}


def activity_exists(store: Store, arn: str) -> bool:
    """Return whether an activity was created and not deleted."""
    return store.document(ACTIVITY, arn) is not None


def _activity(call: ApiCall) -> Document:
    arn = parse_arn(call.arguments["activityArn"], "activity")
    document = call.store.document(ACTIVITY, arn.text)
    if document is None:
        raise api_error("ActivityDoesNotExist", arn.text)
    return document


def describe_activity(call: ApiCall) -> Json:
    """DescribeActivity."""
    activity = _activity(call)
    return {**_listed(activity), "encryptionConfiguration": activity.body["encryption"]}


def _listed(activity: Document) -> dict[str, Json]:
    body = activity.body
    return {"activityArn": activity.key, "name": body["name"], "creationDate": seconds(body["created_ms"])}


def delete_activity(call: ApiCall) -> Json:
    """DeleteActivity. Safe to repeat."""
    arn = parse_arn(call.arguments["activityArn"], "activity").text
    call.store.delete_document(ACTIVITY, arn)
    call.store.delete_document(TAGS, arn)
    return {}


def list_activities(call: ApiCall) -> Json:
    """ListActivities, oldest first."""
    page, more = call.documents(ACTIVITY, account_key(call.account))
    return {"activities": [_listed(one) for one in page], **more}


async def get_activity_task(call: ApiCall) -> Json:
    """GetActivityTask: wait up to a minute for a task; without one, answer no token."""
    activity = await _in_thread(partial(_activity, call))
    take = partial(call.engine.take_activity_task, activity.key, call.arguments.get("workerName"))
    end = asyncio.get_running_loop().time() + POLL_SECONDS
    while (task := await _in_thread(take)) is None:
        if asyncio.get_running_loop().time() >= end:
            return {}
        await asyncio.sleep(CHECK_SECONDS)
    return {"taskToken": task[0], "input": task[1]}


async def _in_thread[T](job: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, job)
