-- 60_answer: the knowledge of the business, drafts, verdicts and approvals.

-- What is written into the tables of knowledge says itself what is wrong with it.
CREATE FUNCTION laras.check_catalog_item(name text, price numeric, currency text, stock integer, state text, language text, translations jsonb) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT
  AS 'MODULE_PATHNAME', 'laras_check_catalog_item';
COMMENT ON FUNCTION laras.check_catalog_item(text, numeric, text, integer, text, text, jsonb) IS 'Check constraint of laras.catalog_item: true, or 22023 with the column that is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_catalog_item(text, numeric, text, integer, text, text, jsonb) TO laras_owner, laras_app, laras_service, laras_worker;

CREATE FUNCTION laras.check_attributes(attributes jsonb) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_check_attributes';
COMMENT ON FUNCTION laras.check_attributes(jsonb) IS 'Check constraint of laras.catalog_item: true, or 22023 for attributes that are no object of names with texts, numbers or lists of them.';
GRANT EXECUTE ON FUNCTION laras.check_attributes(jsonb) TO laras_owner, laras_app, laras_service, laras_worker;

CREATE FUNCTION laras.check_written(relation text, name text, body text, language text) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT
  AS 'MODULE_PATHNAME', 'laras_check_written';
COMMENT ON FUNCTION laras.check_written(text, text, text, text) IS 'Check constraint of laras.policy_text, laras.faq and laras.follow_up_rule: true, or 22023 for a text that shows nothing and a language that there is not.';
GRANT EXECUTE ON FUNCTION laras.check_written(text, text, text, text) TO laras_owner, laras_app, laras_service, laras_worker;

CREATE FUNCTION laras.check_brand_voice(language text, address text, greeting text, sign_off text, manner text) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT
  AS 'MODULE_PATHNAME', 'laras_check_brand_voice';
COMMENT ON FUNCTION laras.check_brand_voice(text, text, text, text, text) IS 'Check constraint of laras.brand_voice: true, or 22023 with the column that is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_brand_voice(text, text, text, text, text) TO laras_owner, laras_app, laras_service, laras_worker;

CREATE FUNCTION laras.check_channel(channel text) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'laras_check_channel';
COMMENT ON FUNCTION laras.check_channel(text) IS 'Check constraint of channels that people name: true, or 22023 with the channels that there are.';
GRANT EXECUTE ON FUNCTION laras.check_channel(text) TO laras_owner, laras_app, laras_service, laras_worker;

-- What the business sells. Plain DML under row security; price and stock are what drafts may say.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.catalog_item (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  price numeric(18,2),
  currency text NOT NULL DEFAULT 'IDR',
  stock integer,
  attributes jsonb NOT NULL DEFAULT '{}' CHECK (laras.check_attributes(attributes)),
  state text NOT NULL DEFAULT 'active',
  language text NOT NULL DEFAULT 'id',
  translations jsonb NOT NULL DEFAULT '{}',
  version bigint NOT NULL GENERATED ALWAYS AS (pg_catalog.hashtextextended(
    name || E'\x1f' || description || E'\x1f' || coalesce(price::text, '') || E'\x1f' || currency || E'\x1f' ||
    coalesce(stock::text, '') || E'\x1f' || attributes::text || E'\x1f' || state || E'\x1f' || language || E'\x1f' || translations::text, 0)) STORED,
  updated_at timestamptz NOT NULL DEFAULT laras.now(),
  terms tsvector NOT NULL GENERATED ALWAYS AS (laras.search_terms(name, attributes::text, description)) STORED,
  PRIMARY KEY (workspace_id, id),
  CHECK (laras.check_catalog_item(name, price, currency, stock, state, language, translations))
);
COMMENT ON TABLE laras.catalog_item IS 'What the business sells. Plain DML under row security; price and stock are what drafts may say.';
COMMENT ON COLUMN laras.catalog_item.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.catalog_item.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.catalog_item.name IS 'Name of the item.';
COMMENT ON COLUMN laras.catalog_item.description IS 'Description.';
COMMENT ON COLUMN laras.catalog_item.price IS 'Price of one; null: not for quoting.';
COMMENT ON COLUMN laras.catalog_item.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN laras.catalog_item.stock IS 'Pieces in stock; null: unknown.';
COMMENT ON COLUMN laras.catalog_item.attributes IS 'Sizes, colours, materials: names with texts, numbers or lists of them. A variant with a price or a stock of its own is a row of its own.';
COMMENT ON COLUMN laras.catalog_item.state IS 'Hidden items are not offered.';
COMMENT ON COLUMN laras.catalog_item.language IS 'Language of name and description.';
COMMENT ON COLUMN laras.catalog_item.translations IS 'The same in the other language: {"en": {"name": ..., "description": ...}}; what is not there is said in its own.';
COMMENT ON COLUMN laras.catalog_item.version IS 'Fingerprint of all that a draft may quote: another content, another version; the same content again, the same version.';
COMMENT ON COLUMN laras.catalog_item.updated_at IS 'When the row was written, or what its writer sets here.';
COMMENT ON COLUMN laras.catalog_item.terms IS 'Words of name, attributes and description, for search; follows them.';
ALTER TABLE laras.catalog_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.catalog_item FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.catalog_item TO laras_owner, laras_app, laras_service, laras_drafter
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.catalog_item TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.catalog_item TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.catalog_item TO laras_app, laras_service;
GRANT SELECT ON laras.catalog_item TO laras_drafter;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.catalog_item', '');
CREATE TRIGGER changed AFTER INSERT OR UPDATE OF workspace_id, id, name, description, attributes, state, language, translations OR DELETE ON laras.catalog_item
  FOR EACH STATEMENT EXECUTE FUNCTION laras.knowledge_changed();
