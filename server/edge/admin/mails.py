"""/api/admin/mail-previews: what each mail looks like."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.params import FromPath

from server.context import Context
from server.domain import errors
from server.edge.admin.wire import AnyRequest, ClubQuery, club_of
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import documented
from server.usecases import previews
from server.usecases.previews import Preview


class Template(msgspec.Struct, frozen=True):
    """A mail's name, and its subject with sample data."""

    template: str
    subject: str


class Templates(msgspec.Struct, frozen=True):
    """All mails."""

    items: list[Template]
    next: None = None


@get(
    "/api/admin/mail-previews",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
    summary="All mails",
)
async def list_previews(request: AnyRequest) -> Templates:
    """The mails that are sent, by name. For staff."""
    return Templates(
        [Template(template, (await _preview(request, template)).subject) for template in previews.list_templates()]
    )


@get(
    "/api/admin/mail-previews/{template:str}",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
    summary="One mail",
)
async def show_preview(request: AnyRequest, template: FromPath[str]) -> Preview:
    """A mail as text and as HTML, about a booking that does not exist, in the club's name and zone. For staff."""
    return await _preview(request, template)


async def _preview(request: AnyRequest, template: str) -> Preview:
    club = await club_of(request)
    require_staff(request, club.club_id)
    context: Context = request.app.state.context
    return previews.preview(template, club, public_url=context.settings.public_url, now=context.clock())


handlers = [list_previews, show_preview]
