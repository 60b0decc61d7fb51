"""The role that tells webhooks of the ends of jobs (docs/decisions/0026)."""

from mien_streams.webhooks.courier import Courier
from mien_streams.webhooks.role import WebhookRole
from mien_streams.webhooks.sender import WebhookSender

__all__ = ["Courier", "WebhookRole", "WebhookSender"]
