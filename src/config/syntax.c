/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "config/syntax.h"

#include <stddef.h>

enum { BEGIN, KEY, VALUE, AFTER };

static void push(struct syntax *s, enum syntax_class c)
{
	s->depth++;
	s->container[s->depth] = (uint8_t)c;
	s->state[s->depth] = BEGIN;
}

/* Takes a value in the present container, which has one more then. */
static const char *take_value(struct syntax *s, enum syntax_class c)
{
	if (c != SYN_SCALAR && (c < SYN_OPEN_GROUP || c > SYN_OPEN_ARRAY))
		return "a value";
	if (c != SYN_SCALAR && s->container[s->depth] == SYN_OPEN_ARRAY)
		return "a simple value (lists hold groups, arrays do not)";
	s->state[s->depth] = AFTER;
	if (c != SYN_SCALAR)
		push(s, c);
	return NULL;
}

static const char *step_list(struct syntax *s, enum syntax_class c)
{
	uint8_t *state = &s->state[s->depth];

	if (c == SYN_CLOSE && *state != VALUE) {
		s->depth--;
		return NULL;
	}
	if (*state != AFTER)
		return take_value(s, c);
	if (c != SYN_COMMA)
		return "',' or the closing bracket";
	*state = VALUE;
	return NULL;
}

static const char *step_group(struct syntax *s, enum syntax_class c)
{
	uint8_t *state = &s->state[s->depth];

	switch (*state) {
	case KEY:
		if (c != SYN_EQUALS)
			return "'=' behind the key";
		*state = VALUE;
		return NULL;
	case VALUE:
		return take_value(s, c);
	case AFTER:
		if (c == SYN_SEMICOLON || c == SYN_COMMA) {
			*state = BEGIN;
			return NULL;
		}
		break;
	}
	if (c == SYN_NAME) {
		*state = KEY;
		return NULL;
	}
	if (c == SYN_CLOSE && s->depth > 0) {
		s->depth--;
		return NULL;
	}
	if (c == SYN_END && s->depth == 0)
		return NULL;
	return *state == AFTER ? "';' or a key" : "a key";
}

const char *syntax_step(struct syntax *s, enum syntax_class c)
{
	if (s->container[s->depth] == SYN_OPEN_LIST || s->container[s->depth] == SYN_OPEN_ARRAY)
		return step_list(s, c);
	return step_group(s, c);
}
