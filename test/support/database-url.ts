/** The migrated database that each test database is a copy of. */
export const TEMPLATE_DATABASE = "saldo_template";

/** The same address with another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.toString();
}
