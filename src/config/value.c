/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* From text to the field of a struct, and what the table says of it in words. */
#include "config/schema.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cfg_key *cfg_key_find(const struct cfg_stanza *s, const char *name)
{
	for (const struct cfg_key *k = s->keys; k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static void list_words(const struct cfg_word *words, const char *last, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (; words->word != NULL && n < size; words++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", words->word,
		                      words[1].word == NULL   ? ""
		                      : words[2].word == NULL ? last
		                                              : ", ");
}

static void allowed_int(const struct cfg_key *k, char *buf, size_t size)
{
	snprintf(buf, size, "%u%s%u%s%s", k->min, k->flags & CFG_ENDS ? " or " : "-", k->max,
	         k->unit != NULL ? " " : "", k->unit != NULL ? k->unit : "");
}

const char *cfg_allowed(const struct cfg_key *k, char *buf, size_t size)
{
	const char *fixed = "";

	switch (k->kind) {
	case CFG_INT:
		allowed_int(k, buf, size);
		return buf;
	case CFG_STRING:
		snprintf(buf, size, "a string of 1-%zu bytes", k->size - 1);
		return buf;
	case CFG_WORD:
		list_words(k->words, " or ", buf, size);
		return buf;
	case CFG_WORDS:
		list_words(k->words, " and ", buf, size);
		return buf;
	case CFG_HEX:
		snprintf(buf, size, "%zu hexadecimal digits", k->size * 2);
		return buf;
	case CFG_ADDRESSES:
		snprintf(buf, size, "1-%zu IPv4 addresses", k->size / sizeof(struct ipaddr));
		return buf;
	case CFG_BYTES:
		snprintf(buf, size, "2-%zu hexadecimal digits", k->size * 2);
		return buf;
	case CFG_STRINGS:
		snprintf(buf, size, "1-%zu strings of 1-%zu bytes", k->size / k->elem, k->elem - 1);
		return buf;
	case CFG_SUBNETS:
		snprintf(buf, size, "1-%zu prefixes such as 192.0.2.0/24, or addresses",
		         k->size / sizeof(struct ipprefix));
		return buf;
	case CFG_BOOL:
		fixed = "true or false";
		break;
	case CFG_ADDRESS:
		fixed = k->flags & CFG_IPV4 ? "an IPv4 address" : "an IPv4 or IPv6 address";
		break;
	case CFG_PREFIX:
		fixed = "a prefix such as 192.0.2.0/24";
		break;
	case CFG_PREFIXES:
		fixed = "addresses with prefix length such as 192.0.2.1/24";
		break;
	case CFG_ENDPOINT:
		fixed = "an address and port such as 127.0.0.1:2300 or [::1]:2300";
		break;
	case CFG_FILES:
		fixed = "file names";
		break;
	case CFG_GROUP:
		fixed = "a group { .. }";
		break;
	case CFG_LIST:
		fixed = "a list of groups ( { .. }, { .. } )";
		break;
	}
	snprintf(buf, size, "%s", fixed);
	return buf;
}

/* Writes the rest of the sentence and fails. */
__attribute__((format(printf, 3, 4))) static int refuse(char *why, size_t size, const char *fmt,
                                                        ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int store_int(const struct cfg_key *k, void *field, const char *text, char *why, size_t size)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char allowed[64], *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, hex ? 16 : 10);
	while (*end == 'L') /* libconfig's mark of a 64-bit integer */
		end++;
	if (end == text || *end != '\0' || errno != 0 || v < k->min || v > k->max ||
	    (k->flags & CFG_ENDS && v != k->min && v != k->max))
		return refuse(why, size, "is %.32s, allowed is %s", text,
		              cfg_allowed(k, allowed, sizeof(allowed)));
	switch (k->size) {
	case sizeof(uint8_t):
		*(uint8_t *)field = (uint8_t)v;
		break;
	case sizeof(uint16_t):
		*(uint16_t *)field = (uint16_t)v;
		break;
	default:
		*(uint32_t *)field = (uint32_t)v;
	}
	return 0;
}

static int store_string(const struct cfg_key *k, void *field, const char *text, char *why,
                        size_t size)
{
	size_t len = strlen(text), room = k->kind == CFG_STRINGS ? k->elem : k->size;
	const char *form;

	if (len == 0)
		return refuse(why, size, "is empty%s",
		              k->flags & CFG_REQUIRED ? "" : ": give a value or leave the key out");
	if (len > room - 1)
		return refuse(why, size, "has %zu bytes, allowed is 1-%zu", len, room - 1);
	form = k->form != NULL ? k->form(text) : NULL;
	if (form != NULL && k->flags & CFG_SECRET_VALUE)
		return refuse(why, size, "is malformed, it must be %s", form);
	if (form != NULL)
		return refuse(why, size, "is \"%.100s\", it must be %s", text, form);
	memcpy(field, text, len + 1);
	return 0;
}

static const char *word_at(const void *arg, unsigned int i)
{
	return ((const struct cfg_word *)arg)[i].word;
}

static int store_word(const struct cfg_key *k, void *field, const char *text, char *why,
                      size_t size)
{
	const struct cfg_word *w = k->words;
	const char *near;
	char allowed[128];

	while (w->word != NULL && strcmp(w->word, text) != 0)
		w++;
	if (w->word == NULL) {
		near = nearest_word(text, word_at, k->words);
		return refuse(why, size, "is \"%.64s\", allowed is %s%s%s%s", text,
		              cfg_allowed(k, allowed, sizeof(allowed)),
		              near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
		              near != NULL ? "\"?" : "");
	}
	if (k->kind == CFG_WORDS)
		*(uint32_t *)field |= w->value;
	else if (k->size == sizeof(bool))
		*(bool *)field = w->value != 0;
	else
		*(unsigned int *)field = w->value; /* an enum */
	return 0;
}

/* An address that one host can have: not 0.0.0.0, loopback, multicast or reserved. */
static bool is_unicast(const struct ipaddr *a)
{
	uint32_t v4 = ipaddr_to_v4(a);

	if (ipaddr_is_any(a))
		return false;
	if (a->family == AF_INET6)
		return a->b[0] != 0xff;
	return v4 >> 24 != 0 && v4 >> 24 != 127 && v4 >> 28 < 0xe;
}

static int store_address(const struct cfg_key *k, void *field, const char *text, char *why,
                         size_t size)
{
	struct ipaddr a;

	if (ipaddr_parse(text, &a) < 0 || (k->flags & CFG_IPV4 && a.family != AF_INET))
		return refuse(why, size, "is \"%.64s\", which is not %s", text,
		              k->flags & CFG_IPV4 ? "an IPv4 address" : "an IPv4 or IPv6 address");
	if (k->flags & CFG_UNICAST && !is_unicast(&a))
		return refuse(why, size, "is %s, which no host can have", text);
	*(struct ipaddr *)field = a;
	return 0;
}

static bool host_bits_zero(const struct ipprefix *p)
{
	unsigned int size = p->addr.family == AF_INET ? 4 : 16;

	for (unsigned int i = p->len; i < size * 8; i++)
		if (p->addr.b[i / 8] & (0x80 >> (i % 8)))
			return false;
	return true;
}

static int store_prefix(const struct cfg_key *k, void *field, const char *text, char *why,
                        size_t size)
{
	struct ipprefix p;
	unsigned int bits;

	if (ipprefix_parse(text, &p) < 0)
		return refuse(why, size, "is \"%.64s\", which is not %s", text,
		              k->kind == CFG_PREFIX
		                      ? "a prefix such as 192.0.2.0/24"
		                      : "an address with prefix length such as 192.0.2.1/24");
	bits = p.addr.family == AF_INET ? 32 : 128;
	if (k->kind == CFG_PREFIX && !host_bits_zero(&p))
		return refuse(why, size, "is %s, which has bits set beyond the first %u", text,
		              p.len);
	if (k->kind == CFG_PREFIXES &&
	    (!is_unicast(&p.addr) || (p.len + 1u < bits && host_bits_zero(&p))))
		return refuse(why, size, "is %s, which no host can have", text);
	*(struct ipprefix *)field = p;
	return 0;
}

/* An address alone is a host, and 0.0.0.0 is every one. */
static int store_subnet(const struct cfg_key *k, struct ipprefix *field, const char *text,
                        char *why, size_t size)
{
	struct ipprefix p;

	if (ipaddr_parse(text, &p.addr) == 0)
		p.len = ipaddr_is_any(&p.addr) ? 0 : p.addr.family == AF_INET ? 32 : 128;
	else if (ipprefix_parse(text, &p) < 0)
		p.addr.family = 0;
	if (p.addr.family == 0 || (k->flags & CFG_IPV4 && p.addr.family != AF_INET))
		return refuse(why, size,
		              "is \"%.64s\", which is not %s prefix such as 192.0.2.0/24, or an "
		              "address",
		              text, k->flags & CFG_IPV4 ? "an IPv4" : "a");
	if (!host_bits_zero(&p))
		return refuse(why, size, "is %s, which has bits set beyond the first %u", text,
		              p.len);
	*field = p;
	return 0;
}

static int store_endpoint(void *field, const char *text, char *why, size_t size)
{
	const char *colon = strrchr(text, ':');
	char host[IPADDR_STRLEN];
	struct endpoint e;
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
	long port = 0;
	char *end = NULL;

	if (brackets)
		len -= 2;
	if (len > 0 && len < sizeof(host)) {
		memcpy(host, text + brackets, len);
		host[len] = '\0';
		errno = 0;
		if (isdigit((unsigned char)colon[1]))
			port = strtol(colon + 1, &end, 10);
	}
	if (end == NULL || *end != '\0' || errno != 0 || port < 1 || port > 65535 ||
	    ipaddr_parse(host, &e.addr) < 0 || (e.addr.family == AF_INET6) != brackets)
		return refuse(why, size,
		              "is \"%.64s\", which is not an address and port such as "
		              "127.0.0.1:2300 or [::1]:2300",
		              text);
	e.port = (uint16_t)port;
	*(struct endpoint *)field = e;
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int store_hex(const struct cfg_key *k, uint8_t *field, const char *text, char *why,
                     size_t size)
{
	size_t n = 0;

	while (hex_value(text[n]) >= 0)
		n++;
	if (text[n] != '\0' || n != k->size * 2)
		return refuse(why, size, "is malformed, it must be %zu hexadecimal digits",
		              k->size * 2);
	for (n = 0; n < k->size; n++)
		field[n] = (uint8_t)(hex_value(text[2 * n]) << 4 | hex_value(text[2 * n + 1]));
	*(bool *)(field - k->offset + k->n_offset) = true;
	return 0;
}

static int store_bytes(const struct cfg_key *k, uint8_t *field, const char *text, char *why,
                       size_t size)
{
	size_t n = 0;

	while (hex_value(text[n]) >= 0)
		n++;
	if (text[n] != '\0' || n == 0 || n % 2 != 0 || n > k->size * 2)
		return refuse(why, size,
		              "is malformed, it must be 2-%zu hexadecimal digits, two a byte",
		              k->size * 2);
	for (size_t i = 0; i < n / 2; i++)
		field[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	*(uint32_t *)(field - k->offset + k->n_offset) = (uint32_t)(n / 2);
	return 0;
}

int cfg_store(const struct cfg_key *k, void *field, const char *text, char *why, size_t size)
{
	switch (k->kind) {
	case CFG_BOOL:
		*(bool *)field = tolower((unsigned char)text[0]) == 't';
		return 0;
	case CFG_INT:
		return store_int(k, field, text, why, size);
	case CFG_STRING:
	case CFG_STRINGS:
		return store_string(k, field, text, why, size);
	case CFG_WORD:
	case CFG_WORDS:
		return store_word(k, field, text, why, size);
	case CFG_ADDRESS:
	case CFG_ADDRESSES:
		return store_address(k, field, text, why, size);
	case CFG_PREFIX:
	case CFG_PREFIXES:
		return store_prefix(k, field, text, why, size);
	case CFG_ENDPOINT:
		return store_endpoint(field, text, why, size);
	case CFG_HEX:
		return store_hex(k, field, text, why, size);
	case CFG_BYTES:
		return store_bytes(k, field, text, why, size);
	case CFG_SUBNETS:
		return store_subnet(k, field, text, why, size);
	case CFG_FILES:
	case CFG_GROUP:
	case CFG_LIST:
		break;
	}
	return refuse(why, size, "holds no single value");
}

/* Defaults of several values stand with blanks between them. */
static void default_values(const struct cfg_key *k, char *field)
{
	size_t step = k->kind == CFG_STRINGS   ? k->elem
	              : k->kind == CFG_SUBNETS ? sizeof(struct ipprefix)
	                                       : 0;
	char why[256], copy[512], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", k->deflt);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		cfg_store(k, field, w, why, sizeof(why));
		field += step;
	}
}

void cfg_defaults(const struct cfg_stanza *s, void *base)
{
	char why[256];

	for (const struct cfg_key *k = s->keys; k->name != NULL; k++) {
		if (k->kind == CFG_GROUP)
			cfg_defaults(k->stanza, cfg_field(k, base));
		if (k->deflt == NULL)
			continue;
		if (k->kind == CFG_WORDS || k->kind == CFG_STRINGS || k->kind == CFG_SUBNETS)
			default_values(k, cfg_field(k, base));
		else
			cfg_store(k, cfg_field(k, base), k->deflt, why, sizeof(why));
	}
}

void cfg_release(const struct cfg_stanza *s, void *base)
{
	for (const struct cfg_key *k = s->keys; k->name != NULL; k++) {
		char **array = cfg_field(k, base);

		if (k->kind == CFG_GROUP)
			cfg_release(k->stanza, cfg_field(k, base));
		if (k->kind == CFG_PREFIXES)
			free(*array);
		if (k->kind != CFG_LIST || *array == NULL)
			continue;
		for (uint32_t i = 0; i < *cfg_count(k, base); i++)
			cfg_release(k->stanza, *array + i * k->stanza->size);
		explicit_bzero(*array, *cfg_count(k, base) * k->stanza->size);
		free(*array);
	}
}
