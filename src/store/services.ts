import { and, asc, gt, inArray, isNull, sql } from "drizzle-orm";
import { services } from "../../drizzle/schema/services.ts";
import { DomainError } from "../base/errors.ts";
import type { Db } from "./postgres/database.ts";
import { sqlStateOf } from "./postgres/sql-state.ts";

export interface ServiceRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

export interface CreatedService extends ServiceRecord {
  /** False when it was there before, with this name. */
  readonly created: boolean;
}

const ATTEMPTS = 5;

/**
 * Adds services, all of them or none when an id or a name belongs to another service. Results stand in the order of the input.
 * A deleted service blocks nothing: its id is used again, under the new name, and its name is free.
 * Safe to retry: a service that is there with the same name stays as it is. The ids of the input must be distinct, the names too.
 * Throws: SERVICE_NAME_TAKEN with the id; UNAVAILABLE when other calls keep adding the same services.
 */
export async function createServices(db: Db, wanted: readonly { readonly id: string; readonly name: string }[]): Promise<CreatedService[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const rows = await insertServices(db, wanted);
    const clash = rows.find((row) => row["clash"] === true);
    if (clash !== undefined) {
      const id = String(clash["id"]);
      throw new DomainError("SERVICE_NAME_TAKEN", `the id or the name of service ${JSON.stringify(id)} belongs to another service`, {
        serviceId: id,
      });
    }
    const byId = new Map(rows.map((row) => [String(row["id"]), row]));
    // A row that another call adds at this moment is neither inserted nor seen by the statement: the next attempt sees it.
    if (byId.size < wanted.length) continue;
    return wanted.map(({ id, name }) => {
      const row = byId.get(id);
      return { id, name, createdAt: new Date(String(row?.["created_at"])), created: row?.["created"] === true };
    });
  }
  throw new DomainError("UNAVAILABLE", "the same services are being added by others");
}

const UNIQUE_VIOLATION = "23505";

// A name that another call takes at this moment breaks the statement; the next attempt sees whose it is.
async function insertServices(db: Db, wanted: readonly { readonly id: string; readonly name: string }[]) {
  try {
    return await db.execute(insertStatement(wanted));
  } catch (error) {
    if (error instanceof Error && [error, error.cause].some((one) => sqlStateOf(one) === UNIQUE_VIOLATION)) return [];
    throw error;
  }
}

function insertStatement(wanted: readonly { readonly id: string; readonly name: string }[]) {
  return sql`
    with wanted as (select w.id, w.name from json_to_recordset(${JSON.stringify(wanted)}::json) as w(id text, name text)),
    clash as (
      select w.id from wanted w
       where exists (select from services s where s.deleted_at is null and ((s.id = w.id and s.name <> w.name) or (s.name = w.name and s.id <> w.id)))
    ),
    inserted as (
      insert into services (id, name)
      select w.id, w.name from wanted w where not exists (select from clash) order by w.id collate "C"
      on conflict (id) do update set name = excluded.name, created_at = excluded.created_at, deleted_at = null
        where services.deleted_at is not null
      returning id, created_at
    )
    select c.id, null::timestamptz as created_at, false as created, true as clash from clash c
    union all
    select i.id, i.created_at, true, false from inserted i
    union all
    select s.id, s.created_at, false, false from services s join wanted w on w.id = s.id and w.name = s.name
     where s.deleted_at is null and not exists (select from clash)`;
}

/**
 * Deletes a service: it is not sold any more. What was sold stays in the reports under the name it had.
 * Safe to retry: a service that is deleted already is not found.
 * Throws: SERVICE_NOT_FOUND; SERVICE_IN_USE with open holds or running orders; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function deleteService(db: Db, id: string): Promise<{ readonly deletedAt: string }> {
  const [row] = await db.execute<{ found: boolean; deleted_at: string | null }>(sql`
    with wanted as (select s.id from services s where s.id = ${id} and s.deleted_at is null for update),
    used as (${usesOf(id)}),
    deleted as (
      update services s set deleted_at = clock_timestamp() from wanted w where s.id = w.id and not exists (select from used) returning s.deleted_at
    )
    select exists (select from wanted) as found, (select deleted_at::text from deleted) as deleted_at`);
  if (row?.found !== true) throw new DomainError("SERVICE_NOT_FOUND");
  if (row.deleted_at === null) throw new DomainError("SERVICE_IN_USE");
  return { deletedAt: row.deleted_at };
}

/**
 * Takes a deletion back when holds or orders of the service came up while it was being deleted; returns whether it did.
 * Safe to retry. Where another service has its name by now, it stays deleted: its holds are paid or given back all the same.
 */
export async function restoreServiceInUse(db: Db, id: string, { deletedAt }: { readonly deletedAt: string }): Promise<boolean> {
  const [row] = await db.execute<{ used: boolean }>(sql`
    with used as (${usesOf(id)}),
    restored as (
      update services s set deleted_at = null
       where s.id = ${id} and s.deleted_at = ${deletedAt}::timestamptz and exists (select from used)
         and not exists (select from services o where o.name = s.name and o.id <> s.id and o.deleted_at is null)
      returning s.id
    )
    select exists (select from restored) as used`);
  return row?.used === true;
}

function usesOf(id: string) {
  return sql`
      select from holds h where h.service_id = ${id} and h.status = 'held'
      union all
      select from orders o join order_items i on i.order_id = o.id
       where i.service_id = ${id} and o.saga_state not in ('COMPLETED', 'FAILED')`;
}

/** The service, or undefined when there is none or it was deleted. */
export async function getService(db: Db, id: string): Promise<ServiceRecord | undefined> {
  return (await getServices(db, [id]))[0];
}

/** The services with these ids, without those that are unknown or deleted. */
export function getServices(db: Db, ids: readonly string[]): Promise<ServiceRecord[]> {
  return db
    .select(columns)
    .from(services)
    .where(and(inArray(services.id, [...ids]), isNull(services.deletedAt)));
}

/** One page of services by id, after `afterId`; one row more than `limit` when there is a next page. */
export function listServices(db: Db, page: { readonly limit: number; readonly afterId?: string }): Promise<ServiceRecord[]> {
  return db
    .select(columns)
    .from(services)
    .where(and(isNull(services.deletedAt), page.afterId === undefined ? undefined : gt(services.id, page.afterId)))
    .orderBy(asc(services.id))
    .limit(page.limit + 1);
}

const columns = { id: services.id, name: services.name, createdAt: services.createdAt };
