import { connect } from "node:net";
import type { KafkaConfig } from "kafkajs";

const IPV6 = /^\[([^\]]+)\](?::(\d+))?$/;
const DEFAULT_PORT = 9092;
/** As the client's own sockets. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * The part of the client's settings that says where the brokers are: `host:port`, `host` or `[ipv6]:port` each.
 * The client splits an address at its first colon, an IPv6 address too (tulios/kafkajs#1589): that one is given a name, which the sockets
 * made here resolve. Addresses that brokers tell of themselves come with host and port apart.
 */
export function brokerAddresses(brokers: readonly string[]): Pick<KafkaConfig, "brokers" | "socketFactory"> {
  const literals = new Map<string, string>();
  const names = brokers.map((broker, place) => {
    const [, literal, port = String(DEFAULT_PORT)] = IPV6.exec(broker) ?? [];
    if (literal === undefined) return broker.includes(":") ? broker : `${broker}:${DEFAULT_PORT}`;
    const name = `ipv6-address-${place}`;
    literals.set(name, literal);
    return `${name}:${port}`;
  });
  if (literals.size === 0) return { brokers: names };
  return {
    brokers: names,
    socketFactory: ({ host, port, onConnect }) =>
      connect({ host: literals.get(host) ?? host, port }, onConnect).setKeepAlive(true, KEEP_ALIVE_DELAY_MS),
  };
}
