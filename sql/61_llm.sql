-- 61_llm: drafts by a language model: who is asked, how often, and what was said.

-- Chat endpoint that drafts for a workspace beside the built-in drafter.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.llm_endpoint (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  url text NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 1000),
  host text NOT NULL,
  model text NOT NULL CHECK (octet_length(model) BETWEEN 1 AND 200),
  api_key laras.sealed,
  enabled boolean NOT NULL DEFAULT true,
  on_failure text NOT NULL DEFAULT 'queue'
    CHECK (on_failure IN ('queue', 'built_in')),
  daily_calls integer NOT NULL DEFAULT 1000 CHECK (daily_calls >= 0),
  retries integer NOT NULL DEFAULT 2 CHECK (retries BETWEEN 0 AND 4),
  keep_days integer NOT NULL DEFAULT 30 CHECK (keep_days BETWEEN 0 AND 3650),
  cache_minutes integer NOT NULL DEFAULT 60 CHECK (cache_minutes BETWEEN 0 AND 10080),
  no_train boolean NOT NULL DEFAULT true,
  no_train_header text CHECK (no_train_header ~ '^[A-Za-z0-9-]{1,64}: [ -~]{1,200}$'),
  request_options jsonb NOT NULL DEFAULT '{"store": false}',
  changed_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id)
);
COMMENT ON TABLE laras.llm_endpoint IS 'Chat endpoint that drafts for a workspace beside the built-in drafter.';
COMMENT ON COLUMN laras.llm_endpoint.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.llm_endpoint.url IS 'Address of the chat endpoint, whole.';
COMMENT ON COLUMN laras.llm_endpoint.host IS 'Its host: the courier may speak to it.';
COMMENT ON COLUMN laras.llm_endpoint.model IS 'Model that is asked.';
COMMENT ON COLUMN laras.llm_endpoint.api_key IS 'Key, which only the courier opens; null: none.';
COMMENT ON COLUMN laras.llm_endpoint.enabled IS 'False: the built-in drafter drafts.';
COMMENT ON COLUMN laras.llm_endpoint.on_failure IS 'Where it gives no answer or the budget is spent. queue: a person decides; built_in: the built-in draft goes its way.';
COMMENT ON COLUMN laras.llm_endpoint.daily_calls IS 'Requests a day, by UTC, those made again among them.';
COMMENT ON COLUMN laras.llm_endpoint.retries IS 'How often a call that got no answer is made again.';
COMMENT ON COLUMN laras.llm_endpoint.keep_days IS 'How long prompts and responses are kept.';
COMMENT ON COLUMN laras.llm_endpoint.cache_minutes IS 'How long the response to the same prompt is used again, within the workspace; 0: never.';
COMMENT ON COLUMN laras.llm_endpoint.no_train IS 'The provider is told with each call not to train on it.';
COMMENT ON COLUMN laras.llm_endpoint.no_train_header IS 'Header that says so, where the provider has one.';
COMMENT ON COLUMN laras.llm_endpoint.request_options IS 'Members of the request beside model and messages, such as the one that says so in the body.';
COMMENT ON COLUMN laras.llm_endpoint.changed_at IS 'When it was configured.';
ALTER TABLE laras.llm_endpoint ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.llm_endpoint FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.llm_endpoint TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.llm_endpoint TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.llm_endpoint TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.llm_endpoint', '');

-- How often a workspace asked its language model, by day.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.llm_usage (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  day date NOT NULL,
  calls integer NOT NULL DEFAULT 0,
  prompt_tokens bigint NOT NULL DEFAULT 0,
  answer_tokens bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, day)
);
COMMENT ON TABLE laras.llm_usage IS 'How often a workspace asked its language model, by day.';
COMMENT ON COLUMN laras.llm_usage.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.llm_usage.day IS 'Day, by UTC.';
COMMENT ON COLUMN laras.llm_usage.calls IS 'Requests that were made, those made again among them.';
COMMENT ON COLUMN laras.llm_usage.prompt_tokens IS 'Tokens of prompts, as the provider counts them.';
COMMENT ON COLUMN laras.llm_usage.answer_tokens IS 'Tokens of responses.';
ALTER TABLE laras.llm_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.llm_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.llm_usage TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.llm_usage TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.llm_usage TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.llm_usage', '');

