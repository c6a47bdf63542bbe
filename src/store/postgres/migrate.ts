import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { DomainError } from "../../base/errors.ts";
import { driverTarget } from "../../base/postgres-url.ts";
import { requireDirect } from "./require-direct.ts";

const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../../drizzle/migrations", import.meta.url));
/** Any constant serves; it only has to be the same in every migrator. */
const MIGRATION_LOCK = 5_301_977;

/** A role name out of a configuration, quoted for a statement that takes no parameters. */
function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteLiteral(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

// CREATE ROLE takes no parameters and has no IF NOT EXISTS; a role is of the whole cluster, so another database's migrator may be first.
async function ensureRole(admin: postgres.Sql, name: string, options: string): Promise<void> {
  await admin.unsafe(
    `DO $do$ BEGIN CREATE ROLE ${quoteIdentifier(name)} ${options}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$`,
  );
}

/**
 * How a session must be for our statements to mean, and for times and bytes to be written as, what we take them for. Whoever runs a cluster
 * may have other defaults for it: with `datestyle = German` every answer with a time is an error after its effect, with
 * `bytea_output = escape` bytes are read as other bytes. They are settings of the role in its database and not of the connection,
 * because PgBouncer refuses most of these at a connection's start.
 */
const SESSION_SETTINGS = {
  datestyle: "ISO",
  timezone: "UTC",
  bytea_output: "hex",
  search_path: "public",
  default_transaction_isolation: "read committed",
} as const;

async function prepareRoles(admin: postgres.Sql, appUrl: string): Promise<void> {
  const app = new URL(appUrl);
  const login = decodeURIComponent(app.username);
  await ensureRole(admin, "saldo_owner", "NOLOGIN");
  await ensureRole(admin, "saldo_app", "NOLOGIN");
  if (login !== "saldo_app") await ensureRole(admin, login, "LOGIN");
  await admin.unsafe(`ALTER ROLE ${quoteIdentifier(login)} LOGIN PASSWORD ${quoteLiteral(decodeURIComponent(app.password))}`);
  if (login !== "saldo_app") await admin.unsafe(`GRANT saldo_app TO ${quoteIdentifier(login)}`);
  await admin.unsafe("GRANT saldo_owner TO CURRENT_USER");
  const database = quoteIdentifier(decodeURIComponent(app.pathname.slice(1)));
  for (const [name, value] of Object.entries(SESSION_SETTINGS))
    await admin.unsafe(`ALTER ROLE ${quoteIdentifier(login)} IN DATABASE ${database} SET ${name} = ${quoteLiteral(value)}`);
  await admin.unsafe(`GRANT CREATE ON DATABASE ${database} TO saldo_owner`);
  await admin.unsafe("GRANT CREATE, USAGE ON SCHEMA public TO saldo_owner");
}

/**
 * Brings the database to the newest schema and makes the roles: `saldo_owner` owns everything, `saldo_app` may do what the
 * application needs, and the login of `appUrl` is a member of it with the password that stands there. Its sessions in this database have
 * the settings that our statements rely on, whatever the cluster's defaults are.
 * Locks: one migrator at a time per database; another one waits. Safe to retry: applied migrations are left alone.
 * Throws: INVALID_REQUEST for a database that does not keep its text in UTF-8, and for an address that leads through a pooler; the server's error.
 */
export async function migrateDatabase(input: { adminUrl: string; appUrl: string }): Promise<{ applied: number }> {
  await requireDirect(input.adminUrl, "The address for migrations");
  const target = driverTarget(input.adminUrl);
  const admin = postgres(target.url, { ...target.options, max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await admin`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await requireUtf8(admin);
    // Migrations name their tables without a schema.
    await admin.unsafe(`SET search_path = ${SESSION_SETTINGS.search_path}`);
    await prepareRoles(admin, input.appUrl);
    await admin.unsafe("SET ROLE saldo_owner");
    const before = await countApplied(admin);
    await migrate(drizzle(admin), { migrationsFolder: MIGRATIONS_FOLDER }).catch((error: unknown) => {
      // drizzle's own error repeats the whole migration; the server's words are in its cause.
      throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
    });
    return { applied: (await countApplied(admin)) - before };
  } finally {
    await admin.end({ timeout: 5 });
  }
}

// With LATIN1 a deposit with a Russian comment is an error; with SQL_ASCII lengths and letters are counted in bytes.
async function requireUtf8(admin: postgres.Sql): Promise<void> {
  const [row] = await admin`select getdatabaseencoding() as encoding`;
  const encoding = String(row?.["encoding"]);
  if (encoding !== "UTF8")
    throw new DomainError(
      "INVALID_REQUEST",
      `the database keeps its text in ${encoding} and must keep it in UTF8: make it with ENCODING 'UTF8' TEMPLATE template0`,
    );
}

async function countApplied(admin: postgres.Sql): Promise<number> {
  const [table] = await admin`select to_regclass('drizzle.__drizzle_migrations') is not null as present`;
  if (table?.["present"] !== true) return 0;
  const [row] = await admin`select count(*)::int as applied from drizzle.__drizzle_migrations`;
  return Number(row?.["applied"] ?? 0);
}
