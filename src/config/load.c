/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* From libconfig's tree to the structs, driven by the schema. */
#include "config/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A setting's hook is the index of its value's token, plus one. */
static const struct tok *value_tok(const struct loader *ld, const config_setting_t *s)
{
	uintptr_t i = (uintptr_t)config_setting_get_hook(s);

	return i > 0 ? &ld->src.toks[i - 1] : NULL;
}

struct pos load_pos(const struct loader *ld, const config_setting_t *s)
{
	const struct tok *t = value_tok(ld, s);

	return source_pos(&ld->src, t != NULL ? t->line : 0);
}

static struct pos pos_of_elem(const struct loader *ld, const config_setting_t *list, uint32_t i,
                              const char *key)
{
	const config_setting_t *elem = list, *member = NULL;

	if (list != NULL && config_setting_is_list(list) &&
	    i < (uint32_t)config_setting_length(list))
		elem = config_setting_get_elem(list, i);
	if (elem != NULL && key != NULL && config_setting_is_group(elem))
		member = config_setting_get_member(elem, key);
	if (member != NULL)
		elem = member;
	return elem != NULL ? load_pos(ld, elem) : source_pos(&ld->src, 0);
}

struct pos load_pos_of(const struct loader *ld, const char *list, uint32_t i, const char *key)
{
	return pos_of_elem(ld, config_lookup(&ld->tree, list), i, key);
}

struct pos load_pos_in(const struct loader *ld, const char *list, uint32_t i, const char *inner,
                       uint32_t j, const char *key)
{
	const config_setting_t *outer = config_lookup(&ld->tree, list), *elem;

	elem = outer != NULL ? config_setting_get_elem(outer, i) : NULL;
	if (elem == NULL || !config_setting_is_group(elem))
		return pos_of_elem(ld, outer, i, NULL);
	return pos_of_elem(ld, config_setting_get_member(elem, inner), j, key);
}

struct pos load_pos_key(const struct loader *ld, const char *group, const char *key)
{
	return pos_of_elem(ld, config_lookup(&ld->tree, group), 0, key);
}

const char *load_title(const struct cfg_stanza *s, const config_setting_t *elem, char *buf,
                       size_t size)
{
	const char *name = NULL;

	if (elem != NULL && config_setting_is_group(elem))
		config_setting_lookup_string(elem, "name", &name);
	if (name != NULL)
		snprintf(buf, size, "%s \"%.64s\"", s->name, name);
	else if (elem != NULL && config_setting_name(elem) == NULL && !config_setting_is_root(elem))
		snprintf(buf, size, "%s %d", s->name, config_setting_index(elem) + 1);
	else
		snprintf(buf, size, "%s", s->name);
	return buf;
}

/* Relates the tree to the tokens: both hold keys and values in the order of the text. */
static bool bind(struct loader *ld, config_setting_t *s, uint32_t *next)
{
	static const uint8_t kind_of[] = {
	        [CONFIG_TYPE_GROUP] = TOK_GROUP,   [CONFIG_TYPE_INT] = TOK_INT,
	        [CONFIG_TYPE_INT64] = TOK_INT,     [CONFIG_TYPE_FLOAT] = TOK_FLOAT,
	        [CONFIG_TYPE_STRING] = TOK_STRING, [CONFIG_TYPE_BOOL] = TOK_BOOL,
	        [CONFIG_TYPE_ARRAY] = TOK_ARRAY,   [CONFIG_TYPE_LIST] = TOK_LIST,
	};
	int type = config_setting_type(s);
	const struct tok *t;

	if (config_setting_name(s) != NULL) {
		t = &ld->src.toks[*next];
		if (*next >= ld->src.n_toks || t->kind != TOK_NAME ||
		    strlen(config_setting_name(s)) != t->len ||
		    memcmp(ld->src.text + t->at, config_setting_name(s), t->len) != 0)
			return false;
		++*next;
	}
	if (!config_setting_is_root(s)) {
		if (*next >= ld->src.n_toks || type < CONFIG_TYPE_GROUP ||
		    type > CONFIG_TYPE_LIST || ld->src.toks[*next].kind != kind_of[type])
			return false;
		config_setting_set_hook(s, (void *)(uintptr_t)++ * next);
	}
	if (!config_setting_is_aggregate(s))
		return true;
	for (int i = 0; i < config_setting_length(s); i++)
		if (!bind(ld, config_setting_get_elem(s, (unsigned int)i), next))
			return false;
	return true;
}

