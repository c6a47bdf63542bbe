GRANT SELECT ON users, sessions, refresh_tokens, revoked_tokens, revoked_subjects, idempotency_answers, closed_users, acts TO saldo_app;
--> statement-breakpoint
GRANT INSERT, UPDATE ON users, sessions, refresh_tokens, revoked_subjects, closed_users TO saldo_app;
--> statement-breakpoint
GRANT INSERT ON revoked_tokens, idempotency_answers, acts TO saldo_app;
--> statement-breakpoint
GRANT DELETE ON refresh_tokens, sessions, revoked_tokens, idempotency_answers, outbox TO saldo_app;
--> statement-breakpoint
CREATE TRIGGER acts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON acts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--> statement-breakpoint
-- Old messages are pruned, but one that has not left can be deleted by nobody.
CREATE TRIGGER outbox_keeps_unpublished BEFORE DELETE ON outbox FOR EACH ROW WHEN (OLD.published_at IS NULL) EXECUTE FUNCTION refuse_change();
