/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The schema: one table from which the configuration is parsed, checked, filled with defaults,
 * released and documented. A stanza is a group of keys; a key holds a value, a stanza, or a list of
 * stanzas. Default values are written as an operator would write them and take the same way in.
 */
#pragma once

#include "config/config.h"

#include <stddef.h>

enum cfg_kind {
	CFG_BOOL,
	CFG_INT, /* unsigned, of the field's size */
	CFG_STRING,
	CFG_WORD, /* one of words; an int, or a bool for two words */
	CFG_WORDS, /* a list of words, or-ed into a uint32_t */
	CFG_ADDRESS, /* struct ipaddr */
	CFG_ADDRESSES, /* an array of struct ipaddr inside the struct, unused ones absent */
	CFG_PREFIX, /* struct ipprefix */
	CFG_PREFIXES, /* pointer and count */
	CFG_ENDPOINT, /* struct endpoint */
	CFG_HEX, /* as many bytes as the field has; flag_offset says that it is there */
	CFG_BYTES, /* up to as many bytes as the field has; n_offset: how many, a uint32_t */
	CFG_STRINGS, /* an array of strings of elem bytes inside the struct, unused ones empty */
	CFG_SUBNETS, /* an array of struct ipprefix inside the struct, unused ones absent */
	CFG_FILES, /* user files, read by users.c */
	CFG_GROUP, /* a stanza inside the struct */
	CFG_LIST, /* pointer and count of stanzas */
};

enum cfg_flag {
	CFG_REQUIRED = 1 << 0,
	CFG_SECRET_VALUE = 1 << 1, /* never quoted in a report */
	CFG_UNIQUE = 1 << 2, /* in its list */
	CFG_IPV4 = 1 << 3,
	CFG_UNICAST = 1 << 4, /* an address that a host can have */
	CFG_ENDS = 1 << 5, /* an integer that is min or max, nothing between */
};

enum cfg_ref { CFG_REF_NONE, CFG_REF_POOL, CFG_REF_INTERFACE_PROFILE };

struct cfg_word {
	const char *word;
	uint32_t value;
};

struct cfg_stanza;

struct cfg_key {
	const char *name;
	enum cfg_kind kind;
	size_t offset, size; /* of the field in the stanza's struct */
	size_t elem; /* STRINGS: of one of them */
	size_t n_offset; /* PREFIXES, LIST, BYTES: of the count; HEX: of the flag */
	uint32_t min, max; /* INT */
	const char *unit; /* INT */
	const char *deflt; /* as text; NULL: none */
	const char *deflt_note; /* what happens without the key, when no text can say it */
	const struct cfg_word *words; /* ends with a NULL word */
	const struct cfg_stanza *stanza; /* GROUP, LIST */
	/* STRING: NULL when text is well formed, else what a well-formed one is. */
	const char *(*form)(const char *text);
	enum cfg_ref ref;
	unsigned int flags;
	const char *help;
};

struct cfg_stanza {
	const char *name; /* one of them, in reports: "port" */
	size_t size; /* of the struct */
	const struct cfg_key *keys; /* ends with a NULL name */
};

/* The stanza of the whole configuration (struct config). */
extern const struct cfg_stanza cfg_root;
/* Those of IPsec (schema_ipsec.c). */
extern const struct cfg_stanza cfg_ipsec_stanza, cfg_ipsec_profile_stanza, cfg_static_sa_stanza;

#define CFG_FIELD(s, f)      .offset = offsetof(struct s, f), .size = sizeof(((struct s *)0)->f)
#define CFG_FIELD_N(s, f, n) CFG_FIELD(s, f), .n_offset = offsetof(struct s, n)

/* Writes what a key allows, "10-3600 s" or "spin, pause or sleep", and returns buf. */
const char *cfg_allowed(const struct cfg_key *k, char *buf, size_t size);

/* The key of that name in a stanza, or NULL. */
const struct cfg_key *cfg_key_find(const struct cfg_stanza *s, const char *name);

/* A field of the stanza's struct. */
static inline void *cfg_field(const struct cfg_key *k, void *base)
{
	return (char *)base + k->offset;
}

static inline uint32_t *cfg_count(const struct cfg_key *k, void *base)
{
	return (uint32_t *)((char *)base + k->n_offset);
}

/* Fills a stanza's struct with its defaults. The table is right, so this cannot fail. */
void cfg_defaults(const struct cfg_stanza *s, void *base);

/* Wipes and releases what hangs on a stanza's struct; not the struct. */
void cfg_release(const struct cfg_stanza *s, void *base);

/*
 * Stores text in a field of a key that holds one value (or, for WORDS, adds one of them; for
 * ADDRESSES, PREFIXES, STRINGS and SUBNETS field is the element). Returns 0, or -EINVAL with the rest of a sentence
 * that begins with the key's name in why: "is 5, allowed is 10-3600 s".
 */
int cfg_store(const struct cfg_key *k, void *field, const char *text, char *why, size_t size);

/* Forms of strings (forms.c). */
const char *form_text(const char *text); /* no control bytes */
const char *form_word(const char *text); /* no blanks either */
const char *form_ifname(const char *text);
const char *form_device(const char *text);
const char *form_cpus(const char *text);
const char *form_path(const char *text);
const char *form_file(const char *text); /* a path that swanctl.conf can hold in a list */
const char *form_connection(const char *text); /* a name of a section of swanctl.conf */
const char *form_identity(const char *text);
const char *form_remote_identity(const char *text);
/* How many CPUs a list names, and 0 when it is malformed. */
unsigned int form_cpus_count(const char *text);

/* Of the names, the one that word was probably meant to be, or NULL. next(arg, i) gives the i-th. */
const char *nearest_word(const char *word, const char *(*next)(const void *arg, unsigned int i),
                         const void *arg);
