-- tenancy: workspaces, members with roles, log-in, sessions, API keys and scopes, as the two
-- client roles see them; every error with its code.
-- proves R003 R106
\set VERBOSITY sqlstate
SET client_min_messages = warning;
CALL laras_test.await_vault();

-- A workspace is made by the service alone, with its owner.
SET ROLE laras_service;
SELECT laras.create_workspace('Toko Satu', 'Ani@Satu.example', 'rahasia-satu') AS one \gset
SELECT laras.create_workspace('Toko Dua', 'budi@dua.example', 'rahasia-dua', 'laras') AS two \gset
SELECT :one > 0 AND :two > 0 AND :one <> :two AS made;
SELECT laras.create_workspace('', 'x@x.example', 'password');
SELECT laras.create_workspace('x', 'no address', 'password');
SELECT laras.create_workspace('x', '@x.example', 'password');
SELECT laras.create_workspace('x', E'a\nb@x.example', 'password');
SELECT laras.create_workspace('x', 'x@x.example', 'short');
SELECT laras.create_workspace('x', 'x@x.example', repeat('p', 73));
SELECT laras.create_workspace('x', 'x@x.example', 'password', 'No Preset');
SELECT laras.create_workspace('x', 'x@x.example', 'password', 'zzz');
BEGIN;
SELECT laras.act_as(:one) = :one AS bound;
SELECT laras.create_workspace('x', 'x@x.example', 'password');
ROLLBACK;
RESET ROLE;
SET ROLE laras_app;
SELECT laras.create_workspace('x', 'x@x.example', 'password');

-- Log-in: right, wrong and unknown. Case and blanks around the address do not matter.
SELECT laras.log_in(' ANI@satu.example', 'rahasia-satu') AS token \gset
SELECT :'token' ~ '^ls_[A-Za-z0-9_-]{43}$' AS token;
SELECT laras.log_in('ani@satu.example', 'rahasia-dua');
SELECT laras.log_in('nobody@satu.example', 'rahasia-satu');
SELECT laras.log_in('', '');
RESET ROLE;
SELECT pg_catalog.count(*) AS sessions FROM laras.session;
-- Neither token nor password is stored.
SELECT pg_catalog.count(*) AS found FROM laras.session s WHERE pg_catalog.strpos(s::text, :'token') > 0;
SELECT pg_catalog.bool_and(token_hash = pg_catalog.sha256(pg_catalog.convert_to(:'token', 'UTF8'))) AS hashed FROM laras.session;
SELECT pg_catalog.bool_and(password_hash ~ '^\$2a\$10\$') AS bcrypt FROM laras.member;

-- Nothing bound, nothing seen.
SET ROLE laras_app;
SELECT laras.current_workspace(), laras.current_principal(), laras.may('inbox');
SELECT * FROM laras.members;
SELECT * FROM laras.workspaces;
SELECT laras.log_out();
SELECT laras.add_member('x@x.example', 'x', 'agent', 'password');

-- A member sees the own workspace only.
BEGIN;
SELECT laras.enter(:'token') = :one AS entered;
SELECT name, preset, state FROM laras.workspaces;
SELECT email, name, role, state FROM laras.members;
SELECT laras.current_principal() ~ '^member:[0-9]+:owner$' AS principal;
SELECT pg_catalog.string_agg(s, ' ' ORDER BY s) AS scopes
  FROM pg_catalog.unnest(ARRAY['inbox', 'knowledge', 'crm', 'connect', 'erase', 'export', 'admin']) s WHERE laras.may(s);
SELECT laras.may('everything');
ROLLBACK;

-- Members and roles.
BEGIN;
SELECT laras.enter(:'token') > 0 AS entered;
SELECT laras.add_member('agus@satu.example', 'Agus', 'agent', 'agus-agus') AS agus \gset
SELECT laras.add_member('dewi@satu.example', 'Dewi', 'admin', 'dewi-dewi') AS dewi \gset
SELECT laras.add_member('eka@satu.example', 'Eka', 'auditor', 'eka-eka-eka') AS eka \gset
COMMIT;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.add_member('AGUS@satu.example', 'again', 'agent', 'agus-agus'); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.add_member('f@satu.example', 'F', 'king', 'password'); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.add_member('f@satu.example', '', 'agent', 'password'); ROLLBACK;
-- The same address in another workspace is nobody's business here.
SELECT laras.log_in('budi@dua.example', 'rahasia-dua') AS budi \gset
BEGIN;
SELECT laras.enter(:'budi') = :two AS entered;
SELECT laras.add_member('agus@satu.example', 'Agus di Dua', 'admin', 'another password') > 0 AS added;
COMMIT;
SELECT laras.log_in('agus@satu.example', 'agus-agus') AS agus_one \gset
SELECT laras.log_in('agus@satu.example', 'another password') AS agus_two \gset
BEGIN; SELECT laras.enter(:'agus_one') = :one AS one; ROLLBACK;
BEGIN; SELECT laras.enter(:'agus_two') = :two AS two; ROLLBACK;

