CREATE TABLE "order_transitions" (
	"order_id" text COLLATE "C" NOT NULL,
	"version" bigint NOT NULL,
	"saga_state" text NOT NULL,
	"status" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"failure_code" text,
	"failure_message" text,
	CONSTRAINT "order_transitions_order_id_version_pk" PRIMARY KEY("order_id","version")
);
--> statement-breakpoint
CREATE TABLE "pauses" (
	"scope" text NOT NULL,
	"subject" text COLLATE "C" NOT NULL,
	"reason" text NOT NULL,
	"paused_by" text NOT NULL,
	"paused_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "pauses_scope_subject_pk" PRIMARY KEY("scope","subject"),
	CONSTRAINT "pauses_scope" CHECK ("pauses"."scope" in ('all', 'service', 'user') and ("pauses"."scope" = 'all') = ("pauses"."subject" = ''))
);
--> statement-breakpoint
CREATE TABLE "payments" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"order_id" text COLLATE "C" NOT NULL,
	"method" text NOT NULL,
	"status" text NOT NULL,
	"provider_reference" text,
	"currency" text NOT NULL,
	"authorised_minor" bigint DEFAULT 0 NOT NULL,
	"captured_minor" bigint DEFAULT 0 NOT NULL,
	"refunded_minor" bigint DEFAULT 0 NOT NULL,
	"last4" text,
	"brand" text,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "payments_order" UNIQUE("order_id"),
	CONSTRAINT "payments_method" CHECK ("payments"."method" in ('wallet', 'card')),
	CONSTRAINT "payments_status" CHECK ("payments"."status" in ('pending', 'authorised', 'captured', 'cancelled', 'declined', 'part_refunded', 'refunded')),
	CONSTRAINT "payments_never_more_than_paid" CHECK (0 <= "payments"."refunded_minor" and "payments"."refunded_minor" <= "payments"."captured_minor" and 0 <= "payments"."authorised_minor")
);
--> statement-breakpoint
CREATE TABLE "refunds" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"order_id" text COLLATE "C" NOT NULL,
	"status" text NOT NULL,
	"currency" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"lines" jsonb NOT NULL,
	"reason" text NOT NULL,
	"request_hash" text NOT NULL,
	"provider_reference" text,
	"failure_code" text,
	"caller" text NOT NULL,
	"correlation_id" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "refunds_status" CHECK ("refunds"."status" in ('pending', 'done', 'refused')),
	CONSTRAINT "refunds_positive" CHECK ("refunds"."amount_minor" > 0)
);
--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "stuck_step" text;--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "stuck_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "orders" ADD COLUMN "settled_by_hand" text;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_order_id_orders_id_fk" FOREIGN KEY ("order_id") REFERENCES "public"."orders"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "refunds_order" ON "refunds" USING btree ("order_id","created_at");--> statement-breakpoint
CREATE INDEX "orders_stuck" ON "orders" USING btree ("stuck_since") WHERE "orders"."stuck_step" is not null;--> statement-breakpoint
-- In the statement that changes the order, whoever makes it: the ledger with the money, or a guarded move without. The wallet's
-- payment follows here too, so that it costs no statement of its own; a card's is written by the steps at the provider.
CREATE FUNCTION record_order_transition() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.saga_state = OLD.saga_state THEN
    RETURN NULL;
  END IF;
  INSERT INTO order_transitions (order_id, version, saga_state, status, at, failure_code, failure_message)
    VALUES (NEW.id, NEW.version, NEW.saga_state, NEW.status, NEW.updated_at, NEW.failure_code, NEW.failure_message);
  IF TG_OP = 'UPDATE' AND NEW.payment_method = 'wallet' THEN
    UPDATE payments p
       SET status = CASE NEW.saga_state WHEN 'PAYMENT_PENDING' THEN 'authorised' WHEN 'COMPLETED' THEN 'captured' WHEN 'FAILED' THEN 'cancelled' ELSE p.status END,
           authorised_minor = CASE NEW.saga_state WHEN 'PAYMENT_PENDING' THEN NEW.total_minor ELSE p.authorised_minor END,
           captured_minor = CASE NEW.saga_state WHEN 'COMPLETED' THEN NEW.total_minor ELSE p.captured_minor END,
           updated_at = NEW.updated_at
     WHERE p.order_id = NEW.id AND NEW.saga_state <> 'COMPENSATING';
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
INSERT INTO order_transitions (order_id, version, saga_state, status, at, failure_code, failure_message)
  SELECT id, version, saga_state, status, updated_at, failure_code, failure_message FROM orders;
