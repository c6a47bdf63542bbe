-- ledger_post as in 0017, and cheaper: a batch takes four fifths of its processor time (50 or 200 operations, two cores, 2026).
-- * Operations, postings, accounts and holds come as one JSON object of columns each, whose places count from 1, so that names are not sent
--   and looked up for each row; a column without values is left out. The rows of before, whose places count from 0, are still understood:
--   during a deploy the processes of the release before are still at work.
-- * Each text is read once.
-- * The statement that locks the accounts also reads them: Postgres gives the version of a row that it has locked.
CREATE OR REPLACE FUNCTION ledger_post(batch_operations json, batch_postings json, batch_accounts json, batch_holds json, batch_orders json)
RETURNS TABLE (index integer, outcome text, duplicate boolean, operation_id bigint, code text, recorded_at timestamptz)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $ledger_post$
#variable_conflict use_column
DECLARE
  moment timestamptz;
  account_kinds text[];
  account_ids bigint[];
  balances bigint[];
  versions bigint[];
  guarded boolean[];
  account_currencies text[];
  account_owners text[];
  missing boolean;

  hold_ids text[];
  hold_users text[];
  hold_services text[];
  hold_currencies text[];
  hold_statuses text[];
  hold_amounts bigint[];
  hold_captured bigint[];
  hold_released bigint[];
  hold_news boolean[];
  hold_changed boolean[];

  order_ids text[];
  order_states text[];
  order_hashes text[];
  order_wanted_hashes text[];
  order_changes integer[];
  order_news boolean[];
  created_ids text[];
  brings_orders boolean;
  operation_steps integer[];
  afters integer[];
  most_steps integer := 0;

  keys text[];
  hashes text[];
  kinds text[];
  currencies text[];
  user_ids text[];
  peer_user_ids text[];
  service_ids text[];
  concerned_orders text[];
  concerned_holds text[];
  topics text[];
  partitions integer[];
  offsets bigint[];
  workflow_ids text[];
  run_ids text[];
  callers text[];
  correlation_ids text[];
  comments text[];
  effective_moments timestamptz[];
  first_postings integer[];
  posting_counts integer[];
  operation_orders integer[];
  order_froms text[];
  order_tos text[];
  order_statuses text[];
  known_ids bigint[];
  known_hashes text[];
  known_outcomes text[];
  known_codes text[];
  known_moments timestamptz[];
  ids bigint[];
  codes text[];
  conflicts boolean[];
  totals bigint[];

  debits integer[];
  credits integer[];
  amounts bigint[];
  posting_holds integer[];
  effects text[];
  revenue_services text[];
  revenue_signs integer[];
  open_services text[];
  open_purposes text[];
  open_orders text[];
  open_lines integer[];
  open_hashes text[];
  open_ends timestamptz[];
  owners integer[];
  debit_balances bigint[];
  debit_versions bigint[];
  credit_balances bigint[];
  credit_versions bigint[];

  operation_count integer;
  posting_count integer;
  new_count integer := 0;
  inserted integer;
  i integer;
  j integer;
  first_j integer;
  last_j integer;
  d integer;
  c integer;
  h integer;
  amount bigint;
  remaining bigint;
  refusal text;
