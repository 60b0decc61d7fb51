"""The kinds of resource that there are. Who adds one adds it here; manifests, permissions and the process follow."""

from typing import Final

from mien_operator.crds.definition import Column, Kind
from mien_operator.erasures import spec as erasures
from mien_operator.holds import spec as holds
from mien_operator.retention import spec as retention
from mien_operator.rollouts import spec as rollouts
from mien_operator.rollouts.status import ModelRolloutStatus

_READY: Final = Column(
    "Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether all is as it shall be."
)
_REASON: Final = Column(
    "Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1, description="Why it is Ready, or not."
)

RETENTION_POLICY: Final = Kind(
    kind="RetentionPolicy",
    plural="retentionpolicies",
    short_names=("rpol",),
    description="What is kept how long. By its schedule it lists what is due, has the list approved where it shall"
    " be, and deletes what is on it.",
    spec=retention.RetentionPolicySpec,
    status=retention.RetentionPolicyStatus,
    columns=(
        Column("Mode", ".spec.mode", description="How far a run goes by itself."),
        Column("Phase", ".status.phase", description="What it is at."),
        Column("Last", ".status.lastRun.state", description="How the newest run ended, or where it is."),
        Column("Deleted", ".status.lastRun.deleted", "integer", description="What the newest run deleted."),
        Column("Next", ".status.nextRunAt", description="When the next run begins."),
        _READY,
        Column("Schedule", ".spec.schedule", priority=1, description="When runs begin."),
        Column("Zone", ".spec.timeZone", priority=1, description="The schedule's time zone."),
        _REASON,
    ),
    rules=retention.RULES,
)
LEGAL_HOLD: Final = Kind(
    kind="LegalHold",
    plural="legalholds",
    short_names=("lhold",),
    description="Whose data must be kept whatever a policy or an erasure asks for. It holds from the moment at which it"
    " is Ready, also while the cluster is away, until it is deleted.",
    spec=holds.LegalHoldSpec,
    status=holds.LegalHoldStatus,
    columns=(
        Column("Tenant", ".spec.tenant", description="Whose users."),
        Column("User", ".spec.userId", description="Whose data; nothing there means all of the tenant's."),
        Column("Since", ".status.heldSince", "date", description="How long it holds."),
        _READY,
        Column("Case", ".spec.caseReference", priority=1, description="The case's own number."),
        _REASON,
    ),
    rules=holds.RULES,
)
ERASURE_REQUEST: Final = Kind(
    kind="ErasureRequest",
    plural="erasurerequests",
    short_names=("ereq",),
    description="A user of whom nothing shall be left. It is done once, verified, and certified in its status.",
    spec=erasures.ErasureRequestSpec,
    status=erasures.ErasureRequestStatus,
    columns=(
        Column("Tenant", ".spec.tenant", description="Whose user."),
        Column("Phase", ".status.phase", description="How far it is."),
        Column("Erased", ".status.erasedAt", "date", description="How long ago nothing was left."),
        _READY,
        Column("User", ".spec.userId", priority=1, description="The user's opaque id."),
        Column("Key", ".status.certificate.keyId", priority=1, description="What its certificate is signed with."),
        _REASON,
    ),
    rules=erasures.RULES,
)
MODEL_ROLLOUT: Final = Kind(
    kind="ModelRollout",
    plural="modelrollouts",
    short_names=("mroll",),
    description="Which revision of a model answers, and by which steps the next one takes over: its outputs are"
    " compared with those of the present one before it gets all requests.",
    spec=rollouts.ModelRolloutSpec,
    status=ModelRolloutStatus,
    columns=(
        Column("Phase", ".status.phase", description="Where the rollout is."),
        Column("Step", ".status.step", description="The present step, and how many there are."),
        Column("Weight", ".status.weights.observed", "integer", description="Percent the wanted revision answers."),
        Column("Stable", ".status.stableRevision", description="The revision that answers."),
        Column("Candidate", ".status.candidateRevision", description="The revision that may take over."),
        _READY,
        Column("Model", ".spec.modelRef.name", priority=1, description="The model."),
        _REASON,
    ),
    rules=rollouts.RULES,
)
KINDS: Final = (RETENTION_POLICY, LEGAL_HOLD, ERASURE_REQUEST, MODEL_ROLLOUT)