--> statement-breakpoint
INSERT INTO payments (id, order_id, method, status, currency, authorised_minor, captured_minor, created_at, updated_at)
  SELECT 'payment/' || id, id, payment_method, CASE saga_state WHEN 'COMPLETED' THEN 'captured' WHEN 'FAILED' THEN 'cancelled' WHEN 'STARTED' THEN 'pending' ELSE 'authorised' END,
         currency, CASE saga_state WHEN 'STARTED' THEN 0 ELSE total_minor END, CASE saga_state WHEN 'COMPLETED' THEN total_minor ELSE 0 END, created_at, updated_at
    FROM orders;
--> statement-breakpoint
CREATE TRIGGER orders_transition AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION record_order_transition();
--> statement-breakpoint
CREATE TRIGGER order_transitions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_transitions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--> statement-breakpoint
-- Sets an amount aside for a refund, under the lock of the order's payment: two refunds cannot both see the same remainder.
-- wanted_minor NULL is all that is left. Each line gives back at most what it cost, the first lines first.
CREATE FUNCTION reserve_refund(refund_id text, wanted_order text, wanted_minor bigint, refund_reason text, wanted_hash text, asked_by text, correlation text)
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  payment payments%ROWTYPE;
  known_hash text;
  state text;
  amount bigint;
  open_minor bigint;
  part bigint;
  line record;
  parts jsonb := '[]';
BEGIN
  SELECT * INTO payment FROM payments p WHERE p.order_id = wanted_order FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'ORDER_NOT_FOUND';
  END IF;
  SELECT r.request_hash INTO known_hash FROM refunds r WHERE r.id = refund_id;
  IF FOUND THEN
    RETURN CASE WHEN known_hash = wanted_hash THEN 'known' ELSE 'IDEMPOTENCY_CONFLICT' END;
  END IF;
  SELECT o.saga_state INTO state FROM orders o WHERE o.id = wanted_order;
  IF state <> 'COMPLETED' THEN
    RETURN 'ORDER_STATE_CONFLICT';
  END IF;
  amount := coalesce(wanted_minor, payment.captured_minor - payment.refunded_minor);
  IF amount <= 0 OR amount > payment.captured_minor - payment.refunded_minor THEN
    RETURN 'REFUND_EXCEEDS_PAYMENT';
  END IF;
  open_minor := amount;
  FOR line IN
    SELECT i.line_no, i.service_id,
           i.amount_minor - coalesce((SELECT sum((x ->> 'amountMinor')::bigint) FROM refunds r, jsonb_array_elements(r.lines) x
                                       WHERE r.order_id = wanted_order AND r.status <> 'refused' AND (x ->> 'lineNo')::integer = i.line_no), 0) AS left_minor
      FROM order_items i WHERE i.order_id = wanted_order ORDER BY i.line_no
  LOOP
    part := least(open_minor, line.left_minor);
    IF part > 0 THEN
      parts := parts || jsonb_build_object('lineNo', line.line_no, 'serviceId', line.service_id, 'amountMinor', part::text);
      open_minor := open_minor - part;
    END IF;
  END LOOP;
  IF open_minor <> 0 THEN
    RETURN 'REFUND_EXCEEDS_PAYMENT';
  END IF;
  INSERT INTO refunds (id, order_id, status, currency, amount_minor, lines, reason, request_hash, caller, correlation_id, created_at, updated_at)
    VALUES (refund_id, wanted_order, 'pending', payment.currency, amount, parts, refund_reason, wanted_hash, asked_by, correlation, clock_timestamp(), clock_timestamp());
  UPDATE payments p SET refunded_minor = p.refunded_minor + amount, updated_at = clock_timestamp() WHERE p.id = payment.id;
  RETURN 'new';
END
$$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION reserve_refund(text, text, bigint, text, text, text, text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION reserve_refund(text, text, bigint, text, text, text, text) TO saldo_app;
--> statement-breakpoint
GRANT SELECT ON order_transitions, payments, refunds, pauses TO saldo_app;
--> statement-breakpoint
GRANT INSERT, UPDATE ON payments, refunds, pauses TO saldo_app;
--> statement-breakpoint
GRANT DELETE ON pauses TO saldo_app;
