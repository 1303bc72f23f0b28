/*
 * plan.c
 *		The plans of erasure: what explain_erasure counts is what the keeper
 *		executes.
 *
 * Every table that the registry (laras.data_column) says is deleted, nulled or
 * anonymised for a scope has a line here; a test compares the two. Rows that
 * stay (evidence, the request itself) hold no personal value.
 *
 * A line is a table and which of its rows are meant; counting them and taking
 * a batch of them away are made of that, so that the two cannot differ.
 */
#include "postgres.h"

#include "erasure/plan.h"

#define EQUALS " OPERATOR(pg_catalog.=) "
#define BATCH "LIMIT " CppAsString2(LARAS_ERASE_BATCH)

/* of the workspace, and of that the contact: in the columns that nearly all tables have */
#define THE_WORKSPACE "t.workspace_id" EQUALS "$1"
#define THE_CONTACT THE_WORKSPACE " AND t.contact_id" EQUALS "$2"

/* the ids of the contact's rows of another table */
#define IDS_OF(table)                                                                              \
	"(SELECT o.id FROM laras." table " o WHERE o.workspace_id" EQUALS "$1 AND o.contact_id" EQUALS \
	"$2)"

#define FOUND(table, which) "FROM laras." table " t WHERE " which

/* a batch of the rows meant, by where they lie */
#define WHERE_FOUND(table, which) \
	" WHERE ctid" EQUALS "ANY (ARRAY(SELECT t.ctid " FOUND(table, which) " " BATCH "))"

#define PLAN(name, sql, ...)                                         \
	{                                                                \
		name, sql, sizeof((const Oid[]){__VA_ARGS__}) / sizeof(Oid), \
		{                                                            \
			__VA_ARGS__                                              \
		}                                                            \
	}

/* A line; the rest are the types of $1 and $2. */
#define STEP(table, action, which, run, ...)                                                      \
	{                                                                                             \
		table, action,                                                                            \
			PLAN("count_" table, "SELECT pg_catalog.count(*) " FOUND(table, which), __VA_ARGS__), \
			PLAN("erase_" table, run, __VA_ARGS__)                                                \
	}

#define DELETE(table, which) "DELETE FROM laras." table WHERE_FOUND(table, which)

#define CONTACT_ROWS(table, which) \
	STEP(table, "delete", which, DELETE(table, which), INT8OID, INT8OID)
#define OF_CONTACT(table) CONTACT_ROWS(table, THE_CONTACT)

#define WORKSPACE_ROWS(table, which) STEP(table, "delete", which, DELETE(table, which), INT8OID)
#define OF_WORKSPACE(table) WORKSPACE_ROWS(table, THE_WORKSPACE)

/* what the owner was told of the contact stays, without saying of whom */
#define NAMES_CONTACT                                                                            \
	THE_WORKSPACE " AND (t.message_id IN " IDS_OF("message") " OR t.conversation_id IN " IDS_OF( \
		"conversation") ")"

/* a partitioned table: rows of several partitions may lie at the same place */
#define EVENTS                                                                                     \
	"DELETE FROM laras.webhook_event e USING (SELECT t.ring_day, t.workspace_id, t.digest " FOUND( \
		"webhook_event", THE_WORKSPACE) " " BATCH ") g WHERE e.ring_day" EQUALS                    \
										"g.ring_day AND e.workspace_id" EQUALS                     \
										"g.workspace_id AND e.digest" EQUALS "g.digest"

