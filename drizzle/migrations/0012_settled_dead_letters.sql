CREATE TABLE "event_identities" (
	"identity" text COLLATE "C" PRIMARY KEY NOT NULL,
	"workflow_id" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "effect_key" text COLLATE "C";
--> statement-breakpoint
CREATE INDEX "dead_letters_refused_again" ON "dead_letters" USING btree ("id") WHERE "dead_letters"."refused_again_at" is not null;
--> statement-breakpoint
CREATE INDEX "event_receipts_workflow" ON "event_receipts" USING btree ("workflow_id") WHERE "event_receipts"."workflow_id" is not null;
--> statement-breakpoint
GRANT SELECT, INSERT ON event_identities TO saldo_app;
--> statement-breakpoint
CREATE TRIGGER event_identities_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_identities FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--> statement-breakpoint
GRANT UPDATE (effect_key) ON dead_letters TO saldo_app;
--> statement-breakpoint
-- What a dead letter is, is said once: a second word would be a second effect.
CREATE TRIGGER dead_letters_effect_is_final BEFORE UPDATE OF effect_key ON dead_letters
  FOR EACH ROW WHEN (OLD.effect_key IS NOT NULL AND NEW.effect_key IS DISTINCT FROM OLD.effect_key) EXECUTE FUNCTION refuse_change();