-- An agent calls no admin function: 42501.
BEGIN; SELECT laras.enter(:'agus_one') > 0 AS entered; SELECT laras.add_member('g@satu.example', 'G', 'agent', 'password'); ROLLBACK;
BEGIN; SELECT laras.enter(:'agus_one') > 0 AS entered; SELECT laras.remove_member(:dewi); ROLLBACK;
BEGIN; SELECT laras.enter(:'agus_one') > 0 AS entered; SELECT laras.set_member_role(:agus, 'admin'); ROLLBACK;
BEGIN; SELECT laras.enter(:'agus_one') > 0 AS entered; SELECT laras.create_api_key('k', '{inbox}'); ROLLBACK;
BEGIN; SELECT laras.enter(:'agus_one') > 0 AS entered; SELECT laras.revoke_api_key('aaaaaaaaaa'); ROLLBACK;
BEGIN;
SELECT laras.enter(:'agus_one') > 0 AS entered;
SELECT pg_catalog.string_agg(s, ' ' ORDER BY s) AS agent_scopes
  FROM pg_catalog.unnest(ARRAY['inbox', 'knowledge', 'crm', 'connect', 'erase', 'export', 'admin']) s WHERE laras.may(s);
ROLLBACK;
SELECT laras.log_in('eka@satu.example', 'eka-eka-eka') AS eka_token \gset
BEGIN;
SELECT laras.enter(:'eka_token') > 0 AS entered;
SELECT pg_catalog.count(*) AS auditor_scopes
  FROM pg_catalog.unnest(ARRAY['inbox', 'knowledge', 'crm', 'connect', 'erase', 'export', 'admin']) s WHERE laras.may(s);
ROLLBACK;

-- An admin manages members, but neither makes nor touches an owner.
SELECT laras.log_in('dewi@satu.example', 'dewi-dewi') AS dewi_token \gset
BEGIN;
SELECT laras.enter(:'dewi_token') > 0 AS entered;
SELECT laras.set_member_role(:agus, 'admin');
SELECT laras.set_member_role(:agus, 'agent');
SELECT email, role FROM laras.members ORDER BY email COLLATE "C";
COMMIT;
RESET ROLE;
SELECT id AS ani FROM laras.member WHERE workspace_id = :one AND role = 'owner' \gset
SELECT id AS foreign_member FROM laras.member WHERE workspace_id = :two AND role = 'admin' \gset
SET ROLE laras_app;
BEGIN; SELECT laras.enter(:'dewi_token') > 0 AS entered; SELECT laras.set_member_role(:agus, 'owner'); ROLLBACK;
BEGIN; SELECT laras.enter(:'dewi_token') > 0 AS entered; SELECT laras.add_member('h@satu.example', 'H', 'owner', 'password'); ROLLBACK;
BEGIN; SELECT laras.enter(:'dewi_token') > 0 AS entered; SELECT laras.remove_member(:ani); ROLLBACK;
BEGIN; SELECT laras.enter(:'dewi_token') > 0 AS entered; SELECT laras.set_member_role(:ani, 'agent'); ROLLBACK;
-- The last owner stays; a second one may go.
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.remove_member(:ani); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.set_member_role(:ani, 'admin'); ROLLBACK;
BEGIN;
SELECT laras.enter(:'token') > 0 AS entered;
SELECT laras.set_member_role(:dewi, 'owner');
SELECT laras.set_member_role(:dewi, 'admin');
COMMIT;
-- Members of other workspaces do not exist here; nor does a random one.
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.remove_member(:foreign_member); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.set_member_role(:foreign_member, 'agent'); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.remove_member(1); ROLLBACK;

-- A removed member is out at once, with all sessions; the address is free again.
BEGIN; SELECT laras.enter(:'dewi_token') > 0 AS entered; SELECT laras.remove_member(:agus); COMMIT;
SELECT laras.enter(:'agus_one');
SELECT laras.log_in('agus@satu.example', 'agus-agus');
BEGIN; SELECT laras.enter(:'dewi_token') > 0 AS entered; SELECT laras.remove_member(:agus); ROLLBACK;
BEGIN;
SELECT laras.enter(:'dewi_token') > 0 AS entered;
SELECT email, state FROM laras.members WHERE id = :agus;
SELECT laras.add_member('agus@satu.example', 'Agus lagi', 'agent', 'agus-agus') > 0 AS added;
COMMIT;

