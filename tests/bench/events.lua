-- Reports heartbeats of BENCH_SESSIONS sessions, BENCH_BATCH to a request. Prints one line of JSON.
local sessions = tonumber(os.getenv("BENCH_SESSIONS"))
local batch = tonumber(os.getenv("BENCH_BATCH"))
local headers = { ["Content-Type"] = "application/json", ["X-Session-Token"] = os.getenv("BENCH_TOKEN") }
local event = '{"session_id":"s-%d","upstream_addr":"203.0.113.%d","upstream_port":8888,"edge_id":"edge-a","event":"heartbeat"}'

local function heartbeat()
   local session = math.random(0, sessions - 1)
   return event:format(session, session % 50 + 1)
end

-- Made beforehand: while it runs, wrk shares the cores with what it measures.
local batches = {}

function init()
   math.randomseed(os.time())
   for number = 1, batch > 1 and 64 or 0 do
      local events = {}
      for place = 1, batch do
         events[place] = heartbeat()
      end
      batches[number] = wrk.format("POST", "/api/sessions/events/batch", headers, "[" .. table.concat(events, ",") .. "]")
   end
end

function request()
   if batch > 1 then
      return batches[math.random(#batches)]
   end
   return wrk.format("POST", "/api/sessions/events", headers, heartbeat())
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format('{"requests":%d,"duration_us":%d,"errors":%d,"p99_us":%d}\n',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(99)))
end
