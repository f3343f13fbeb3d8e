"""The staff's side of the API: everything under /api/admin that configures a club."""

from server.edge.admin import (
    api_keys,
    audit,
    closures,
    clubs,
    coaches,
    courts,
    equipment,
    feeds,
    hours,
    mails,
    outbox,
    reports,
    rules,
    screens,
    users,
    waitlist,
)

handlers = [
    *clubs.handlers,
    *courts.handlers,
    *coaches.handlers,
    *equipment.handlers,
    *hours.handlers,
    *rules.handlers,
    *closures.handlers,
    *users.handlers,
    *screens.handlers,
    *waitlist.handlers,
    *outbox.handlers,
    *reports.handlers,
    *feeds.handlers,
    *mails.handlers,
    *api_keys.handlers,
    *audit.handlers,
]
