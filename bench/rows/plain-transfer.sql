-- One transfer per commit, as a careful application writes it without Saldo: both balances (lower id first, so that two
-- transfers never wait for each other in a circle), operation, posting, and a message to each of the two users.
-- Sides: `from` and `to` are account ids; user N owns account N.
\set from random(1, :accounts)
\set to case when :hot > 0 then :hot else 1 + mod(:from + random(0, :accounts - 2), :accounts) end
\set from case when :from = :to then 1 + mod(:to, :accounts) else :from end
\set amount random(1, 100)
\set low least(:from, :to)
\set high greatest(:from, :to)
\set low_change case when :from < :to then -1 * :amount else :amount end
\set high_change -1 * :low_change
\set n :n + 1
BEGIN;
UPDATE accounts SET balance_minor = balance_minor + :low_change::bigint, version = version + 1 WHERE id = :low::bigint RETURNING balance_minor AS low_balance, version AS low_version \gset
UPDATE accounts SET balance_minor = balance_minor + :high_change::bigint, version = version + 1 WHERE id = :high::bigint RETURNING balance_minor AS high_balance, version AS high_version \gset
\set from_balance case when :from < :to then :low_balance else :high_balance end
\set from_version case when :from < :to then :low_version else :high_version end
\set to_balance case when :from < :to then :high_balance else :low_balance end
\set to_version case when :from < :to then :high_version else :low_version end
INSERT INTO operations (key, content_hash, kind, outcome, currency, amount_minor, user_id, peer_user_id, caller, correlation_id, comment, effective_at, recorded_at) VALUES ('bench:' || :run::bigint || ':' || :client_id::bigint || ':' || :n::bigint, '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 'transfer', 'done', 'RUB', :amount::bigint, 'user-' || :from::bigint, 'user-' || :to::bigint, 'bench', 'bench', 'a transfer of the benchmark', now(), now()) RETURNING id AS operation \gset
INSERT INTO postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version, credit_balance_minor, credit_version, effective_at, recorded_at) VALUES (:operation::bigint, 'RUB', :from::bigint, :to::bigint, :amount::bigint, :from_balance::bigint, :from_version::bigint, :to_balance::bigint, :to_version::bigint, now(), now());
INSERT INTO outbox (aggregate_type, aggregate_id, topic, message_key, payload, headers) SELECT 'user', u.id, 'notifications', u.id, jsonb_build_object('operationId', :operation::bigint::text, 'operation', 'transfer', 'userId', u.id, 'amountMinor', :amount::bigint::text, 'currency', 'RUB', 'serviceId', NULL, 'orderId', NULL, 'reservationId', NULL, 'peerUserId', u.peer, 'comment', 'a transfer of the benchmark', 'occurredAt', now(), 'recordedAt', now()), '{"correlation-id": "bench"}' FROM (VALUES ('user-' || :from::bigint, 'user-' || :to::bigint), ('user-' || :to::bigint, 'user-' || :from::bigint)) AS u(id, peer);
COMMIT;
