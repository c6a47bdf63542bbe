CREATE TABLE "hold_moves" (
	"key" text COLLATE "C" PRIMARY KEY NOT NULL,
	"hold_id" text COLLATE "C" NOT NULL,
	"kind" text NOT NULL,
	"content_hash" text NOT NULL,
	"previous_end" timestamp with time zone NOT NULL,
	"new_end" timestamp with time zone NOT NULL,
	"caller" text NOT NULL,
	"correlation_id" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "hold_moves_kind" CHECK ("hold_moves"."kind" in ('extension', 'pause', 'test-clock'))
);
--> statement-breakpoint
CREATE TABLE "self_audits" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "self_audits_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"ok" boolean NOT NULL,
	"proved_ms" integer,
	"findings" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "holds" ADD COLUMN "told_end" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "hold_moves_hold" ON "hold_moves" USING btree ("hold_id","recorded_at");--> statement-breakpoint
CREATE INDEX "self_audits_at" ON "self_audits" USING btree ("at");--> statement-breakpoint
-- Moves the end of an open reservation, once per key. Only the end: money moves by ledger_post alone. An extension or a pause never
-- brings the end nearer; the test clock may. Gives 'done', 'duplicate' (the key did it before), 'conflict' (the key did something else),
-- 'missing', or the state that the hold has instead of 'held'.
-- Locks: the hold, and nothing after it, so it never waits in a circle with ledger_post.
CREATE FUNCTION hold_move_end(move_key text, wanted_hold text, move_kind text, content text, wanted_end timestamptz, asked_by text, correlation text)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $hold_move_end$
DECLARE
  old_end timestamptz;
  hold_status text;
  known_hold text;
  known_content text;
BEGIN
  SELECT h.expires_at, h.status INTO old_end, hold_status FROM holds h WHERE h.id = wanted_hold AND h.purpose = 'reservation' FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'missing';
  END IF;
  SELECT m.hold_id, m.content_hash INTO known_hold, known_content FROM hold_moves m WHERE m.key = move_key;
  IF FOUND THEN
    RETURN CASE WHEN known_hold = wanted_hold AND known_content = content THEN 'duplicate' ELSE 'conflict' END;
  END IF;
  IF hold_status <> 'held' THEN
    RETURN hold_status;
  END IF;
  IF move_kind <> 'test-clock' THEN
    wanted_end := greatest(wanted_end, old_end);
  END IF;
  INSERT INTO hold_moves (key, hold_id, kind, content_hash, previous_end, new_end, caller, correlation_id)
    VALUES (move_key, wanted_hold, move_kind, content, old_end, wanted_end, asked_by, correlation);
  UPDATE holds h SET expires_at = wanted_end, updated_at = clock_timestamp() WHERE h.id = wanted_hold;
  RETURN 'done';
END
$hold_move_end$;
--> statement-breakpoint
-- Tells once per end that an open reservation is about to expire: the mark and the message are one statement. Gives whether it told.
CREATE FUNCTION hold_tell_expiring(wanted_hold text, correlation text) RETURNS boolean
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $hold_tell_expiring$
  WITH told AS (
    UPDATE holds h SET told_end = h.expires_at
     WHERE h.id = wanted_hold AND h.purpose = 'reservation' AND h.status = 'held' AND h.told_end IS DISTINCT FROM h.expires_at
    RETURNING h.*
  ), message AS (
    INSERT INTO outbox (aggregate_type, aggregate_id, topic, message_key, payload, headers)
      SELECT 'reservation', t.id, 'reservations.events', t.id,
             jsonb_build_object('reservationId', t.id, 'userId', t.user_id, 'serviceId', t.service_id, 'orderId', t.order_id,
               'heldMinor', (t.amount_minor - t.captured_minor - t.released_minor)::text, 'currency', t.currency,
               'expiresAt', t.expires_at, 'recordedAt', clock_timestamp()),
             jsonb_build_object('correlation-id', correlation)
        FROM told t
    RETURNING id
  )
  SELECT EXISTS (SELECT FROM message)
$hold_tell_expiring$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION hold_move_end(text, text, text, text, timestamptz, text, text) FROM PUBLIC;
--> statement-breakpoint
REVOKE ALL ON FUNCTION hold_tell_expiring(text, text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION hold_move_end(text, text, text, text, timestamptz, text, text) TO saldo_app;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION hold_tell_expiring(text, text) TO saldo_app;
--> statement-breakpoint
GRANT SELECT ON hold_moves, self_audits TO saldo_app;
--> statement-breakpoint
GRANT INSERT, DELETE ON self_audits TO saldo_app;
--> statement-breakpoint
CREATE TRIGGER hold_moves_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hold_moves FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