ALTER TABLE laras.catalog_item ENABLE ALWAYS TRIGGER changed;

-- A rule of the business (delivery, returns, payment) in its own words.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.policy_text (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  topic text NOT NULL,
  language text NOT NULL DEFAULT 'id',
  body text NOT NULL,
  version bigint NOT NULL GENERATED ALWAYS AS (pg_catalog.hashtextextended(
    topic || E'\x1f' || language || E'\x1f' || body, 0)) STORED,
  updated_at timestamptz NOT NULL DEFAULT laras.now(),
  terms tsvector NOT NULL GENERATED ALWAYS AS (laras.search_terms(topic, '', body)) STORED,
  PRIMARY KEY (workspace_id, id),
  CHECK (laras.check_written('policy_text', topic, body, language))
);
COMMENT ON TABLE laras.policy_text IS 'A rule of the business (delivery, returns, payment) in its own words.';
COMMENT ON COLUMN laras.policy_text.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.policy_text.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.policy_text.topic IS 'Topic, such as delivery.';
COMMENT ON COLUMN laras.policy_text.language IS 'Language.';
COMMENT ON COLUMN laras.policy_text.body IS 'The text.';
COMMENT ON COLUMN laras.policy_text.version IS 'Fingerprint of all that a draft may quote: another content, another version; the same content again, the same version.';
COMMENT ON COLUMN laras.policy_text.updated_at IS 'When the row was written, or what its writer sets here.';
COMMENT ON COLUMN laras.policy_text.terms IS 'Words of topic and text, for search; follows them.';
ALTER TABLE laras.policy_text ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.policy_text FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.policy_text TO laras_owner, laras_app, laras_service, laras_drafter
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.policy_text TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.policy_text TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.policy_text TO laras_app, laras_service;
GRANT SELECT ON laras.policy_text TO laras_drafter;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.policy_text', '');
CREATE TRIGGER changed AFTER INSERT OR UPDATE OF workspace_id, id, topic, language, body OR DELETE ON laras.policy_text
  FOR EACH STATEMENT EXECUTE FUNCTION laras.knowledge_changed();
ALTER TABLE laras.policy_text ENABLE ALWAYS TRIGGER changed;

-- A question with the answer of the business.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.faq (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  question text NOT NULL,
  answer text NOT NULL,
  language text NOT NULL DEFAULT 'id',
  version bigint NOT NULL GENERATED ALWAYS AS (pg_catalog.hashtextextended(
    question || E'\x1f' || answer || E'\x1f' || language, 0)) STORED,
  updated_at timestamptz NOT NULL DEFAULT laras.now(),
  terms tsvector NOT NULL GENERATED ALWAYS AS (laras.search_terms(question, '', answer)) STORED,
  PRIMARY KEY (workspace_id, id),
  CHECK (laras.check_written('faq', question, answer, language))
);
COMMENT ON TABLE laras.faq IS 'A question with the answer of the business.';
COMMENT ON COLUMN laras.faq.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.faq.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.faq.question IS 'Question.';
COMMENT ON COLUMN laras.faq.answer IS 'Answer.';
COMMENT ON COLUMN laras.faq.language IS 'Language.';
COMMENT ON COLUMN laras.faq.version IS 'Fingerprint of all that a draft may quote: another content, another version; the same content again, the same version.';
COMMENT ON COLUMN laras.faq.updated_at IS 'When the row was written, or what its writer sets here.';
COMMENT ON COLUMN laras.faq.terms IS 'Words of question and answer, for search; follows them.';
ALTER TABLE laras.faq ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.faq FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.faq TO laras_owner, laras_app, laras_service, laras_drafter
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.faq TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.faq TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.faq TO laras_app, laras_service;
GRANT SELECT ON laras.faq TO laras_drafter;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.faq', '');
CREATE TRIGGER changed AFTER INSERT OR UPDATE OF workspace_id, id, question, language, answer OR DELETE ON laras.faq
  FOR EACH STATEMENT EXECUTE FUNCTION laras.knowledge_changed();
ALTER TABLE laras.faq ENABLE ALWAYS TRIGGER changed;

-- When the business is open: a row for each weekday, and one for each date that is otherwise.
CREATE FUNCTION laras.check_opening_hours(weekday text, on_date date, hours text, note text) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_check_opening_hours';
COMMENT ON FUNCTION laras.check_opening_hours(text, date, text, text) IS 'Check constraint of laras.opening_hours: true, or 22023 with what is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_opening_hours(text, date, text, text) TO laras_owner, laras_app, laras_service, laras_worker;

