import { BlockList, isIP } from "node:net";

/** What is allowed besides https to public addresses, for development and for receivers inside the house. */
export interface WebhookPolicy {
  readonly allowHttp: boolean;
  readonly allowPrivate: boolean;
}

/** Everything of IPv4 that is not public: RFC 6890 and its successors, anycast of protocols, multicast and the reserved rest. */
const NOT_PUBLIC_4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;
/** Of IPv6 only 2000::/3 is public at all: IPv4-mapped and translated addresses (::ffff:, 64:ff9b::), loopback, link-local and private ones lie outside. */
const PUBLIC_6 = ["2000::", 3] as const;
/** Tunnels to any IPv4 address (Teredo, 6to4), and ranges for protocols and documents only. */
const NOT_PUBLIC_6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["2620:4f:8000::", 48],
  ["3fff::", 20],
] as const;

const notPublic = new BlockList();
for (const [address, bits] of NOT_PUBLIC_4) notPublic.addSubnet(address, bits, "ipv4");
for (const [address, bits] of NOT_PUBLIC_6) notPublic.addSubnet(address, bits, "ipv6");
const public6 = new BlockList();
public6.addSubnet(...PUBLIC_6, "ipv6");

/** Whether an address, as digits, belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublic.check(address, "ipv4");
    case 6:
      return public6.check(address, "ipv6") && !notPublic.check(address, "ipv6");
    default:
      return false;
  }
}

/** Names that no public resolver answers, but a resolver of a company, a cluster or Tor may. */
const INSIDE_NAMES = /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home\.arpa|corp|svc|test|onion)$/;
const MAX_LENGTH = 2_048;

/**
 * Why events are not sent to a URL, in words; undefined when they may be: the guard against server-side request forgery. Other spellings of
 * an IPv4 address (decimal, octal, short) are read as a browser reads them. The addresses of a name are checked again with each connection.
 */
export function webhookUrlProblem(text: string, policy: WebhookPolicy): string | undefined {
  if (text.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`;
  if (!URL.canParse(text)) return "must be a URL";
  const url = new URL(text);
  if (url.protocol !== "https:" && !(policy.allowHttp && url.protocol === "http:")) return "must begin with https://";
  if (url.username !== "" || url.password !== "") return "must not hold a name or a password";
  if (url.hash !== "") return "must not have a fragment";
  if (policy.allowPrivate) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (isIP(host) !== 0) return isPublicAddress(host) ? undefined : "must not be an address that is not public";
  if (INSIDE_NAMES.test(host) || !host.includes(".")) return "must be the public name of a host";
  return undefined;
}
