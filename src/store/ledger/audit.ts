import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

export type InvariantId = "I1" | "I2" | "I3" | "I4" | "I5" | "I6";

/** The check of one invariant: how many rows were checked, how many break it, and the first few of those in words. */
export interface AuditFinding {
  readonly invariant: InvariantId;
  readonly title: string;
  readonly checked: bigint;
  readonly broken: bigint;
  readonly examples: readonly string[];
}

export interface AuditReport {
  readonly ok: boolean;
  readonly findings: readonly AuditFinding[];
}

/** How long a hold may stay open after its time: enough for its workflow's timer and a retry. */
const LATE_HOLD_SECONDS = 30;
const EXAMPLES = 5;

interface Check {
  readonly invariant: InvariantId;
  readonly title: string;
  /** Selects how many rows are checked: numbers that are added up. */
  readonly checked: SQL;
  /** Selects a line of text for each row that breaks the invariant. */
  readonly broken: SQL;
}

const CHECKS: readonly Check[] = [
  {
    invariant: "I1",
    title: "every operation has its postings in its currency, and all balances of a currency add up to zero",
    checked: sql`select count(*) from operations`,
    broken: sql`
      select 'operation ' || coalesce(o.id, p.operation_id) || ' (' || coalesce(o.outcome, 'missing') || ', amount ' || coalesce(o.amount_minor, 0) || ') has ' || coalesce(p.postings, 0) || ' postings of ' || coalesce(p.amount_minor, 0)
        from operations o
        full join (select operation_id, count(*) as postings, sum(amount_minor) as amount_minor from postings group by operation_id) p on p.operation_id = o.id
       where o.id is null or (o.outcome = 'done' and p.amount_minor is distinct from o.amount_minor) or (o.outcome = 'refused' and p.postings is not null)
      union all
      select 'posting ' || p.id || ' in ' || p.currency || ' is not of the currency of its operation and accounts'
        from postings p left join operations o on o.id = p.operation_id left join accounts d on d.id = p.debit_account left join accounts c on c.id = p.credit_account
       where o.currency is distinct from p.currency or d.currency is distinct from p.currency or c.currency is distinct from p.currency
      union all
      select 'the balances in ' || currency || ' add up to ' || sum(balance_minor) from accounts group by currency having sum(balance_minor) <> 0`,
  },
  {
    invariant: "I2",
    title: "each account's balance and version are those of its postings, which are numbered without a gap",
    checked: sql`select count(*) from accounts`,
    // Each step is compared with the one before it: when every step is right, so is the sum, and no sum of millions is kept.
    broken: sql`
      select 'account ' || coalesce(s.account, a.id) || ' has balance ' || coalesce(a.balance_minor::text, 'none') || ' at version ' || coalesce(a.version::text, 'none')
             || ', its ' || coalesce(s.postings, 0) || ' postings make ' || coalesce(s.total, 0)
             || case when s.wrong_at is null then '' else ', posting version ' || s.wrong_at || ' does not follow' end
        from accounts a
        full join (
          select account, count(*) as postings, sum(delta) as total, min(version) filter (where version <> expected_version or balance <> expected_balance) as wrong_at
            from (
              select account, version, balance, delta,
                     lag(version, 1, 0::bigint) over step + 1 as expected_version, lag(balance, 1, 0::bigint) over step + delta as expected_balance
                from (
                  select debit_account as account, debit_version as version, debit_balance_minor as balance, -amount_minor as delta from postings
                  union all
                  select credit_account, credit_version, credit_balance_minor, amount_minor from postings
                ) sides
              window step as (partition by account order by version)
            ) steps
           group by account
        ) s on s.account = a.id
       where a.id is null or a.version <> coalesce(s.postings, 0) or a.balance_minor <> coalesce(s.total, 0) or s.wrong_at is not null`,
  },
  {
    invariant: "I3",
    title: "what is held is what open holds still have, and each hold's parts are its postings",
    checked: sql`select count(*) from holds`,
    broken: sql`
      select 'user ' || coalesce(a.owner, h.user_id) || ' has ' || coalesce(a.balance_minor, 0) || ' held in ' || coalesce(a.currency, h.currency) || ', open holds have ' || coalesce(h.remainder, 0)
        from (select owner, currency, balance_minor from accounts where kind = 'held') a
        full join (select user_id, currency, sum(amount_minor - captured_minor - released_minor) as remainder from holds group by user_id, currency) h
          on h.user_id = a.owner and h.currency = a.currency
       where coalesce(a.balance_minor, 0) <> coalesce(h.remainder, 0)
      union all
      select 'hold ' || coalesce(h.id, p.hold_id) || ' of ' || coalesce(h.amount_minor, 0) || ' has captured ' || coalesce(h.captured_minor, 0) || ' and released ' || coalesce(h.released_minor, 0)
             || ', its postings held ' || coalesce(p.placed, 0) || ', captured ' || coalesce(p.captured, 0) || ' and released ' || coalesce(p.released, 0)
        from holds h
        full join (
          select p.hold_id, sum(p.amount_minor) filter (where c.kind = 'held') as placed, sum(p.amount_minor) filter (where d.kind = 'held' and c.kind = 'revenue') as captured,
                 sum(p.amount_minor) filter (where d.kind = 'held' and c.kind = 'available') as released
            from postings p join accounts d on d.id = p.debit_account join accounts c on c.id = p.credit_account
           where p.hold_id is not null
           group by p.hold_id
        ) p on p.hold_id = h.id
       where h.id is null or coalesce(p.placed, 0) <> h.amount_minor or coalesce(p.captured, 0) <> h.captured_minor or coalesce(p.released, 0) <> h.released_minor
          or (h.status = 'held') <> (h.amount_minor > h.captured_minor + h.released_minor)`,
  },
  {
    invariant: "I4",
    title: "no user's account is or was below zero",
    checked: sql`select count(*) from accounts where kind in ('available', 'held')`,
    broken: sql`
      select 'account ' || id || ' of ' || owner || ' has ' || balance_minor from accounts where kind in ('available', 'held') and balance_minor < 0
      union all
      select 'account ' || a.id || ' of ' || a.owner || ' had ' || p.debit_balance_minor || ' at version ' || p.debit_version
        from postings p join accounts a on a.id = p.debit_account
       where p.debit_balance_minor < 0 and a.kind in ('available', 'held')
      union all
      select 'account ' || a.id || ' of ' || a.owner || ' had ' || p.credit_balance_minor || ' at version ' || p.credit_version
        from postings p join accounts a on a.id = p.credit_account
       where p.credit_balance_minor < 0 and a.kind in ('available', 'held')`,
  },
  {
    invariant: "I5",
    title: "no hold is open past its time, and orders agree with their holds",
    checked: sql`select (select count(*) from holds) + (select count(*) from orders)`,
    broken: sql`
      select 'hold ' || x.id || ' is open since ' || x.expires_at from holds x
       where x.status = 'held' and x.expires_at < clock_timestamp() - make_interval(secs => ${LATE_HOLD_SECONDS})
         and not exists (
           select 1 from pauses p
            where p.scope = 'all' or (p.scope = 'user' and p.subject = x.user_id) or (p.scope = 'service' and p.subject = x.service_id)
               or (p.scope = 'service' and x.purpose = 'order' and p.subject in (select i.service_id from order_items i where i.order_id = x.order_id)))
      union all
      select 'order ' || o.id || ' of ' || o.total_minor || ' is ' || o.saga_state || '/' || o.status || ', its holds have captured ' || coalesce(h.captured, 0) || ' and still hold ' || coalesce(h.remainder, 0)
        from orders o
        left join (
          select order_id, sum(captured_minor) as captured, sum(amount_minor - captured_minor - released_minor) as remainder
            from holds where purpose = 'order' group by order_id
        ) h on h.order_id = o.id
        -- A payment that another service took over saga.commands is booked without a hold.
        cross join lateral (
          select coalesce(sum(x.amount_minor), 0) as booked from operations x
           where x.order_id = o.id and x.kind = 'charge' and x.outcome = 'done' and x.workflow_id = o.workflow_id
        ) c
       where o.payment_method = 'wallet' and (
               (o.saga_state = 'COMPLETED' and (coalesce(h.captured, 0) + c.booked <> o.total_minor or h.remainder <> 0 or o.status <> 'CONFIRMED'))
            or (o.saga_state = 'FAILED' and (coalesce(h.captured, 0) + c.booked <> 0 or coalesce(h.remainder, 0) <> 0 or o.status <> 'CANCELLED'))
            or (o.saga_state <> 'COMPLETED' and coalesce(h.captured, 0) + c.booked <> 0))`,
  },
  {
    invariant: "I6",
    title: "each completed order by card has its capture and its revenue, no other order keeps any, and refunds are those of the payment",
    checked: sql`select (select count(*) from payments) + (select count(*) from orders)`,
    // A payment that an operator settled outside of Saldo is theirs to prove.
    broken: sql`
      select 'order ' || o.id || ' of ' || o.total_minor || ' by card is ' || o.saga_state || ', captured ' || p.captured_minor || ', refunded ' || p.refunded_minor || ', booked ' || c.charged
        from orders o join payments p on p.order_id = o.id
        cross join lateral (
          select coalesce(sum(x.amount_minor), 0) as charged from operations x
           where x.order_id = o.id and x.kind = 'charge' and x.outcome = 'done' and x.workflow_id = o.workflow_id
        ) c
       where o.payment_method = 'card' and (
               (o.saga_state = 'COMPLETED' and (p.captured_minor <> o.total_minor or c.charged <> o.total_minor))
            or (o.saga_state <> 'COMPLETED' and c.charged <> 0)
            or (o.saga_state = 'FAILED' and o.settled_by_hand is null and p.captured_minor <> p.refunded_minor))
      union all
      select 'payment ' || p.id || ' has ' || p.refunded_minor || ' refunded, its refunds are ' || coalesce(r.minor, 0)
        from payments p join orders o on o.id = p.order_id
        left join (select order_id, sum(amount_minor) as minor from refunds where status <> 'refused' group by order_id) r on r.order_id = p.order_id
       where o.saga_state = 'COMPLETED' and p.refunded_minor <> coalesce(r.minor, 0)`,
  },
];

/**
 * Proves the books from their postings. Each invariant is one statement, so it sees one moment of the database, and it may run
 * while money moves. It reads everything: give the database a deadline that fits its size.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function auditBooks(db: Db): Promise<AuditReport> {
  const findings: AuditFinding[] = [];
  for (const check of CHECKS) findings.push(await runCheck(db, check));
  return { ok: findings.every((finding) => finding.broken === 0n), findings };
}

async function runCheck(db: Db, { invariant, title, checked, broken }: Check): Promise<AuditFinding> {
  const [row] = await db.execute<{ checked: string; broken: string; examples: string }>(sql`
    with broken(words) as materialized (${broken})
    select (${checked}) as checked, (select count(*) from broken) as broken,
           coalesce((select json_agg(words) from (select words from broken limit ${EXAMPLES}) first), '[]') as examples`);
  return {
    invariant,
    title,
    checked: BigInt(row?.checked ?? 0),
    broken: BigInt(row?.broken ?? 0),
    examples: JSON.parse(row?.examples ?? "[]") as string[],
  };
}
