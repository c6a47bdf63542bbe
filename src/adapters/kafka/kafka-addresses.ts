const IPV6 = /^\[([^\]]+)\](?::(\d+))?$/;
const DEFAULT_PORT = 9092;

/** The brokers as the client takes them, and where each name that the client connects to really is. */
export interface BrokerAddresses {
  readonly names: string[];
  readonly hostOf: (name: string) => string;
}

/**
 * The brokers as `host:port` from `host:port`, `host` or `[ipv6]:port` each.
 * The client splits an address at its first colon, an IPv6 address too (tulios/kafkajs#1589): that one is given a name, which our sockets
 * resolve by `hostOf`. Addresses that brokers tell of themselves come with host and port apart.
 */
export function brokerAddresses(brokers: readonly string[]): BrokerAddresses {
  const literals = new Map<string, string>();
  const names = brokers.map((broker, place) => {
    const [, literal, port = String(DEFAULT_PORT)] = IPV6.exec(broker) ?? [];
    if (literal === undefined) return broker.includes(":") ? broker : `${broker}:${DEFAULT_PORT}`;
    const name = `ipv6-address-${place}`;
    literals.set(name, literal);
    return `${name}:${port}`;
  });
  return { names, hostOf: (name) => literals.get(name) ?? name };
}
