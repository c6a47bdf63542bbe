ALTER TABLE "services" DROP CONSTRAINT "services_name";--> statement-breakpoint
CREATE UNIQUE INDEX "services_name" ON "services" USING btree ("name") WHERE "services"."deleted_at" is null;--> statement-breakpoint
-- What an account had at a moment in the past, by the time of recording; null before its first posting.
-- ledger_post takes that time after it has locked the account, so along an account's versions, which have no gap, it never falls,
-- and a search by halving finds the last posting up to the moment: two look-ups a step in the unique indexes, 20 steps for a million postings.
CREATE FUNCTION balance_at(wanted_account bigint, wanted_moment timestamptz) RETURNS bigint
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $balance_at$
DECLARE
  first_unknown bigint := 0;
  last_unknown bigint;
  middle bigint;
  recorded timestamptz;
  balance bigint;
  found_balance bigint;
BEGIN
  SELECT a.version INTO last_unknown FROM accounts a WHERE a.id = wanted_account;
  WHILE first_unknown < last_unknown LOOP
    middle := (first_unknown + last_unknown + 1) / 2;
    SELECT p.recorded_at, p.debit_balance_minor INTO recorded, balance
      FROM postings p WHERE p.debit_account = wanted_account AND p.debit_version = middle;
    IF NOT FOUND THEN
      SELECT p.recorded_at, p.credit_balance_minor INTO recorded, balance
        FROM postings p WHERE p.credit_account = wanted_account AND p.credit_version = middle;
    END IF;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'account % has no posting of version %', wanted_account, middle USING ERRCODE = 'XX001';
    END IF;
    IF recorded <= wanted_moment THEN
      first_unknown := middle;
      found_balance := balance;
    ELSE
      last_unknown := middle - 1;
    END IF;
  END LOOP;
  RETURN found_balance;
END
$balance_at$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION balance_at(bigint, timestamptz) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION balance_at(bigint, timestamptz) TO saldo_app;
--> statement-breakpoint
-- Deletes a user who has nothing left: the accounts and their history stay, with the version they had, and the login ends.
-- The accounts are locked as ledger_post locks them, by id, so money that comes at the same moment is either seen here, and the
-- user stays, or comes after, and makes them a user again. Gives 'closed', 'USER_IN_USE' or 'USER_NOT_FOUND'.
CREATE FUNCTION close_user(wanted_user text, closing_actor text, closing_correlation text) RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $close_user$
DECLARE
  moment timestamptz;
  total_version bigint;
  has_money boolean;
  known_version bigint;
  has_login boolean;
BEGIN
  -- One closing of a user at a time: the second sees what the first did.
  PERFORM pg_advisory_xact_lock(hashtextextended('close_user ' || wanted_user, 0));
  PERFORM 1 FROM accounts a WHERE a.owner = wanted_user AND a.kind IN ('available', 'held') ORDER BY a.id FOR NO KEY UPDATE;
  moment := clock_timestamp();
  -- A statement of its own, so that its snapshot is younger than the locks.
  SELECT coalesce(sum(a.version), 0), coalesce(bool_or(a.balance_minor <> 0), false) INTO total_version, has_money
    FROM accounts a WHERE a.owner = wanted_user AND a.kind IN ('available', 'held');
  SELECT c.closed_version INTO known_version FROM closed_users c WHERE c.user_id = wanted_user;
  has_login := EXISTS (SELECT FROM users u WHERE u.id = wanted_user AND u.disabled_at IS NULL);
  IF total_version <= coalesce(known_version, 0) AND NOT has_login THEN
    RETURN 'USER_NOT_FOUND';
  END IF;
  IF has_money
     OR EXISTS (SELECT FROM holds h WHERE h.user_id = wanted_user AND h.status = 'held')
     OR EXISTS (SELECT FROM orders o WHERE o.user_id = wanted_user AND o.saga_state NOT IN ('COMPLETED', 'FAILED')) THEN
    RETURN 'USER_IN_USE';
  END IF;
  INSERT INTO closed_users (user_id, closed_version, closed_at, closed_by) VALUES (wanted_user, total_version, moment, closing_actor)
    ON CONFLICT (user_id) DO UPDATE SET closed_version = excluded.closed_version, closed_at = excluded.closed_at, closed_by = excluded.closed_by;
  UPDATE users u SET disabled_at = moment WHERE u.id = wanted_user AND u.disabled_at IS NULL;
  UPDATE sessions s SET revoked_at = moment, reason = 'user deleted' WHERE s.user_id = wanted_user AND s.revoked_at IS NULL;
  INSERT INTO revoked_subjects (subject, revoked_up_to) VALUES (wanted_user, moment)
    ON CONFLICT (subject) DO UPDATE SET revoked_up_to = greatest(revoked_subjects.revoked_up_to, excluded.revoked_up_to);
  INSERT INTO acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
    VALUES (closing_actor, 'user.deleted', 'user', wanted_user, 'asked for', '{}', closing_correlation);
  RETURN 'closed';
END
$close_user$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION close_user(text, text, text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION close_user(text, text, text) TO saldo_app;
