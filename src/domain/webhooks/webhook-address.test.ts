import { describe, expect, it } from "vitest";
import { isPublicAddress, webhookUrlProblem } from "./webhook-address.ts";

const STRICT = { allowHttp: false, allowPrivate: false };

describe("an address that events may be sent to", () => {
  it.each([
    ["127.0.0.1"],
    ["0.0.0.0"],
    ["10.1.2.3"],
    ["172.16.0.1"],
    ["172.31.255.255"],
    ["192.168.1.1"],
    ["169.254.169.254"],
    ["100.64.0.1"],
    ["192.31.196.1"],
    ["192.52.193.1"],
    ["192.175.48.1"],
    ["198.18.0.1"],
    ["224.0.0.1"],
    ["255.255.255.255"],
    ["::"],
    ["::1"],
    ["::ffff:127.0.0.1"],
    ["::ffff:8.8.8.8"],
    ["::ffff:7f00:1"],
    ["64:ff9b::7f00:1"],
    ["fe80::1"],
    ["fc00::1"],
    ["fd12::1"],
    ["ff02::1"],
    ["2002:7f00:1::"],
    ["2001:0:7f00::1"],
    ["2001:db8::1"],
    ["2620:4f:8000::1"],
    ["not an address"],
    [""],
  ])("is not %s", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"])("may be %s", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe("a webhook's URL", () => {
  it.each([
    "http://shop.example/hook",
    "ftp://shop.example/hook",
    "https://user:pass@shop.example/",
    "https://shop.example/#part",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://0/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://intranet/",
    "https://hidden.onion/",
    "https://box.test/",
    "https://box.localdomain/",
    "https://kubernetes.default.svc/",
    "https://x.svc.cluster.local./",
    "https://db.corp/",
    "https://router.lan/",
    "https:///",
    "not a url",
    `https://shop.example/${"x".repeat(2_048)}`,
  ])("is not %s", (url) => {
    expect(webhookUrlProblem(url, STRICT)).toBeDefined();
  });

  it.each([
    "https://shop.example/hook?a=1",
    "https://local.example/",
    "https://latest.example/",
    "https://8.8.8.8:8443/",
    "https://[2606:4700:4700::1111]/",
  ])("may be %s", (url) => {
    expect(webhookUrlProblem(url, STRICT)).toBeUndefined();
  });

  it("may be without TLS or inside the house where that is allowed", () => {
    expect(webhookUrlProblem("http://8.8.8.8/", { allowHttp: true, allowPrivate: false })).toBeUndefined();
    expect(webhookUrlProblem("https://127.0.0.1:9000/", { allowHttp: false, allowPrivate: true })).toBeUndefined();
    expect(webhookUrlProblem("http://127.0.0.1:9000/", { allowHttp: false, allowPrivate: true })).toBeDefined();
  });
});
