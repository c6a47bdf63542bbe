import type { Lane } from "./lane.ts";

/** A table as it can be searched. */
export interface SearchableTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** A statement that counts the rows and, for each column, the rows that match `$1`, with one match. The database writes it, as it quotes its names best. */
  readonly statement: string;
}

/** What a search of one table found, by column. `match` is the text that matched first. */
export interface TableSearch {
  readonly rows: bigint;
  readonly hits: readonly { readonly column: string; readonly count: bigint; readonly example: string; readonly match: string }[];
}

// Bytes are searched as the text they may hold and as hex.
const LIST_TABLES = `
select format('%I.%I', n.nspname, c.relname) as name,
       json_agg(a.attname order by a.attnum)::text as columns,
       format('select count(*)::text, %s from %I.%I t',
         string_agg(
           format('(count(*) filter (where %1$s ~ $1))::text, min(t.ctid::text) filter (where %1$s ~ $1), min(substring(%1$s from $1))',
             case when a.atttypid = 'bytea'::regtype then format('(encode(t.%1$I, ''escape'') || '' '' || t.%1$I::text)', a.attname)
                  else format('t.%I::text', a.attname) end),
           ', ' order by a.attnum),
         n.nspname, c.relname) as statement
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
   and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
 group by n.nspname, c.relname
 order by 1`;

/** Every table and materialised view that this connection may read, of all schemas but the server's own. */
export async function listTables(lane: Lane): Promise<SearchableTable[]> {
  const rows = await lane.values(LIST_TABLES, []);
  return rows.map(([name, columns, statement]) => ({
    name: String(name),
    columns: JSON.parse(String(columns)) as string[],
    statement: String(statement),
  }));
}

/** Searches every column of every row for the regular expression. It reads the whole table. */
export async function searchTable(lane: Lane, table: SearchableTable, pattern: string): Promise<TableSearch> {
  const [row = []] = await lane.values(table.statement, [pattern]);
  const [rows, ...answers] = row;
  const hits = table.columns.map((column, place) => {
    const [count, example, match] = answers.slice(place * 3, place * 3 + 3);
    return { column, count: BigInt(String(count)), example: String(example), match: String(match) };
  });
  return { rows: BigInt(String(rows)), hits: hits.filter(({ count }) => count > 0n) };
}

/** Where the server keeps its files, or undefined when this connection may not know. */
export async function readDataDirectory(lane: Lane): Promise<string | undefined> {
  const [row] = await lane.values(
    "select case when pg_has_role(current_user, 'pg_read_all_settings', 'usage') then current_setting('data_directory', true) end",
    [],
  );
  return typeof row?.[0] === "string" ? row[0] : undefined;
}
