import { useQuery } from "@tanstack/react-query"
import { useSearchParams } from "wouter"
import { type Club, type Court, courtsQuery } from "../../api/catalogue"
import { useClub } from "../../api/useClub"
import type { Topic } from "../../live/protocol"
import { useDay, useRow } from "../../live/useLive"
import { Notice, Trouble } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { formatDay, isElsewhere, localDay } from "../../words/format"
import { words } from "../../words/words"

/** The live grid of a day: which courts are free when. */
export function GridPage() {
  const { club, error } = useClub()
  return (
    <Page title={words.grid.title}>
      {error !== null && <Trouble error={error} />}
      {club === null && <Notice>{words.grid.noClubs}</Notice>}
      {club && <Day club={club} />}
    </Page>
  )
}

function Day({ club }: { club: Club }) {
  const [search] = useSearchParams()
  const topic = { club: club.slug, date: search.get("date") ?? localDay(Date.now(), club.zone) }
  const { head, refusal } = useDay(topic)
  const { data: courts, error } = useQuery({
    ...courtsQuery(club.slug, head?.config ?? club.config_version),
    placeholderData: known => known,
  })
  if (refusal) return <Notice trouble>{words.grid.noGrid}</Notice>
  return (
    <>
      <h2>{formatDay(topic.date)}</h2>
      {isElsewhere(club.zone) && <p>{words.app.zone(club.zone)}</p>}
      {error !== null && <Trouble error={error} />}
      <ul>
        {courts?.map(court => (
          <CourtLine key={court.id} topic={topic} court={court} />
        ))}
      </ul>
    </>
  )
}

function CourtLine({ topic, court }: { topic: Topic; court: Court }) {
  const row = useRow(topic, court.id)
  return (
    <li>
      {court.name}: {row && (row.cells.length === 0 ? words.grid.free : words.grid.taken(row.cells.length))}
    </li>
  )
}
