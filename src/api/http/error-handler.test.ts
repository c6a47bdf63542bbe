import { Hono } from "hono";
import { expect, it } from "vitest";
import { SILENT_LOG } from "../../adapters/log.ts";
import { DomainError } from "../../base/errors.ts";
import type { ApiEnv } from "../api-env.ts";
import { createErrorHandler } from "./error-handler.ts";

it.each([
  ["30000", "30"],
  ["1", "1"],
  ["1001", "2"],
  [undefined, "1"],
  ["soon", "1"],
])("a provider that may be asked again after %s ms is answered with Retry-After: %s", async (retryAfterMs, seconds) => {
  const api = new Hono<ApiEnv>();
  api.onError(createErrorHandler(SILENT_LOG));
  api.get("/", () => {
    throw new DomainError("PSP_UNAVAILABLE", "away", retryAfterMs === undefined ? {} : { retryAfterMs });
  });
  const response = await api.request("/");
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, seconds]);
});
