"""The composition root: which parts a platform has, which of them others provide, and who needs whom."""

from collections.abc import Mapping
from hashlib import sha256

from mien_local import environment_file
from mien_local.parts.issuer import Issuer
from mien_local.parts.kafka import Kafka
from mien_local.parts.part import Part, Stage
from mien_local.parts.postgres import Postgres
from mien_local.parts.ray import Ray
from mien_local.parts.s3 import S3
from mien_local.parts.services import DevelopmentKey, Service, Task
from mien_local.parts.serving import Serving
from mien_local.plan import Member, Plan
from mien_local.ports import HOST
from mien_local.replacements import REPLACEMENTS, own_addresses, replaced

_PREFERRED_API_PORT = 8000

# The roles that streams plays here, separated by commas; all of them if it isn't set.
ROLES_SETTING = "MIEN_LOCAL__ROLES"
# Whoever names issuers of their own gets none from here.
ISSUERS_SETTING = "MIEN_CREDENTIALS__ISSUERS"
# Whoever brings a key for webhooks also says where they may be sent.
WEBHOOK_KEY_SETTING = "MIEN_WEBHOOKS__KEY"
# Whoever brings a key for certificates of erasures keeps it themselves.
ERASURE_KEY_SETTING = "MIEN_ERASURE__SIGNING_KEY"
# Whoever tries a provider's own test events has its secret; any other is made here.
PAYMENT_SECRET_SETTING = "MIEN_POSTERS__PAYMENT_SECRET"  # noqa: S105 - a setting's name, and no secret


def plan(stage: Stage, environment: Mapping[str, str]) -> Plan:
    """Decide by the environment what this platform starts itself.

    The addresses of own parts are kept, so that settings which repeat them are known for what they are.
    """
    own = own_addresses(stage.home)
    given = replaced(environment, own)
    if "s3" in given:
        given["s3"].setdefault("MIEN_S3__PUBLIC_ENDPOINT", given["s3"]["MIEN_S3__ENDPOINT"])
    known_key = environment_file.read(stage.home.environment_file).get("MIEN_API_KEY")
    issuer = None if environment.get(ISSUERS_SETTING) else Issuer(stage)
    webhooks = {} if environment.get(WEBHOOK_KEY_SETTING) else _webhooks(stage)
    payments = {PAYMENT_SECRET_SETTING: environment.get(PAYMENT_SECRET_SETTING) or stage.home.secret("payments")}
    erasure = {} if environment.get(ERASURE_KEY_SETTING) else erasure_settings(stage)
    planned = _assemble(
        stage,
        given,
        known_key,
        environment.get(ROLES_SETTING, "all"),
        issuer,
        webhooks=webhooks,
        payments=payments,
        erasure=erasure,
    )
    addresses = {names[0]: planned.settings[names[0]] for part, names in REPLACEMENTS.items() if part not in given}
    environment_file.write(stage.home.data / "own.env", own | addresses)
    return planned


def _assemble(
    stage: Stage,
    given: Mapping[str, Mapping[str, str]],
    known_key: str | None,
    roles: str,
    issuer: Issuer | None,
    *,
    webhooks: Mapping[str, str],
    erasure: Mapping[str, str],
    payments: Mapping[str, str],
) -> Plan:
    settings: dict[str, str] = {}
    members: list[Member] = []

    def needs(*names: str) -> frozenset[str]:
        return frozenset(names) - given.keys()

    def add(part: Part, *names: str) -> None:
        # no service does anything without its database; without any other part, some of them still do
        members.append(Member(part, needs(*names), essential=part.name == Postgres.name))
        settings.update(part.environment())

    for provided in given.values():
        settings.update(provided)
    if "postgres" not in given:
        add(Postgres(stage))
    if "kafka" not in given:
        add(Kafka(stage))
    if "s3" not in given:
        add(S3(stage, settings["MIEN_KAFKA__BROKERS"]), "kafka")
    if "serving" not in given:
        ray = Ray(stage, groups(settings, "S3"))
        folder = str(stage.home.data / "artifacts")
        artifact = Task(stage, "artifact", ("-m", "mien_serving", "artifact", "build", "--output", folder), {})
        add(ray)
        add(artifact)
        add(Serving(stage, ray, artifact), "ray", "artifact")
    add(Task(stage, "migrate", ("-m", "mien_core", "migrate"), groups(settings, "POSTGRES")), "postgres")
    samples = ("-m", "mien_api", "products", "load", "--if-empty")
    add(Task(stage, "products", samples, groups(settings, "POSTGRES")), "migrate")
    add(Task(stage, "assets", ("-m", "mien_serving", "assets"), groups(settings, "S3")), "s3")
    if issuer is not None:
        # nobody needs it to start: the api asks it for its keys when it has come up
        add(issuer)
    trusted = issuer.trusted() if issuer is not None else {}
    api = _api(stage, settings, {**trusted, **webhooks, **payments})
    add(api, "migrate", "s3")
    add(_streams(stage, {**settings, **webhooks, **erasure}, roles), "migrate", "kafka", "s3")
    add(DevelopmentKey(stage, settings["MIEN_URL"], groups(settings, "POSTGRES"), known_key), "api")
    external = {name: provided[REPLACEMENTS[name][0]] for name, provided in given.items()}
    return Plan(tuple(members), external, settings)


def groups(settings: Mapping[str, str], *names: str) -> dict[str, str]:
    """The settings of these groups: a process gets no secret that it doesn't need."""
    prefixes = tuple(f"MIEN_{name}__" for name in names)
    return {name: value for name, value in settings.items() if name.startswith(prefixes)}


def _webhooks(stage: Stage) -> dict[str, str]:
    """What webhooks are signed with; on one machine they may go to whatever listens on it."""
    return {WEBHOOK_KEY_SETTING: stage.home.secret("webhooks"), "MIEN_WEBHOOKS__ALLOW_PRIVATE": "true"}


def erasure_settings(stage: Stage) -> dict[str, str]:
    """What certificates of erasures are signed with."""
    return {ERASURE_KEY_SETTING: sha256(stage.home.secret("erasure").encode()).hexdigest()}


# One machine's own callers, tests and measurements among them, needn't be kept from each other.
_NO_LIMITS = {"MIEN_API__LIMITS__CALLER": "1000000", "MIEN_API__LIMITS__FAILURES": "1000000"}


def _api(stage: Stage, settings: Mapping[str, str], own: Mapping[str, str]) -> Service:
    port = stage.home.port("api", _PREFERRED_API_PORT)
    url = f"http://{HOST}:{port}"
    return Service(
        stage,
        "api",
        ("-m", "mien_api"),
        groups(settings, "POSTGRES", "S3")
        | dict(own)
        | {"MIEN_API__HOST": HOST, "MIEN_API__PORT": str(port), "MIEN_TELEMETRY__LOG_FORMAT": "text"}
        | _NO_LIMITS,
        f"{url}/api/health",
        address=url,
        offers={"MIEN_URL": url},
    )


def _streams(stage: Stage, settings: Mapping[str, str], roles: str) -> Service:
    port = stage.home.port("streams-metrics")
    ready = stage.home.run / "streams.ready"
    return Service(
        stage,
        "streams",
        ("-m", "mien_streams", *(word for role in roles.split(",") for word in ("--role", role.strip()))),
        {
            **settings,
            "MIEN_STREAMS__READY_FILE": str(ready),
            "MIEN_TELEMETRY__METRICS_PORT": str(port),
            "MIEN_TELEMETRY__LOG_FORMAT": "text",
        },
        ready,
        address=f"metrics on {HOST}:{port}",
    )
