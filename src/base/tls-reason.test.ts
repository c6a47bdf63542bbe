import { expect, test } from "vitest";
import { tlsReason } from "./tls-reason.ts";

test.each([
  [{ ca: "/etc/saldo/ca.pem" }, "its certificate is not signed by an authority of REDIS_TLS_CA"],
  [{}, "its certificate is not signed by an authority of Node's list: name yours in REDIS_TLS_CA"],
])("a server of an unknown authority is told with the list that was looked in: %j", (files, expected) => {
  const error = Object.assign(new Error("self-signed"), { code: "SELF_SIGNED_CERT_IN_CHAIN" });
  expect(tlsReason(error, files, "REDIS")).toBe(expected);
});
