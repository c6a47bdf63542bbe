import { TLS_PARAMETERS, tlsFilesOf, withoutParameters } from "./tls-address.ts";
import { tlsFrom, type TlsOptions } from "./tls-files.ts";
import { plainHost } from "./url-host.ts";

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
const FOR_THE_DRIVER = new Set(["sslnegotiation", "target_session_attrs", "application_name", "options"]);

/**
 * What an address says of TLS, in libpq's words and the driver's. Whichever of them asks for TLS, the server's certificate and name are
 * checked: of `require` the driver itself would check nothing.
 */
const TLS_MODES: Readonly<Record<string, boolean>> = {
  disable: false,
  false: false,
  require: true,
  "verify-ca": true,
  "verify-full": true,
  true: true,
};
const MODE_PARAMETERS = ["sslmode", "ssl"];

/** An address of Postgres as the driver takes it, and the parameters that it cannot keep. */
export interface PostgresAddressParts {
  readonly url: string;
  readonly unkept: readonly string[];
  /** The value of `sslmode` or `ssl` that would leave it to the server whether anything is encrypted or checked; undefined without one. */
  readonly looseMode?: string;
  /** False when user, password or database hold a percent sign that encodes nothing: the driver could not read them. */
  readonly isEncoded: boolean;
}

/**
 * Leaves out of an address of Postgres the parameters that only other clients know. What neither they nor the driver knows is in
 * `unkept`: among them are promises of safety, such as `channel_binding=require` or `sslcrl`, which must not be dropped in silence.
 * `text` must be a URL. Safe to retry: the result gives itself.
 */
export function readPostgresUrl(text: string): PostgresAddressParts {
  const url = new URL(text);
  const parameters = [...url.searchParams];
  // Binding is what `require` promises; the two other values leave it to the client.
  const isForOthers = ([name, value]: readonly [string, string]) =>
    FOR_OTHER_CLIENTS.has(name) || (name === "channel_binding" && value !== "require");
  const isForTheDriver = ([name]: readonly [string, string]) =>
    FOR_THE_DRIVER.has(name) || MODE_PARAMETERS.includes(name) || TLS_PARAMETERS.includes(name);
  const looseMode = parameters.find(([name, value]) => MODE_PARAMETERS.includes(name) && TLS_MODES[value] === undefined)?.[1];
  const others = parameters.filter(isForOthers);
  for (const [name] of others) url.searchParams.delete(name);
  const unkept = parameters.filter((parameter) => !isForOthers(parameter) && !isForTheDriver(parameter)).map(([name]) => name);
  // Writing the address anew changes how its other parameters are encoded, which libpq reads otherwise.
  const isEncoded = [url.username, url.password, url.pathname].every(isDecodable);
  const kept = others.length === 0 ? text : url.toString();
  return { url: kept, unkept, isEncoded, ...(looseMode === undefined ? {} : { looseMode }) };
}

/** Whether an address asks for TLS; undefined when it says nothing of it. Of words that contradict each other the safe one counts. */
export function tlsOfPostgresUrl(url: string): boolean | undefined {
  const { searchParams } = new URL(url);
  const modes = MODE_PARAMETERS.flatMap((name) => searchParams.getAll(name));
  if (modes.length > 0) return modes.some((mode) => TLS_MODES[mode] ?? true);
  const isDirect = searchParams.get("sslnegotiation") === "direct";
  return isDirect || TLS_PARAMETERS.some((name) => searchParams.has(name)) ? true : undefined;
}

/** The login of an address, without its password. */
export function loginOfPostgresUrl(url: string): { readonly user: string; readonly database: string } {
  const { username, pathname } = new URL(url);
  return { user: decodeURIComponent(username), database: decodeURIComponent(pathname.slice(1)) };
}

/** An address as the driver is to be given it: what it does not read rightly out of it stands beside it. */
export interface DriverTarget {
  readonly url: string;
  readonly options: {
    readonly host?: string;
    readonly port?: number;
    readonly database?: string;
    readonly ssl: TlsOptions | false;
  };
}

/**
 * Beside an address of Postgres go host and port when it names an IPv6 address, which the driver itself splits at its first colon, the
 * database's name, which the driver takes as it is encoded, and TLS, of whose files the driver knows nothing. Every connection of the
 * project to Postgres is made by it. `url` must be one that `readPostgresUrl` calls encoded.
 * Throws: the file system's error or TLS's own, when the files of TLS cannot be used.
 */
export function driverTarget(url: string): DriverTarget {
  const { hostname, port, pathname } = new URL(url);
  const database = decodeURIComponent(pathname.slice(1));
  const isIpv6 = hostname.startsWith("[");
  const bareHost = plainHost(hostname);
  // Lists, which the driver takes as they are; its types know only a text, which it would split.
  const host = [bareHost] as unknown as string;
  return {
    url: withoutParameters(url, [...MODE_PARAMETERS, ...TLS_PARAMETERS]),
    options: {
      ...(isIpv6 ? { host, port: [port === "" ? 5432 : Number(port)] as unknown as number } : {}),
      ...(database === "" ? {} : { database }),
      // Said also when there is none: the driver would look for it in PGSSL.
      ssl: tlsOfPostgresUrl(url) === true ? tlsFrom(tlsFilesOf(url), bareHost) : false,
    },
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
