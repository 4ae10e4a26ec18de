/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * libconfig's grammar over the lexer's tokens. libconfig says "syntax error" of anything, and loses
 * the memory of a string (it may be a password) that stands before one; so it is given only texts
 * that it can parse. It has the last word all the same.
 */
#pragma once

#include <stdint.h>

#define SYNTAX_DEPTH_MAX 16

enum syntax_class {
	SYN_NAME,
	SYN_SCALAR,
	SYN_OPEN_GROUP,
	SYN_OPEN_LIST,
	SYN_OPEN_ARRAY,
	SYN_CLOSE,
	SYN_EQUALS, /* = or : */
	SYN_COMMA,
	SYN_SEMICOLON,
	SYN_OTHER,
	SYN_END, /* of the whole text */
};

struct syntax { /* all zero at the start */
	uint8_t depth; /* open brackets */
	uint8_t container[SYNTAX_DEPTH_MAX + 1]; /* an enum syntax_class of OPEN; 0: the text */
	uint8_t state[SYNTAX_DEPTH_MAX + 1];
};

/*
 * Takes the next token; an opening one only when depth allows. NULL when it may stand here, else
 * what was expected in its place.
 */
const char *syntax_step(struct syntax *s, enum syntax_class c);
