"""The numbers all estimates are made of: prices, quotas, what was measured, and the shape of a task.

Nothing else in this project has a price or a quota of AWS in it. Prices are list prices of us-east-1 in US dollars,
without free tiers, savings plans and taxes, as of the day beside each; Step Functions has the same in us-east-2, where
this project runs, the others were not compared. No AWS account was at hand: none of this was read from a bill.

**Not priced, since it depends on what one has already**: the database and its proxy, NAT gateways
and VPC endpoints, Django's own hosting, data leaving AWS, CloudWatch alarms, metrics and dashboards (metrics are
written as log lines; the custom metrics themselves are billed by the number of metrics, not by tasks).
"""

from dataclasses import dataclass, field

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """``usd`` for ``per`` of ``unit``. ``source`` is AWS's page of it; ``read`` tells what was read, and when."""

    usd: float
    per: float
    unit: str
    source: str
    read: str

    @property
    def each(self) -> float:
        """US dollars for one."""
        return self.usd / self.per


@dataclass(frozen=True)
class Quota:
    """What AWS lets through in one Region: ``rate`` each second and ``bucket`` at once, or ``rate`` at one time.

    ``main`` is the value of us-east-1, us-west-2 and eu-west-1, ``other`` that of all other Regions, us-east-2 among
    them. A ``bucket`` of None: AWS names none. ``adjustable``: Service Quotas takes a request.
    """

    unit: str
    main: float
    other: float
    adjustable: bool
    source: str
    main_bucket: float | None = None
    other_bucket: float | None = None
    at_once: bool = False


@dataclass(frozen=True)
class Measured:
    """One function's work: milliseconds of its code and bytes of its log, per invocation. ``samples`` were measured.

    ``stand_in`` names the function whose milliseconds these are, where its own are not logged.
    """

    p50_ms: int
    p95_ms: int
    mean_ms: int
    log_lines: float
    log_bytes: int
    samples: int
    stand_in: str = ""


@dataclass(frozen=True)
class Shape:
    """What one task of a workflow is made of. ``files`` are pictures or PDFs: each gets its thumbnails.

    ``items`` is how often each Map runs its states, by the Map's name. ``ways``: of what leaves a state, which share
    goes where; a state that is not in it goes to its Default or Next. ``waits_s``: how long the execution is open
    without any function at work.
    """

    items: dict[str, float]
    steps: str
    ways: dict[str, dict[str, float]] = field(default_factory=dict)
    files: float = 0
    file_bytes: int = 0
    mails: float = 0
    mail_bytes: int = 0
    waits_s: float = 0


# ---- Prices ----

_STEP_FUNCTIONS = "https://aws.amazon.com/step-functions/pricing/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_S3 = "https://aws.amazon.com/s3/pricing/"
_LOGS = "https://aws.amazon.com/cloudwatch/pricing/"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"

PRICES: dict[str, Price] = {
    "transition": Price(0.025, 1_000, "state transitions, Standard", _STEP_FUNCTIONS, "the page, 2026-11"),
    "express_request": Price(1.00, MILLION, "executions, Express", _STEP_FUNCTIONS, "the page, 2026-11"),
    # The first of three tiers; the next begin at 1,000 and 5,000 hours of a GB a month.
    "express_gb_second": Price(0.00001667, 1, "GB-s, Express", _STEP_FUNCTIONS, "the page, 2026-11"),
    "lambda_request": Price(0.20, MILLION, "invocations", _LAMBDA, "the page's examples, 2026-09"),
    # The first tier, to 7.5 billion GB-s a month.
    "lambda_gb_second": Price(
        0.0000133334,
        1,
        "GB-s, arm64",
        _LAMBDA,
        "by cloudchipr.com, 2024, and artillery 2.0.28's table; page unreadable",
    ),
    # The guide's own design has no architecture set: Lambda's default.
    "lambda_gb_second_x86": Price(0.0000166667, 1, "GB-s, x86_64", _LAMBDA, "by cloudchipr.com, 2024, and the guide"),
    "durable_operation": Price(8.00, MILLION, "durable operations", _LAMBDA, "the page's examples, 2026-09"),
    "durable_written_gb": Price(0.25, 1, "GB written by durable operations", _LAMBDA, "the page, 2026-11"),
    "durable_kept_gb_month": Price(0.15, 1, "GB-months kept by durable executions", _LAMBDA, "the page, 2026-11"),
    "sqs_request": Price(
        0.40, MILLION, "requests, standard queue", "https://aws.amazon.com/sqs/pricing/", "the page, 2026-11"
    ),
    "schedule": Price(
        1.00,
        MILLION,
        "schedules fired",
        "https://aws.amazon.com/eventbridge/pricing/",
        "by cloudburn.io, 2026-03; wring.co says free",
    ),
    # Status changes of executions come from AWS itself and go to one Lambda function: free.
    "service_event": Price(
        0.0,
        MILLION,
        "events of AWS services",
        "https://aws.amazon.com/eventbridge/pricing/",
        "by factualminds.com, 2026-06",
    ),
    "log_ingested_gb": Price(0.50, 1, "GB of logs taken in", _LOGS, "by c3x.dev, 2026-06"),
    "log_kept_gb_month": Price(0.03, 1, "GB-months of logs", _LOGS, "by c3x.dev, 2026-06"),
    "s3_put": Price(0.005, 1_000, "PUT, COPY, POST, LIST", _S3, "by devnotes.tech, looked up 2026-11"),
    "s3_get": Price(0.0004, 1_000, "GET and all others", _S3, "by devnotes.tech, looked up 2026-11"),
    "s3_gb_month": Price(0.023, 1, "GB-months, S3 Standard, first 50 TB", _S3, "by devnotes.tech, looked up 2026-11"),
    "dynamodb_write": Price(
        0.625,
        MILLION,
        "write request units of 1 KB",
        _DYNAMODB,
        "by airbyte.com, looked up 2026-11; some pages have twice that",
    ),
    "dynamodb_read": Price(
        0.125,
        MILLION,
        "read request units of 4 KB",
        _DYNAMODB,
        "by airbyte.com, looked up 2026-11; some pages have twice that",
    ),
    "mail": Price(
        0.10, 1_000, "mails sent", "https://aws.amazon.com/ses/pricing/", "by acecloudinterviews.com, looked up 2026-11"
    ),
    "trace": Price(5.00, MILLION, "traces recorded", "https://aws.amazon.com/xray/pricing/", "the page, 2026-11"),
}
# SES bills attachments by the GB. Its page was not to be read, and a bill of 2019 (0.44 USD for 3.70 GB) is too old.
NOT_FOUND: dict[str, str] = {
    "mail_attachment_gb": "SES's price per GB of attachments: https://aws.amazon.com/ses/pricing/ was not readable.",
}

