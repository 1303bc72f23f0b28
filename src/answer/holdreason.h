/*
 * holdreason.h
 *		Why a draft waits for a person, or a text is not let through: the codes of
 *		laras.draft.hold_reasons and laras.verdict.reasons.
 *
 * Each stands in laras.hold_reason (60_answer.sql) with its words for people; t/202
 * compares the two, and that no code is written elsewhere.
 */
#ifndef LARAS_ANSWER_HOLDREASON_H
#define LARAS_ANSWER_HOLDREASON_H

/* what was asked, and what there is to say */
#define LARAS_HOLD_HAND_OVER "hand_over"
#define LARAS_HOLD_NAMESAKES "namesakes"
#define LARAS_HOLD_EARLIER_UNANSWERED "earlier_unanswered"
#define LARAS_HOLD_MESSAGE_UNSENT "message_unsent"
#define LARAS_HOLD_NOT_TEXT "not_text"
#define LARAS_HOLD_DAMAGED "damaged"
#define LARAS_HOLD_NO_GROUND "no_ground"
#define LARAS_HOLD_DRAFTER_FAILED "drafter_failed"

/* how the business wants it */
#define LARAS_HOLD_AUTO_SEND_OFF "auto_send_off"
#define LARAS_HOLD_REVIEW_RULE "review_rule"
#define LARAS_HOLD_LOW_CONFIDENCE "low_confidence"

/* follow-ups, and windows that closed */
#define LARAS_HOLD_FOLLOW_UP "follow_up"
#define LARAS_HOLD_NEEDS_TEMPLATE "needs_template"
#define LARAS_HOLD_WINDOW_CLOSED "window_closed"

/* the classifier: what the text states (ground.c, manner.c) */
#define LARAS_HOLD_UNGROUNDED_NUMBER "ungrounded_number"
#define LARAS_HOLD_UNGROUNDED_PRICE "ungrounded_price"
#define LARAS_HOLD_UNGROUNDED_LINK "ungrounded_link"
#define LARAS_HOLD_UNGROUNDED_PHONE "ungrounded_phone"
#define LARAS_HOLD_UNGROUNDED_PROMISE "ungrounded_promise"
#define LARAS_HOLD_UNGROUNDED_DATE "ungrounded_date"
#define LARAS_HOLD_UNGROUNDED_STOCK "ungrounded_stock"

/* what it is about, of whom, and how it speaks */
#define LARAS_HOLD_OFF_SCOPE "off_scope"
#define LARAS_HOLD_OTHER_PERSON "other_person"
#define LARAS_HOLD_EMOJI "emoji"
#define LARAS_HOLD_ASKS_SECRET "asks_secret"
#define LARAS_HOLD_TONE "tone"
#define LARAS_HOLD_WRONG_LANGUAGE "wrong_language"
#define LARAS_HOLD_INJECTION_SYMPTOM "injection_symptom"

/* what it must or may not say, and what it rests on */
#define LARAS_HOLD_MISSING_PHRASE "missing_phrase"
#define LARAS_HOLD_SOURCE_CHANGED "source_changed"
#define LARAS_HOLD_FORBIDDEN_PHRASE "forbidden_phrase"
#define LARAS_HOLD_TOO_LONG "too_long"
#define LARAS_HOLD_NO_DRIVER "no_driver"

/* it could not be judged */
#define LARAS_HOLD_CLASSIFIER_UNAVAILABLE "classifier_unavailable"

/* a language model was asked (llm.c) */
#define LARAS_HOLD_LLM_NO_ANSWER "llm_no_answer"
#define LARAS_HOLD_LLM_REFUSED "llm_refused"
#define LARAS_HOLD_LLM_TRAINS "llm_trains"
#define LARAS_HOLD_LLM_BUDGET "llm_budget"
#define LARAS_HOLD_LLM_RESTING "llm_resting"
#define LARAS_HOLD_LLM_UNREADABLE "llm_unreadable"
#define LARAS_HOLD_LLM_WRONG_SHAPE "llm_wrong_shape"
#define LARAS_HOLD_LLM_TOO_LONG "llm_too_long"
#define LARAS_HOLD_LLM_FOREIGN_ROW "llm_foreign_row"
#define LARAS_HOLD_LLM_NO_GROUND "llm_no_ground"
#define LARAS_HOLD_LLM_ECHO "llm_echo"

#endif /* LARAS_ANSWER_HOLDREASON_H */