SET LOCAL ROLE laras_owner;
CREATE TABLE laras.opening_hours (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  weekday text,
  on_date date,
  hours text NOT NULL,
  note text NOT NULL DEFAULT '',
  version bigint NOT NULL GENERATED ALWAYS AS (pg_catalog.hashtextextended(
    coalesce(weekday, '') || E'\x1f' || coalesce((on_date - DATE '2000-01-01')::text, '') || E'\x1f' || hours || E'\x1f' || note, 0)) STORED,
  updated_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, weekday),
  UNIQUE (workspace_id, on_date),
  -- one for all: it says what is wrong with which column
  CHECK (laras.check_opening_hours(weekday, on_date, hours, note))
);
COMMENT ON TABLE laras.opening_hours IS 'When the business is open, by the clock of its time zone (laras.set_time_zone): a row for each weekday, and one for each date that is otherwise. A weekday without a row is not known.';
COMMENT ON COLUMN laras.opening_hours.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.opening_hours.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.opening_hours.weekday IS 'monday to sunday; null where the row is of a date.';
COMMENT ON COLUMN laras.opening_hours.on_date IS 'Date for which the weekday''s hours do not hold; null where the row is of a weekday.';
COMMENT ON COLUMN laras.opening_hours.hours IS 'closed, or times as 08:00-12:00, 13:00-17:00, in order, at most four; the last may end on the next day (18:00-02:00); all day is 00:00-24:00.';
COMMENT ON COLUMN laras.opening_hours.note IS 'Why a date is otherwise, in words that customers use (Natal); it is quoted.';
COMMENT ON COLUMN laras.opening_hours.version IS 'Fingerprint of all that a draft may quote: another content, another version; the same content again, the same version.';
COMMENT ON COLUMN laras.opening_hours.updated_at IS 'When the row was written, or what its writer sets here.';
ALTER TABLE laras.opening_hours ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.opening_hours FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.opening_hours TO laras_owner, laras_app, laras_service, laras_drafter
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.opening_hours TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.opening_hours TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.opening_hours TO laras_app, laras_service;
GRANT SELECT ON laras.opening_hours TO laras_drafter;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.opening_hours', '');

-- How the business speaks, in each language.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.brand_voice (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  language text NOT NULL DEFAULT 'id',
  address text NOT NULL DEFAULT '',
  greeting text NOT NULL DEFAULT '',
  sign_off text NOT NULL DEFAULT '',
  emoji boolean NOT NULL DEFAULT true,
  manner text NOT NULL DEFAULT '',
  version bigint NOT NULL GENERATED ALWAYS AS (pg_catalog.hashtextextended(
    language || E'\x1f' || greeting || E'\x1f' || sign_off, 0)) STORED,
  updated_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, language),
  CHECK (laras.check_brand_voice(language, address, greeting, sign_off, manner))
);
COMMENT ON TABLE laras.brand_voice IS 'How the business speaks, in each language: what drafts begin and end with, and how they address a customer. Phrases that no text may say, or that drafts must, are laras.forbidden_phrase and laras.required_phrase.';
COMMENT ON COLUMN laras.brand_voice.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.brand_voice.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.brand_voice.language IS 'Language of the texts that it is for.';
COMMENT ON COLUMN laras.brand_voice.address IS 'How a customer is called (Kak, Bapak/Ibu); empty: by no name. Without a row: Kak in Indonesian.';
COMMENT ON COLUMN laras.brand_voice.greeting IS 'What an answer to a customer who greets begins with; empty: the drafter''s own.';
COMMENT ON COLUMN laras.brand_voice.sign_off IS 'What every draft ends with, on a line of its own; empty: nothing.';
COMMENT ON COLUMN laras.brand_voice.emoji IS 'Whether texts may have emoji beyond those of greeting and sign_off; where not, one that a language model wrote with some is held (emoji).';
COMMENT ON COLUMN laras.brand_voice.manner IS 'How it speaks, in words for a language model; no customer reads them.';
COMMENT ON COLUMN laras.brand_voice.version IS 'Fingerprint of language, greeting and sign_off, with which a draft may state something: other words, another version; the same again, the same version.';
COMMENT ON COLUMN laras.brand_voice.updated_at IS 'When the row was written, or what its writer sets here.';
ALTER TABLE laras.brand_voice ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.brand_voice FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.brand_voice TO laras_owner, laras_app, laras_service, laras_drafter
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.brand_voice TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.brand_voice TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.brand_voice TO laras_app, laras_service;
GRANT SELECT ON laras.brand_voice TO laras_drafter;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.brand_voice', '');

-- Phrases that no text may contain.
CREATE FUNCTION laras.check_phrase(phrase text, topic text) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_check_phrase';
COMMENT ON FUNCTION laras.check_phrase(text, text) IS 'Check constraint of laras.forbidden_phrase and laras.required_phrase: true, or 22023 with what is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_phrase(text, text) TO laras_owner, laras_app, laras_service, laras_worker;

SET LOCAL ROLE laras_owner;
CREATE TABLE laras.forbidden_phrase (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  phrase text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  CHECK (laras.check_phrase(phrase, NULL))
);
COMMENT ON TABLE laras.forbidden_phrase IS 'Phrases that no text may contain.';
COMMENT ON COLUMN laras.forbidden_phrase.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.forbidden_phrase.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.forbidden_phrase.phrase IS 'Phrase, compared without case.';
COMMENT ON COLUMN laras.forbidden_phrase.created_at IS 'When it was added.';
ALTER TABLE laras.forbidden_phrase ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.forbidden_phrase FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.forbidden_phrase TO laras_owner, laras_app, laras_service
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.forbidden_phrase TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.forbidden_phrase TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.forbidden_phrase TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.forbidden_phrase', '');

-- Phrases that drafts must contain.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.required_phrase (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  phrase text NOT NULL,
  topic text,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  CHECK (laras.check_phrase(phrase, topic))
);
COMMENT ON TABLE laras.required_phrase IS 'Phrases that drafts must contain.';
COMMENT ON COLUMN laras.required_phrase.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.required_phrase.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.required_phrase.phrase IS 'Phrase, compared without case.';
COMMENT ON COLUMN laras.required_phrase.topic IS 'Intent of the question for which drafts must contain it; null: every one.';
COMMENT ON COLUMN laras.required_phrase.created_at IS 'When it was added.';
ALTER TABLE laras.required_phrase ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.required_phrase FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.required_phrase TO laras_owner, laras_app, laras_service
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.required_phrase TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.required_phrase TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.required_phrase TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.required_phrase', '');

