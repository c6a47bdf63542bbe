CREATE TABLE "import_files" (
	"topic" text NOT NULL,
	"source" text NOT NULL,
	"version" integer NOT NULL,
	"rows" integer NOT NULL,
	"head" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "import_files_topic_source_version_pk" PRIMARY KEY("topic","source","version"),
	CONSTRAINT "import_files_rows" CHECK ("import_files"."rows" > 0)
);
--> statement-breakpoint
GRANT SELECT, INSERT ON import_files TO saldo_app;
--> statement-breakpoint
CREATE TRIGGER import_files_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON import_files FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