-- Each prompt to a language model with its response: the log of a conversation, and the cache of its workspace.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.llm_call (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  inbound_message_id bigint NOT NULL,
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'answered', 'no_answer', 'bad_answer')),
  reason text,
  model text NOT NULL,
  prompt laras.sealed NOT NULL,
  prompt_index bytea NOT NULL CHECK (octet_length(prompt_index) = 16),
  response laras.sealed,
  given jsonb NOT NULL,
  no_train boolean,
  cached boolean NOT NULL DEFAULT false,
  purpose text NOT NULL CHECK (purpose IN ('service', 'sales')),
  attempts integer NOT NULL DEFAULT 0,
  http_status integer,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  finished_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, conversation_id) REFERENCES laras.conversation (workspace_id, id)
);
CREATE UNIQUE INDEX llm_call_message ON laras.llm_call (workspace_id, inbound_message_id);
CREATE INDEX llm_call_prompt ON laras.llm_call (workspace_id, prompt_index);
CREATE INDEX llm_call_contact ON laras.llm_call (workspace_id, contact_id);
COMMENT ON TABLE laras.llm_call IS 'Each prompt to a language model with its response: the log of a conversation, and the cache of its workspace.';
COMMENT ON COLUMN laras.llm_call.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.llm_call.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.llm_call.conversation_id IS 'Conversation it belongs to.';
COMMENT ON COLUMN laras.llm_call.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.llm_call.inbound_message_id IS 'Message that is to be answered.';
COMMENT ON COLUMN laras.llm_call.state IS 'queued; answered: a response came; no_answer: none came; bad_answer: what came cannot be used.';
COMMENT ON COLUMN laras.llm_call.reason IS 'Why there is no answer, or what is wrong with it.';
COMMENT ON COLUMN laras.llm_call.model IS 'Model that was asked.';
COMMENT ON COLUMN laras.llm_call.prompt IS 'The request as it was sent.';
COMMENT ON COLUMN laras.llm_call.prompt_index IS 'Blind index of the prompt, by which the same one is found within the workspace.';
COMMENT ON COLUMN laras.llm_call.response IS 'What the model wrote; of an answer that is none, what came, its first 64 kB.';
COMMENT ON COLUMN laras.llm_call.given IS 'Rows that were given: table, id and version of each.';
COMMENT ON COLUMN laras.llm_call.no_train IS 'Did each request that was made tell the provider not to train on it, by the header or a member that says so; null: none was made.';
COMMENT ON COLUMN laras.llm_call.cached IS 'The response was that to the same prompt, and nobody was asked.';
COMMENT ON COLUMN laras.llm_call.purpose IS 'What the model was asked for (laras.channel_handling); nothing else is a purpose.';
COMMENT ON COLUMN laras.llm_call.attempts IS 'Requests that were made.';
COMMENT ON COLUMN laras.llm_call.http_status IS 'Status of the last answer.';
COMMENT ON COLUMN laras.llm_call.created_at IS 'When it was wanted.';
COMMENT ON COLUMN laras.llm_call.finished_at IS 'When it ended.';
ALTER TABLE laras.llm_call ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.llm_call FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.llm_call TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.llm_call TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.llm_call TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.llm_call', '');

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.llm_calls AS
  SELECT c.id,
    c.conversation_id,
    c.contact_id,
    c.inbound_message_id,
    c.state,
    c.reason,
    c.model,
    laras.reveal(c.prompt, c.id, 41::smallint) AS prompt,
    laras.reveal(c.response, c.id, 42::smallint) AS response,
    c.given,
    c.no_train,
    c.cached,
    c.purpose,
    c.attempts,
    c.http_status,
    c.created_at,
    c.finished_at
  FROM laras.llm_call c WHERE laras.may('inbox');
COMMENT ON VIEW laras.llm_calls IS 'What was asked of the language model, and what it wrote.';
COMMENT ON COLUMN laras.llm_calls.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.llm_calls.conversation_id IS 'Conversation it belongs to.';
COMMENT ON COLUMN laras.llm_calls.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.llm_calls.inbound_message_id IS 'Message that is to be answered.';
COMMENT ON COLUMN laras.llm_calls.state IS 'queued; answered: a response came; no_answer: none came; bad_answer: what came cannot be used.';
COMMENT ON COLUMN laras.llm_calls.reason IS 'Why there is no answer, or what is wrong with it.';
COMMENT ON COLUMN laras.llm_calls.model IS 'Model that was asked.';
COMMENT ON COLUMN laras.llm_calls.prompt IS 'The request as it was sent; null once erased.';
COMMENT ON COLUMN laras.llm_calls.response IS 'What the model wrote; of an answer that is none, what came, its first 64 kB; null where nothing came, and once erased.';
COMMENT ON COLUMN laras.llm_calls.given IS 'Rows that were given: table, id and version of each.';
COMMENT ON COLUMN laras.llm_calls.no_train IS 'Did each request that was made tell the provider not to train on it, by the header or a member that says so; null: none was made.';
COMMENT ON COLUMN laras.llm_calls.cached IS 'The response was that to the same prompt, and nobody was asked.';
COMMENT ON COLUMN laras.llm_calls.purpose IS 'What the model was asked for (laras.channel_handling).';
COMMENT ON COLUMN laras.llm_calls.attempts IS 'Requests that were made.';
COMMENT ON COLUMN laras.llm_calls.http_status IS 'Status of the last answer.';
COMMENT ON COLUMN laras.llm_calls.created_at IS 'When it was wanted.';
COMMENT ON COLUMN laras.llm_calls.finished_at IS 'When it ended.';
GRANT SELECT ON laras.llm_calls TO laras_app, laras_service;