static const char *type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "an integer";
	case CONFIG_TYPE_FLOAT:
		return "a number with a fraction";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "a boolean";
	case CONFIG_TYPE_ARRAY:
		return "an array";
	default:
		return "a list";
	}
}

static void wrong_type(struct loader *ld, const config_setting_t *s, const char *title,
                       const struct cfg_key *k)
{
	bool quoted = k->kind != CFG_BOOL && k->kind != CFG_INT && k->kind != CFG_GROUP &&
	              k->kind != CFG_LIST && k->kind != CFG_STRING;
	char allowed[256];

	found_error(&ld->found, load_pos(ld, s), "%s: %s is %s, allowed is %s%s", title, k->name,
	            type_name(s), cfg_allowed(k, allowed, sizeof(allowed)),
	            quoted ? " in double quotes" : "");
}

static void store_text(struct loader *ld, const config_setting_t *s, const char *title,
                       const struct cfg_key *k, void *field, const char *text)
{
	char why[512];

	if (cfg_store(k, field, text, why, sizeof(why)) == 0)
		return;
	found_error(&ld->found, load_pos(ld, s), "%s: %s %s", title, k->name, why);
	/* The default would be one more of its kind. */
	if (k->flags & CFG_UNIQUE)
		memset(field, 0, k->size);
}

void load_strings(struct loader *ld, const config_setting_t *s, const char *title,
                  const struct cfg_key *k,
                  void (*store)(struct loader *ld, const config_setting_t *s, const char *text,
                                void *arg),
                  void *arg)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING) {
		store(ld, s, config_setting_get_string(s), arg);
		return;
	}
	if (!config_setting_is_list(s) && !config_setting_is_array(s)) {
		wrong_type(ld, s, title, k);
		return;
	}
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned int)i);

		if (config_setting_type(e) != CONFIG_TYPE_STRING)
			wrong_type(ld, e, title, k);
		else
			store(ld, e, config_setting_get_string(e), arg);
	}
}

struct multi { /* a field of several values while it is read */
	const char *title;
	const struct cfg_key *k;
	void *base;
	uint32_t n, max;
};

static void store_multi(struct loader *ld, const config_setting_t *s, const char *text, void *arg)
{
	struct multi *m = arg;
	char *field = cfg_field(m->k, m->base);

	if (m->n == m->max) {
		found_error(&ld->found, load_pos(ld, s), "%s: %s has more than %u values", m->title,
		            m->k->name, m->max);
	} else if (m->k->kind == CFG_WORDS) {
		store_text(ld, s, m->title, m->k, field, text);
	} else if (m->k->kind == CFG_ADDRESSES) {
		store_text(ld, s, m->title, m->k, field + m->n * sizeof(struct ipaddr), text);
	} else if (m->k->kind == CFG_STRINGS) {
		store_text(ld, s, m->title, m->k, field + m->n * m->k->elem, text);
	} else if (m->k->kind == CFG_SUBNETS) {
		store_text(ld, s, m->title, m->k, field + m->n * sizeof(struct ipprefix), text);
	} else {
		struct ipprefix *v = *(struct ipprefix **)field;

		store_text(ld, s, m->title, m->k, &v[m->n], text);
		*cfg_count(m->k, m->base) = m->n + 1;
	}
	m->n++;
}

/* A list of words has one at least, and the word for no bit stands alone. */
static void check_words(struct loader *ld, const config_setting_t *s, const char *title,
                        const struct cfg_key *k, uint32_t n)
{
	char allowed[256];

	if (n == 0)
		found_error(&ld->found, load_pos(ld, s), "%s: %s is empty, allowed is %s", title,
		            k->name, cfg_allowed(k, allowed, sizeof(allowed)));
	for (uint32_t i = 0; k->kind == CFG_WORDS && n > 1 && i < n; i++) {
		const char *word = config_setting_get_string_elem(s, (int)i);

		if (word != NULL && strcmp(word, "none") == 0)
			found_error(&ld->found, load_pos(ld, s),
			            "%s: %s has \"none\" beside other words", title, k->name);
	}
}

