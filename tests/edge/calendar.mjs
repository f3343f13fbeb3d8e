// Reads a calendar as Thunderbird does (ical.js) and prints what it found.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const ICAL = createRequire(process.env.PACKAGES)('ical.js')
const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, 'utf8')))
const events = calendar.getAllSubcomponents('vevent').map(component => {
  const { uid, sequence, summary, location, description, startDate, endDate, organizer, attendees } = new ICAL.Event(component)
  const status = component.getFirstPropertyValue('status')
  const times = { start: startDate.toJSDate().toISOString(), end: endDate.toJSDate().toISOString() }
  return { uid, sequence, summary, location, description, status, organizer, attendees: attendees.length, ...times }
})
console.log(JSON.stringify({ method: calendar.getFirstPropertyValue('method'), events }))
