-- Requests that differ by a number, for http-load.ts. Arguments: method, path, file of the body, number of keys.
local method, path, body, keys
local n = 0

function init(args)
  method, path, keys = args[1], args[2], tonumber(args[4])
  local file = io.open(args[3])
  body = file:read("*a")
  file:close()
end

local function fill(template)
  return (template:gsub("{n}", n):gsub("{key}", n % keys))
end

function request()
  local text = wrk.format(method, fill(path), { ["content-type"] = "application/json" }, body ~= "" and fill(body) or nil)
  n = n + 1
  return text
end

function done(summary, latency)
  local failures = summary.errors
  print(string.format('\n{"requests":%d,"microseconds":%d,"failures":%d,"p50":%d,"p99":%d}',
    summary.requests, summary.duration,
    failures.connect + failures.read + failures.write + failures.status + failures.timeout,
    latency:percentile(50), latency:percentile(99)))
end