static void load_multi(struct loader *ld, const config_setting_t *s, const char *title,
                       const struct cfg_key *k, void *base)
{
	struct multi m = {.title = title, .k = k, .base = base};

	if (k->kind == CFG_ADDRESSES) {
		m.max = (uint32_t)(k->size / sizeof(struct ipaddr));
	} else if (k->kind == CFG_WORDS) {
		m.max = 8;
		*(uint32_t *)cfg_field(k, base) = 0; /* the default's */
	} else if (k->kind == CFG_STRINGS || k->kind == CFG_SUBNETS) {
		m.max = (uint32_t)(k->size /
		                   (k->kind == CFG_STRINGS ? k->elem : sizeof(struct ipprefix)));
		memset(cfg_field(k, base), 0, k->size); /* the default's */
	} else {
		m.max = config_setting_is_aggregate(s) ? (uint32_t)config_setting_length(s) : 1;
		*(void **)cfg_field(k, base) =
		        calloc(m.max > 0 ? m.max : 1, sizeof(struct ipprefix));
		if (*(void **)cfg_field(k, base) == NULL) {
			ld->found.no_memory = true;
			return;
		}
	}
	load_strings(ld, s, title, k, store_multi, &m);
	if (k->kind == CFG_WORDS || k->kind == CFG_STRINGS || k->kind == CFG_SUBNETS)
		check_words(ld, s, title, k, m.n);
}

static void load_scalar(struct loader *ld, const config_setting_t *s, const char *title,
                        const struct cfg_key *k, void *base)
{
	int type = config_setting_type(s);
	char literal[64];
	const struct tok *t = value_tok(ld, s);
	const char *text = literal;
	bool right;

	if (k->kind == CFG_BOOL)
		right = type == CONFIG_TYPE_BOOL;
	else if (k->kind == CFG_INT)
		right = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
	else
		right = type == CONFIG_TYPE_STRING;
	if (!right) {
		wrong_type(ld, s, title, k);
		return;
	}
	if (type == CONFIG_TYPE_STRING)
		text = config_setting_get_string(s);
	else
		snprintf(literal, sizeof(literal), "%.*s", (int)(t->len < 60 ? t->len : 60),
		         ld->src.text + t->at);
	store_text(ld, s, title, k, cfg_field(k, base), text);
}

static const char *key_at(const void *arg, unsigned int i)
{
	return ((const struct cfg_stanza *)arg)->keys[i].name;
}

/* The stanza, somewhere below s, that has the key. */
static const struct cfg_stanza *stanza_with(const struct cfg_stanza *s, const char *key)
{
	const struct cfg_stanza *found = NULL;

	if (cfg_key_find(s, key) != NULL)
		return s;
	for (const struct cfg_key *k = s->keys; k->name != NULL && found == NULL; k++)
		if (k->stanza != NULL)
			found = stanza_with(k->stanza, key);
	return found;
}

static void unknown_key(struct loader *ld, const config_setting_t *s, const char *title,
                        const struct cfg_stanza *st)
{
	const char *name = config_setting_name(s), *near = nearest_word(name, key_at, st);
	const struct cfg_stanza *other = stanza_with(&cfg_root, name);
	char all[768];
	size_t n = 0;

	if (near == NULL && other != NULL) {
		found_error(&ld->found, load_pos(ld, s), "%s: unknown key \"%s\"; it belongs to %s",
		            title, name, other == &cfg_root ? "the top of the file" : other->name);
		return;
	}
	if (near != NULL) {
		found_error(&ld->found, load_pos(ld, s),
		            "%s: unknown key \"%.64s\"; did you mean \"%s\"?", title, name, near);
		return;
	}
	all[0] = '\0';
	for (const struct cfg_key *k = st->keys; k->name != NULL && n < sizeof(all); k++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n > 0 ? ", " : "", k->name);
	found_error(&ld->found, load_pos(ld, s), "%s: unknown key \"%.64s\"; allowed are %s", title,
	            name, all);
}

static void load_stanza(struct loader *ld, const config_setting_t *s, const struct cfg_stanza *st,
                        void *base);

