import { BlockList, isIP, isIPv4 } from "node:net";
import type { Context } from "hono";

/** What is known of the connection a request came over. */
export interface ClientAddresses {
  /**
   * The client's address in one spelling: an IPv4 address (also of the IPv4-mapped `::ffff:1.2.3.4`), of IPv6 the /64 network,
   * as one client usually has a whole /64. `unknown` where there is no connection.
   */
  of(context: Context): string;
  /** True when this process itself speaks TLS with the client, or a trusted proxy says that the client came over https. */
  isSecure(context: Context): boolean;
}

const UNKNOWN = "unknown";

/**
 * Reads addresses behind `trustedProxies` (addresses and CIDR ranges). `X-Forwarded-For` counts only as far as trusted hops wrote
 * it: from the right, the first address that is no trusted proxy. What a client wrote itself is never looked at.
 * Throws: TypeError for a text that is no address or range.
 */
export function createClientAddresses(trustedProxies: readonly string[]): ClientAddresses {
  const trusted = readRanges(trustedProxies);
  const isTrusted = (address: string) => trusted !== undefined && trusted.check(address, isIPv4(address) ? "ipv4" : "ipv6");
  return {
    of(context) {
      const remote = remoteAddress(context);
      if (remote === undefined) return UNKNOWN;
      let client = remote;
      if (isTrusted(client)) {
        for (const hop of (context.req.header("x-forwarded-for") ?? "").split(",").reverse()) {
          const address = plainAddress(hop);
          if (address === undefined) break;
          client = address;
          if (!isTrusted(client)) break;
        }
      }
      return isIPv4(client) ? client : networkOf(client);
    },
    isSecure(context) {
      if (isOverTls(context)) return true;
      const remote = remoteAddress(context);
      if (remote === undefined || !isTrusted(remote)) return false;
      return context.req.header("x-forwarded-proto")?.split(",").at(-1)?.trim().toLowerCase() === "https";
    },
  };
}

/** The address without port, brackets and zone, an IPv4-mapped IPv6 address as IPv4; undefined when the text is no address. */
function plainAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1];
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1];
  const address = (bracketed ?? withPort ?? trimmed).replace(/%.*$/, "");
  if (isIP(address) === 0) return undefined;
  if (isIPv4(address)) return address;
  const groups = groupsOf(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join(".");
  return address;
}

function networkOf(address: string): string {
  return `${groupsOf(address)
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const numbers = (text: string): number[] =>
    text === ""
      ? []
      : text.split(":").flatMap((group) => {
          if (!group.includes(".")) return [Number.parseInt(group, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
          return [(a << 8) | b, (c << 8) | d];
        });
  const left = numbers(head);
  const right = numbers(tail ?? "");
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
}

function readRanges(texts: readonly string[]): BlockList | undefined {
  if (texts.length === 0) return undefined;
  const ranges = new BlockList();
  for (const text of texts) {
    const [address = "", bits] = text.split("/");
    const plain = plainAddress(address);
    if (plain === undefined || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw new TypeError(`${text} is no address or range`);
    const family = isIPv4(plain) ? "ipv4" : "ipv6";
    if (bits === undefined) ranges.addAddress(plain, family);
    else ranges.addSubnet(plain, Number(bits), family);
  }
  return ranges;
}

interface NodeConnection {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string; readonly encrypted?: boolean } };
}

/** True for a request that came over TLS to this process itself. */
export function isOverTls(context: Context): boolean {
  return (context.env as NodeConnection | undefined)?.incoming?.socket?.encrypted === true;
}

// A request that a test hands straight to the app has no socket.
function remoteAddress(context: Context): string | undefined {
  const address = (context.env as NodeConnection | undefined)?.incoming?.socket?.remoteAddress;
  return address === undefined ? undefined : plainAddress(address);
}
