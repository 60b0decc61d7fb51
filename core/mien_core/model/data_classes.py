"""The classes that data is kept, held and deleted by; the resources RetentionPolicy and LegalHold have the same."""

from enum import StrEnum


class DataClass(StrEnum):
    """What can be kept for a time of its own, and held by itself."""

    PHOTOS = "photos"
    DERIVED_IMAGES = "derived_images"
    ANALYSES = "analyses"
    LOOKS = "looks"
    TRYON_SESSIONS = "tryon_sessions"
    POSTERS = "posters"
    JOURNAL = "journal"
    PERIODS = "periods"
    SKIN_SCANS = "skin_scans"
    DEAD_LETTERS = "dead_letters"
    OUTBOX = "outbox"
    JOB_EVENTS = "job_events"
