-- 64_followups: what is proposed where a customer was answered and said no more.

CREATE FUNCTION laras.check_follow_up_rule(idle_hours integer, body text, template_id bigint, template_values jsonb) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_check_follow_up_rule';
COMMENT ON FUNCTION laras.check_follow_up_rule(integer, text, bigint, jsonb) IS 'Check constraint of laras.follow_up_rule: true, or 22023 with the column that is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_follow_up_rule(integer, text, bigint, jsonb) TO laras_owner, laras_app, laras_service, laras_worker;

SET LOCAL ROLE laras_owner;
CREATE TABLE laras.follow_up_rule (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  channel text REFERENCES laras.provider CHECK (laras.check_channel(channel)),
  idle_hours integer NOT NULL,
  body text,
  template_id bigint,
  template_values jsonb NOT NULL DEFAULT '{}',
  enabled boolean NOT NULL DEFAULT true,
  state text NOT NULL DEFAULT 'new'
    CHECK (state IN ('new', 'ready', 'template_gone', 'template_not_approved', 'template_not_owned', 'values_do_not_fit', 'account_cut')),
  PRIMARY KEY (workspace_id, id),
  CHECK (laras.check_written('follow_up_rule', NULL, body, NULL)),
  -- one for the rest: it says what is wrong with which column
  CHECK (laras.check_follow_up_rule(idle_hours, body, template_id, template_values))
);
COMMENT ON TABLE laras.follow_up_rule IS 'When a conversation that the business answered last is followed up, and by which words: a draft inside the window, an approved template outside. Plain DML under row security.';
COMMENT ON COLUMN laras.follow_up_rule.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.follow_up_rule.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.follow_up_rule.channel IS 'Channel; null: every one.';
COMMENT ON COLUMN laras.follow_up_rule.idle_hours IS 'Hours after the last message.';
COMMENT ON COLUMN laras.follow_up_rule.body IS 'Words of the draft inside the window; null: none.';
COMMENT ON COLUMN laras.follow_up_rule.template_id IS 'Template of message_templates outside the window, of conversations through its own account; null: none.';
COMMENT ON COLUMN laras.follow_up_rule.template_values IS 'Its values, as send_template takes them; in each may stand {name} (what the person is called), {name|Kak} (the same, and Kak of whom no name is known) and {business} (the workspace''s name).';
COMMENT ON COLUMN laras.follow_up_rule.enabled IS 'Is it in use.';
COMMENT ON COLUMN laras.follow_up_rule.state IS 'How it stands, looked at once a minute while it is in use: new (not looked at yet, or its template waits for its first approval), ready, or why its template is not proposed: template_gone, template_not_approved (not any more), template_not_owned (found at the provider, or changed there: adopt_template), values_do_not_fit, account_cut. Kept by laras, which puts right what others write here.';
ALTER TABLE laras.follow_up_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.follow_up_rule FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.follow_up_rule TO laras_owner, laras_app, laras_service
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.follow_up_rule TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.follow_up_rule TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.follow_up_rule TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.follow_up_rule', '');

CREATE FUNCTION laras.check_follow_up_rules() RETURNS trigger
  LANGUAGE c SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_check_follow_up_rules';
ALTER FUNCTION laras.check_follow_up_rules() OWNER TO laras_owner;
COMMENT ON FUNCTION laras.check_follow_up_rules() IS 'Statement trigger of laras.follow_up_rule: a rule whose template is not there (23503), is of another channel or does not take its values (22023) is refused; one that is given another template is new again. Lets a restore through, which binds no workspace. Definer: reads templates and connections.';
CREATE TRIGGER inserted AFTER INSERT ON laras.follow_up_rule
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION laras.check_follow_up_rules();
CREATE TRIGGER updated AFTER UPDATE ON laras.follow_up_rule
  REFERENCING OLD TABLE AS replaced NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION laras.check_follow_up_rules();

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('follow_up_rule', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'id', 'automation_state', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'channel', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'idle_hours', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'body', 'automation_state', NULL, NULL, 'the business''s own words', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'template_id', 'automation_state', NULL, NULL, 'random id of a row of this workspace', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'template_values', 'automation_state', NULL, NULL, 'the business''s own words', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'enabled', 'automation_state', NULL, NULL, 'yes or no', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('follow_up_rule', 'state', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);
