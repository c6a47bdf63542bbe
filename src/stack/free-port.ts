import { randomInt } from "node:crypto";
import { createConnection, createServer } from "node:net";
import { parseServerAddress } from "../base/server-address.ts";
import { StackError } from "./stack-error.ts";

const HOST = "127.0.0.1";
const handedOut = new Set<number>();

/** True when nothing listens on the loopback port at this moment. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A loopback port that is free now and that this process has not handed out before.
 * It lies below the range the kernel gives to outgoing connections, so no outgoing connection can take it before the server does.
 * Throws: SERVER_FAILED when no free port is found.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(20_000, 32_000);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isPortFree(port)) return port;
  }
  throw new StackError("SERVER_FAILED", "No free port was found between 20000 and 32000.");
}

/** A port that must be free, the server that wants it, and the setting that moves it. */
export type WantedPort = { readonly port: number; readonly server: string; readonly variable: string };

/**
 * Gives back the fixed port when it is free.
 * Throws: PORT_TAKEN naming the port, the server and the variable that sets it.
 */
export async function claimPort(wanted: WantedPort): Promise<number> {
  if (await isPortFree(wanted.port)) return wanted.port;
  throw new StackError(
    "PORT_TAKEN",
    `Port ${wanted.port} for ${wanted.server} is taken by another process; stop it, or choose another port with ${wanted.variable}.`,
  );
}

/** True when something accepts a TCP connection at host and port within the time. */
export function canConnect(address: { host: string; port: number }, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(address);
    const finish = (connected: boolean) => {
      socket.destroy();
      resolve(connected);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}

/** Splits `host:port`, with or without a scheme, as addresses of servers are written. */
export function parseAddress(text: string, defaultPort: number): { host: string; port: number } {
  const { host, port } = parseServerAddress(text, defaultPort);
  return { host: host || HOST, port };
}
