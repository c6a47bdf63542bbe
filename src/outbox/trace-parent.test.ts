import { describe, expect, it } from "vitest";
import { traceParentOf } from "./trace-parent.ts";

describe("the traceparent of an event", () => {
  it("has the correlation id as its trace when that is a UUID or a trace id", () => {
    const uuid = "0192F0C1-2345-7abc-8def-0123456789ab";
    const trace = "0192f0c123457abc8def0123456789ab";
    expect(traceParentOf({ id: "outbox/1", correlationId: uuid })).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(traceParentOf({ id: "outbox/1", correlationId: trace })).toBe(traceParentOf({ id: "outbox/1", correlationId: uuid }));
  });

  it.each(["order-42", "", "0".repeat(32), undefined])(
    "is well formed and the same each time for the correlation id %j",
    (correlationId) => {
      const parent = traceParentOf({ id: "outbox/1", correlationId });
      expect(parent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/);
      expect(traceParentOf({ id: "outbox/1", correlationId })).toBe(parent);
    },
  );

  it("is another span for each event of a trace", () => {
    const [one = "", other = ""] = ["outbox/1", "outbox/2"].map((id) => traceParentOf({ id, correlationId: "c" }));
    expect(one.slice(0, 35)).toBe(other.slice(0, 35));
    expect(one).not.toBe(other);
  });
});
