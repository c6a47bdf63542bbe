import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";

/** Machines without IPv6 cannot run the tests of its addresses. */
export const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));

/** Opens a port on `::1` that leads to a port on 127.0.0.1. Its `close` cuts what goes through it. */
export async function openIpv6Door(port: number): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const door = createServer((outside) => {
    const inside = connect({ host: "127.0.0.1", port });
    for (const socket of [outside, inside]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    outside.pipe(inside).pipe(outside);
  });
  door.listen(0, "::1");
  await once(door, "listening");
  return {
    port: (door.address() as { port: number }).port,
    close() {
      for (const socket of sockets) socket.destroy();
      door.close();
    },
  };
}
