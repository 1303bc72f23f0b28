-- 62_drafts: what people do with drafts, and what they see of them.


CREATE FUNCTION laras.approve_draft(draft_id bigint, edited_body text DEFAULT NULL) RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_approve_draft';
ALTER FUNCTION laras.approve_draft(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.approve_draft(bigint, text) IS
  'Approves a draft, as it stands or with the text given, judges that text and queues it for the courier; returns the id of the message. A draft that was approved before gives the same message again and is sent once; in other words than those it is refused, and so is approving it as it stood where somebody gave other words. Needs scope inbox. P0002 for no such draft, LRA01 when a cited row changed, LRA02 when a newer message, a reply, a rejection or an approval in other words closed the draft, LRA03 while the classifier is off, 22023 for a text that is empty or not let through, 55000 when the channel was disconnected or the window has closed (approval_queue.needs_template), LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.approve_draft(bigint, text) TO laras_app, laras_service;

CREATE FUNCTION laras.reject_draft(draft_id bigint, reason text DEFAULT NULL) RETURNS boolean
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_reject_draft';
ALTER FUNCTION laras.reject_draft(bigint, text) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.reject_draft(bigint, text) IS
  'Rejects a draft; the reason (at most 2000 bytes) is kept sealed. False when it was rejected before. Needs scope inbox. P0002 for no such draft, LRA02 when it was approved, LRK01. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.reject_draft(bigint, text) TO laras_app, laras_service;

CREATE FUNCTION laras.set_auto_send(connection_id bigint, enabled boolean) RETURNS void
  LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'laras_set_auto_send';
ALTER FUNCTION laras.set_auto_send(bigint, boolean) OWNER TO laras_owner;
COMMENT ON FUNCTION laras.set_auto_send(bigint, boolean) IS
  'Lets drafts of a connection that pass the classifier and the review rules go out without approval, or no longer. Needs scope connect. P0002 for no such connection, 55000 when it was disconnected. Definer: callers hold no right on the tables.';
GRANT EXECUTE ON FUNCTION laras.set_auto_send(bigint, boolean) TO laras_app, laras_service;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.draft_sources AS
  SELECT s.draft_id,
    s.ordinal,
    s.source_table,
    s.source_id,
    s.source_version,
    coalesce(c.version, t.version, f.version, h.version, b.version) AS current_version,
    coalesce(c.version, t.version, f.version, h.version, b.version) IS DISTINCT FROM s.source_version
      OR coalesce(s.valid_until <= laras.now(), false)
      OR EXISTS (SELECT FROM laras.opening_hours x WHERE x.workspace_id = s.workspace_id AND x.on_date = s.quoted_for) AS changed
  FROM laras.draft_source s
    LEFT JOIN laras.catalog_item c ON s.source_table = 'catalog_item' AND c.workspace_id = s.workspace_id AND c.id = s.source_id
    LEFT JOIN laras.policy_text t ON s.source_table = 'policy_text' AND t.workspace_id = s.workspace_id AND t.id = s.source_id
    LEFT JOIN laras.faq f ON s.source_table = 'faq' AND f.workspace_id = s.workspace_id AND f.id = s.source_id
    LEFT JOIN laras.opening_hours h ON s.source_table = 'opening_hours' AND h.workspace_id = s.workspace_id AND h.id = s.source_id
    LEFT JOIN laras.brand_voice b ON s.source_table = 'brand_voice' AND b.workspace_id = s.workspace_id AND b.id = s.source_id
  WHERE laras.may('inbox');
COMMENT ON VIEW laras.draft_sources IS 'The rows that each draft cites, and whether they still are as it cites them.';
COMMENT ON COLUMN laras.draft_sources.draft_id IS 'Draft.';
COMMENT ON COLUMN laras.draft_sources.ordinal IS 'Order of citation, from 1.';
COMMENT ON COLUMN laras.draft_sources.source_table IS 'catalog_item, policy_text, faq, opening_hours or brand_voice.';
COMMENT ON COLUMN laras.draft_sources.source_id IS 'Id of the row.';
COMMENT ON COLUMN laras.draft_sources.source_version IS 'Version that was cited.';
COMMENT ON COLUMN laras.draft_sources.current_version IS 'Version the row has now; null: the row is gone.';
COMMENT ON COLUMN laras.draft_sources.changed IS 'The row changed or went, or what was told of the clock is over, so that the draft cannot be sent.';
GRANT SELECT ON laras.draft_sources TO laras_app, laras_service;

CREATE VIEW laras.drafts AS
  SELECT d.id,
    d.conversation_id,
    d.contact_id,
    d.inbound_message_id,
    d.message_id,
    d.state,
    laras.reveal(d.body, d.id, 12::smallint) AS body,
    d.intent,
    d.confidence,
    v.outcome AS verdict,
    coalesce(v.reasons, '{}') AS verdict_reasons,
    d.hold_reasons,
    w.words_en,
    w.words_id,
    coalesce((SELECT jsonb_agg(jsonb_build_object('table', s.source_table, 'id', s.source_id::text,
        'version', s.source_version::text, 'changed', s.changed) ORDER BY s.ordinal)
      FROM laras.draft_sources s WHERE s.draft_id = d.id), '[]') AS sources,
    EXISTS (SELECT FROM laras.draft_sources s WHERE s.draft_id = d.id AND s.changed) AS sources_changed,
    d.drafter,
    d.created_at,
    d.decided_at,
    d.decided_by,
    d.purpose,
    d.template_id
  FROM laras.draft d
    LEFT JOIN laras.verdict v ON v.workspace_id = d.workspace_id AND v.id = d.verdict_id
    CROSS JOIN LATERAL (SELECT coalesce(array_agg(coalesce(h.words_en, u.reason) ORDER BY u.n), '{}') AS words_en,
        coalesce(array_agg(coalesce(h.words_id, u.reason) ORDER BY u.n), '{}') AS words_id
      FROM unnest(d.hold_reasons) WITH ORDINALITY AS u (reason, n) LEFT JOIN laras.hold_reason h ON h.reason = u.reason) w
  WHERE laras.may('inbox');
COMMENT ON VIEW laras.drafts IS 'Proposed replies with what they rest on and what became of them.';
COMMENT ON COLUMN laras.drafts.id IS 'Id, for approve_draft and reject_draft.';
COMMENT ON COLUMN laras.drafts.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.drafts.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.drafts.inbound_message_id IS 'Message it answers.';
COMMENT ON COLUMN laras.drafts.message_id IS 'Id the message has, or will have, when it is approved.';
COMMENT ON COLUMN laras.drafts.state IS 'held: waits for a person; approved: queued; sent; withheld: nothing to say; stale: a cited row changed, or the window closed before a follow-up was approved; superseded: a newer message or a reply came, or the customer opted out; rejected: a person said so, or withdrew its message, or the text was not the one judged.';
COMMENT ON COLUMN laras.drafts.body IS 'Proposed text; null when there is none, or once erased.';
COMMENT ON COLUMN laras.drafts.intent IS 'What the drafter took the message for.';
COMMENT ON COLUMN laras.drafts.confidence IS 'How sure it was, 0 to 1.';
COMMENT ON COLUMN laras.drafts.verdict IS 'pass, hold or block: the classifier on this text.';
COMMENT ON COLUMN laras.drafts.verdict_reasons IS 'Reasons of the classifier: laras.hold_reason has the list.';
COMMENT ON COLUMN laras.drafts.hold_reasons IS 'Why a person is asked: laras.hold_reason has the list.';
COMMENT ON COLUMN laras.drafts.words_en IS 'The same in words for the owner, English, in the order of hold_reasons.';
COMMENT ON COLUMN laras.drafts.words_id IS 'The same in Indonesian.';
COMMENT ON COLUMN laras.drafts.sources IS 'Rows it cites: table, id and version as texts, and whether the row changed since.';
COMMENT ON COLUMN laras.drafts.sources_changed IS 'A cited row changed or went: approve_draft refuses.';
COMMENT ON COLUMN laras.drafts.drafter IS 'Name and version of the drafter.';
COMMENT ON COLUMN laras.drafts.created_at IS 'When it was drafted.';
COMMENT ON COLUMN laras.drafts.decided_at IS 'When it was decided.';
COMMENT ON COLUMN laras.drafts.purpose IS 'service: it answers; sales: it follows up on a silence.';
COMMENT ON COLUMN laras.drafts.template_id IS 'Template that it proposes; null: the text itself.';
COMMENT ON COLUMN laras.drafts.decided_by IS 'Who decided: auto, worker, or kind and id of the principal.';
GRANT SELECT ON laras.drafts TO laras_app, laras_service;

CREATE VIEW laras.approval_queue AS
  SELECT d.id,
    d.conversation_id,
    d.contact_id,
    v.channel,
    laras.reveal(m.body, m.id, 17::smallint) AS question,
    laras.reveal(d.body, d.id, 12::smallint) AS body,
    d.intent,
    d.confidence,
    d.hold_reasons,
    w.words_en,
    w.words_id,
    EXISTS (SELECT FROM laras.draft_sources s WHERE s.draft_id = d.id AND s.changed) AS sources_changed,
    v.last_inbound_at,
    d.created_at,
    d.purpose,
    d.template_id,
    s.closes_at AS window_closes_at,
    d.template_id IS NULL AND coalesce(s.reason = 'window_closed', false) AS needs_template
  FROM laras.draft d
    JOIN laras.conversation v ON v.workspace_id = d.workspace_id AND v.id = d.conversation_id
    LEFT JOIN laras.message m ON m.workspace_id = d.workspace_id AND m.id = d.inbound_message_id
    LEFT JOIN laras.window_rules r ON r.channel = v.channel
      AND r.purpose = CASE v.surface WHEN 'comment' THEN 'public_reply' ELSE 'reply' END
    LEFT JOIN LATERAL laras.window_state(r.lasts, r.uses, r.enabled,
      CASE v.surface WHEN 'comment' THEN coalesce(m.provider_timestamp, m.created_at) ELSE v.last_inbound_at END, 0) s ON r.channel IS NOT NULL
    CROSS JOIN LATERAL (SELECT coalesce(array_agg(coalesce(h.words_en, u.reason) ORDER BY u.n), '{}') AS words_en,
        coalesce(array_agg(coalesce(h.words_id, u.reason) ORDER BY u.n), '{}') AS words_id
      FROM unnest(d.hold_reasons) WITH ORDINALITY AS u (reason, n) LEFT JOIN laras.hold_reason h ON h.reason = u.reason) w
  WHERE d.state IN ('pending', 'held') AND laras.may('inbox');
COMMENT ON VIEW laras.approval_queue IS 'Drafts that wait for a person, with the question and the reasons.';
COMMENT ON COLUMN laras.approval_queue.id IS 'Id of the draft.';
COMMENT ON COLUMN laras.approval_queue.conversation_id IS 'Conversation.';
COMMENT ON COLUMN laras.approval_queue.contact_id IS 'Contact.';
COMMENT ON COLUMN laras.approval_queue.channel IS 'Channel.';
COMMENT ON COLUMN laras.approval_queue.question IS 'The message it answers.';
COMMENT ON COLUMN laras.approval_queue.body IS 'Proposed text.';
COMMENT ON COLUMN laras.approval_queue.intent IS 'What the drafter took the message for.';
COMMENT ON COLUMN laras.approval_queue.confidence IS 'How sure it was, 0 to 1.';
COMMENT ON COLUMN laras.approval_queue.hold_reasons IS 'Why a person is asked: laras.hold_reason has the list.';
COMMENT ON COLUMN laras.approval_queue.words_en IS 'The same in words for the owner, English, in the order of hold_reasons.';
COMMENT ON COLUMN laras.approval_queue.words_id IS 'The same in Indonesian.';
COMMENT ON COLUMN laras.approval_queue.sources_changed IS 'A cited row changed or went: approve_draft refuses.';
COMMENT ON COLUMN laras.approval_queue.last_inbound_at IS 'Provider''s time of the customer''s last message, from which the window counts.';
COMMENT ON COLUMN laras.approval_queue.purpose IS 'service: it answers; sales: it follows up on a silence.';
COMMENT ON COLUMN laras.approval_queue.template_id IS 'Template that it proposes; null: the text itself.';
COMMENT ON COLUMN laras.approval_queue.window_closes_at IS 'Until when it may be approved, or since when not any more; null: the window never closes. A template needs no window.';
COMMENT ON COLUMN laras.approval_queue.needs_template IS 'The window has closed: approve_draft refuses the text, and only an approved template, or an answer to the customer''s next message, may leave.';
COMMENT ON COLUMN laras.approval_queue.created_at IS 'When it was drafted.';
GRANT SELECT ON laras.approval_queue TO laras_app, laras_service;
RESET ROLE;

-- What a drafter reads of people: one conversation, while it makes that conversation's draft.
CREATE FUNCTION laras.drafting_conversation() RETURNS bigint
  LANGUAGE c STABLE PARALLEL RESTRICTED
  AS 'MODULE_PATHNAME', 'laras_drafting_conversation';
COMMENT ON FUNCTION laras.drafting_conversation() IS 'The conversation for which a draft is being made in this transaction; null outside of that. Only laras''s own C code sets it.';
GRANT EXECUTE ON FUNCTION laras.drafting_conversation() TO laras_owner, laras_drafter;

SET LOCAL ROLE laras_owner;
CREATE VIEW laras.drafting_messages AS
  SELECT m.id,
    m.direction,
    m.kind,
    laras.reveal(m.body, m.id, 17::smallint) AS body,
    m.author_kind,
    m.created_at
  FROM laras.message m
  WHERE m.conversation_id = (SELECT laras.drafting_conversation()) AND m.unsent_at IS NULL;
COMMENT ON VIEW laras.drafting_messages IS 'The messages of the conversation for which a draft is being made: all of people that the role laras_drafter reads.';
COMMENT ON COLUMN laras.drafting_messages.id IS 'Id.';
COMMENT ON COLUMN laras.drafting_messages.direction IS 'in or out.';
COMMENT ON COLUMN laras.drafting_messages.kind IS 'What it is: laras.message.kind has the list.';
COMMENT ON COLUMN laras.drafting_messages.body IS 'Text; null once erased.';
COMMENT ON COLUMN laras.drafting_messages.author_kind IS 'Who wrote it: contact, member, draft, key or service.';
COMMENT ON COLUMN laras.drafting_messages.created_at IS 'When laras stored it.';
GRANT SELECT ON laras.drafting_messages TO laras_drafter;
RESET ROLE;
