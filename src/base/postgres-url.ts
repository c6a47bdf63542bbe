/**
 * Parameters of an address that are for other clients, or that the server need not be told: libpq's (the connection parameters of
 * PostgreSQL 18's manual, 34.1.2) and those which Prisma and poolers add. Our driver would send them to the server as settings, and the
 * server refuses every connection that names a setting it does not know.
 */
const FOR_OTHER_CLIENTS = new Set([
  "connect_timeout",
  "keepalives",
  "keepalives_idle",
  "keepalives_interval",
  "keepalives_count",
  "tcp_user_timeout",
  "gssencmode",
  "gsslib",
  "gssdelegation",
  "krbsrvname",
  "fallback_application_name",
  "load_balance_hosts",
  "client_encoding",
  "sslcompression",
  "sslsni",
  "schema",
  "pgbouncer",
  "connection_limit",
  "pool_timeout",
  "socket_timeout",
  "statement_cache_size",
  "prepared_statements",
]);

/** What the driver understands itself, and `options`, by which an operator gives the server settings on purpose. */
const FOR_THE_DRIVER = new Set(["ssl", "sslmode", "sslnegotiation", "target_session_attrs", "application_name", "options"]);

/** An address of Postgres as the driver takes it, and the parameters that it cannot keep. */
export interface PostgresAddressParts {
  readonly url: string;
  readonly unkept: readonly string[];
  /** False when user, password or database hold a percent sign that encodes nothing: the driver could not read them. */
  readonly isEncoded: boolean;
}

/**
 * Leaves out of an address of Postgres the parameters that only other clients know. What neither they nor the driver knows is in
 * `unkept`: among them are promises of safety, such as `channel_binding=require` or `sslrootcert`, which must not be dropped in silence.
 * `text` must be a URL. Safe to retry: the result gives itself.
 */
export function readPostgresUrl(text: string): PostgresAddressParts {
  const url = new URL(text);
  const parameters = [...url.searchParams];
  // Binding is what `require` promises; the two other values leave it to the client.
  const isForOthers = ([name, value]: readonly [string, string]) =>
    FOR_OTHER_CLIENTS.has(name) || (name === "channel_binding" && value !== "require");
  const isForTheDriver = ([name, value]: readonly [string, string]) =>
    FOR_THE_DRIVER.has(name) || (name === "sslrootcert" && value === "system");
  const others = parameters.filter(isForOthers);
  for (const [name] of others) url.searchParams.delete(name);
  const unkept = parameters.filter((parameter) => !isForOthers(parameter) && !isForTheDriver(parameter)).map(([name]) => name);
  // Writing the address anew changes how its other parameters are encoded, which libpq reads otherwise.
  const isEncoded = [url.username, url.password, url.pathname].every(isDecodable);
  return { url: others.length === 0 ? text : url.toString(), unkept, isEncoded };
}

/** What the driver does not read rightly out of an address, as options beside it. */
export interface DriverTarget {
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
}

/**
 * The options that go beside an address of Postgres: host and port when it names an IPv6 address, which the driver itself splits at its
 * first colon, and the database's name, which the driver takes as it is encoded. `url` must be one that `readPostgresUrl` calls encoded.
 */
export function driverTarget(url: string): DriverTarget {
  const { hostname, port, pathname } = new URL(url);
  const database = decodeURIComponent(pathname.slice(1));
  // Lists, which the driver takes as they are; its types know only a text, which it would split.
  const host = [hostname.slice(1, -1)] as unknown as string;
  return {
    ...(hostname.startsWith("[") ? { host, port: [port === "" ? 5432 : Number(port)] as unknown as number } : {}),
    ...(database === "" ? {} : { database }),
  };
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