static void load_list(struct loader *ld, const config_setting_t *s, const char *title,
                      const struct cfg_key *k, void *base)
{
	uint32_t n = config_setting_is_list(s) ? (uint32_t)config_setting_length(s) : 0;
	char *v, sub[128];

	if (!config_setting_is_list(s)) {
		wrong_type(ld, s, title, k);
		return;
	}
	if (n == 0)
		return;
	v = calloc(n, k->stanza->size);
	if (v == NULL) {
		ld->found.no_memory = true;
		return;
	}
	*(void **)cfg_field(k, base) = v;
	*cfg_count(k, base) = n;
	for (uint32_t i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, i);

		if (config_setting_is_group(e)) {
			load_stanza(ld, e, k->stanza, v + i * k->stanza->size);
			continue;
		}
		cfg_defaults(k->stanza, v + i * k->stanza->size);
		found_error(&ld->found, load_pos(ld, e), "%s is %s, allowed is a group { .. }",
		            load_title(k->stanza, e, sub, sizeof(sub)), type_name(e));
	}
}

static void load_key(struct loader *ld, const config_setting_t *s, const char *title,
                     const struct cfg_key *k, void *base)
{
	switch (k->kind) {
	case CFG_GROUP:
		if (config_setting_is_group(s))
			load_stanza(ld, s, k->stanza, cfg_field(k, base));
		else
			wrong_type(ld, s, title, k);
		break;
	case CFG_LIST:
		load_list(ld, s, title, k, base);
		break;
	case CFG_WORDS:
	case CFG_ADDRESSES:
	case CFG_PREFIXES:
	case CFG_STRINGS:
	case CFG_SUBNETS:
		load_multi(ld, s, title, k, base);
		break;
	case CFG_FILES: /* after all of the tree */
		break;
	default:
		load_scalar(ld, s, title, k, base);
	}
}

static void load_stanza(struct loader *ld, const config_setting_t *s, const struct cfg_stanza *st,
                        void *base)
{
	char title[128], allowed[256];

	load_title(st, s, title, sizeof(title));
	cfg_defaults(st, base);
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned int)i);
		const struct cfg_key *k = cfg_key_find(st, config_setting_name(m));

		if (k == NULL)
			unknown_key(ld, m, title, st);
		else
			load_key(ld, m, title, k, base);
	}
	for (const struct cfg_key *k = st->keys; k->name != NULL; k++)
		if (k->flags & CFG_REQUIRED && config_setting_get_member(s, k->name) == NULL)
			found_error(&ld->found, load_pos(ld, s), "%s: %s is missing, it is %s",
			            title, k->name, cfg_allowed(k, allowed, sizeof(allowed)));
}

/* libconfig stops at the second of two keys; the first stands in the same brackets before it. */
static void duplicate_key(struct loader *ld, uint32_t line)
{
	const struct tok *toks = ld->src.toks;

	for (uint32_t i = 0; i < ld->src.n_toks; i++) {
		const struct tok *a = &toks[i];

		if (a->kind != TOK_NAME || a->line != line)
			continue;
		for (uint32_t j = i; j-- > 0 && toks[j].depth >= a->depth;) {
			const struct tok *b = &toks[j];

			if (b->kind != TOK_NAME || b->depth != a->depth || b->len != a->len ||
			    memcmp(ld->src.text + b->at, ld->src.text + a->at, a->len) != 0)
				continue;
			found_error(&ld->found, source_pos(&ld->src, line),
			            "\"%.*s\" is here a second time; the first is in line %u",
			            (int)(a->len < 64 ? a->len : 64), ld->src.text + a->at,
			            source_pos(&ld->src, b->line).line);
			return;
		}
	}
	found_error(&ld->found, source_pos(&ld->src, line), "a key is here a second time");
}

