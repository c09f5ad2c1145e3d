"""The local stack: PostgreSQL, ministack with the deployed template, the engine and Django."""

import fcntl
import json
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from deploy import ROOT, DeployError
from deploy.local.aws.deployment import Overlay, Release, deploy
from deploy.local.aws.kept_files import put_back, set_aside
from deploy.local.aws.lambda_runtime import WARM_UP
from deploy.local.aws.mailbox import Mailbox
from deploy.local.aws.stand_in import (
    ENGINE,
    EVENTS_SOURCE,
    LocalAws,
    chosen_step_functions,
    copy_state_machines,
    endpoint_of,
    start_aws,
    start_engine,
    wait_until_it_answers,
)
from deploy.local.postgres import Postgres, start_postgres
from deploy.local.processes import Processes, free_port, is_free
from deploy.local.progress import Progress, short_path
from deploy.packages.build import Package, build_packages, runtime_packages, unpack
from deploy.packages.functions import FUNCTIONS

PREFIX, STAGE = "qu-security", "dev"
BUCKET = "qu-security-files-local"
SENDER = "noreply@example.com"
# The usual ports, if they are free.
DJANGO_PORT, AWS_PORT = 8000, 4566
MANAGE = str(ROOT / "backend" / "manage.py")
FUNCTIONS_LOG = "functions.log"  # of all functions; each line begins with the function's name


class StackNotRunning(DeployError):
    """The local stack, or a part of it, is not running."""


class AlreadyRunning(DeployError):
    """The local stack is already running; the text has its address."""


@dataclass(frozen=True)
class StackOptions:
    """Differences between ``make up``, the demo and the tests.

    ``stays``: database and files survive a restart, and ports are the usual ones. ``warm``: instances to start in
    advance, by function. ``wait_scale`` shortens the intervals of retriers. ``skippable``: the engine's time can be
    advanced.
    """

    stays: bool = False
    mail_folder: Path | None = None
    wait_scale: float = 1.0
    skippable: bool = False
    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    warm: Mapping[str, int] = field(default_factory=lambda: {function.name: 1 for function in FUNCTIONS})


