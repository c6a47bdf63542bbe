CREATE TABLE "accounts" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "accounts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"owner" text COLLATE "C" NOT NULL,
	"currency" text NOT NULL,
	"balance_minor" bigint DEFAULT 0 NOT NULL,
	"version" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "accounts_kind_owner_currency" UNIQUE("kind","owner","currency"),
	CONSTRAINT "accounts_id_currency" UNIQUE("id","currency"),
	CONSTRAINT "accounts_kind" CHECK ("accounts"."kind" in ('available', 'held', 'revenue', 'external', 'psp')),
	CONSTRAINT "accounts_never_below_zero" CHECK ("accounts"."kind" not in ('available', 'held') or "accounts"."balance_minor" >= 0)
);
--> statement-breakpoint
CREATE TABLE "dead_letters" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "dead_letters_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"identity" text COLLATE "C" NOT NULL,
	"topic" text NOT NULL,
	"partition" integer NOT NULL,
	"offset" bigint NOT NULL,
	"code" text NOT NULL,
	"reason" text NOT NULL,
	"raw_key" "bytea",
	"raw_value" "bytea",
	"headers" jsonb NOT NULL,
	"attempts" integer NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "dead_letters_identity" UNIQUE("identity")
);
--> statement-breakpoint
CREATE TABLE "holds" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"purpose" text NOT NULL,
	"status" text NOT NULL,
	"user_id" text COLLATE "C" NOT NULL,
	"service_id" text COLLATE "C" NOT NULL,
	"order_id" text COLLATE "C" NOT NULL,
	"line_no" integer NOT NULL,
	"currency" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"captured_minor" bigint DEFAULT 0 NOT NULL,
	"released_minor" bigint DEFAULT 0 NOT NULL,
	"workflow_id" text NOT NULL,
	"request_hash" text NOT NULL,
	"comment" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "holds_purpose" CHECK ("holds"."purpose" in ('reservation', 'order')),
	CONSTRAINT "holds_status" CHECK ("holds"."status" in ('held', 'confirmed', 'released', 'expired')),
	CONSTRAINT "holds_parts" CHECK ("holds"."amount_minor" > 0 and "holds"."captured_minor" >= 0 and "holds"."released_minor" >= 0 and "holds"."captured_minor" + "holds"."released_minor" <= "holds"."amount_minor"),
	CONSTRAINT "holds_closed_when_empty" CHECK (("holds"."status" = 'held') = ("holds"."captured_minor" + "holds"."released_minor" < "holds"."amount_minor"))
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"name" text PRIMARY KEY NOT NULL,
	"holder" text NOT NULL,
	"until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "operations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "operations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"key" text COLLATE "C" NOT NULL,
	"content_hash" text NOT NULL,
	"kind" text NOT NULL,
	"outcome" text NOT NULL,
	"refusal_code" text,
	"currency" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"user_id" text COLLATE "C",
	"peer_user_id" text COLLATE "C",
	"service_id" text COLLATE "C",
	"order_id" text COLLATE "C",
	"hold_id" text COLLATE "C",
	"workflow_id" text,
	"run_id" text,
	"topic" text,
	"partition" integer,
	"offset" bigint,
	"caller" text NOT NULL,
	"correlation_id" text NOT NULL,
	"comment" text NOT NULL,
	"effective_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"transaction_id" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	CONSTRAINT "operations_key" UNIQUE("key"),
	CONSTRAINT "operations_kind" CHECK ("operations"."kind" in ('deposit', 'withdrawal', 'transfer', 'hold', 'capture', 'release', 'expiry', 'charge', 'refund', 'accrual', 'redemption')),
	CONSTRAINT "operations_outcome" CHECK (("operations"."outcome" = 'done' and "operations"."refusal_code" is null) or ("operations"."outcome" = 'refused' and "operations"."refusal_code" is not null))
);
--> statement-breakpoint
CREATE TABLE "order_items" (
	"order_id" text COLLATE "C" NOT NULL,
	"line_no" integer NOT NULL,
	"service_id" text COLLATE "C" NOT NULL,
	"quantity" integer NOT NULL,
	"amount_minor" bigint NOT NULL,
	CONSTRAINT "order_items_order_id_line_no_pk" PRIMARY KEY("order_id","line_no"),
	CONSTRAINT "order_items_positive" CHECK ("order_items"."quantity" > 0 and "order_items"."amount_minor" > 0)
);
--> statement-breakpoint
CREATE TABLE "orders" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"user_id" text COLLATE "C" NOT NULL,
	"status" text NOT NULL,
	"saga_state" text NOT NULL,
	"currency" text NOT NULL,
	"total_minor" bigint NOT NULL,
	"payment_method" text NOT NULL,
	"failure_code" text,
	"failure_message" text,
	"comment" text NOT NULL,
	"request_hash" text NOT NULL,
	"workflow_id" text NOT NULL,
	"caller" text NOT NULL,
	"correlation_id" text NOT NULL,
	"version" bigint DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "orders_status" CHECK ("orders"."status" in ('PENDING', 'CONFIRMED', 'CANCELLED')),
	CONSTRAINT "orders_saga_state" CHECK ("orders"."saga_state" in ('STARTED', 'PAYMENT_PENDING', 'COMPLETED', 'COMPENSATING', 'FAILED')),
	CONSTRAINT "orders_total_positive" CHECK ("orders"."total_minor" > 0)
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"aggregate_type" text NOT NULL,
	"aggregate_id" text NOT NULL,
	"topic" text NOT NULL,
	"message_key" text,
	"operation_id" bigint,
	"payload" jsonb,
	"raw_key" "bytea",
	"raw_value" "bytea",
	"headers" jsonb,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"published_at" timestamp with time zone,
	"attempts" integer DEFAULT 0 NOT NULL,
	"transaction_id" "xid8" DEFAULT pg_current_xact_id() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "postings" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "postings_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"operation_id" bigint NOT NULL,
	"currency" text NOT NULL,
	"debit_account" bigint NOT NULL,
	"credit_account" bigint NOT NULL,
	"amount_minor" bigint NOT NULL,
	"debit_balance_minor" bigint NOT NULL,
	"debit_version" bigint NOT NULL,
	"credit_balance_minor" bigint NOT NULL,
	"credit_version" bigint NOT NULL,
	"hold_id" text COLLATE "C",
	"service_id" text COLLATE "C",
	"service_name" text,
	"revenue_minor" bigint,
	"effective_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"transaction_id" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	CONSTRAINT "postings_amount_positive" CHECK ("postings"."amount_minor" > 0),
	CONSTRAINT "postings_two_accounts" CHECK ("postings"."debit_account" <> "postings"."credit_account")
);
--> statement-breakpoint
CREATE TABLE "report_lines" (
	"month" text NOT NULL,
	"version" integer NOT NULL,
	"currency" text NOT NULL,
	"service_id" text NOT NULL,
	"service_name" text NOT NULL,
	"revenue_minor" bigint NOT NULL,
	"sale_count" bigint NOT NULL,
	CONSTRAINT "report_lines_month_version_currency_service_id_service_name_pk" PRIMARY KEY("month","version","currency","service_id","service_name")
);
--> statement-breakpoint
CREATE TABLE "reports" (
	"month" text NOT NULL,
	"version" integer NOT NULL,
	"status" text NOT NULL,
	"time_zone" text NOT NULL,
	"partial" boolean NOT NULL,
	"watermark" text,
	"sha256" text,
	"file_name" text,
	"line_count" integer,
	"workflow_id" text NOT NULL,
	"correlation_id" text NOT NULL,
	"failure_code" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "reports_month_version_pk" PRIMARY KEY("month","version"),
	CONSTRAINT "reports_status" CHECK ("reports"."status" in ('running', 'completed', 'failed')),
	CONSTRAINT "reports_complete" CHECK ("reports"."status" <> 'completed' or ("reports"."watermark" is not null and "reports"."sha256" is not null and "reports"."file_name" is not null))
);
--> statement-breakpoint
CREATE TABLE "services" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "services_name" UNIQUE("name")
);
--> statement-breakpoint
ALTER TABLE "order_items" ADD CONSTRAINT "order_items_order_id_orders_id_fk" FOREIGN KEY ("order_id") REFERENCES "public"."orders"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "report_lines" ADD CONSTRAINT "report_lines_report" FOREIGN KEY ("month","version") REFERENCES "public"."reports"("month","version") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "accounts_owner" ON "accounts" USING btree ("owner","currency");--> statement-breakpoint
CREATE INDEX "dead_letters_position" ON "dead_letters" USING btree ("topic","partition","offset");--> statement-breakpoint
CREATE INDEX "holds_user" ON "holds" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "holds_order" ON "holds" USING btree ("order_id");--> statement-breakpoint
CREATE INDEX "holds_open" ON "holds" USING btree ("expires_at") WHERE "holds"."status" = 'held';--> statement-breakpoint
CREATE INDEX "operations_user" ON "operations" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "operations_peer" ON "operations" USING btree ("peer_user_id","id") WHERE "operations"."peer_user_id" is not null;--> statement-breakpoint
CREATE INDEX "operations_order" ON "operations" USING btree ("order_id") WHERE "operations"."order_id" is not null;--> statement-breakpoint
CREATE INDEX "operations_position" ON "operations" USING btree ("topic","partition","offset") WHERE "operations"."topic" is not null;--> statement-breakpoint
CREATE INDEX "orders_user" ON "orders" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "orders_created" ON "orders" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "outbox_unpublished" ON "outbox" USING btree ("id") WHERE "outbox"."published_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "postings_debit_version" ON "postings" USING btree ("debit_account","debit_version");--> statement-breakpoint
CREATE UNIQUE INDEX "postings_credit_version" ON "postings" USING btree ("credit_account","credit_version");--> statement-breakpoint
CREATE INDEX "postings_operation" ON "postings" USING btree ("operation_id");--> statement-breakpoint
CREATE INDEX "postings_revenue" ON "postings" USING btree ("effective_at") WHERE "postings"."service_id" is not null;