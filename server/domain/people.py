"""Who is asking: the identity behind a request and what it may do in a club."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["player", "staff", "admin"]


class Membership(msgspec.Struct, frozen=True):
    """A user's standing in one club."""

    role: Role
    tier: str | None = None
    suspended: bool = False
    """Books nothing in the club until its staff takes it back; as staff, has no say there either."""


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """A screen on a club's wall: it looks at that club's grid, and may do nothing else."""

    screen_id: int
    club_id: int
    name: str
    court_ids: tuple[int, ...] | None
    """The courts that it shows; None: all."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated user. Somebody without a membership in a club is a player without a tier there."""

    user_id: int
    email: str
    name: str
    verified: bool
    session_version: int
    operator: bool = False
    """Runs the installation: may found clubs, also the first one, in which nobody has a role yet."""
    awaits_totp: bool = False
    """Staff without the second factor that REQUIRE_STAFF_TOTP asks of them: until they have one, players."""
    memberships: dict[int, Membership] = {}
    """Club id → standing."""

    def role_in(self, club_id: int) -> Role:
        membership = self.memberships.get(club_id)
        return membership.role if membership and not membership.suspended else "player"

    def tier_in(self, club_id: int) -> str | None:
        membership = self.memberships.get(club_id)
        return membership.tier if membership else None

    def is_suspended_in(self, club_id: int) -> bool:
        membership = self.memberships.get(club_id)
        return membership is not None and membership.suspended

    def is_staff_of(self, club_id: int) -> bool:
        """Staff and admins run the club: exempt from quotas, may book for others."""
        return self.role_in(club_id) in ("staff", "admin")

    def as_player(self) -> Identity:
        """The same user without what a role allows."""
        plain = {
            club_id: msgspec.structs.replace(membership, role="player")
            for club_id, membership in self.memberships.items()
        }
        return msgspec.structs.replace(self, operator=False, memberships=plain)

    @property
    def may_found_clubs(self) -> bool:
        """Operators, and whoever is admin of a club already."""
        return self.operator or any(self.role_in(club_id) == "admin" for club_id in self.memberships)