-- Judgement of the safety classifier on one exact text. Bound to it by the text digest: the row is what an outbox row must point at.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.verdict (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  message_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  text_digest bytea NOT NULL CHECK (octet_length(text_digest) = 32),
  outcome text NOT NULL
    CHECK (outcome IN ('pass', 'hold', 'block')),
  reasons text[] NOT NULL DEFAULT '{}',
  classifier text NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('service', 'sales')),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  UNIQUE (workspace_id, id, message_id, text_digest, outcome, purpose)
);
CREATE INDEX verdict_contact ON laras.verdict (workspace_id, contact_id);
COMMENT ON TABLE laras.verdict IS 'Judgement of the safety classifier on one exact text. Bound to it by the text digest: the row is what an outbox row must point at.';
COMMENT ON COLUMN laras.verdict.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.verdict.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.verdict.message_id IS 'Id the message has or will have; part of the digest.';
COMMENT ON COLUMN laras.verdict.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.verdict.text_digest IS 'Commitment (keys.md 11) of the text under the contact''s salt.';
COMMENT ON COLUMN laras.verdict.outcome IS 'Outcome.';
COMMENT ON COLUMN laras.verdict.reasons IS 'Machine-readable reasons.';
COMMENT ON COLUMN laras.verdict.classifier IS 'Name and version of the classifier.';
COMMENT ON COLUMN laras.verdict.purpose IS 'What the text was judged for (laras.channel_handling); nothing else is a purpose.';
COMMENT ON COLUMN laras.verdict.created_at IS 'When.';
ALTER TABLE laras.verdict ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.verdict FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.verdict TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.verdict TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.verdict TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.verdict', '');

-- A reply proposed by laras, waiting for its verdict, a person or the courier.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.draft (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  conversation_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  inbound_message_id bigint NOT NULL,
  message_id bigint NOT NULL,
  state text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'held', 'approved', 'withheld', 'stale', 'superseded', 'rejected', 'sent')),
  body laras.sealed,
  text_digest bytea CHECK (octet_length(text_digest) = 32),
  verdict_id bigint,
  intent text,
  confidence real NOT NULL DEFAULT 0,
  hold_reasons text[] NOT NULL DEFAULT '{}',
  drafter text NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('service', 'sales')),
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  decided_at timestamptz,
  decided_by text,
  template_id bigint,
  template_values laras.sealed CHECK ((template_values IS NOT NULL) = (template_id IS NOT NULL)),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, conversation_id) REFERENCES laras.conversation (workspace_id, id)
);
CREATE INDEX draft_conversation ON laras.draft (workspace_id, conversation_id);
CREATE INDEX draft_contact ON laras.draft (workspace_id, contact_id);
CREATE INDEX draft_waiting ON laras.draft (workspace_id, created_at) WHERE state IN ('pending', 'held');
CREATE INDEX draft_open ON laras.draft (workspace_id, conversation_id) WHERE state IN ('pending', 'held');
-- a silence has one follow-up in the window and, where nobody approved that in time, one by template
CREATE UNIQUE INDEX draft_inbound ON laras.draft (workspace_id, inbound_message_id, purpose, (template_id IS NULL));
CREATE INDEX draft_follow_up ON laras.draft (workspace_id, id) WHERE state IN ('pending', 'held') AND purpose = 'sales' AND template_id IS NULL;
COMMENT ON TABLE laras.draft IS 'A reply proposed by laras, waiting for its verdict, a person or the courier.';
COMMENT ON COLUMN laras.draft.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.draft.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.draft.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.draft.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.draft.inbound_message_id IS 'Message it answers.';
COMMENT ON COLUMN laras.draft.message_id IS 'Id the outbound message will have.';
COMMENT ON COLUMN laras.draft.state IS 'State.';
COMMENT ON COLUMN laras.draft.body IS 'The proposed text.';
COMMENT ON COLUMN laras.draft.text_digest IS 'Commitment of the text as it stands.';
COMMENT ON COLUMN laras.draft.verdict_id IS 'Verdict on exactly this text.';
COMMENT ON COLUMN laras.draft.intent IS 'price, stock, hours, ... as the drafter understood it.';
COMMENT ON COLUMN laras.draft.confidence IS 'How sure the drafter was, 0 to 1.';
COMMENT ON COLUMN laras.draft.hold_reasons IS 'Why it waits for a person.';
COMMENT ON COLUMN laras.draft.drafter IS 'Name and version of the drafter.';
COMMENT ON COLUMN laras.draft.purpose IS 'What it was made for (laras.channel_handling); nothing else is a purpose.';
COMMENT ON COLUMN laras.draft.created_at IS 'When it was drafted.';
COMMENT ON COLUMN laras.draft.decided_at IS 'When it was approved, rejected or superseded.';
COMMENT ON COLUMN laras.draft.template_id IS 'Template that it proposes in place of a text of its own.';
COMMENT ON COLUMN laras.draft.template_values IS 'Its values as JSON: those of laras.follow_up_rule, with what the person is called.';
COMMENT ON COLUMN laras.draft.decided_by IS 'Principal that decided (auto, or kind and random id).';
ALTER TABLE laras.draft ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.draft FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.draft TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.draft TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.draft TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.draft', '');