LarasEraseStep laras_contact_steps[] = {
	OF_CONTACT("llm_call"),
	OF_CONTACT("draft_wanted"),
	STEP("notice", "null", NAMES_CONTACT,
		 "UPDATE laras.notice SET message_id = NULL, conversation_id = NULL" WHERE_FOUND(
			 "notice", NAMES_CONTACT),
		 INT8OID, INT8OID),
	OF_CONTACT("send_attempt"),
	OF_CONTACT("outbox"),
	CONTACT_ROWS("draft_source", THE_WORKSPACE " AND t.draft_id IN " IDS_OF("draft")),
	CONTACT_ROWS("draft_decision", THE_WORKSPACE " AND t.draft_id IN " IDS_OF("draft")),
	OF_CONTACT("draft"),
	OF_CONTACT("verdict"),
	OF_CONTACT("private_reply"),
	CONTACT_ROWS("media_chunk", THE_WORKSPACE " AND t.media_id IN " IDS_OF("media")),
	OF_CONTACT("media"),
	OF_CONTACT("message_part"),
	OF_CONTACT("message_status"),
	OF_CONTACT("message"),
	OF_CONTACT("conversation"),
	OF_CONTACT("contact_identity"),
	OF_CONTACT("contact_name_word"),
	OF_CONTACT("contact_merge"),
	CONTACT_ROWS("contact", THE_WORKSPACE " AND t.id" EQUALS "$2"),
	CONTACT_ROWS("key_owner",
				 THE_WORKSPACE " AND t.kind" EQUALS "'contact' AND t.owner_id" EQUALS "$2"),
	{NULL}};

LarasEraseStep laras_workspace_steps[] = {
	OF_WORKSPACE("deletion_line"),
	OF_WORKSPACE("follow_up_rule"),
	OF_WORKSPACE("channel_handling"),
	OF_WORKSPACE("send_pause"),
	OF_WORKSPACE("unmatched_status"),
	OF_WORKSPACE("notice"),
	OF_WORKSPACE("llm_call"),
	OF_WORKSPACE("llm_usage"),
	OF_WORKSPACE("llm_endpoint"),
	OF_WORKSPACE("draft_wanted"),
	OF_WORKSPACE("send_attempt"),
	OF_WORKSPACE("outbox"),
	OF_WORKSPACE("message_template"),
	OF_WORKSPACE("draft_source"),
	OF_WORKSPACE("draft_decision"),
	OF_WORKSPACE("draft"),
	OF_WORKSPACE("verdict"),
	OF_WORKSPACE("review_rule"),
	OF_WORKSPACE("private_reply"),
	OF_WORKSPACE("media_chunk"),
	OF_WORKSPACE("media"),
	OF_WORKSPACE("message_part"),
	OF_WORKSPACE("message_status"),
	OF_WORKSPACE("message"),
	OF_WORKSPACE("conversation"),
	OF_WORKSPACE("suppression"),
	OF_WORKSPACE("contact_identity"),
	OF_WORKSPACE("contact_name_word"),
	OF_WORKSPACE("contact_merge"),
	OF_WORKSPACE("contact"),
	STEP("webhook_event", "delete", THE_WORKSPACE, EVENTS, INT8OID),
	OF_WORKSPACE("quarantined_event"),
	OF_WORKSPACE("catalog_item"),
	OF_WORKSPACE("policy_text"),
	OF_WORKSPACE("faq"),
	OF_WORKSPACE("opening_hours"),
	OF_WORKSPACE("brand_voice"),
	OF_WORKSPACE("forbidden_phrase"),
	OF_WORKSPACE("required_phrase"),
	OF_WORKSPACE("outbound_call"),
	OF_WORKSPACE("courier_task"),
	OF_WORKSPACE("channel_token"),
	OF_WORKSPACE("route"),
	OF_WORKSPACE("authorizer"),
	OF_WORKSPACE("connection_attempt"),
	OF_WORKSPACE("consent_grant"),
	OF_WORKSPACE("post"),
	OF_WORKSPACE("connection"),
	OF_WORKSPACE("session"),
	OF_WORKSPACE("api_key"),
	OF_WORKSPACE("member"),
	WORKSPACE_ROWS("key_owner", THE_WORKSPACE " AND t.kind OPERATOR(pg_catalog.<>) 'workspace'"),
	{NULL}};