CREATE VIEW laras.llm_status AS
  SELECT e.host, e.model, e.enabled, e.on_failure, e.daily_calls, coalesce(u.calls, 0) AS calls_today,
    coalesce(u.prompt_tokens, 0) AS prompt_tokens_today, coalesce(u.answer_tokens, 0) AS answer_tokens_today,
    e.no_train, e.keep_days, e.changed_at
  FROM laras.llm_endpoint e
    LEFT JOIN laras.llm_usage u ON u.workspace_id = e.workspace_id AND u.day = (laras.now() AT TIME ZONE 'UTC')::date
  WHERE laras.may('inbox');
COMMENT ON VIEW laras.llm_status IS 'The language model of the workspace, and what of today''s budget is used.';
COMMENT ON COLUMN laras.llm_status.host IS 'Host of the endpoint.';
COMMENT ON COLUMN laras.llm_status.model IS 'Model.';
COMMENT ON COLUMN laras.llm_status.enabled IS 'Is it asked.';
COMMENT ON COLUMN laras.llm_status.on_failure IS 'queue or built_in: what happens where it gives no answer.';
COMMENT ON COLUMN laras.llm_status.daily_calls IS 'Requests a day, by UTC, those made again among them.';
COMMENT ON COLUMN laras.llm_status.calls_today IS 'Requests made today.';
COMMENT ON COLUMN laras.llm_status.prompt_tokens_today IS 'Tokens of today''s prompts, as the provider counts them.';
COMMENT ON COLUMN laras.llm_status.answer_tokens_today IS 'Tokens of today''s responses.';
COMMENT ON COLUMN laras.llm_status.no_train IS 'The provider is told not to train on what it gets.';
COMMENT ON COLUMN laras.llm_status.keep_days IS 'How long prompts and responses are kept.';
COMMENT ON COLUMN laras.llm_status.changed_at IS 'When it was configured.';
GRANT SELECT ON laras.llm_status TO laras_app, laras_service;
RESET ROLE;

CREATE FUNCTION laras.configure_llm(workspace_id bigint, url text, model text, api_key text, options jsonb DEFAULT '{}') RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_configure_llm';
ALTER FUNCTION laras.configure_llm(bigint, text, text, text, jsonb) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.configure_llm(bigint, text, text, text, jsonb) IS
  'Lets a language model draft for a workspace: the whole address of an OpenAI-compatible chat endpoint, the model, its key (empty: none; kept sealed, opened by the courier alone). options: enabled, on_failure (queue, built_in), daily_calls, retries, keep_days, cache_minutes, no_train, no_train_header ("Name: value"), request_options (members of the request, such as {"store": false}); what is not named takes its default. 22023 for an address that is no https URL, an unknown option or a value that is none, no_train where neither header nor request_options would say it, 42704 for no such workspace, LRK01. Definer: the operator holds no right on the table.';
GRANT EXECUTE ON FUNCTION laras.configure_llm(bigint, text, text, text, jsonb) TO laras_dba;

INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('llm_endpoint', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'url', 'automation_state', NULL, NULL, 'address of a service of the operator', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'host', 'automation_state', NULL, NULL, 'name of a service of the operator', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'model', 'automation_state', NULL, NULL, 'a name of a program', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'api_key', 'automation_state', 40, 'workspace', NULL, 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'enabled', 'automation_state', NULL, NULL, 'a yes or no', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'on_failure', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'daily_calls', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'retries', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'keep_days', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'cache_minutes', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'no_train', 'automation_state', NULL, NULL, 'a yes or no', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'no_train_header', 'automation_state', NULL, NULL, 'a header of a service', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'request_options', 'automation_state', NULL, NULL, 'settings of a service', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_endpoint', 'changed_at', 'automation_state', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_usage', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_usage', 'day', 'automation_state', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_usage', 'calls', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_usage', 'prompt_tokens', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_usage', 'answer_tokens', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'id', 'ai_log', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'conversation_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'contact_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'inbound_message_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'state', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'reason', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'model', 'ai_log', NULL, NULL, 'a name of a program', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'prompt', 'ai_log', 41, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'prompt_index', 'ai_log', NULL, NULL, 'keyed hash, dies with the workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'response', 'ai_log', 42, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'given', 'ai_log', NULL, NULL, 'random ids of rows of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'no_train', 'ai_log', NULL, NULL, 'a yes or no', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'cached', 'ai_log', NULL, NULL, 'a yes or no', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'purpose', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'attempts', 'ai_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'http_status', 'ai_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'created_at', 'ai_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('llm_call', 'finished_at', 'ai_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL);