-- API keys: shown once, with scopes the maker holds, revoked by prefix.
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.create_api_key('k', '{}'); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.create_api_key('k', '{inbox,everything}'); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.create_api_key('k', NULL); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.create_api_key('k', ARRAY[NULL]); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.create_api_key('k', '{inbox}', laras.now() - interval '1 s'); ROLLBACK;
BEGIN;
SELECT laras.enter(:'token') > 0 AS entered;
SELECT laras.create_api_key('Kasir', '{inbox,crm,inbox}') AS key \gset
SELECT laras.create_api_key('Pengurus', '{admin}', laras.now() + interval '1 day') AS admin_key \gset
SELECT name, scopes, created_by_kind, created_by = :ani AS by_ani, expires_at IS NULL AS forever, revoked_at FROM laras.api_keys ORDER BY name COLLATE "C";
COMMIT;
SELECT :'key' ~ '^lk_[a-z2-7]{10}_[A-Za-z0-9_-]{43}$' AS key;
BEGIN;
SELECT laras.enter(:'key') = :one AS entered;
SELECT laras.current_principal() ~ '^key:[0-9]+:inbox,crm$' AS principal;
SELECT pg_catalog.count(*) AS keys_seen FROM laras.api_keys;
SELECT laras.log_out();
ROLLBACK;
BEGIN; SELECT laras.enter(:'key') = :one AS entered; SELECT laras.add_member('i@satu.example', 'I', 'agent', 'password'); ROLLBACK;
-- A key gives no scope that it does not hold, and makes no owner.
BEGIN; SELECT laras.enter(:'admin_key') = :one AS entered; SELECT laras.create_api_key('more', '{admin,erase}'); ROLLBACK;
BEGIN; SELECT laras.enter(:'admin_key') = :one AS entered; SELECT laras.set_member_role(:dewi, 'owner'); ROLLBACK;
BEGIN; SELECT laras.enter(:'admin_key') = :one AS entered; SELECT laras.create_api_key('less', '{admin}') ~ '^lk_' AS made; ROLLBACK;
SELECT pg_catalog.substr(:'key', 4, 10) AS prefix \gset
-- Another workspace's prefix is nobody's.
BEGIN; SELECT laras.enter(:'budi') > 0 AS entered; SELECT laras.revoke_api_key(:'prefix'); ROLLBACK;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.revoke_api_key(:'prefix'); COMMIT;
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.revoke_api_key(:'prefix'); ROLLBACK;
SELECT laras.enter(:'key');

-- Expiry follows the product's clock.
BEGIN; SELECT laras.enter(:'admin_key') = :one AS entered; ROLLBACK;
RESET ROLE;
SELECT laras.advance_clock('11 hours 59 minutes') > pg_catalog.now() AS moved;
SET ROLE laras_app;
BEGIN; SELECT laras.enter(:'token') = :one AS still_open; ROLLBACK;
RESET ROLE;
SELECT laras.advance_clock('2 minutes') > pg_catalog.now() AS moved;
SET ROLE laras_app;
SELECT laras.enter(:'token');
BEGIN; SELECT laras.enter(:'admin_key') = :one AS key_still_open; ROLLBACK;
RESET ROLE;
SELECT laras.advance_clock('12 hours') > pg_catalog.now() AS moved;
SET ROLE laras_app;
SELECT laras.enter(:'admin_key');
RESET ROLE;
SELECT laras.advance_clock('-1 day 1 minute') IS NOT NULL AS moved_back;

-- Logging out ends the session, on every connection.
SET ROLE laras_app;
SELECT laras.log_in('ani@satu.example', 'rahasia-satu') AS token \gset
BEGIN; SELECT laras.enter(:'token') > 0 AS entered; SELECT laras.log_out(); SELECT laras.log_out(); COMMIT;
SELECT laras.enter(:'token');
RESET ROLE;

-- The service acts as itself or as a member, whose rights it then has.
SET ROLE laras_service;
BEGIN;
SELECT laras.act_as(:one) = :one AS bound;
SELECT laras.act_as(:one) = :one AS again;
SELECT laras.current_principal(), laras.may('admin');
SELECT laras.log_out();
ROLLBACK;
BEGIN; SELECT laras.act_as(:one, :eka) = :one AS bound; SELECT laras.current_principal() = pg_catalog.format('member:%s:auditor', :eka::bigint) AS principal, laras.may('inbox'); ROLLBACK;
BEGIN; SELECT laras.act_as(:one, :eka) = :one AS bound; SELECT laras.add_member('j@satu.example', 'J', 'agent', 'password'); ROLLBACK;
BEGIN; SELECT laras.act_as(:one) = :one AS bound; SELECT laras.act_as(:one, :eka); ROLLBACK;
BEGIN; SELECT laras.act_as(:one) = :one AS bound; SELECT laras.act_as(:two); ROLLBACK;
SELECT laras.act_as(NULL);
SELECT laras.act_as(1);
SELECT laras.act_as(:one, :foreign_member);
SELECT laras.act_as(:one, :agus);
RESET ROLE;

-- A workspace that is closed lets nobody in.
SET ROLE laras_app;
SELECT laras.log_in('budi@dua.example', 'rahasia-dua') AS budi \gset
RESET ROLE;
UPDATE laras.workspace SET state = 'closed' WHERE workspace_id = :two;
SET ROLE laras_app;
SELECT laras.enter(:'budi');
SELECT laras.log_in('budi@dua.example', 'rahasia-dua');
RESET ROLE;
SET ROLE laras_service;
SELECT laras.act_as(:two);
RESET ROLE;
