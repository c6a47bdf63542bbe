import { expect, test } from "vitest";
import { urlHost } from "./url-host.ts";

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["api.example", "api.example"],
  ["::1", "[::1]"],
])("the host %s stands in a URL as %s", (host, inUrl) => expect(urlHost(host)).toBe(inUrl));