-- The rows, with their versions, that a draft relied on.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.draft_source (
  workspace_id bigint NOT NULL,
  draft_id bigint NOT NULL,
  ordinal smallint NOT NULL,
  source_table text NOT NULL
    CHECK (source_table IN ('catalog_item', 'policy_text', 'faq', 'opening_hours', 'brand_voice')),
  source_id bigint NOT NULL,
  source_version bigint NOT NULL,
  quoted_for date,
  valid_until timestamptz,
  PRIMARY KEY (workspace_id, draft_id, ordinal),
  FOREIGN KEY (workspace_id, draft_id) REFERENCES laras.draft (workspace_id, id)
);
CREATE INDEX draft_source_row ON laras.draft_source (workspace_id, source_table, source_id);
COMMENT ON TABLE laras.draft_source IS 'The rows, with their versions, that a draft relied on.';
COMMENT ON COLUMN laras.draft_source.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.draft_source.draft_id IS 'Draft.';
COMMENT ON COLUMN laras.draft_source.ordinal IS 'Order of citation.';
COMMENT ON COLUMN laras.draft_source.source_table IS 'Table of the cited row.';
COMMENT ON COLUMN laras.draft_source.source_id IS 'Id of the cited row.';
COMMENT ON COLUMN laras.draft_source.source_version IS 'Version of the cited row.';
COMMENT ON COLUMN laras.draft_source.quoted_for IS 'Day of which the weekday''s opening hours were told; other hours for that date, written later, make the draft stale.';
COMMENT ON COLUMN laras.draft_source.valid_until IS 'Until when what was told is so by the clock (open now, today); null: as long as the row is.';
ALTER TABLE laras.draft_source ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.draft_source FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.draft_source TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.draft_source TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.draft_source TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.draft_source', '');

-- Who approved, edited or rejected a draft, and when.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.draft_decision (
  workspace_id bigint NOT NULL,
  id bigint NOT NULL,
  draft_id bigint NOT NULL,
  act text NOT NULL
    CHECK (act IN ('approved', 'edited', 'rejected', 'superseded', 'stale', 'auto_sent', 'withheld', 'held')),
  actor text NOT NULL,
  reason laras.sealed,
  decided_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, draft_id) REFERENCES laras.draft (workspace_id, id)
);
CREATE INDEX draft_decision_draft ON laras.draft_decision (workspace_id, draft_id);
COMMENT ON TABLE laras.draft_decision IS 'Who approved, edited or rejected a draft, and when.';
COMMENT ON COLUMN laras.draft_decision.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.draft_decision.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.draft_decision.draft_id IS 'Draft.';
COMMENT ON COLUMN laras.draft_decision.act IS 'Act.';
COMMENT ON COLUMN laras.draft_decision.actor IS 'Principal (kind and random id).';
COMMENT ON COLUMN laras.draft_decision.reason IS 'Words of the person.';
COMMENT ON COLUMN laras.draft_decision.decided_at IS 'When.';
ALTER TABLE laras.draft_decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.draft_decision FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.draft_decision TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.draft_decision TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.draft_decision TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.draft_decision', '');

-- Inbound messages for which a draft is still to be made; the drafting duty takes rows away.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.draft_wanted (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  message_id bigint NOT NULL,
  contact_id bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT laras.now(),
  PRIMARY KEY (workspace_id, message_id)
);
CREATE INDEX draft_wanted_order ON laras.draft_wanted (workspace_id, created_at, message_id);
CREATE INDEX draft_wanted_contact ON laras.draft_wanted (workspace_id, contact_id);
COMMENT ON TABLE laras.draft_wanted IS 'Inbound messages for which a draft is still to be made; the drafting duty takes rows away.';
COMMENT ON COLUMN laras.draft_wanted.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.draft_wanted.message_id IS 'Inbound message.';
COMMENT ON COLUMN laras.draft_wanted.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.draft_wanted.created_at IS 'When it came.';
ALTER TABLE laras.draft_wanted ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.draft_wanted FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.draft_wanted TO laras_owner
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.draft_wanted TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.draft_wanted TO laras_worker;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.draft_wanted', '');

-- When a draft must be seen by a person.
CREATE FUNCTION laras.check_review_rule(topic text, minimum_confidence real, act text, texts text, minimum_value numeric, maximum_value numeric, from_time time, to_time time, time_zone text) RETURNS boolean
  LANGUAGE c IMMUTABLE PARALLEL UNSAFE
  AS 'MODULE_PATHNAME', 'laras_check_review_rule';
COMMENT ON FUNCTION laras.check_review_rule(text, real, text, text, numeric, numeric, time, time, text) IS 'Check constraint of laras.review_rule: true, or 22023 with the column that is wrong and what would be right.';
GRANT EXECUTE ON FUNCTION laras.check_review_rule(text, real, text, text, numeric, numeric, time, time, text) TO laras_owner, laras_app, laras_service, laras_worker;