BEGIN
  IF json_typeof(batch_operations) = 'object' THEN
    SELECT c.key, c.hash, c.kind, c.currency, c."firstPosting", c."postingCount", c."userId", c."peerUserId", c."serviceId",
           c."orderId", c."holdId", c.topic, c."partition", c."offset", c."workflowId", c."runId", c.caller, c."correlationId",
           c.comment, c."effectiveAt", c."order", c."orderFrom", c."orderTo", c."orderStatus", c.after
      INTO keys, hashes, kinds, currencies, first_postings, posting_counts, user_ids, peer_user_ids, service_ids, concerned_orders,
           concerned_holds, topics, partitions, offsets, workflow_ids, run_ids, callers, correlation_ids, comments, effective_moments,
           operation_orders, order_froms, order_tos, order_statuses, afters
      FROM json_to_record(batch_operations) AS c(
           key text[], hash text[], kind text[], currency text[], "firstPosting" integer[], "postingCount" integer[], "userId" text[],
           "peerUserId" text[], "serviceId" text[], "orderId" text[], "holdId" text[], topic text[], "partition" integer[],
           "offset" bigint[], "workflowId" text[], "runId" text[], caller text[], "correlationId" text[], comment text[],
           "effectiveAt" timestamptz[], "order" integer[], "orderFrom" text[], "orderTo" text[], "orderStatus" text[], after integer[]);
    SELECT c.debit, c.credit, c.amount, c.hold, c.effect, c."serviceId", c.sign, c."openServiceId", c.purpose, c."orderId", c."lineNo",
           c."requestHash", c."expiresAt"
      INTO debits, credits, amounts, posting_holds, effects, revenue_services, revenue_signs, open_services, open_purposes, open_orders,
           open_lines, open_hashes, open_ends
      FROM json_to_record(batch_postings) AS c(
           debit integer[], credit integer[], amount bigint[], hold integer[], effect text[], "serviceId" text[], sign integer[],
           "openServiceId" text[], purpose text[], "orderId" text[], "lineNo" integer[], "requestHash" text[], "expiresAt" timestamptz[]);
    SELECT c.kind, c.owner, c.currency
      INTO account_kinds, account_owners, account_currencies
      FROM json_to_record(batch_accounts) AS c(
           kind text[], owner text[], currency text[]);
    IF batch_holds IS NOT NULL THEN
      SELECT c.id
        INTO hold_ids
        FROM json_to_record(batch_holds) AS c(
             id text[]);
    END IF;
  ELSE
    SELECT array_agg(r.key), array_agg(r.hash), array_agg(r.kind), array_agg(r.currency), array_agg(r."firstPosting" + 1),
           array_agg(r."postingCount"), array_agg(r."userId"), array_agg(r."peerUserId"), array_agg(r."serviceId"),
           array_agg(r."orderId"), array_agg(r."holdId"), array_agg(r.topic), array_agg(r."partition"), array_agg(r."offset"),
           array_agg(r."workflowId"), array_agg(r."runId"), array_agg(r.caller), array_agg(r."correlationId"), array_agg(r.comment),
           array_agg(r."effectiveAt"), array_agg(r."order" + 1), array_agg(r."orderFrom"), array_agg(r."orderTo"),
           array_agg(r."orderStatus"), array_agg(r.after + 1)
      INTO keys, hashes, kinds, currencies, first_postings, posting_counts, user_ids, peer_user_ids, service_ids, concerned_orders,
           concerned_holds, topics, partitions, offsets, workflow_ids, run_ids, callers, correlation_ids, comments, effective_moments,
           operation_orders, order_froms, order_tos, order_statuses, afters
      FROM json_to_recordset(batch_operations) AS r(
           key text, hash text, kind text, currency text, "firstPosting" integer, "postingCount" integer, "userId" text,
           "peerUserId" text, "serviceId" text, "orderId" text, "holdId" text, topic text, "partition" integer, "offset" bigint,
           "workflowId" text, "runId" text, caller text, "correlationId" text, comment text, "effectiveAt" timestamptz, "order" integer,
           "orderFrom" text, "orderTo" text, "orderStatus" text, after integer);
    SELECT array_agg(r.debit + 1), array_agg(r.credit + 1), array_agg(r.amount), array_agg(r.hold + 1), array_agg(r.effect),
           array_agg(r."serviceId"), array_agg(r.sign), array_agg(r."openServiceId"), array_agg(r.purpose), array_agg(r."orderId"),
           array_agg(r."lineNo"), array_agg(r."requestHash"), array_agg(r."expiresAt")
      INTO debits, credits, amounts, posting_holds, effects, revenue_services, revenue_signs, open_services, open_purposes, open_orders,
           open_lines, open_hashes, open_ends
      FROM json_to_recordset(batch_postings) AS r(
           debit integer, credit integer, amount bigint, hold integer, effect text, "serviceId" text, sign integer,
           "openServiceId" text, purpose text, "orderId" text, "lineNo" integer, "requestHash" text, "expiresAt" timestamptz);
    SELECT array_agg(r.kind), array_agg(r.owner), array_agg(r.currency)
      INTO account_kinds, account_owners, account_currencies
      FROM json_to_recordset(batch_accounts) AS r(
           kind text, owner text, currency text);
    IF batch_holds IS NOT NULL THEN
      SELECT array_agg(r.id)
        INTO hold_ids
        FROM json_to_recordset(batch_holds) AS r(
             id text);
    END IF;
  END IF;
  operation_count := cardinality(keys);
  posting_count := coalesce(cardinality(debits), 0);

  SELECT array_agg(a.id ORDER BY w.n), bool_or(a.id IS NULL), array_agg(w.kind IN ('available', 'held') ORDER BY w.n)
    INTO account_ids, missing, guarded
    FROM unnest(account_kinds, account_owners, account_currencies) WITH ORDINALITY AS w(kind, owner, currency, n)
    LEFT JOIN accounts a ON a.kind = w.kind AND a.owner = w.owner AND a.currency = w.currency;
  IF missing THEN
    INSERT INTO accounts (kind, owner, currency)
      SELECT w.kind, w.owner, w.currency FROM unnest(account_kinds, account_owners, account_currencies) AS w(kind, owner, currency)
       ORDER BY w.kind, w.owner COLLATE "C", w.currency
      ON CONFLICT DO NOTHING;
    SELECT array_agg(a.id ORDER BY w.n) INTO account_ids
      FROM unnest(account_kinds, account_owners, account_currencies) WITH ORDINALITY AS w(kind, owner, currency, n)
      JOIN accounts a ON a.kind = w.kind AND a.owner = w.owner AND a.currency = w.currency;
  END IF;

  -- Locked in the order of their ids by everyone. A row that another call had locked comes as that call has left it.
  SELECT array_agg(x.balance_minor ORDER BY x.n), array_agg(x.version ORDER BY x.n) INTO balances, versions
    FROM (SELECT w.n, a.balance_minor, a.version
            FROM unnest(account_ids) WITH ORDINALITY AS w(id, n) JOIN accounts a ON a.id = w.id
           ORDER BY a.id FOR NO KEY UPDATE OF a) AS x;

  IF batch_holds IS NOT NULL THEN
    PERFORM 1 FROM holds x WHERE x.id = ANY (hold_ids) ORDER BY x.id FOR UPDATE;
    SELECT array_agg(x.user_id ORDER BY w.n), array_agg(x.service_id ORDER BY w.n), array_agg(x.currency ORDER BY w.n),
           array_agg(x.status ORDER BY w.n), array_agg(x.amount_minor ORDER BY w.n), array_agg(x.captured_minor ORDER BY w.n),
           array_agg(x.released_minor ORDER BY w.n), array_agg(false), array_agg(false)
      INTO hold_users, hold_services, hold_currencies, hold_statuses, hold_amounts, hold_captured, hold_released, hold_news, hold_changed
      FROM unnest(hold_ids) WITH ORDINALITY AS w(id, n) LEFT JOIN holds x ON x.id = w.id;
  END IF;

  moment := clock_timestamp();
  IF batch_orders IS NOT NULL THEN
    SELECT array_agg(w.id), array_agg(w.hash), bool_or(w."userId" IS NOT NULL) INTO order_ids, order_wanted_hashes, brings_orders
      FROM json_to_recordset(batch_orders) AS w(id text, hash text, "userId" text);
    IF brings_orders THEN
      WITH changed AS (
        INSERT INTO orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id,
                            caller, correlation_id, saga_input, created_at, updated_at)
          SELECT w.id, w."userId", 'PENDING', 'STARTED', w.currency, w.total, w.method, w.comment, w.hash, w."workflowId", w.caller,
                 w."correlationId", w.input, moment, moment
            FROM json_to_recordset(batch_orders) AS w(id text, hash text, "userId" text, currency text, total bigint, method text,
                 comment text, "workflowId" text, caller text, "correlationId" text, input jsonb)
           WHERE w."userId" IS NOT NULL
           ORDER BY w.id COLLATE "C"
          ON CONFLICT (id) DO NOTHING
          RETURNING id, user_id, status, saga_state, currency, total_minor, payment_method, version, correlation_id
      ), lines AS (
        INSERT INTO order_items (order_id, line_no, service_id, quantity, amount_minor)
          SELECT x.id, l."lineNo", l."serviceId", l.quantity, l."amountMinor"
            FROM changed x
            JOIN json_to_recordset(batch_orders) AS w(id text, lines json) ON w.id = x.id
           CROSS JOIN LATERAL json_to_recordset(w.lines) AS l("lineNo" integer, "serviceId" text, quantity integer, "amountMinor" bigint)
      ), payment AS (
        INSERT INTO payments (id, order_id, method, status, currency, created_at, updated_at)
          SELECT 'payment/' || x.id, x.id, x.payment_method, 'pending', x.currency, moment, moment FROM changed x
      ), event AS (
        INSERT INTO outbox (aggregate_type, aggregate_id, topic, message_key, payload, headers)
          SELECT 'order', x.id, 'orders.events', x.id,
                 jsonb_build_object('orderId', x.id, 'userId', x.user_id, 'sagaState', x.saga_state, 'status', x.status,
                   'version', x.version::text, 'amountMinor', x.total_minor::text, 'currency', x.currency, 'failureCode', NULL,
                   'failureMessage', NULL, 'recordedAt', moment),
                 jsonb_build_object('correlation-id', x.correlation_id)
            FROM changed x
      )
      SELECT array_agg(x.id) INTO created_ids FROM changed x;
    END IF;
    PERFORM 1 FROM orders x WHERE x.id = ANY (order_ids) ORDER BY x.id FOR NO KEY UPDATE;
    SELECT array_agg(x.saga_state ORDER BY w.n), array_agg(x.request_hash ORDER BY w.n), array_agg(0),
           array_agg(w.id = ANY (coalesce(created_ids, '{}')) ORDER BY w.n)
      INTO order_states, order_hashes, order_changes, order_news
      FROM unnest(order_ids) WITH ORDINALITY AS w(id, n) LEFT JOIN orders x ON x.id = w.id;
    -- The lock of an order that was there before may have been waited for. Then the operations have a later moment than what was created.
    IF cardinality(coalesce(created_ids, '{}')) < cardinality(order_ids) THEN
      moment := clock_timestamp();
      order_news := array_fill(false, ARRAY[cardinality(order_ids)]);
    END IF;
  END IF;

  -- A statement of its own, so that its snapshot is younger than the locks.
  SELECT array_agg(o.id ORDER BY w.n), array_agg(o.content_hash ORDER BY w.n), array_agg(o.outcome ORDER BY w.n),
         array_agg(o.refusal_code ORDER BY w.n), array_agg(o.recorded_at ORDER BY w.n)
    INTO known_ids, known_hashes, known_outcomes, known_codes, known_moments
    FROM unnest(keys) WITH ORDINALITY AS w(key, n) LEFT JOIN operations o ON o.key = w.key;

  ids := array_fill(NULL::bigint, ARRAY[operation_count]);
  codes := array_fill(NULL::text, ARRAY[operation_count]);
  conflicts := array_fill(false, ARRAY[operation_count]);
  totals := array_fill(0::bigint, ARRAY[operation_count]);
  operation_steps := array_fill(NULL::integer, ARRAY[operation_count]);
  owners := array_fill(NULL::integer, ARRAY[posting_count]);
  debit_balances := array_fill(NULL::bigint, ARRAY[posting_count]);
  debit_versions := debit_balances;
  credit_balances := debit_balances;
  credit_versions := debit_balances;

  FOR i IN 1 .. operation_count LOOP
    IF known_ids[i] IS NOT NULL THEN
      conflicts[i] := known_hashes[i] <> hashes[i];
      CONTINUE;
    END IF;
    IF afters[i] IS NOT NULL THEN
      -- Done here, or under its key before.
      conflicts[i] := conflicts[afters[i]] OR coalesce(known_codes[afters[i]], codes[afters[i]]) IS NOT NULL;
    END IF;
    IF operation_orders[i] IS NOT NULL AND order_hashes[operation_orders[i]] <> order_wanted_hashes[operation_orders[i]] THEN
      conflicts[i] := true;
    END IF;
    IF conflicts[i] THEN
      CONTINUE;
    END IF;
    new_count := new_count + 1;
    ids[i] := nextval('operations_id_seq');
    refusal := NULL;
    first_j := first_postings[i];
    last_j := first_j + posting_counts[i] - 1;

    IF operation_orders[i] IS NOT NULL THEN
      IF order_states[operation_orders[i]] IS NULL THEN
        refusal := 'ORDER_NOT_FOUND';
      ELSIF order_states[operation_orders[i]] <> order_froms[i] THEN
        refusal := 'ORDER_STATE_CONFLICT';
      END IF;
    END IF;

    j := first_j;
    WHILE refusal IS NULL AND j <= last_j LOOP
      d := debits[j];
      c := credits[j];
      h := posting_holds[j];
      amount := amounts[j];
      IF account_currencies[d] <> account_currencies[c] THEN
        RAISE EXCEPTION 'a posting joins % and %', account_currencies[d], account_currencies[c] USING ERRCODE = '22023';
      END IF;
      IF h IS NOT NULL AND effects[j] = 'open' THEN
        IF hold_statuses[h] IS NOT NULL THEN
          refusal := 'CONFLICT';
        END IF;
      ELSIF h IS NOT NULL THEN
        -- A hold is captured or released only between its own user's accounts and its own service.
        IF hold_statuses[h] IS NULL OR hold_users[h] <> account_owners[d] OR hold_currencies[h] <> account_currencies[d]
           OR account_owners[c] <> (CASE effects[j] WHEN 'capture' THEN hold_services[h] ELSE hold_users[h] END) THEN
          refusal := 'RESERVATION_NOT_FOUND';
        ELSIF hold_statuses[h] = 'confirmed' THEN
          refusal := 'ALREADY_CONFIRMED';
        ELSIF hold_statuses[h] = 'released' THEN
          refusal := 'ALREADY_RELEASED';
        ELSIF hold_statuses[h] = 'expired' THEN
          refusal := 'RESERVATION_EXPIRED';
        ELSE
          remaining := hold_amounts[h] - hold_captured[h] - hold_released[h];
          amount := coalesce(amount, remaining);
          IF amount > remaining THEN
            refusal := 'AMOUNT_EXCEEDS_HOLD';
          END IF;
        END IF;
      END IF;
      IF refusal IS NULL AND guarded[d] AND balances[d] < amount THEN
        refusal := 'INSUFFICIENT_FUNDS';
      END IF;
      IF refusal IS NULL THEN
        amounts[j] := amount;
        balances[d] := balances[d] - amount;
        versions[d] := versions[d] + 1;
        debit_balances[j] := balances[d];
        debit_versions[j] := versions[d];
        balances[c] := balances[c] + amount;
        versions[c] := versions[c] + 1;
        credit_balances[j] := balances[c];
        credit_versions[j] := versions[c];
        totals[i] := totals[i] + amount;
        owners[j] := i;
        IF h IS NOT NULL THEN
          hold_changed[h] := true;
          CASE effects[j]
            WHEN 'open' THEN
              hold_news[h] := true;
              hold_users[h] := account_owners[d];
              hold_services[h] := open_services[j];
              hold_currencies[h] := account_currencies[d];
              hold_statuses[h] := 'held';
              hold_amounts[h] := amount;
              hold_captured[h] := 0;
              hold_released[h] := 0;
            WHEN 'capture' THEN
              hold_captured[h] := hold_captured[h] + amount;
              IF amount = remaining THEN hold_statuses[h] := 'confirmed'; END IF;
            WHEN 'release' THEN
              hold_released[h] := hold_released[h] + amount;
              IF amount = remaining THEN hold_statuses[h] := 'released'; END IF;
            WHEN 'expire' THEN
              hold_released[h] := hold_released[h] + amount;
              IF amount = remaining THEN hold_statuses[h] := 'expired'; END IF;
          END CASE;
        END IF;
        j := j + 1;
      END IF;
    END LOOP;

    IF refusal IS NULL THEN
      IF operation_orders[i] IS NOT NULL THEN
        order_states[operation_orders[i]] := order_tos[i];
        order_changes[operation_orders[i]] := order_changes[operation_orders[i]] + 1;
        operation_steps[i] := order_changes[operation_orders[i]];
        most_steps := greatest(most_steps, operation_steps[i]);
      END IF;
    ELSE
      codes[i] := refusal;
      -- All of an operation or none of it: take back the postings made before the one that was refused.
      WHILE j > first_j LOOP
        j := j - 1;
        d := debits[j];
        c := credits[j];
        h := posting_holds[j];
        amount := amounts[j];
        owners[j] := NULL;
        balances[d] := balances[d] + amount;
        versions[d] := versions[d] - 1;
        balances[c] := balances[c] - amount;
        versions[c] := versions[c] - 1;
        IF h IS NOT NULL THEN
          CASE effects[j]
            WHEN 'open' THEN
              hold_statuses[h] := NULL;
              hold_news[h] := false;
              hold_changed[h] := false;
            WHEN 'capture' THEN
              hold_captured[h] := hold_captured[h] - amount;
              hold_statuses[h] := 'held';
            ELSE
              hold_released[h] := hold_released[h] - amount;
              hold_statuses[h] := 'held';
          END CASE;
        END IF;
      END LOOP;
      totals[i] := coalesce((SELECT sum(amounts[n]) FROM generate_series(first_j, last_j) AS n), 0);
    END IF;
  END LOOP;

  IF new_count > 0 THEN
    INSERT INTO operations (id, key, content_hash, kind, outcome, refusal_code, currency, amount_minor, user_id, peer_user_id, service_id,
                            order_id, hold_id, workflow_id, run_id, topic, partition, "offset", caller, correlation_id, comment,
                            effective_at, recorded_at)
      OVERRIDING SYSTEM VALUE
      SELECT ids[w.n], w.key, w.hash, w.kind, CASE WHEN codes[w.n] IS NULL THEN 'done' ELSE 'refused' END, codes[w.n], w.currency,
             totals[w.n], w.user_id, w.peer_user_id, w.service_id, w.order_id, w.hold_id, w.workflow_id, w.run_id,
             w.topic, w.partition, w."offset", w.caller, w.correlation_id, w.comment, coalesce(w.effective_at, moment), moment
        FROM unnest(keys, hashes, kinds, currencies, user_ids, peer_user_ids, service_ids, concerned_orders, concerned_holds, workflow_ids,
                    run_ids, topics, partitions, offsets, callers, correlation_ids, comments, effective_moments)
             WITH ORDINALITY AS w(key, hash, kind, currency, user_id, peer_user_id, service_id, order_id, hold_id, workflow_id, run_id,
             topic, partition, "offset", caller, correlation_id, comment, effective_at, n)
       WHERE ids[w.n] IS NOT NULL
       ORDER BY w.key COLLATE "C"
      ON CONFLICT (key) DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted <> new_count THEN
      RAISE EXCEPTION 'a key was claimed meanwhile' USING ERRCODE = '40001';
    END IF;

    INSERT INTO postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version,
                          credit_balance_minor, credit_version, hold_id, service_id, service_name, revenue_minor, effective_at, recorded_at)
      SELECT ids[w.owner], account_currencies[w.debit], account_ids[w.debit], account_ids[w.credit], w.amount, w.debit_balance,
             w.debit_version, w.credit_balance, w.credit_version, hold_ids[w.hold], w.service_id,
             CASE WHEN w.service_id IS NOT NULL THEN coalesce(s.name, w.service_id) END, w.sign * w.amount,
             coalesce(effective_moments[w.owner], moment), moment
        FROM unnest(owners, debits, credits, amounts, debit_balances, debit_versions, credit_balances, credit_versions, posting_holds,
                    revenue_services, revenue_signs)
             WITH ORDINALITY AS w(owner, debit, credit, amount, debit_balance, debit_version, credit_balance, credit_version, hold,
             service_id, sign, n)
        LEFT JOIN services s ON s.id = w.service_id
       WHERE w.owner IS NOT NULL
       ORDER BY w.n;

    UPDATE accounts a SET balance_minor = w.balance, version = w.version
      FROM unnest(account_ids, balances, versions) AS w(id, balance, version)
     WHERE a.id = w.id AND a.version <> w.version;

    IF hold_ids IS NOT NULL THEN
      INSERT INTO holds (id, purpose, status, user_id, service_id, order_id, line_no, currency, amount_minor, captured_minor,
                         released_minor, workflow_id, request_hash, comment, expires_at, created_at, updated_at)
        SELECT hold_ids[w.hold], w.purpose, hold_statuses[w.hold], account_owners[w.debit], w.service_id, w.order_id, w.line_no,
               account_currencies[w.debit], hold_amounts[w.hold], hold_captured[w.hold], hold_released[w.hold],
               coalesce(workflow_ids[w.owner], ''), w.request_hash, comments[w.owner], w.expires_at, moment, moment
          FROM unnest(owners, debits, posting_holds, effects, open_purposes, open_services, open_orders, open_lines, open_hashes, open_ends)
               AS w(owner, debit, hold, effect, purpose, service_id, order_id, line_no, request_hash, expires_at)
         WHERE w.owner IS NOT NULL AND w.effect = 'open'
         ORDER BY hold_ids[w.hold] COLLATE "C";
      UPDATE holds x SET status = w.status, captured_minor = w.captured, released_minor = w.released, updated_at = moment
        FROM unnest(hold_ids, hold_statuses, hold_captured, hold_released, hold_news, hold_changed)
             AS w(id, status, captured, released, is_new, changed)
       WHERE x.id = w.id AND w.changed AND NOT w.is_new;
    END IF;

    INSERT INTO outbox (aggregate_type, aggregate_id, topic, message_key, operation_id)
      SELECT 'user', u.id, 'notifications', u.id, ids[w.n]
        FROM unnest(user_ids, peer_user_ids) WITH ORDINALITY AS w(user_id, peer_user_id, n)
        CROSS JOIN LATERAL unnest(ARRAY[w.user_id, w.peer_user_id]) AS u(id)
       WHERE ids[w.n] IS NOT NULL AND codes[w.n] IS NULL AND u.id IS NOT NULL
       ORDER BY w.n;

    -- One step after the other: the trigger of orders keeps each state of an order, and its payment follows each.
    FOR step IN 1 .. most_steps LOOP
      WITH changed AS (
        UPDATE orders x
           SET saga_state = w.state, status = w.status, version = x.version + 1, updated_at = moment
          FROM unnest(order_tos, order_statuses) WITH ORDINALITY AS w(state, status, n)
         WHERE operation_steps[w.n] = step AND x.id = order_ids[operation_orders[w.n]]
        RETURNING x.id, x.user_id, x.saga_state, x.status, x.version, x.total_minor, x.currency, x.correlation_id
      )
      INSERT INTO outbox (aggregate_type, aggregate_id, topic, message_key, payload, headers)
        SELECT 'order', x.id, 'orders.events', x.id,
               jsonb_build_object('orderId', x.id, 'userId', x.user_id, 'sagaState', x.saga_state, 'status', x.status,
                 'version', x.version::text, 'amountMinor', x.total_minor::text, 'currency', x.currency, 'recordedAt', moment),
               jsonb_build_object('correlation-id', x.correlation_id)
          FROM changed x;
    END LOOP;
  END IF;

  RETURN QUERY
    SELECT n - 1,
           CASE WHEN conflicts[n] THEN 'conflict'
                WHEN known_ids[n] IS NOT NULL THEN known_outcomes[n]
                WHEN codes[n] IS NULL THEN 'done' ELSE 'refused' END,
           known_ids[n] IS NOT NULL AND NOT conflicts[n],
           coalesce(known_ids[n], ids[n]),
           coalesce(known_codes[n], codes[n], CASE WHEN ids[n] IS NOT NULL AND order_news[operation_orders[n]] THEN 'ORDER_CREATED' END),
           coalesce(known_moments[n], moment)
      FROM generate_series(1, operation_count) AS n;
END
$ledger_post$;
