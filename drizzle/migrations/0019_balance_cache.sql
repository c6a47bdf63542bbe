CREATE TABLE "balance_cache" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"epoch" bigint NOT NULL,
	"state" text NOT NULL,
	"reign" text NOT NULL,
	CONSTRAINT "balance_cache_one_row" CHECK ("balance_cache"."only"),
	CONSTRAINT "balance_cache_state" CHECK ("balance_cache"."state" in ('closed', 'opening', 'open'))
);
--> statement-breakpoint
INSERT INTO balance_cache (epoch, state, reign) VALUES (0, 'closed', '');
--> statement-breakpoint
GRANT SELECT, UPDATE ON balance_cache TO saldo_app;
