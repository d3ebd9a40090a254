-- For wrk: sends what the environment says, and prints what came out of it as one line of JSON.
local body = os.getenv("BENCH_BODY_BYTES")

if body then
   wrk.method = "POST"
   wrk.body = string.rep("x", tonumber(body))
end

done = function(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      'BENCH {"requests":%d,"bytes":%d,"seconds":%.6f,"p50Ms":%.4f,"p99Ms":%.4f,"maxMs":%.4f,"errors":%d}\n',
      summary.requests, summary.bytes, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
