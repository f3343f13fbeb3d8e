"""Expected refusals: each situation is a class with a stable `code` and an HTTP status.

The docstring is what the user reads: it says what happened and what to do. `detail` replaces it where the
situation has more to say; `extra` adds members to the problem document (RFC 9457, section 3.2).
"""

from __future__ import annotations

from typing import Any, ClassVar


class Refusal(Exception):
    """The request was refused."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422

    def __init__(
        self,
        detail: str | None = None,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.detail = detail or type(self).title()
        self.field = field
        self.headers = headers or {}
        self.extra = extra
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


# -- the request itself ------------------------------------------------------------------------------------


class InvalidRequest(Refusal):
    """The request is not well formed. See `errors` for the fields to mend."""

    code = "invalid_request"
    status = 422


class MalformedJson(Refusal):
    """The body is not valid JSON."""

    code = "malformed_json"
    status = 400


class UnsupportedMediaType(Refusal):
    """Send the body as application/json."""

    code = "unsupported_media_type"
    status = 415


class BodyTooLarge(Refusal):
    """The body is too large."""

    code = "body_too_large"
    status = 413


class NotFound(Refusal):
    """There is nothing here that you may see."""

    code = "not_found"
    status = 404


class MisdirectedRequest(Refusal):
    """This server does not answer for that host."""

    code = "misdirected_request"
    status = 421


class MethodNotAllowed(Refusal):
    """This address does not take that method. See the Allow header."""

    code = "method_not_allowed"
    status = 405


class RateLimited(Refusal):
    """Too many requests. Wait for the time in Retry-After, then go on."""

    code = "rate_limited"
    status = 429


class PreconditionRequired(Refusal):
    """Send If-Match with the ETag of what you read, so that nobody's change is overwritten."""

    code = "precondition_required"
    status = 428


class PreconditionFailed(Refusal):
    """Somebody changed this since you read it. Read it again, then repeat your change."""

    code = "precondition_failed"
    status = 412


class Conflict(Refusal):
    """This clashes with something that already exists."""

    code = "conflict"
    status = 409


class Unavailable(Refusal):
    """The service is busy or its database is out of reach. Try again in a moment."""

    code = "unavailable"
    status = 503

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


# -- people ------------------------------------------------------------------------------------------------


class Unauthenticated(Refusal):
    """Log in first: send a valid token as `Authorization: Bearer …`."""

    code = "unauthenticated"
    status = 401


class BadCredentials(Refusal):
    """The e-mail address or the password is not right."""

    code = "bad_credentials"
    status = 401


class TotpRequired(Refusal):
    """Send the code of your second factor as `totp` too: six digits from your app, or a recovery code."""

    code = "totp_required"
    status = 401


class TotpWrong(Refusal):
    """This code is not right, or was used already. Wait for the next one."""

    code = "totp_wrong"
    status = 401


class Forbidden(Refusal):
    """You may not do this."""

    code = "forbidden"
    status = 403


class Suspended(Refusal):
    """The club has suspended your bookings. What you have booked stays; ask the club's staff."""

    code = "suspended"
    status = 403


class TotpEnrolmentRequired(Refusal):
    """Staff work needs a second factor here. Set one up in your account, then go on."""

    code = "totp_enrolment_required"
    status = 403


class CsrfFailed(Refusal):
    """Send the csrf_token of your login as X-CSRF-Token."""

    code = "csrf_failed"
    status = 403


class ReauthenticationRequired(Refusal):
    """Send your password with this: your login was some time ago."""

    code = "reauthentication_required"
    status = 403


class EmailUnverified(Refusal):
    """Confirm your e-mail address first: open the link in the mail that was sent to you."""

    code = "email_unverified"
    status = 403


class InvalidLink(Refusal):
    """This link is used up, expired or not one of ours. Ask for a new one."""

    code = "invalid_link"
    status = 410


class PairingOver(Refusal):
    """This pairing has expired, or its token was collected. Begin a new one."""

    code = "pairing_over"
    status = 410


# -- booking -----------------------------------------------------------------------------------------------


class UnknownCourt(Refusal):
    """There is no such court."""

    code = "unknown_court"


class UnknownCoach(Refusal):
    """There is no such coach at this club."""

    code = "unknown_coach"


class UnknownEquipment(Refusal):
    """There is no such equipment at this club."""

    code = "unknown_equipment"


class UnknownUser(Refusal):
    """There is nobody with that e-mail address."""

    code = "unknown_user"


class BadTime(Refusal):
    """That time cannot be booked: it does not exist, is past, or is not in order."""

    code = "bad_time"


class BadDuration(Refusal):
    """That length cannot be booked on this court."""

    code = "bad_duration"


class OutsideHours(Refusal):
    """The club is not open for all of that time."""

    code = "outside_hours"


class OutsideHorizon(Refusal):
    """That time is not open for booking yet."""

    code = "outside_horizon"


class ClosedCourt(Refusal):
    """The court is closed at that time."""

    code = "closed"


class LeavesGap(Refusal):
    """That booking would leave a gap too short for anybody to book. Move it so that it touches its neighbour."""

    code = "leaves_gap"


class SlotTaken(Refusal):
    """Somebody has that court at that time."""

    code = "slot_taken"
    status = 409


class CoachUnavailable(Refusal):
    """The coach is not free for all of that time."""

    code = "coach_unavailable"
    status = 409


class EquipmentUnavailable(Refusal):
    """There is not enough of that equipment left at that time."""

    code = "equipment_unavailable"
    status = 409


class PriceChanged(Refusal):
    """The price is no longer the one you expected. Look at the new price and book again if you agree."""

    code = "price_changed"
    status = 409


class QuotaExceeded(Refusal):
    """You have reached the number or hours of bookings that the club allows at a time."""

    code = "quota_exceeded"
    status = 403


class NotCancellable(Refusal):
    """This booking can no longer be cancelled."""

    code = "not_cancellable"
    status = 409


class NotMovable(Refusal):
    """This booking can no longer be moved."""

    code = "not_movable"
    status = 409


class SlotFree(Refusal):
    """That is free: book it."""

    code = "slot_free"
    status = 409


class AlreadyWaiting(Refusal):
    """You wait for that slot already."""

    code = "already_waiting"
    status = 409


class WaitsTooOften(Refusal):
    """You wait for as many slots as one may. Leave one of them first."""

    code = "waits_too_often"
    status = 409


class TooLate(Refusal):
    """It begins too soon to wait for it."""

    code = "too_late"


class NotWaiting(Refusal):
    """Nobody waits there any more."""

    code = "not_waiting"
    status = 409


class NotOffered(Refusal):
    """Nothing is offered to you there at the moment."""

    code = "not_offered"
    status = 409


class AlreadyOffered(Refusal):
    """That is offered to them already."""

    code = "already_offered"
    status = 409


class OfferExpired(Refusal):
    """That offer is over: it was taken, declined, or its time has passed."""

    code = "offer_expired"
    status = 410


class OwnClash(Refusal):
    """You have another booking at that time. Cancel it first."""

    code = "own_clash"
    status = 409


class IdempotencyKeyReused(Refusal):
    """This Idempotency-Key was used with another request. Use a new key for a new request."""

    code = "idempotency_key_reused"
    status = 422


class CapacityInUse(Refusal):
    """Bookings that are already made need what this change takes away. Move or cancel them first."""

    code = "capacity_in_use"
    status = 409
