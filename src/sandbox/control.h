/*
 * control.h
 *		What the control calls share: reading their bodies, answering them.
 */
#ifndef LARAS_SANDBOX_CONTROL_H
#define LARAS_SANDBOX_CONTROL_H

#include "sandbox/graph.h"

/* 400 and 404 with {"error": ...} */
extern void sb_wrong(SbCall *call, const char *why);
extern void sb_unknown(SbCall *call, const char *what);

/* Members of the body. */
extern const char *sb_text_of(const SbCall *call, const char *name);
extern bool sb_flag_of(const SbCall *call, const char *name, bool otherwise);
extern int sb_int_of(const SbCall *call, const char *name, int otherwise);

/* Every key of the body must be one of names: a misspelt one is told. */
extern bool sb_only(SbCall *call, const char *const *names);

/* Set a field if it is named in the body (a text's null empties it). */
extern void sb_update_text(const SbCall *call, const char *name, char **field);
extern void sb_update_flag(const SbCall *call, const char *name, bool *field);
extern void sb_update_int(const SbCall *call, const char *name, int *field);

/* The calls that make objects. */
extern void sb_put_app(SbCall *call);
extern void sb_put_waba(SbCall *call);
extern void sb_put_number(SbCall *call);
extern void sb_put_template_call(SbCall *call);
extern void sb_put_token(SbCall *call);
extern void sb_put_code(SbCall *call);
extern void sb_put_customer(SbCall *call);

/* The customer of that phone, made when new. */
extern SbCustomer *sb_make_customer(const char *digits);

/* A number with its counters. */
extern json_t *sb_number_state(const SbNumber *n);

#endif
