/*
 * plan.c
 *		The plans of erasure: what explain_erasure counts is what the keeper
 *		executes.
 *
 * Every table that the registry (laras.data_column) says is deleted, nulled or
 * anonymised for a scope has a line here; a test compares the two. Rows that
 * stay (evidence, the request itself) hold no personal value.
 */
#include "postgres.h"

#include "erasure/plan.h"

LarasEraseStep laras_contact_steps[] = {
	{"llm_call",
	 "delete",
	 {"count_llm_call",
	  "SELECT pg_catalog.count(*) FROM laras.llm_call t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_llm_call",
	  "DELETE FROM laras.llm_call WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.llm_call t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"draft_wanted",
	 "delete",
	 {"count_draft_wanted",
	  "SELECT pg_catalog.count(*) FROM laras.draft_wanted t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_draft_wanted",
	  "DELETE FROM laras.draft_wanted WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.draft_wanted t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"notice",
	 "null",
	 {"count_notice",
	  "SELECT pg_catalog.count(*) FROM laras.notice t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND (t.message_id IN (SELECT m.id FROM laras.message m WHERE "
	  "m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.contact_id OPERATOR(pg_catalog.=) $2) OR "
	  "t.conversation_id IN (SELECT v.id FROM laras.conversation v WHERE v.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND v.contact_id OPERATOR(pg_catalog.=) $2))",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_notice",
	  "UPDATE laras.notice SET message_id = NULL, conversation_id = NULL WHERE ctid "
	  "OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.notice t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND (t.message_id IN (SELECT m.id FROM laras.message m WHERE "
	  "m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.contact_id OPERATOR(pg_catalog.=) $2) OR "
	  "t.conversation_id IN (SELECT v.id FROM laras.conversation v WHERE v.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND v.contact_id OPERATOR(pg_catalog.=) $2)) LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"send_attempt",
	 "delete",
	 {"count_send_attempt",
	  "SELECT pg_catalog.count(*) FROM laras.send_attempt t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_send_attempt",
	  "DELETE FROM laras.send_attempt WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.send_attempt t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"outbox",
	 "delete",
	 {"count_outbox",
	  "SELECT pg_catalog.count(*) FROM laras.outbox t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_outbox",
	  "DELETE FROM laras.outbox WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.outbox t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"draft_source",
	 "delete",
	 {"count_draft_source",
	  "SELECT pg_catalog.count(*) FROM laras.draft_source t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.draft_id IN (SELECT d.id FROM laras.draft d WHERE "
	  "d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.contact_id OPERATOR(pg_catalog.=) $2)",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_draft_source",
	  "DELETE FROM laras.draft_source WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.draft_source t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.draft_id IN (SELECT d.id FROM laras.draft d WHERE d.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND d.contact_id OPERATOR(pg_catalog.=) $2) LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"draft_decision",
	 "delete",
	 {"count_draft_decision",
	  "SELECT pg_catalog.count(*) FROM laras.draft_decision t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.draft_id IN (SELECT d.id FROM laras.draft d WHERE "
	  "d.workspace_id OPERATOR(pg_catalog.=) $1 AND d.contact_id OPERATOR(pg_catalog.=) $2)",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_draft_decision",
	  "DELETE FROM laras.draft_decision WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.draft_decision t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.draft_id IN (SELECT d.id FROM laras.draft d WHERE d.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND d.contact_id OPERATOR(pg_catalog.=) $2) LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"draft",
	 "delete",
	 {"count_draft",
	  "SELECT pg_catalog.count(*) FROM laras.draft t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_draft",
	  "DELETE FROM laras.draft WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.draft t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"verdict",
	 "delete",
	 {"count_verdict",
	  "SELECT pg_catalog.count(*) FROM laras.verdict t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_verdict",
	  "DELETE FROM laras.verdict WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.verdict t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"private_reply",
	 "delete",
	 {"count_private_reply",
	  "SELECT pg_catalog.count(*) FROM laras.private_reply t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_private_reply",
	  "DELETE FROM laras.private_reply WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.private_reply t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"media_chunk",
	 "delete",
	 {"count_media_chunk",
	  "SELECT pg_catalog.count(*) FROM laras.media_chunk t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.media_id IN (SELECT m.id FROM laras.media m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.contact_id OPERATOR(pg_catalog.=) $2)",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_media_chunk",
	  "DELETE FROM laras.media_chunk WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.media_chunk t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.media_id IN (SELECT m.id FROM laras.media m WHERE m.workspace_id OPERATOR(pg_catalog.=) $1 AND m.contact_id OPERATOR(pg_catalog.=) $2) LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"media",
	 "delete",
	 {"count_media",
	  "SELECT pg_catalog.count(*) FROM laras.media t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_media",
	  "DELETE FROM laras.media WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.media t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"message_part",
	 "delete",
	 {"count_message_part",
	  "SELECT pg_catalog.count(*) FROM laras.message_part t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_message_part",
	  "DELETE FROM laras.message_part WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.message_part t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"message_status",
	 "delete",
	 {"count_message_status",
	  "SELECT pg_catalog.count(*) FROM laras.message_status t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_message_status",
	  "DELETE FROM laras.message_status WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.message_status t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"message",
	 "delete",
	 {"count_message",
	  "SELECT pg_catalog.count(*) FROM laras.message t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_message",
	  "DELETE FROM laras.message WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.message t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"conversation",
	 "delete",
	 {"count_conversation",
	  "SELECT pg_catalog.count(*) FROM laras.conversation t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_conversation",
	  "DELETE FROM laras.conversation WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.conversation t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"contact_identity",
	 "delete",
	 {"count_contact_identity",
	  "SELECT pg_catalog.count(*) FROM laras.contact_identity t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_contact_identity",
	  "DELETE FROM laras.contact_identity WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.contact_identity t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"contact_name_word",
	 "delete",
	 {"count_contact_name_word",
	  "SELECT pg_catalog.count(*) FROM laras.contact_name_word t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_contact_name_word",
	  "DELETE FROM laras.contact_name_word WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.contact_name_word t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND "
	  "t.contact_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"contact_merge",
	 "delete",
	 {"count_contact_merge",
	  "SELECT pg_catalog.count(*) FROM laras.contact_merge t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.contact_id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_contact_merge",
	  "DELETE FROM laras.contact_merge WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.contact_merge t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.contact_id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"contact",
	 "delete",
	 {"count_contact",
	  "SELECT pg_catalog.count(*) FROM laras.contact t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.id OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_contact",
	  "DELETE FROM laras.contact WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.contact t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.id "
	  "OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{"key_owner",
	 "delete",
	 {"count_key_owner",
	  "SELECT pg_catalog.count(*) FROM laras.key_owner t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.kind OPERATOR(pg_catalog.=) 'contact' AND t.owner_id "
	  "OPERATOR(pg_catalog.=) $2",
	  2,
	  {INT8OID, INT8OID}},
	 {"erase_key_owner",
	  "DELETE FROM laras.key_owner WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.key_owner t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.kind "
	  "OPERATOR(pg_catalog.=) 'contact' AND t.owner_id OPERATOR(pg_catalog.=) $2 LIMIT 1000))",
	  2,
	  {INT8OID, INT8OID}}},
	{NULL}};

LarasEraseStep laras_workspace_steps[] = {
	{"deletion_line",
	 "delete",
	 {"count_deletion_line",
	  "SELECT pg_catalog.count(*) FROM laras.deletion_line t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_deletion_line",
	  "DELETE FROM laras.deletion_line WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.deletion_line t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"follow_up_rule",
	 "delete",
	 {"count_follow_up_rule",
	  "SELECT pg_catalog.count(*) FROM laras.follow_up_rule t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_follow_up_rule",
	  "DELETE FROM laras.follow_up_rule WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.follow_up_rule t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"channel_handling",
	 "delete",
	 {"count_channel_handling",
	  "SELECT pg_catalog.count(*) FROM laras.channel_handling t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_channel_handling",
	  "DELETE FROM laras.channel_handling WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.channel_handling t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"send_pause",
	 "delete",
	 {"count_send_pause",
	  "SELECT pg_catalog.count(*) FROM laras.send_pause t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_send_pause",
	  "DELETE FROM laras.send_pause WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.send_pause t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"unmatched_status",
	 "delete",
	 {"count_unmatched_status",
	  "SELECT pg_catalog.count(*) FROM laras.unmatched_status t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_unmatched_status",
	  "DELETE FROM laras.unmatched_status WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.unmatched_status t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"notice",
	 "delete",
	 {"count_notice",
	  "SELECT pg_catalog.count(*) FROM laras.notice t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_notice",
	  "DELETE FROM laras.notice WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.notice t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"llm_call",
	 "delete",
	 {"count_llm_call",
	  "SELECT pg_catalog.count(*) FROM laras.llm_call t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_llm_call",
	  "DELETE FROM laras.llm_call WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.llm_call t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"llm_usage",
	 "delete",
	 {"count_llm_usage",
	  "SELECT pg_catalog.count(*) FROM laras.llm_usage t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_llm_usage",
	  "DELETE FROM laras.llm_usage WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.llm_usage t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"llm_endpoint",
	 "delete",
	 {"count_llm_endpoint",
	  "SELECT pg_catalog.count(*) FROM laras.llm_endpoint t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_llm_endpoint",
	  "DELETE FROM laras.llm_endpoint WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.llm_endpoint t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"draft_wanted",
	 "delete",
	 {"count_draft_wanted",
	  "SELECT pg_catalog.count(*) FROM laras.draft_wanted t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_draft_wanted",
	  "DELETE FROM laras.draft_wanted WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.draft_wanted t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"send_attempt",
	 "delete",
	 {"count_send_attempt",
	  "SELECT pg_catalog.count(*) FROM laras.send_attempt t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_send_attempt",
	  "DELETE FROM laras.send_attempt WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.send_attempt t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"outbox",
	 "delete",
	 {"count_outbox",
	  "SELECT pg_catalog.count(*) FROM laras.outbox t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_outbox",
	  "DELETE FROM laras.outbox WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.outbox t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"message_template",
	 "delete",
	 {"count_message_template",
	  "SELECT pg_catalog.count(*) FROM laras.message_template t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_message_template",
	  "DELETE FROM laras.message_template WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.message_template t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"draft_source",
	 "delete",
	 {"count_draft_source",
	  "SELECT pg_catalog.count(*) FROM laras.draft_source t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_draft_source",
	  "DELETE FROM laras.draft_source WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.draft_source t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"draft_decision",
	 "delete",
	 {"count_draft_decision",
	  "SELECT pg_catalog.count(*) FROM laras.draft_decision t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_draft_decision",
	  "DELETE FROM laras.draft_decision WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.draft_decision t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"draft",
	 "delete",
	 {"count_draft",
	  "SELECT pg_catalog.count(*) FROM laras.draft t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_draft",
	  "DELETE FROM laras.draft WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.draft t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"verdict",
	 "delete",
	 {"count_verdict",
	  "SELECT pg_catalog.count(*) FROM laras.verdict t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_verdict",
	  "DELETE FROM laras.verdict WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.verdict t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"review_rule",
	 "delete",
	 {"count_review_rule",
	  "SELECT pg_catalog.count(*) FROM laras.review_rule t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_review_rule",
	  "DELETE FROM laras.review_rule WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.review_rule t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"private_reply",
	 "delete",
	 {"count_private_reply",
	  "SELECT pg_catalog.count(*) FROM laras.private_reply t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_private_reply",
	  "DELETE FROM laras.private_reply WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.private_reply t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"media_chunk",
	 "delete",
	 {"count_media_chunk",
	  "SELECT pg_catalog.count(*) FROM laras.media_chunk t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_media_chunk",
	  "DELETE FROM laras.media_chunk WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.media_chunk t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"media",
	 "delete",
	 {"count_media",
	  "SELECT pg_catalog.count(*) FROM laras.media t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_media",
	  "DELETE FROM laras.media WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM laras.media t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"message_part",
	 "delete",
	 {"count_message_part",
	  "SELECT pg_catalog.count(*) FROM laras.message_part t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_message_part",
	  "DELETE FROM laras.message_part WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.message_part t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"message_status",
	 "delete",
	 {"count_message_status",
	  "SELECT pg_catalog.count(*) FROM laras.message_status t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_message_status",
	  "DELETE FROM laras.message_status WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.message_status t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"message",
	 "delete",
	 {"count_message",
	  "SELECT pg_catalog.count(*) FROM laras.message t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_message",
	  "DELETE FROM laras.message WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.message t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"conversation",
	 "delete",
	 {"count_conversation",
	  "SELECT pg_catalog.count(*) FROM laras.conversation t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_conversation",
	  "DELETE FROM laras.conversation WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.conversation t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"suppression",
	 "delete",
	 {"count_suppression",
	  "SELECT pg_catalog.count(*) FROM laras.suppression t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_suppression",
	  "DELETE FROM laras.suppression WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.suppression t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"contact_identity",
	 "delete",
	 {"count_contact_identity",
	  "SELECT pg_catalog.count(*) FROM laras.contact_identity t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_contact_identity",
	  "DELETE FROM laras.contact_identity WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.contact_identity t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"contact_name_word",
	 "delete",
	 {"count_contact_name_word",
	  "SELECT pg_catalog.count(*) FROM laras.contact_name_word t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_contact_name_word",
	  "DELETE FROM laras.contact_name_word WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.contact_name_word t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"contact_merge",
	 "delete",
	 {"count_contact_merge",
	  "SELECT pg_catalog.count(*) FROM laras.contact_merge t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_contact_merge",
	  "DELETE FROM laras.contact_merge WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.contact_merge t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"contact",
	 "delete",
	 {"count_contact",
	  "SELECT pg_catalog.count(*) FROM laras.contact t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_contact",
	  "DELETE FROM laras.contact WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.contact t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"webhook_event",
	 "delete",
	 {"count_webhook_event",
	  "SELECT pg_catalog.count(*) FROM laras.webhook_event t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_webhook_event",
	  "DELETE FROM laras.webhook_event e USING (SELECT t.ring_day, t.workspace_id, t.digest "
	  "FROM laras.webhook_event t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000) g "
	  "WHERE e.ring_day OPERATOR(pg_catalog.=) g.ring_day AND e.workspace_id "
	  "OPERATOR(pg_catalog.=) g.workspace_id AND e.digest OPERATOR(pg_catalog.=) g.digest",
	  1,
	  {INT8OID}}},
	{"quarantined_event",
	 "delete",
	 {"count_quarantined_event",
	  "SELECT pg_catalog.count(*) FROM laras.quarantined_event t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_quarantined_event",
	  "DELETE FROM laras.quarantined_event WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.quarantined_event t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"catalog_item",
	 "delete",
	 {"count_catalog_item",
	  "SELECT pg_catalog.count(*) FROM laras.catalog_item t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_catalog_item",
	  "DELETE FROM laras.catalog_item WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.catalog_item t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"policy_text",
	 "delete",
	 {"count_policy_text",
	  "SELECT pg_catalog.count(*) FROM laras.policy_text t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_policy_text",
	  "DELETE FROM laras.policy_text WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.policy_text t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"faq",
	 "delete",
	 {"count_faq",
	  "SELECT pg_catalog.count(*) FROM laras.faq t WHERE t.workspace_id OPERATOR(pg_catalog.=) "
	  "$1",
	  1,
	  {INT8OID}},
	 {"erase_faq",
	  "DELETE FROM laras.faq WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.faq t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"opening_hours",
	 "delete",
	 {"count_opening_hours",
	  "SELECT pg_catalog.count(*) FROM laras.opening_hours t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_opening_hours",
	  "DELETE FROM laras.opening_hours WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.opening_hours t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"brand_voice",
	 "delete",
	 {"count_brand_voice",
	  "SELECT pg_catalog.count(*) FROM laras.brand_voice t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_brand_voice",
	  "DELETE FROM laras.brand_voice WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.brand_voice t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"forbidden_phrase",
	 "delete",
	 {"count_forbidden_phrase",
	  "SELECT pg_catalog.count(*) FROM laras.forbidden_phrase t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_forbidden_phrase",
	  "DELETE FROM laras.forbidden_phrase WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.forbidden_phrase t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"required_phrase",
	 "delete",
	 {"count_required_phrase",
	  "SELECT pg_catalog.count(*) FROM laras.required_phrase t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_required_phrase",
	  "DELETE FROM laras.required_phrase WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.required_phrase t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"outbound_call",
	 "delete",
	 {"count_outbound_call",
	  "SELECT pg_catalog.count(*) FROM laras.outbound_call t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_outbound_call",
	  "DELETE FROM laras.outbound_call WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.outbound_call t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"courier_task",
	 "delete",
	 {"count_courier_task",
	  "SELECT pg_catalog.count(*) FROM laras.courier_task t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_courier_task",
	  "DELETE FROM laras.courier_task WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.courier_task t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"channel_token",
	 "delete",
	 {"count_channel_token",
	  "SELECT pg_catalog.count(*) FROM laras.channel_token t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_channel_token",
	  "DELETE FROM laras.channel_token WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.channel_token t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"route",
	 "delete",
	 {"count_route",
	  "SELECT pg_catalog.count(*) FROM laras.route t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_route",
	  "DELETE FROM laras.route WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.route t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"authorizer",
	 "delete",
	 {"count_authorizer",
	  "SELECT pg_catalog.count(*) FROM laras.authorizer t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_authorizer",
	  "DELETE FROM laras.authorizer WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.authorizer t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"connection_attempt",
	 "delete",
	 {"count_connection_attempt",
	  "SELECT pg_catalog.count(*) FROM laras.connection_attempt t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_connection_attempt",
	  "DELETE FROM laras.connection_attempt WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.connection_attempt t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 "
	  "LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"consent_grant",
	 "delete",
	 {"count_consent_grant",
	  "SELECT pg_catalog.count(*) FROM laras.consent_grant t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_consent_grant",
	  "DELETE FROM laras.consent_grant WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT "
	  "t.ctid FROM laras.consent_grant t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT "
	  "1000))",
	  1,
	  {INT8OID}}},
	{"post",
	 "delete",
	 {"count_post",
	  "SELECT pg_catalog.count(*) FROM laras.post t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_post",
	  "DELETE FROM laras.post WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.post t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"connection",
	 "delete",
	 {"count_connection",
	  "SELECT pg_catalog.count(*) FROM laras.connection t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_connection",
	  "DELETE FROM laras.connection WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.connection t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"session",
	 "delete",
	 {"count_session",
	  "SELECT pg_catalog.count(*) FROM laras.session t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_session",
	  "DELETE FROM laras.session WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.session t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"api_key",
	 "delete",
	 {"count_api_key",
	  "SELECT pg_catalog.count(*) FROM laras.api_key t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_api_key",
	  "DELETE FROM laras.api_key WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.api_key t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"member",
	 "delete",
	 {"count_member",
	  "SELECT pg_catalog.count(*) FROM laras.member t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1",
	  1,
	  {INT8OID}},
	 {"erase_member",
	  "DELETE FROM laras.member WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid FROM "
	  "laras.member t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{"key_owner",
	 "delete",
	 {"count_key_owner",
	  "SELECT pg_catalog.count(*) FROM laras.key_owner t WHERE t.workspace_id "
	  "OPERATOR(pg_catalog.=) $1 AND t.kind OPERATOR(pg_catalog.<>) 'workspace'",
	  1,
	  {INT8OID}},
	 {"erase_key_owner",
	  "DELETE FROM laras.key_owner WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT t.ctid "
	  "FROM laras.key_owner t WHERE t.workspace_id OPERATOR(pg_catalog.=) $1 AND t.kind "
	  "OPERATOR(pg_catalog.<>) 'workspace' LIMIT 1000))",
	  1,
	  {INT8OID}}},
	{NULL}};