# ---- Quotas ----

_SFN_QUOTAS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
_LAMBDA_QUOTAS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"

QUOTAS: dict[str, Quota] = {
    "StartExecution": Quota(
        "Standard executions started",
        300,
        150,
        adjustable=True,
        source=_SFN_QUOTAS,
        main_bucket=1_300,
        other_bucket=800,
    ),
    "StartExecution, Express": Quota(
        "Express executions started",
        6_000,
        6_000,
        adjustable=True,
        source=_SFN_QUOTAS,
        main_bucket=6_000,
        other_bucket=6_000,
    ),
    "StateTransition": Quota(
        "Standard transitions", 5_000, 800, adjustable=True, source=_SFN_QUOTAS, main_bucket=5_000, other_bucket=800
    ),
    "Open executions": Quota(
        "Standard executions open", 1_000_000, 1_000_000, adjustable=True, source=_SFN_QUOTAS, at_once=True
    ),
    "SendTaskSuccess": Quota(
        "answers to waiting tasks", 500, 300, adjustable=True, source=_SFN_QUOTAS, main_bucket=3_000, other_bucket=1_500
    ),
    "Lambda concurrency": Quota(
        "functions at work", 1_000, 1_000, adjustable=True, source=_LAMBDA_QUOTAS, at_once=True
    ),
    "SQS in flight": Quota(
        "messages received and not deleted",
        120_000,
        120_000,
        adjustable=True,
        source="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html",
        at_once=True,
    ),
    "S3 PUT": Quota(
        "PUT of one prefix",
        3_500,
        3_500,
        adjustable=False,
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
    ),
    "S3 GET": Quota(
        "GET and HEAD of one prefix",
        5_500,
        5_500,
        adjustable=False,
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
    ),
    # Read for us-east-2 alone; AWS has 10,000 in the Regions that its page does not list.
    "KMS": Quota(
        "symmetric requests of keys",
        20_000,
        20_000,
        adjustable=True,
        source="https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html",
    ),
    "DynamoDB writes": Quota(
        "write units of one table",
        40_000,
        40_000,
        adjustable=True,
        source="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html",
    ),
    # Out of the sandbox each account is given its own: it is on SES's page "Account dashboard". AWS names no default.
    "SES, sandbox": Quota(
        "mails sent, while in the sandbox",
        1,
        1,
        adjustable=True,
        source="https://docs.aws.amazon.com/ses/latest/dg/quotas.html",
    ),
}
# Express: https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
EXPRESS_LONGEST_S = 300

# ---- Measured ----

