import { connect } from "node:net";
import { parseServerAddress } from "../base/server-address.ts";

/** Settles when something accepts a connection at the address. Throws: Error when nothing does within `deadlineMs`. */
export function untilReachable(address: { readonly host: string; readonly port: number }, deadlineMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, timeout: deadlineMs });
    const end = (error?: Error) => {
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end(new Error("no answer in time")));
    socket.once("error", end);
  });
}

const PORTS: ReadonlyMap<string, number> = new Map([
  ["postgres", 5432],
  ["postgresql", 5432],
  ["https", 443],
  ["http", 80],
]);

/** Host and port of `host:port`, or of an address with a scheme such as `redis://host:port`; the port of its scheme where it names none. */
export function hostAndPort(address: string): { host: string; port: number } {
  const [scheme = ""] = address.split("://");
  return parseServerAddress(address, PORTS.get(scheme) ?? 0);
}