static bool parse(struct loader *ld)
{
	uint32_t next = 0, line;

	if (config_read_string(&ld->tree, ld->src.text) == CONFIG_TRUE) {
		if (bind(ld, config_root_setting(&ld->tree), &next) && next == ld->src.n_toks)
			return true;
		found_error(&ld->found,
		            source_pos(&ld->src, next < ld->src.n_toks ? ld->src.toks[next].line
		                                                       : ld->src.n_lines),
		            "cannot make out this part: put a ';' behind each value");
		return false;
	}
	line = (uint32_t)config_error_line(&ld->tree);
	line -= line > 0;
	if (strstr(config_error_text(&ld->tree), "duplicate") != NULL)
		duplicate_key(ld, line);
	else
		found_error(&ld->found, source_pos(&ld->src, line), "%s in this line or before it",
		            config_error_text(&ld->tree));
	return false;
}

/* Defaults that depend on other values. */
static void finish(struct config *c)
{
	if (c->system.host_name[0] == '\0' &&
	    (gethostname(c->system.host_name, sizeof(c->system.host_name) - 1) < 0 ||
	     c->system.host_name[0] == '\0'))
		snprintf(c->system.host_name, sizeof(c->system.host_name), "sallyport");
	for (uint32_t i = 0; i < c->n_ports; i++) {
		struct cfg_port *p = &c->ports[i];

		for (uint32_t j = 0; j < p->n_subifs; j++) {
			struct cfg_subif *s = &p->subifs[j];

			if (s->mtu == 0)
				s->mtu = p->mtu;
			if (s->name[0] == '\0')
				snprintf(s->name, sizeof(s->name), "%.10s.%u", p->name,
				         s->vlan % 10000u);
		}
	}
	ipsec_finish(c);
	for (uint32_t i = 0; i < c->n_dest_profiles; i++) {
		for (uint32_t j = 0; j < c->dest_profiles[i].n_hosts; j++) {
			struct cfg_host *h = &c->dest_profiles[i].hosts[j];

			h->is_default = strcmp(h->name, "default") == 0;
			if (h->local_host[0] == '\0')
				snprintf(h->local_host, sizeof(h->local_host), "%s",
				         c->system.host_name);
		}
	}
}

/* libconfig keeps strings until it is destroyed, and then frees them as they are. */
static void wipe_strings(config_setting_t *s)
{
	if (config_setting_type(s) == CONFIG_TYPE_STRING && s->value.sval != NULL)
		explicit_bzero(s->value.sval, strlen(s->value.sval));
	if (!config_setting_is_aggregate(s))
		return;
	for (int i = 0; i < config_setting_length(s); i++)
		wipe_strings(config_setting_get_elem(s, (unsigned int)i));
}

static void load_all(struct loader *ld)
{
	const config_setting_t *root;

	if (!parse(ld))
		return;
	root = config_root_setting(&ld->tree);
	load_stanza(ld, root, &cfg_root, ld->c);
	load_users(ld, config_setting_get_member(root, "user-files"));
	finish(ld->c);
	load_check(ld);
	load_check_net(ld);
	load_check_ipsec(ld);
	load_users_sort(ld);
	load_warn(ld);
	load_warn_ipsec(ld);
}

static struct config *load(struct loader *ld, int ret, config_report_fn report, void *ctx)
{
	config_init(&ld->tree);
	ld->c = calloc(1, sizeof(*ld->c));
	if (ret == -ENOMEM || ld->c == NULL)
		ld->found.no_memory = true;
	else if (ret == 0)
		load_all(ld);
	findings_deliver(&ld->found, ld->src.files, report, ctx);
	if (ld->found.errors > 0 || ld->found.no_memory) {
		config_free(ld->c);
		ld->c = NULL;
	}
	wipe_strings(config_root_setting(&ld->tree));
	config_destroy(&ld->tree);
	findings_free(&ld->found);
	source_free(&ld->src);
	free(ld->user_pos);
	return ld->c;
}

struct config *config_load(const char *path, config_report_fn report, void *ctx)
{
	struct loader ld = {0};
	int ret = source_load(&ld.src, path, &ld.found);

	return load(&ld, ret, report, ctx);
}

struct config *config_load_text(const char *text, const char *name, const char *dir,
                                config_report_fn report, void *ctx)
{
	struct loader ld = {.no_files = dir == NULL};
	int ret = source_load_text(&ld.src, text, name, dir, &ld.found);

	return load(&ld, ret, report, ctx);
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	cfg_release(&cfg_root, c);
	explicit_bzero(c, sizeof(*c));
	free(c);
}