SET LOCAL ROLE laras_owner;
CREATE TABLE laras.review_rule (
  workspace_id bigint NOT NULL REFERENCES laras.workspace,
  id bigint NOT NULL,
  channel text REFERENCES laras.provider CHECK (laras.check_channel(channel)),
  topic text,
  minimum_confidence real,
  act text NOT NULL DEFAULT 'review',
  priority integer NOT NULL DEFAULT 0,
  texts text NOT NULL DEFAULT 'drafts',
  minimum_value numeric(18,2),
  maximum_value numeric(18,2),
  from_time time,
  to_time time,
  time_zone text NOT NULL DEFAULT 'Asia/Jakarta',
  PRIMARY KEY (workspace_id, id),
  -- one for all: it says what is wrong with which column
  CHECK (laras.check_review_rule(topic, minimum_confidence, act, texts, minimum_value, maximum_value, from_time, to_time, time_zone))
);
COMMENT ON TABLE laras.review_rule IS 'When a draft must be seen by a person.';
COMMENT ON COLUMN laras.review_rule.workspace_id IS 'Owning workspace.';
COMMENT ON COLUMN laras.review_rule.id IS 'Random, time-ordered id (laras.new_id()).';
COMMENT ON COLUMN laras.review_rule.channel IS 'Channel; null: every one.';
COMMENT ON COLUMN laras.review_rule.topic IS 'Intent of the question, as preview_reply() calls it; null: every one.';
COMMENT ON COLUMN laras.review_rule.minimum_confidence IS 'From 0 to 1: review fits below it, allow from it on; null: any.';
COMMENT ON COLUMN laras.review_rule.act IS 'review: a person looks; allow: it may go.';
COMMENT ON COLUMN laras.review_rule.priority IS 'The highest that matches decides.';
COMMENT ON COLUMN laras.review_rule.texts IS 'drafts; people: what people write themselves is judged like a draft, and refused, with every reason, where a draft would be held for its content.';
COMMENT ON COLUMN laras.review_rule.minimum_value IS 'Fits drafts that cite an item of this price or more; null: of any.';
COMMENT ON COLUMN laras.review_rule.maximum_value IS 'Fits drafts that cite no item of a higher price; null: of any.';
COMMENT ON COLUMN laras.review_rule.from_time IS 'Fits from this time of day on; null: at any time.';
COMMENT ON COLUMN laras.review_rule.to_time IS 'Fits until before this time of day; earlier than from_time: over midnight.';
COMMENT ON COLUMN laras.review_rule.time_zone IS 'Zone of the times of day.';
ALTER TABLE laras.review_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.review_rule FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON laras.review_rule TO laras_owner, laras_app, laras_service
  USING (workspace_id = (SELECT laras.current_workspace()))
  WITH CHECK (workspace_id = (SELECT laras.current_workspace()));
