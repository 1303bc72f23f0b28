/*
 * graph.h
 *		Helpers shared by the Graph handlers.
 */
#ifndef LARAS_SANDBOX_GRAPH_H
#define LARAS_SANDBOX_GRAPH_H

#include "sandbox/sandbox.h"
#include "sandbox/world.h"

/* {id}|{secret} of an existing app, or NULL. */
extern SbApp *sb_app_token(const char *token);

/* The token of the request (Authorization, else access_token), or NULL. */
extern const char *sb_bearer(const SbCall *call);

/*
 * The live user or system token of the request. NULL after a refusal: 104
 * without one, 190 with its subcode when it is not valid (any more).
 */
extern SbToken *sb_live_token(SbCall *call);

/* "Object with ID does not exist ...": 100 / 33. */
extern void sb_refuse_object(SbCall *call, const char *id);

/* A new token in the world; scopes and targets are the caller's to set. */
extern SbToken *sb_new_token(SbApp *app, const char *user_id, const char *text);

/* oauth.c */
extern void sb_oauth_dialog(SbCall *call);
extern void sb_oauth_access_token(SbCall *call);
extern void sb_debug_token(SbCall *call);

/* A code as if a person had gone through the log-in window. */
extern SbCode *sb_new_code(SbApp *app, const char *user_id, const char *redirect_uri);

/* Ends every token of that user for that app (190/458). */
extern int sb_revoke_user(SbApp *app, const char *user_id);

/* assets.c: WABAs, numbers, templates, app subscriptions */
extern void sb_waba_call(SbCall *call, SbWaba *waba);
extern void sb_number_call(SbCall *call, SbNumber *number);
extern void sb_app_call(SbCall *call, SbApp *app);

extern json_t *sb_number_json(const SbNumber *number);
extern json_t *sb_template_json(const SbTemplate *t);

/*
 * Fills in a template from {"name","language","category","status","components"
 * or "header","body","button_url"}; replaces one of the same name and language.
 * NULL with *why when it is none.
 */
extern SbTemplate *
sb_put_template(SbWaba *waba, const json_t *spec, const char *status, const char **why);

#endif
