// An independent client: npm's ws. It follows one day and prints its grid as a line of JSON after each message.
//   node client.mjs URL CLUB DATE deflate|plain
import { createRequire } from 'node:module'
import process from 'node:process'

// From the page's packages, wherever this file lies.
const WebSocket = createRequire(process.env.PACKAGES)('ws')
const [url, club, date, how] = process.argv.slice(2)
const socket = new WebSocket(url, 'courtside.v1.json', { perMessageDeflate: how === 'deflate' })
let epoch
let rows = new Map()

socket.on('open', () => socket.send(JSON.stringify({ t: 'hello', topics: [{ club, date }] })))
socket.on('message', (data) => {
  const message = JSON.parse(data)
  if (message.t === 'ping') socket.send('{"t":"pong"}')
  if (message.t !== 'snap' && message.t !== 'row') return
  if (message.epoch !== epoch) rows = new Map()
  epoch = message.epoch
  const news = message.t === 'snap' ? message.rows : [message.row]
  for (const row of news) {
    if (row.v > (rows.get(row.court)?.v ?? -1)) rows.set(row.court, row)
  }
  if (message.full) {
    const listed = new Set(news.map((row) => row.court))
    for (const court of rows.keys()) if (!listed.has(court)) rows.delete(court)
  }
  const grid = [...rows.values()].sort((one, other) => one.court - other.court)
  console.log(JSON.stringify({ extensions: socket.extensions, rows: grid }))
})
socket.on('close', (code) => process.exit(code === 4001 ? 0 : 1))
