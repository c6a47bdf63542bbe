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

/** Host and port of `host:port`, or of an address with a scheme such as `redis://host:port`. */
export function hostAndPort(address: string): { host: string; port: number } {
  return parseServerAddress(address, 0);
}
