"""The Database port in memory: for unit tests, notebooks and the contract suite's second opinion.

Units of work run one after another (a lock), on a copy of the state that replaces it at the commit: the strictest
isolation there is, at a size where it costs nothing.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from mien_core.adapters.memory.analyses import MemoryAnalyses, MemorySkinAnalyses
from mien_core.adapters.memory.audit import MemoryAuditLog
from mien_core.adapters.memory.credentials import MemoryApiKeys
from mien_core.adapters.memory.dead_letters import MemoryDeadLetters
from mien_core.adapters.memory.diaries import MemoryJournal, MemoryPeriods, MemoryPhotoDays, MemorySkinScans
from mien_core.adapters.memory.holds import MemoryLegalHolds
from mien_core.adapters.memory.idempotency import MemoryIdempotencyKeys
from mien_core.adapters.memory.insights import MemoryInsights
from mien_core.adapters.memory.jobs import MemoryJobs
from mien_core.adapters.memory.looks import MemoryLooks
from mien_core.adapters.memory.messages import MemoryInbox, MemoryOutbox
from mien_core.adapters.memory.posters import MemoryPayments, MemoryPosterAccounts, MemoryPosters
from mien_core.adapters.memory.privacy import MemoryErasureRequests, MemoryErasures, MemoryPersonalData
from mien_core.adapters.memory.recommendations import MemoryProducts, MemoryRecommendations
from mien_core.adapters.memory.retention import MemoryRetentionRuns
from mien_core.adapters.memory.state import State
from mien_core.adapters.memory.tryon_sessions import MemoryExpiry, MemoryTryOnSessions
from mien_core.adapters.memory.uploads import MemoryUploads, MemoryUsers
from mien_core.adapters.memory.usage import MemoryUsage
from mien_core.adapters.memory.webhooks import MemoryWebhookDeliveries, MemoryWebhooks
from mien_core.adapters.subscription import EventChannelSubscription, EventSubscription
from mien_core.ports.database import Transaction
from mien_core.ports.signals import Channel, ChannelSubscription, Leadership, Subscription


class MemoryTransaction:
    """All repositories over one copy of the state."""

    def __init__(self, state: State) -> None:
        self.signals: list[tuple[Channel, str]] = []
        self.users = MemoryUsers(state)
        self.uploads = MemoryUploads(state)
        self.jobs = MemoryJobs(state, self.signals)
        self.analyses = MemoryAnalyses(state)
        self.skin_analyses = MemorySkinAnalyses(state)
        self.journal = MemoryJournal(state)
        self.periods = MemoryPeriods(state)
        self.skin_scans = MemorySkinScans(state)
        self.photo_days = MemoryPhotoDays(state)
        self.insights = MemoryInsights(state)
        self.looks = MemoryLooks(state)
        self.webhooks = MemoryWebhooks(state)
        self.webhook_deliveries = MemoryWebhookDeliveries(state, self.signals)
        self.poster_accounts = MemoryPosterAccounts(state)
        self.posters = MemoryPosters(state)
        self.payments = MemoryPayments(state)
        self.personal_data = MemoryPersonalData(state)
        self.erasures = MemoryErasures(state)
        self.erasure_requests = MemoryErasureRequests(state)
        self.holds = MemoryLegalHolds(state)
        self.tryon_sessions = MemoryTryOnSessions(state)
        self.expiry = MemoryExpiry(state)
        self.products = MemoryProducts(state)
        self.recommendations = MemoryRecommendations(state)
        self.outbox = MemoryOutbox(state, self.signals)
        self.inbox = MemoryInbox(state)
        self.dead_letters = MemoryDeadLetters(state)
        self.api_keys = MemoryApiKeys(state)
        self.audit_log = MemoryAuditLog(state)
        self.usage = MemoryUsage(state)
        self.retention_runs = MemoryRetentionRuns(state)

    async def now(self) -> datetime:
        """See ports.database.Transaction."""
        return datetime.now(UTC)


class MemoryLeadership:
    """Meets ports.signals.Leadership; in one process it can't be lost."""

    async def confirm(self) -> None:
        """See ports.signals.Leadership."""


class MemoryDatabase:
    """Meets ports.database.Database."""

    def __init__(self) -> None:
        self.state = State()
        self.idempotency_keys = MemoryIdempotencyKeys()
        self._lock = asyncio.Lock()
        self._subscriptions: defaultdict[tuple[Channel, str], set[EventSubscription]] = defaultdict(set)
        self._of_channels: defaultdict[Channel, set[EventChannelSubscription]] = defaultdict(set)
        self._leaders: set[str] = set()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """See ports.database.Database."""
        async with self._lock:
            state = self.state.copy()
            transaction = MemoryTransaction(state)
            yield transaction
            self.state = state
        self._signal(transaction.signals)

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Transaction]:
        """See ports.database.Database."""
        async with self._lock:
            transaction = MemoryTransaction(self.state)
            yield transaction
        self._signal(transaction.signals)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """See ports.database.Database. What is written goes into a copy that nobody sees."""
        yield MemoryTransaction(self.state.copy())

    @contextlib.asynccontextmanager
    async def subscribe(self, channel: Channel, topic: str = "") -> AsyncIterator[Subscription]:
        """See ports.database.Database."""
        subscription = EventSubscription()
        self._subscriptions[channel, topic].add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[channel, topic].discard(subscription)

    @contextlib.asynccontextmanager
    async def subscribe_all(self, channel: Channel) -> AsyncIterator[ChannelSubscription]:
        """See ports.database.Database."""
        subscription = EventChannelSubscription()
        self._of_channels[channel].add(subscription)
        try:
            yield subscription
        finally:
            self._of_channels[channel].discard(subscription)

    @contextlib.asynccontextmanager
    async def leadership(self, name: str) -> AsyncIterator[Leadership | None]:
        """See ports.database.Database."""
        if name in self._leaders:
            yield None
            return
        self._leaders.add(name)
        try:
            yield MemoryLeadership()
        finally:
            self._leaders.discard(name)

    async def check(self) -> None:
        """See ports.database.Database."""

    def _signal(self, signals: Iterable[tuple[Channel, str]]) -> None:
        for signal in signals:
            for subscription in self._subscriptions[signal]:
                subscription.signal()
            channel, topic = signal
            for of_channel in self._of_channels[channel]:
                of_channel.signal(topic)