CREATE POLICY worker ON laras.review_rule TO laras_worker
  USING (laras.in_worker_set(workspace_id)) WITH CHECK (laras.in_worker_set(workspace_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.review_rule TO laras_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON laras.review_rule TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.review_rule', '');

-- What the reasons of hold_reasons and of verdicts mean to a business. Rows come with each version.
SET LOCAL ROLE laras_owner;
CREATE TABLE laras.hold_reason (
  reason text PRIMARY KEY,
  words_en text NOT NULL,
  words_id text NOT NULL
);
COMMENT ON TABLE laras.hold_reason IS 'What the reasons for which a draft waits, or a text is not let through, mean to a business. Rows come with each version.';
COMMENT ON COLUMN laras.hold_reason.reason IS 'As in hold_reasons and verdict_reasons of laras.drafts.';
COMMENT ON COLUMN laras.hold_reason.words_en IS 'In English.';
COMMENT ON COLUMN laras.hold_reason.words_id IS 'In Indonesian.';
ALTER TABLE laras.hold_reason ENABLE ROW LEVEL SECURITY;
ALTER TABLE laras.hold_reason FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON laras.hold_reason FOR SELECT TO PUBLIC USING (true);
CREATE POLICY owner ON laras.hold_reason TO laras_owner USING (true) WITH CHECK (true);
GRANT SELECT ON laras.hold_reason TO laras_app, laras_service;
RESET ROLE;
SELECT pg_catalog.pg_extension_config_dump('laras.hold_reason', 'WHERE false');

INSERT INTO laras.hold_reason (reason, words_en, words_id) VALUES
  ('auto_send_off', 'The connection lets no reply go by itself.', 'Koneksi ini tidak mengirim balasan dengan sendirinya.'),
  ('hand_over', 'A person is wanted: a complaint, an order, somebody asked for one, or no row has the answer.', 'Perlu orang: ada keluhan, pesanan, pelanggan minta dibalas orang, atau jawabannya tidak ada di data.'),
  ('namesakes', 'Several items of one name say different things, and the question does not tell them apart.', 'Beberapa barang bernama sama isinya berbeda, dan pertanyaannya tidak membedakannya.'),
  ('earlier_unanswered', 'An earlier message of the customer has no answer yet.', 'Pesan pelanggan sebelumnya belum dijawab.'),
  ('message_unsent', 'The customer deleted a message that this draft may answer.', 'Pelanggan menghapus pesan yang mungkin dijawab draf ini.'),
  ('not_text', 'A picture, a place or the like came along, which nobody has read.', 'Ada gambar, lokasi, atau sejenisnya yang belum dibaca siapa pun.'),
  ('damaged', 'A message cannot be opened: what is stored is not what was sealed.', 'Sebuah pesan tidak bisa dibuka: isinya bukan yang disegel.'),
  ('no_ground', 'There is nothing to propose.', 'Tidak ada yang bisa diusulkan.'),
  ('drafter_failed', 'The draft could not be made because of an error of laras.', 'Draf tidak bisa dibuat karena kesalahan laras.'),
  ('follow_up', 'It follows up on a silence, and a person decides on that.', 'Draf ini menindaklanjuti pelanggan yang diam; itu diputuskan orang.'),
  ('needs_template', 'The window had closed when it was to leave: only an approved template may be sent now.', 'Jendela balas sudah tutup saat akan dikirim: sekarang hanya template yang disetujui yang boleh dikirim.'),
  ('window_closed', 'The window closed before anybody approved it.', 'Jendela balas tutup sebelum ada yang menyetujuinya.'),
  ('review_rule', 'A rule of the business asks that a person looks at it.', 'Aturan bisnis meminta draf ini dilihat orang.'),
  ('low_confidence', 'The drafter is not sure enough, and no rule lets it go all the same.', 'Penyusun draf kurang yakin, dan tidak ada aturan yang tetap mengizinkannya.'),
  ('ungrounded_number', 'It states a number that stands in no cited row.', 'Ada angka yang tidak tercantum di data yang dikutip.'),
  ('ungrounded_price', 'It states a price that stands in no cited row.', 'Ada harga yang tidak tercantum di data yang dikutip.'),
  ('ungrounded_link', 'It gives a link, or another place of sale, that stands in no cited row.', 'Ada tautan atau tempat jualan lain yang tidak tercantum di data yang dikutip.'),
  ('ungrounded_phone', 'It gives a phone number that stands in no cited row.', 'Ada nomor telepon yang tidak tercantum di data yang dikutip.'),
  ('ungrounded_promise', 'It promises or claims something that stands in no cited row.', 'Ada janji atau klaim yang tidak tercantum di data yang dikutip.'),
  ('ungrounded_date', 'It names a day or month that stands in no cited row.', 'Ada hari atau bulan yang tidak tercantum di data yang dikutip.'),
  ('ungrounded_stock', 'It says that an item is there, or gone, and the stock of its row says otherwise.', 'Mengatakan barang ada atau habis, padahal stok di datanya lain.'),
  ('off_scope', 'It is none of the matters of the business, or not about the rows that it cites.', 'Bukan urusan bisnis ini, atau tidak tentang data yang dikutip.'),
  ('other_person', 'It names another customer, or tells something about one.', 'Menyebut pelanggan lain, atau menceritakan sesuatu tentangnya.'),
  ('emoji', 'It has an emoji, and the business uses none.', 'Ada emoji, padahal bisnis ini tidak memakainya.'),
  ('asks_secret', 'It asks for a one-time code, a PIN or a password.', 'Meminta kode OTP, PIN, atau kata sandi.'),
  ('tone', 'It is rude, shouted or fond.', 'Nadanya kasar, seperti berteriak, atau terlalu mesra.'),
  ('wrong_language', 'It is not in the language of the customer.', 'Bahasanya bukan bahasa pelanggan.'),
  ('injection_symptom', 'It looks as if somebody else''s instructions were obeyed: it is no text for a customer.', 'Tampaknya menuruti perintah orang lain: ini bukan teks untuk pelanggan.'),
  ('missing_phrase', 'A phrase that the business demands is not in it.', 'Frasa yang diwajibkan bisnis tidak ada di dalamnya.'),
  ('source_changed', 'A row that it cites changed while the draft was made.', 'Data yang dikutip berubah saat draf disusun.'),
  ('forbidden_phrase', 'It has a phrase that the business forbids.', 'Ada frasa yang dilarang bisnis.'),
  ('too_long', 'It is longer than the channel takes.', 'Lebih panjang daripada yang diterima kanal ini.'),
  ('no_driver', 'Nothing can be answered over this channel.', 'Tidak ada yang bisa dibalas lewat kanal ini.'),
  ('classifier_unavailable', 'The safety classifier is off or failed, so nothing goes by itself.', 'Pemeriksa keamanan mati atau gagal, jadi tidak ada yang terkirim sendiri.'),
  ('llm_no_answer', 'The language model did not answer in time.', 'Model bahasa tidak menjawab pada waktunya.'),
  ('llm_refused', 'The language model refused to answer.', 'Model bahasa menolak menjawab.'),
  ('llm_trains', 'The provider of the channel forbids training, and the language model could not be told so.', 'Penyedia kanal melarang pelatihan, dan model bahasa tidak bisa diberi tahu.'),
  ('llm_budget', 'The language model''s calls for today are used up.', 'Jatah panggilan model bahasa untuk hari ini habis.'),
  ('llm_resting', 'The language model gave no answer several times and is left alone for a while.', 'Model bahasa beberapa kali tidak menjawab dan dibiarkan sebentar.'),
  ('llm_unreadable', 'What the language model wrote cannot be read.', 'Tulisan model bahasa tidak bisa dibaca.'),
  ('llm_wrong_shape', 'What the language model wrote has not the form that was asked for.', 'Tulisan model bahasa tidak sesuai bentuk yang diminta.'),
  ('llm_too_long', 'What the language model wrote is too long.', 'Tulisan model bahasa terlalu panjang.'),
  ('llm_foreign_row', 'The language model cites a row that it was not given.', 'Model bahasa mengutip data yang tidak diberikan kepadanya.'),
  ('llm_no_ground', 'The language model cites nothing.', 'Model bahasa tidak mengutip apa pun.'),
  ('llm_echo', 'The language model only repeats what the customer wrote.', 'Model bahasa hanya mengulang tulisan pelanggan.');

-- What erasure does with every column above (laras.data_column says how to read a row).
INSERT INTO laras.data_column (table_name, column_name, category, field, slot, personal, erase_connection, erase_contact, erase_member, erase_provider_user, erase_workspace, basis, term) VALUES
  ('catalog_item', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'name', 'knowledge', NULL, NULL, 'the business''s own knowledge, about goods', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'description', 'knowledge', NULL, NULL, 'the business''s own knowledge, about goods', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'price', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'currency', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'stock', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'attributes', 'knowledge', NULL, NULL, 'the business''s own knowledge, about goods', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'state', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'language', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'translations', 'knowledge', NULL, NULL, 'the business''s own knowledge, about goods', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'version', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'updated_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('catalog_item', 'terms', 'knowledge', NULL, NULL, 'words of the columns beside it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'topic', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'language', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'body', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'version', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'updated_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('policy_text', 'terms', 'knowledge', NULL, NULL, 'words of the columns beside it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'question', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'answer', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'language', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'version', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'updated_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('faq', 'terms', 'knowledge', NULL, NULL, 'words of the columns beside it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'weekday', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'on_date', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'hours', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'note', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'version', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('opening_hours', 'updated_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'language', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'address', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'greeting', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'sign_off', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'emoji', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'manner', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'version', 'knowledge', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('brand_voice', 'updated_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('forbidden_phrase', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('forbidden_phrase', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('forbidden_phrase', 'phrase', 'knowledge', NULL, NULL, 'the business''s own knowledge', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('forbidden_phrase', 'created_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'id', 'ai_log', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'message_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'contact_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'text_digest', 'ai_log', NULL, NULL, 'commitment, unlinkable once the key is destroyed', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'outcome', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'reasons', 'ai_log', NULL, NULL, 'words from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'classifier', 'ai_log', NULL, NULL, 'a name of a program', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'purpose', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('verdict', 'created_at', 'ai_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'id', 'message', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'conversation_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'inbound_message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'state', 'message', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'body', 'message', 12, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'text_digest', 'message', NULL, NULL, 'commitment, unlinkable once the key is destroyed', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'verdict_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'intent', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'confidence', 'ai_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'hold_reasons', 'ai_log', NULL, NULL, 'words from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'drafter', 'ai_log', NULL, NULL, 'a name of a program', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'purpose', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'decided_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'template_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'template_values', 'message', 32, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft', 'decided_by', 'message', NULL, NULL, 'random id of a member', 'none', 'delete', 'anonymise', 'none', 'delete', NULL, NULL),
  ('draft_source', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'draft_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'ordinal', 'ai_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'source_table', 'ai_log', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'source_id', 'ai_log', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'source_version', 'ai_log', NULL, NULL, 'a number without a person in it', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'quoted_for', 'ai_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_source', 'valid_until', 'ai_log', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'id', 'audit', NULL, NULL, 'random id', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'draft_id', 'audit', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'act', 'audit', NULL, NULL, 'a word from a fixed list', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'actor', 'audit', NULL, NULL, 'random id of a member', 'none', 'delete', 'anonymise', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'reason', 'audit', 25, 'contact', NULL, 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_decision', 'decided_at', 'audit', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_wanted', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('draft_wanted', 'message_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_wanted', 'contact_id', 'message', NULL, NULL, 'random id of a row of this workspace', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('draft_wanted', 'created_at', 'message', NULL, NULL, 'a time', 'none', 'delete', 'none', 'none', 'delete', NULL, NULL),
  ('hold_reason', 'reason', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('hold_reason', 'words_en', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('hold_reason', 'words_id', 'system', NULL, NULL, 'comes with the extension', 'none', 'none', 'none', 'none', 'keep', 'describes the software', NULL),
  ('review_rule', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'id', 'automation_state', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'channel', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'topic', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'minimum_confidence', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'act', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'priority', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'texts', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'minimum_value', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'maximum_value', 'automation_state', NULL, NULL, 'a number without a person in it', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'from_time', 'automation_state', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'to_time', 'automation_state', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('review_rule', 'time_zone', 'automation_state', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('required_phrase', 'workspace_id', 'system', NULL, NULL, 'random id of the tenant', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('required_phrase', 'id', 'knowledge', NULL, NULL, 'random id', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('required_phrase', 'phrase', 'knowledge', NULL, NULL, 'words of the business about itself', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('required_phrase', 'topic', 'knowledge', NULL, NULL, 'a word from a fixed list', 'none', 'none', 'none', 'none', 'delete', NULL, NULL),
  ('required_phrase', 'created_at', 'knowledge', NULL, NULL, 'a time', 'none', 'none', 'none', 'none', 'delete', NULL, NULL);

CREATE FUNCTION laras.import_knowledge(kind text, format text, data text,
    OUT line integer, OUT act text, OUT id bigint, OUT problem text) RETURNS SETOF record
  LANGUAGE c VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_import_knowledge';
COMMENT ON FUNCTION laras.import_knowledge(text, text, text) IS
  'Brings a file of knowledge into the workspace and tells what became of each record: added, changed, same or refused, with the row''s id or the problem. kind: catalog (name, description, price, currency, stock, state, language, name_en, description_en, name_id, description_id; other columns are attributes), policies (topic, language, body), faqs (question, language, answer), hours (day: a weekday or a date, hours, note), voice (language, address, greeting, sign_off, emoji, manner). format: csv (with a header; comma, semicolon or tab) or json (an array of objects). A record finds its row by name, topic or question and language, day, or language; what it does not name stays. 22023 unknown kind, format or no header, 22P04 and 22P02 no CSV or JSON, 54000 over 16 MB or 50,000 records.';
GRANT EXECUTE ON FUNCTION laras.import_knowledge(text, text, text) TO laras_app, laras_service;
