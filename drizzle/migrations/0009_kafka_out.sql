CREATE TABLE "dead_letter_redrives" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "dead_letter_redrives_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"dead_letter_id" bigint NOT NULL,
	"value_sha256" text NOT NULL,
	"corrected" boolean NOT NULL,
	"actor" text NOT NULL,
	"reason" text NOT NULL,
	"correlation_id" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "event_receipts" (
	"topic" text NOT NULL,
	"partition" integer NOT NULL,
	"offset" bigint NOT NULL,
	"identity" text COLLATE "C" NOT NULL,
	"outcome" text NOT NULL,
	"operation_id" bigint,
	"workflow_id" text,
	"dead_letter_id" bigint,
	"code" text,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "event_receipts_topic_partition_offset_pk" PRIMARY KEY("topic","partition","offset"),
	CONSTRAINT "event_receipts_outcome" CHECK ("event_receipts"."outcome" in ('applied', 'refused', 'duplicate', 'started', 'dead-lettered'))
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "webhook_deliveries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"webhook_id" text NOT NULL,
	"event_id" text NOT NULL,
	"event_type" text NOT NULL,
	"body" text NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"response_status" integer,
	"last_error" text,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"next_attempt_at" timestamp with time zone,
	"dispatched_at" timestamp with time zone,
	CONSTRAINT "webhook_deliveries_event" UNIQUE("webhook_id","event_id"),
	CONSTRAINT "webhook_deliveries_status" CHECK ("webhook_deliveries"."status" in ('pending', 'delivered', 'failed', 'abandoned'))
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" text PRIMARY KEY NOT NULL,
	"url" text NOT NULL,
	"event_types" text[] NOT NULL,
	"description" text NOT NULL,
	"secrets" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"created_by" text NOT NULL,
	"disabled_at" timestamp with time zone,
	"disabled_reason" text,
	"deleted_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "redriven_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "redriven_by" text;--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "refused_again_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "dead_letter_redrives" ADD CONSTRAINT "dead_letter_redrives_dead_letter_id_dead_letters_id_fk" FOREIGN KEY ("dead_letter_id") REFERENCES "public"."dead_letters"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_id_webhooks_id_fk" FOREIGN KEY ("webhook_id") REFERENCES "public"."webhooks"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "dead_letter_redrives_letter" ON "dead_letter_redrives" USING btree ("dead_letter_id","value_sha256");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_list" ON "webhook_deliveries" USING btree ("webhook_id","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting" ON "webhook_deliveries" USING btree ("id") WHERE "webhook_deliveries"."dispatched_at" is null and "webhook_deliveries"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_created" ON "webhook_deliveries" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "webhooks_created" ON "webhooks" USING btree ("created_at","id");--> statement-breakpoint
CREATE TRIGGER dead_letter_redrives_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dead_letter_redrives FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--> statement-breakpoint
-- Wakes a relay that sleeps. Only then: commits with a NOTIFY wait for each other, so while the relay is awake there is none.
CREATE FUNCTION wake_relay() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM leases WHERE name = 'outbox-relay-sleeps' AND until > clock_timestamp()) THEN
    PERFORM pg_notify('saldo_outbox', '');
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER outbox_wakes_relay AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake_relay();
--> statement-breakpoint
GRANT SELECT ON dead_letter_redrives, event_receipts, webhooks, webhook_deliveries TO saldo_app;
--> statement-breakpoint
GRANT INSERT ON dead_letter_redrives, event_receipts, webhooks, webhook_deliveries TO saldo_app;
--> statement-breakpoint
GRANT UPDATE ON webhooks, webhook_deliveries TO saldo_app;
--> statement-breakpoint
GRANT DELETE ON webhook_deliveries TO saldo_app;
--> statement-breakpoint
GRANT UPDATE (attempts, code, reason, redriven_at, redriven_by, refused_again_at) ON dead_letters TO saldo_app;
