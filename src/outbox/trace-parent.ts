import { hash } from "node:crypto";

const TRACE_ID = /^[0-9a-f]{32}$/;
const NO_TRACE = "0".repeat(32);

/**
 * The W3C `traceparent` of an event: all events of one correlation id have one trace, and each event has a span. A correlation id that is a
 * UUID or a trace id is the trace itself, so that a tracing tool finds it. Equal inputs give equal results: a repeat is the same span.
 */
export function traceParentOf(event: { readonly id: string; readonly correlationId: string | undefined }): string {
  const { id, correlationId = id } = event;
  const hex = correlationId.toLowerCase().replaceAll("-", "");
  const trace = TRACE_ID.test(hex) && hex !== NO_TRACE ? hex : sha256(correlationId).slice(0, 32);
  return `00-${trace}-${sha256(id).slice(0, 16)}-01`;
}

function sha256(text: string): string {
  return hash("sha256", text);
}
