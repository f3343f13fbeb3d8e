-- Replays the requests of a file in their order. Arguments: the file, and "statuses" to count them (slower).

local requests, at, threads = {}, 0, {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local length = file:read(8)
  while length do
    requests[#requests + 1] = file:read(tonumber(length))
    length = file:read(8)
  end
  file:close()
  if args[2] == "statuses" then
    local seen = {}
    response = function(status)
      seen[status] = (seen[status] or 0) + 1
    end
    -- wrk fetches globals of a thread when all is done; a table's values must be of simple types.
    statuses = seen
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local parts = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses") or {}) do
      parts[#parts + 1] = string.format('"%d":%d', status, count)
    end
  end
  local failed = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"received":%d,"p50_ms":%.4f,"p99_ms":%.4f,"refused":%d,"errors":%d,"statuses":{%s}}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.status, failed.connect + failed.read + failed.write + failed.timeout, table.concat(parts, ",")))
end