# From runs of `make demo` in November 2026, on two cores of an AMD EPYC with PostgreSQL, S3 and SES stood in for on the
# same machine: the "seconds" of each line "step done", warm and cold alike, percentiles by the nearest rank.
# Inspect File and Make Thumbnails: from the two latest (18 reports, 26 files inspected and 24 drawn, 55 mails each),
# after each got a process that decodes. The others: from two before that (15 reports, 21 files, 46 mails each).
# Run Task, Choose Person and Await Acknowledgement: from a longer run of `make up`, the same way. The dispatcher: 40
# batches of ten messages in one process, with moto for Step Functions.
# They are NOT Lambda's billed milliseconds: Lambda's own time of each invocation and its starts are not in them, nor
# the network between AWS's services; and a function of 512 MB has 0.29 of a core, not a whole one. For that see
# CPU_SHARE_MB. After a deploy put the numbers of "REPORT" or of CloudWatch's Duration here; all tables follow.
# Log bytes: the lines of an invocation that went well, without Lambda's own, which SystemLogLevel WARN leaves out.
MEASURED: dict[str, Measured] = {
    "dispatch_tasks": Measured(19, 41, 20, 11, 2_842, 40),  # of ten messages
    "load_report": Measured(43, 126, 54, 1, 256, 30),
    "inspect_file": Measured(52, 806, 143, 1, 256, 52),
    "make_thumbnails": Measured(282, 981, 384, 1, 256, 48),
    "record_report": Measured(53, 131, 65, 2, 533, 30),
    "render_email": Measured(83, 240, 126, 1, 256, 92),
    "send_email": Measured(89, 280, 172, 2, 465, 92),
    "list_digests": Measured(77, 81, 79, 1, 256, 2),
    "run_task": Measured(87, 10_737, 1_422, 2, 523, 8),  # one of the eight slept ten seconds, as it was told to
    "choose_person": Measured(82, 250, 166, 1, 260, 2),
    "await_acknowledgement": Measured(38, 113, 76, 1, 261, 2),
    "record_acknowledgement": Measured(53, 131, 65, 1, 260, 0, stand_in="record_report"),
    "record_execution_status": Measured(43, 126, 54, 1, 237, 0, stand_in="load_report"),
}
# "At 1,769 MB, a function has the equivalent of one vCPU": https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
# So what was measured on a whole core is taken 1,769 / MemorySize times as long, as if all of it were computing: too
# dear rather than too cheap.
CPU_SHARE_MB = 1_769
# Assumed, not measured: one call of StartExecution, there and back; the ten of a batch are made at the same time.
START_EXECUTION_MS = 100

# ---- Shapes ----

# The demo's: 26 files in 18 reports make 1.4 each, and 54 mails for 18 reports 3 (the client and two supervisors). Two
# files, since a guard's report of an event has two pictures more often than one. Mails: the median of the demo's 55,
# 51 kB, most of it small pictures inside. Pictures of phones are 2 to 5 MB.
SHAPES: dict[str, Shape] = {
    "guard_report": Shape(
        {"Process Files": 2, "Notify People": 3},
        "two pictures, three people",
        {"By Kind": {"Make Thumbnails": 1}},
        files=2,
        file_bytes=3_000_000,
        mails=3,
        mail_bytes=51_000,
    ),
    "notification_email": Shape({}, "one mail", mails=1, mail_bytes=10_000),
    "run_task": Shape({}, "one Django task"),
    # One execution is one day's digest of all clients.
    "daily_report_digest": Shape({"Send Digests": 20}, "20 clients", mails=20, mail_bytes=20_000),
    # Assumed: one in four is silent, and the next person is asked: 1.33 mails for each incident.
    "incident_escalation": Shape(
        {},
        "one in four silent",
        {"Await Acknowledgement": {"Record Acknowledgement": 0.75, "Choose Person": 0.25}},
        mails=4 / 3,
        mail_bytes=10_000,
        waits_s=600,
    ),
}
# small, medium and large, each as WebP and as JPEG; a video has one more (make_thumbnails/thumbnail_sizes.py). Their
# bytes together: those of the demo's largest photo, 1536 x 1024, to the 3:4 of a phone's.
THUMBNAILS_PER_FILE, THUMBNAIL_BYTES_PER_FILE = 6, 300_000
# Of how many messages the dispatcher's measure is; one of fewer takes and logs so much less.
MEASURED_BATCH = 10
# Each status change of an execution is an event: RUNNING, and how it ended.
STATUS_EVENTS = 2
# DynamoDB, for each mail: was it sent? (a consistent read), it is being sent, it is sent.
DYNAMODB_READS_PER_MAIL, DYNAMODB_WRITES_PER_MAIL = 1, 2
# CloudWatch adds this to each line: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
LOG_LINE_BYTES = 26
# Assumed: what a step answers, which a durable execution writes down and keeps for 14 days.
STEP_RESULT_BYTES, DURABLE_KEPT_MONTHS = 1_000, 14 / 30
# Assumed: Express is billed in chunks of 64 MB. Its examples have 50 MB and the payload; Maps take more.
EXPRESS_MB, EXPRESS_MB_WITH_MAP, EXPRESS_CHUNK_S = 64, 128, 0.1
# Of 100 states of the kind Task, how many are tried once more. AWS counts each as a transition more.
RETRY_RATE = 0.01
# Files and logs are priced for this long. Files stay longer: the parameter RetentionReportDays (1,095).
STORAGE_MONTHS = 1
