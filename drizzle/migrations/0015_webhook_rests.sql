DROP INDEX "webhook_deliveries_waiting";--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "streak" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "rest_until" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting_of" ON "webhook_deliveries" USING btree ("webhook_id","id") WHERE "webhook_deliveries"."dispatched_at" is null and "webhook_deliveries"."status" = 'pending';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_on_their_way" ON "webhook_deliveries" USING btree ("webhook_id","dispatched_at") WHERE "webhook_deliveries"."status" = 'pending' and "webhook_deliveries"."attempts" = 0 and "webhook_deliveries"."dispatched_at" is not null;