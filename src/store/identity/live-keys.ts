import { sql } from "drizzle-orm";

/**
 * True of a row `k` of api_keys that opens anything: not revoked, not past its end, not of a subject whose tokens of that time were refused or
 * whose login is disabled. What is true of the key is read from those rows each time, so that none of these acts can miss a key of its moment.
 */
export const keyIsLive = sql.raw(`(
  k.revoked_at is null and k.expires_at > clock_timestamp()
  and not exists (select from revoked_subjects ended where ended.subject = k.subject and k.created_at <= ended.revoked_up_to)
  and not exists (select from users owner where owner.id = k.subject and owner.login_disabled_at is not null))`);

/** True of a member `s` of its `secrets` that has not been replaced, or whose overlap has not ended. */
export const secretIsLive = sql.raw(`(s ->> 'until' is null or (s ->> 'until')::timestamptz > clock_timestamp())`);