class LocalStack:
    """The running stack. Call ``start`` once, then ``stop``, also after a failed start."""

    def __init__(self, folder: Path, options: StackOptions, progress: Progress) -> None:
        self.folder, self.options, self._progress = folder.resolve(), options, progress
        self.logs = self.folder / "logs"
        self._has_engine = chosen_step_functions() == ENGINE
        self._processes: Processes | None = None
        self._postgres: Postgres | None = None
        self.aws: LocalAws
        self.mailbox: Mailbox
        self.outputs: Mapping[str, str]
        self.release: Release
        self.database_url: str
        self.django_url: str
        self.people: dict[str, Any]
        self.password = self._known("ADMIN_PASSWORD") or secrets.token_urlsafe(12)
        self.secret_key = self._known("DJANGO_SECRET_KEY") or secrets.token_urlsafe(50)

    def start(self) -> None:
        """Start all parts, independent ones concurrently."""
        if not self.options.stays:
            shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.folder, self.logs, self.folder / "ministack"):
            folder.mkdir(parents=True, exist_ok=True)
        for log in self.logs.glob("*.log"):
            log.unlink()
        set_aside(self.folder / "ministack" / "s3", self._kept_files, BUCKET)
        (self.logs / FUNCTIONS_LOG).touch()
        self._processes = Processes()
        with ThreadPoolExecutor(8) as pool:
            try:
                self._start_side_by_side(pool)
            except BaseException:
                self._processes.stop()  # otherwise threads of the pool would wait for their processes
                raise

    def _start_side_by_side(self, pool: ThreadPoolExecutor) -> None:
        runtime = pool.submit(runtime_packages)
        packages = pool.submit(self._build)
        database = pool.submit(self._start_database)
        self.django_url = f"http://127.0.0.1:{self._port(DJANGO_PORT)}"
        self._start_aws(runtime.result())
        database.result()
        self._deploy(packages.result())
        if self._has_engine:
            self._start_engine()
        prepared = pool.submit(self._prepare_database)
        warmed = pool.submit(self._warm_up, pool)
        prepared.result()
        self._start_django()
        warmed.result()

    @property
    def can_redrive(self) -> bool:
        """True with the engine: ministack has no redrive."""
        return self._has_engine

    def stop(self) -> None:
        """End every process of the stack. Safe to call twice, and after a failed start."""
        if self._processes is None:
            return
        self._processes.stop()
        if self._postgres is not None:
            self._postgres.stop()
        self._processes = None
        if hasattr(self, "mailbox"):
            self.mailbox.stop()

    def check(self) -> None:
        """Raise ProcessEnded if a part of the stack is no longer running."""
        if self._processes is not None:
            self._processes.check()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for manage.py on this stack."""
        return {
            **self.aws.environment,
            "STAGE": STAGE,
            "DJANGO_SECRET_KEY": self.secret_key,
            "DATABASE_URL": self.database_url,
            "USE_ASYNC_TASKS": "True",
            "UPLOADS_PER_MINUTE": "6000",  # the benchmarks send a day's reports at once
            "API_KEYS_FOR_ALL_GUARDS": "True",  # one key for the guards of the demo
            "AWS_SQS_QUEUE_URL": self.outputs["TasksQueueUrl"],
            "AWS_SQS_DLQ_URL": self.outputs["TasksDeadLetterQueueUrl"],
            "AWS_SQS_REGION": self.aws.environment["AWS_REGION"],
            "AWS_STORAGE_BUCKET_NAME": self.outputs["BucketName"],
            "AWS_SCHEDULER_ROLE_ARN": self.outputs["SchedulerRoleArn"],
            "AWS_SCHEDULER_GROUP_NAME": self.outputs["SchedulerGroupName"],
            "AWS_SCHEDULES_GROUP_NAME": self.outputs["SchedulesGroupName"],
            "DEFAULT_FROM_EMAIL": SENDER,
            "PUBLIC_URL": self.django_url,
            "FUNCTIONS_LOG_FILE": str(self.logs / FUNCTIONS_LOG),
        }

    def write_environment(self) -> Path:
        """Write addresses, secrets and settings into ``stack.env``, readable by its owner alone."""
        people = {
            "DJANGO_URL": self.django_url,
            "ADMIN_USER": self.people["staff_username"],
            "ADMIN_PASSWORD": self.password,
            "API_KEY": self.people["api_key"],
            "GUARD_IDS": " ".join(map(str, self.people["guard_ids"])),
        }
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in {**people, **self.environment}.items()]
        path = self.folder / "stack.env"
        path.unlink(missing_ok=True)
        with open_private(path) as file:
            file.writelines(lines)
        return path

    def manage(self, *arguments: str) -> Path:
        """Run a management command on this stack; return the file with its output."""
        output = self.logs / f"{arguments[0]}.log"
        self._running.run(
            f"manage.py {arguments[0]}", [sys.executable, MANAGE, *arguments], output, self._django_environment()
        )
        return output

    def log_entries(self, function: str, *words: str) -> list[dict[str, Any]]:
        """Return a function's structured log lines that contain all the words, oldest first."""
        lines = (line.partition(" ") for line in (self.logs / FUNCTIONS_LOG).read_text(errors="replace").splitlines())
        texts = [text for name, _, text in lines if name.endswith(f"-{function}") and text.startswith("{")]
        return [json.loads(text) for text in texts if all(word in text for word in words)]

    def steps_done(self, function: str, task_id: str) -> int:
        """Return how many times a function has finished its step for a task."""
        return len(self.log_entries(function, task_id, "step done"))

    @property
    def _kept_files(self) -> Path:
        return self.folder / "kept-files"

    @property
    def _running(self) -> Processes:
        if self._processes is None:
            raise StackNotRunning("The local stack is not running. Start it first.")
        return self._processes

    def _port(self, known: int) -> int:
        return known if self.options.stays and is_free(known) else free_port()

    def _build(self) -> list[Package]:
        with self._progress.step("packages") as details:
            packages = build_packages(FUNCTIONS, "native")
            built = sum(package.was_built for package in packages)
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                list(pool.map(unpack, packages))
            details.append(f"{len(packages)} functions, " + (f"{built} built" if built else "none changed"))
        return packages

    def _start_database(self) -> None:
        with self._progress.step("postgresql") as details:
            data_dir = self.folder / "postgres"
            kept = data_dir.exists()
            self._postgres = start_postgres(data_dir, durable=self.options.stays)
            # PostgreSQL is a daemon; the keeper stops it when the stack is killed.
            keeper = [sys.executable, "-m", "deploy.local.postgres", str(data_dir)]
            self._running.start("postgresql", keeper, self.logs / "postgresql.log", {"PATH": os.defpath})
            self.database_url = self._postgres.url
            details.append("the existing database" if kept else "a new database")

    def _start_aws(self, packages_dir: Path) -> None:
        with self._progress.step("aws") as details:
            port = self._port(AWS_PORT)
            self.mailbox = Mailbox(self.options.mail_folder or self.folder / "mails")
            self.aws = start_aws(
                self._running,
                self.folder,
                port,
                self.mailbox.endpoint,
                packages_dir,
                sfn_endpoint=endpoint_of(free_port()) if self._has_engine else None,
                keeps_files=self.options.stays,
                wait_scale=self.options.wait_scale,
            )
            details.append(f"ministack at {self.aws.endpoint}")

    def _deploy(self, packages: list[Package]) -> None:
        with self._progress.step("stack") as details:
            parameters = {
                "Prefix": PREFIX,
                "Stage": STAGE,
                "BucketName": BUCKET,
                "PublicUrl": self.django_url,
                "DefaultFromEmail": SENDER,
                "DatabaseUrlSecret": self._keep_secret("database-url", self.database_url),
                "DjangoSecretKeySecret": self._keep_secret("django-secret-key", self.secret_key),
                "ReserveConcurrency": "false",
                "VisibilityTimeoutSeconds": "5",
                "MaximumConcurrency": "2",
            }
            if self._has_engine:
                parameters["StatusEventsSource"] = EVENTS_SOURCE
            self.release = Release(packages, parameters, self.options.overlays)
            self.outputs, changes = deploy(self.aws, self.release)
            details.append("deploy/template.yaml through CloudFormation")
            if self.options.stays:
                details.append(f"{put_back(self.aws, self._kept_files, BUCKET)} files kept")
            log = self.logs / "deployment.log"
            log.write_text("\n".join(changes) + "\n")
            details.append(f"{len(changes)} changes for ministack in {short_path(log)}")

    def _start_engine(self) -> None:
        with self._progress.step("engine") as details:
            start_engine(self._running, self.folder, self.aws, skippable=self.options.skippable)
            machines = copy_state_machines(self.aws, self.options.wait_scale)
            details.append(f"Step Functions at {self.aws.sfn_endpoint}, {len(machines)} state machines")

    def _keep_secret(self, name: str, text: str) -> str:
        return self.aws.secrets.create_secret(Name=f"{PREFIX}/{STAGE}/{name}", SecretString=text)["Name"]

    def _prepare_database(self) -> None:
        with self._progress.step("database") as details:
            self.manage("migrate", "--no-input", "--verbosity", "0")
            self.people = self._seed()
            details.append("migrated, with a client, properties, guards and supervisors")

    def _seed(self) -> dict[str, Any]:
        output = self.logs / "seed_demo.log"
        open_private(output).close()  # the API key is printed into it
        try:
            people: dict[str, Any] = json.loads(self.manage("seed_demo").read_text().splitlines()[-1])
        finally:
            output.unlink()
        return people

    def _known(self, name: str) -> str:
        """Return a value of the previous ``stack.env``, if the state is kept; else ""."""
        path = self.folder / "stack.env"
        lines = path.read_text().splitlines() if self.options.stays and path.exists() else []
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        return "".join(shlex.split(values.get(name, "")))

    def _warm_up(self, pool: ThreadPoolExecutor) -> None:
        with self._progress.step("warm-up") as details:
            names = [name for name, count in self.options.warm.items() for _ in range(count)]
            list(pool.map(self._start_instance, names))
            details.append(f"{len(names)} function instances")

    def _start_instance(self, name: str) -> None:
        answer = self.aws.functions.invoke(
            FunctionName=f"{PREFIX}-{STAGE}-{name}:live", Payload=json.dumps(WARM_UP).encode()
        )
        if "FunctionError" in answer:
            raise StackNotRunning(f"The function {name} does not start: {answer['Payload'].read().decode()}")

    def _start_django(self) -> None:
        with self._progress.step("django") as details:
            address = self.django_url.removeprefix("http://")
            # The development server: a thread per upload, and the admin's static files.
            self._running.start(
                "django",
                [sys.executable, MANAGE, "runserver", address, "--noreload", "--insecure"],
                self.logs / "django.log",
                self._django_environment(),
            )
            wait_until_it_answers(f"{self.django_url}/healthz/", self._running.check)
            details.append(self.django_url)

    def _django_environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "PYTHONUNBUFFERED": "1", "DEMO_PASSWORD": self.password, **self.environment}


def open_private(path: Path) -> TextIO:
    """Open a new file that only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


@contextmanager
def only_one(folder: Path, what: str = "The local stack") -> Iterator[Path]:
    """Lock a folder against a second ``what``. Raises AlreadyRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stack.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, url = path.read_text().strip().partition(" ")
            where = f" at {url} (process {pid})" if url else ""
            raise AlreadyRunning(
                f"{what} is already running{where}. Wait for its end, or stop it with Ctrl-C."
            ) from None
        path.write_text("")
        yield path
