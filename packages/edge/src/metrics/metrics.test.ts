import { describe, expect, it } from "vitest";
import { visitorErrorCodes } from "@expose/protocol";
import { createEdgeMetrics } from "./edge-metrics.ts";
import { createMetrics, renderFigures } from "./metrics.ts";

describe("the text form", () => {
  it("shows counters, gauges and readings with their help and type", () => {
    const metrics = createMetrics();
    const plain = metrics.counter("a_total", "Plain.");
    const labelled = metrics.counter("b_total", "By kind.", {
      name: "kind",
      values: ["x", "y"],
    });
    metrics.read("gauge", "c", "Read.", () => 7);
    metrics.read(
      "gauge",
      "d",
      "Read by state.",
      () => ({ open: 1, away: 2 }),
      "state",
    );
    plain.add();
    plain.add(2);
    labelled.add(1, "y");
    expect(renderFigures(metrics.figures())).toBe(
      [
        "# HELP a_total Plain.",
        "# TYPE a_total counter",
        "a_total 3",
        "# HELP b_total By kind.",
        "# TYPE b_total counter",
        'b_total{kind="x"} 0',
        'b_total{kind="y"} 1',
        "# HELP c Read.",
        "# TYPE c gauge",
        "c 7",
        "# HELP d Read by state.",
        "# TYPE d gauge",
        'd{state="open"} 1',
        'd{state="away"} 2',
        "",
      ].join("\n"),
    );
  });

  it("shows histograms whose buckets contain the smaller ones", () => {
    const metrics = createMetrics();
    const histogram = metrics.histogram("h_seconds", "Times.", [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 3]) histogram.observe(value);
    expect(renderFigures(metrics.figures()).split("\n").slice(2, -1)).toEqual([
      'h_seconds_bucket{le="0.1"} 2',
      'h_seconds_bucket{le="1"} 3',
      'h_seconds_bucket{le="+Inf"} 4',
      "h_seconds_sum 3.65",
      "h_seconds_count 4",
    ]);
  });

  it("has no series for a label that was not declared", () => {
    const metrics = createMetrics();
    const counter = metrics.counter("a_total", "A.", {
      name: "code",
      values: ["x"],
    });
    for (let i = 0; i < 1_000; i++) counter.add(1, `made-up-${i}`);
    expect(renderFigures(metrics.figures())).not.toContain("made-up");
  });

  it("leaves out what cannot be read, and nothing else", () => {
    const metrics = createMetrics();
    metrics.read("gauge", "broken", "Broken.", () => {
      throw new Error("closing");
    });
    metrics.read("gauge", "fine", "Fine.", () => 1);
    expect(renderFigures(metrics.figures())).toBe(
      "# HELP fine Fine.\n# TYPE fine gauge\nfine 1\n",
    );
  });

  it("does not take a name twice", () => {
    const metrics = createMetrics();
    metrics.counter("a_total", "A.");
    expect(() => metrics.counter("a_total", "A.")).toThrow("exists already");
  });
});

describe("the metrics of an edge", () => {
  it("count requests by what became of them", () => {
    const metrics = createEdgeMetrics();
    const record = {
      startedAt: 0,
      tunnel: "shop",
      identity: "alice",
      visitor: "203.0.113.5",
      method: "GET",
      target: "/",
      host: "shop.example",
      httpVersion: "1.1",
      rawHeaders: [],
      status: 200,
      error: undefined,
      upgraded: false,
      routeMs: 0,
      connectMs: 1,
      firstByteMs: 4,
      totalMs: 30,
      bytesIn: 5,
      bytesOut: 7,
      retried: true,
    };
    metrics.observe(record);
    metrics.observe({ ...record, status: 0, firstByteMs: undefined });
    metrics.observe({ ...record, status: 101, upgraded: true, totalMs: 1e7 });
    metrics.observe({ ...record, status: 503, error: "tunnel-busy" });
    metrics.observe({ ...record, status: 999 });
    const text = renderFigures(metrics.figures());
    for (const line of [
      'expose_requests_total{status="none"} 2',
      'expose_requests_total{status="1xx"} 1',
      'expose_requests_total{status="2xx"} 1',
      'expose_requests_total{status="5xx"} 1',
      'expose_request_errors_total{code="tunnel-busy"} 1',
      'expose_request_duration_seconds_bucket{le="0.025"} 0',
      'expose_request_duration_seconds_bucket{le="0.05"} 4',
      "expose_request_duration_seconds_count 4",
      'expose_request_first_byte_seconds_bucket{le="0.005"} 4',
      "expose_upgrades_total 1",
      "expose_request_retries_total 5",
      'expose_body_bytes_total{direction="out"} 35',
    ])
      expect(text.split("\n")).toContain(line);
    expect(text).not.toMatch(/shop|alice|203\.0\.113/);
  });

  it("have a series for each error code from the start", () => {
    const text = renderFigures(createEdgeMetrics().figures());
    for (const code of Object.keys(visitorErrorCodes))
      expect(text).toContain(`expose_request_errors_total{code="${code}"} 0`);
  });

  it("show what others count", () => {
    const metrics = createEdgeMetrics();
    metrics.watch({
      tunnels: () => ({ open: 3, away: 1 }),
      sessions: () => ({ embedded: 2 }),
      users: () => ({ identities: 4, keys: 5, reloads: 6, rejections: 7 }),
      accessLog: () => ({ written: 8, dropped: 9, writeErrors: 10 }),
      visitorConnections: () => 11,
      refusedConnections: () => 12,
      requestsInFlight: () => 13,
      upgradesOpen: () => 14,
    });
    const text = renderFigures(metrics.figures());
    for (const line of [
      'expose_tunnels{state="open"} 3',
      'expose_sessions{ingress="embedded"} 2',
      'expose_users_reloads_total{result="refused"} 7',
      'expose_access_log_records_total{result="dropped"} 9',
      "expose_visitor_connections 11",
      "expose_visitor_connections_refused_total 12",
      "expose_requests_in_flight 13",
      "expose_upgrades_open 14",
    ])
      expect(text.split("\n")).toContain(line);
    // Each line is a comment or a sample, as Prometheus' text form has it.
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) [a-z_]+ \S.*|[a-z_]+(?:\{[a-z]+="[^"\\]*"\})? [0-9.e+-]+)$/,
      );
  });
});
