/*
 * chat.h
 *		The pretended chat endpoint of a language model.
 */
#ifndef LARAS_SANDBOX_CHAT_H
#define LARAS_SANDBOX_CHAT_H

#include "sandbox/sandbox.h"

/* Is this a call of it, a path that ends in /chat/completions? */
extern bool sb_is_chat_call(const SbCall *call);

/* Handles one. */
extern void sb_chat_call(SbCall *call);

#endif
