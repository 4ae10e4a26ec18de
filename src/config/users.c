/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Subscribers: the files with one a line, and the order of the whole. Of a line no report quotes
 * more than the name and what is marked as something else than a password.
 */
#include "config/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX      5
#define FIELD_BYTES     512
#define FILE_ERRORS_MAX 20 /* then the file is something else */

struct line {
	char field[FIELDS_MAX][FIELD_BYTES];
	bool quoted[FIELDS_MAX];
	unsigned int n;
};

struct user_file {
	struct loader *ld;
	const struct cfg_stanza *stanza;
	uint32_t cap; /* of c->users and user_pos */
	struct line line;
	char title[96];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the next field off at *p. NULL, or what is wrong. */
static const char *cut_field(const char **p, struct line *l)
{
	char *out = l->field[l->n];
	size_t n = 0;
	bool quoted = **p == '"';

	for (*p += quoted; **p != '\0'; (*p)++) {
		if (quoted ? **p == '"' : is_blank(**p))
			break;
		if (quoted && **p == '\\' && ((*p)[1] == '"' || (*p)[1] == '\\'))
			(*p)++;
		if (n + 1 >= FIELD_BYTES)
			return "a field is too long";
		out[n++] = **p;
	}
	out[n] = '\0';
	if (quoted && **p != '"')
		return "a double quote is not closed";
	*p += quoted;
	if (**p != '\0' && !is_blank(**p))
		return "text follows a closing quote without a blank";
	l->quoted[l->n++] = quoted;
	return NULL;
}

static const char *cut_line(const char *p, struct line *l)
{
	const char *wrong = NULL;

	l->n = 0;
	while (wrong == NULL) {
		while (is_blank(*p))
			p++;
		if (*p == '\0' || *p == '#')
			return NULL;
		if (l->n == FIELDS_MAX)
			return "too many fields: a value with blanks stands in double quotes";
		wrong = cut_field(&p, l);
	}
	return wrong;
}

static void store(struct user_file *uf, struct pos pos, const char *key, struct cfg_user *u,
                  const char *text)
{
	const struct cfg_key *k = cfg_key_find(uf->stanza, key);
	char why[512];

	if (cfg_store(k, cfg_field(k, u), text, why, sizeof(why)) < 0)
		found_error(&uf->ld->found, pos, "%s: %s %s", uf->title, key, why);
	else if (k->ref == CFG_REF_POOL && config_pool(uf->ld->c, text) == NULL)
		load_ref_error(uf->ld, pos, uf->title, k, text);
}

static void store_secret(struct user_file *uf, struct pos pos, struct cfg_user *u)
{
	const char *text = uf->line.field[1];

	if (uf->line.quoted[1] || text[0] != '{')
		store(uf, pos, "password", u, text);
	else if (strncmp(text, "{crypt}", 7) == 0)
		store(uf, pos, "crypt", u, text + 7);
	else if (strncmp(text, "{nt}", 4) == 0)
		store(uf, pos, "nt-hash", u, text + 4);
	else
		found_error(&uf->ld->found, pos,
		            "%s: an unknown kind of hash, allowed are {crypt} and {nt}; a "
		            "password that begins with '{' stands in double quotes",
		            uf->title);
}

static void store_option(struct user_file *uf, struct pos pos, struct cfg_user *u, const char *text)
{
	struct ipaddr a;

	if (strncmp(text, "pool=", 5) == 0)
		store(uf, pos, "pool", u, text + 5);
	else if (strncmp(text, "max-sessions=", 13) == 0)
		store(uf, pos, "max-sessions", u, text + 13);
	else if (ipaddr_parse(text, &a) == 0)
		store(uf, pos, "address", u, text);
	else
		found_error(&uf->ld->found, pos,
		            "%s: behind the password come an IPv4 address, pool=NAME or "
		            "max-sessions=N; a password with blanks stands in double quotes",
		            uf->title);
}

/* Makes room for one more user; the old array held secrets. */
static bool make_room(struct user_file *uf)
{
	struct config *c = uf->ld->c;
	uint32_t cap = c->n_users < 64 ? 64 : c->n_users * 2;
	struct cfg_user *v;
	struct pos *pos;

	if (c->n_users < uf->cap)
		return true;
	v = calloc(cap, sizeof(*v));
	pos = reallocarray(uf->ld->user_pos, cap, sizeof(*pos));
	if (pos != NULL)
		uf->ld->user_pos = pos;
	if (v == NULL || pos == NULL) {
		uf->ld->found.no_memory = true;
		free(v);
		return false;
	}
	if (c->users != NULL) {
		memcpy(v, c->users, c->n_users * sizeof(*v));
		explicit_bzero(c->users, c->n_users * sizeof(*v));
		free(c->users);
	}
	c->users = v;
	uf->cap = cap;
	return true;
}

static void read_line(struct user_file *uf, struct pos pos, const char *text)
{
	const char *wrong = cut_line(text, &uf->line);
	struct config *c = uf->ld->c;
	struct cfg_user *u;

	if (wrong != NULL) {
		found_error(&uf->ld->found, pos, "%s", wrong);
		return;
	}
	if (uf->line.n == 0)
		return;
	snprintf(uf->title, sizeof(uf->title), "user \"%.64s\"", uf->line.field[0]);
	if (uf->line.n == 1) {
		found_error(&uf->ld->found, pos, "%s: the password is missing", uf->title);
		return;
	}
	if (!make_room(uf))
		return;
	uf->ld->user_pos[c->n_users] = pos;
	u = &c->users[c->n_users++];
	cfg_defaults(uf->stanza, u);
	store(uf, pos, "name", u, uf->line.field[0]);
	store_secret(uf, pos, u);
	for (unsigned int i = 2; i < uf->line.n; i++)
		store_option(uf, pos, u, uf->line.field[i]);
}

static void read_lines(struct user_file *uf, uint32_t file, char *text, size_t len)
{
	uint32_t before = uf->ld->found.errors;
	struct pos pos = {.file = file};
	char *end = text + len;

	while (text < end && !uf->ld->found.no_memory) {
		char *nl = memchr(text, '\n', (size_t)(end - text));

		if (nl == NULL)
			nl = end; /* a NUL stands there */
		*nl = '\0';
		pos.line++;
		pos.order = ((uint64_t)file + 1) << 32 | pos.line;
		if (strlen(text) != (size_t)(nl - text)) {
			found_error(&uf->ld->found, pos, "a NUL byte: this is not a text file");
			return;
		}
		read_line(uf, pos, text);
		if (uf->ld->found.errors - before >= FILE_ERRORS_MAX) {
			found_error(&uf->ld->found, pos,
			            "too many errors, the rest of this file was not read");
			return;
		}
		text = nl + 1;
	}
}

static void read_file(struct loader *ld, const config_setting_t *s, const char *name, void *arg)
{
	struct user_file *uf = arg;
	struct pos pos = load_pos(ld, s);
	char *dir, *path, *text = NULL;
	size_t len = 0;
	int64_t file;
	int ret;

	if (ld->no_files) {
		found_error(&ld->found, pos, "configuration: user-files cannot be read here");
		return;
	}
	dir = source_dir(ld->src.files[pos.file]);
	path = dir != NULL ? source_path(dir, name) : NULL;
	free(dir);
	file = path != NULL ? source_add_file(&ld->src, path) : -ENOMEM;
	ret = file < 0 ? (int)file : source_read_file(path, &text, &len);
	if (ret == -ENOMEM)
		ld->found.no_memory = true;
	else if (ret < 0)
		found_error(&ld->found, pos, "configuration: cannot read the user file %s: %s",
		            path, strerror(-ret));
	if (ret == 0) {
		read_lines(uf, (uint32_t)file, text, len);
		explicit_bzero(text, len);
		free(text);
	}
	free(path);
}

void load_users(struct loader *ld, const config_setting_t *files)
{
	const struct cfg_key *list = cfg_key_find(&cfg_root, "users");
	struct user_file uf = {.ld = ld, .stanza = list->stanza, .cap = ld->c->n_users};

	if (ld->c->n_users > 0) {
		ld->user_pos = calloc(ld->c->n_users, sizeof(*ld->user_pos));
		if (ld->user_pos == NULL) {
			ld->found.no_memory = true;
			return;
		}
	}
	for (uint32_t i = 0; i < ld->c->n_users; i++)
		ld->user_pos[i] = load_pos_of(ld, "users", i, NULL);
	if (files != NULL)
		load_strings(ld, files, "configuration", cfg_key_find(&cfg_root, "user-files"),
		             read_file, &uf);
	explicit_bzero(&uf.line, sizeof(uf.line));
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct loader *ld = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int d = strcmp(ld->c->users[x].name, ld->c->users[y].name);

	if (d != 0)
		return d;
	return ld->user_pos[x].order < ld->user_pos[y].order ? -1 : 1;
}

static int by_address(const void *a, const void *b, void *arg)
{
	const struct loader *ld = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int d = memcmp(&ld->c->users[x].address, &ld->c->users[y].address, sizeof(struct ipaddr));

	if (d != 0)
		return d;
	return ld->user_pos[x].order < ld->user_pos[y].order ? -1 : 1;
}

static void second_time(struct loader *ld, uint32_t first, uint32_t second, const char *what)
{
	found_error(&ld->found, ld->user_pos[second],
	            "user \"%.64s\"%s is here a second time; the first is in %s:%u",
	            ld->c->users[second].name, what, ld->src.files[ld->user_pos[first].file],
	            ld->user_pos[first].line);
}

static void find_doubles(struct loader *ld, uint32_t *idx)
{
	struct cfg_user *u = ld->c->users;
	uint32_t n = ld->c->n_users;

	qsort_r(idx, n, sizeof(*idx), by_address, ld);
	for (uint32_t i = 1; i < n; i++)
		if (u[idx[i]].address.family != 0 &&
		    ipaddr_eq(&u[idx[i]].address, &u[idx[i - 1]].address))
			second_time(ld, idx[i - 1], idx[i], ": its address");
	qsort_r(idx, n, sizeof(*idx), by_name, ld);
	for (uint32_t i = 1; i < n; i++)
		if (u[idx[i]].name[0] != '\0' && strcmp(u[idx[i]].name, u[idx[i - 1]].name) == 0)
			second_time(ld, idx[i - 1], idx[i], "");
}

void load_users_sort(struct loader *ld)
{
	struct config *c = ld->c;
	uint32_t n = c->n_users, *idx = calloc(n + 1, sizeof(*idx));
	struct cfg_user *sorted = calloc(n + 1, sizeof(*sorted));
	struct pos *pos = calloc(n + 1, sizeof(*pos));

	if (idx == NULL || sorted == NULL || pos == NULL || ld->found.no_memory) {
		ld->found.no_memory = true;
		free(sorted);
		free(pos);
		free(idx);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		idx[i] = i;
	find_doubles(ld, idx);
	for (uint32_t i = 0; i < n; i++) {
		sorted[i] = c->users[idx[i]];
		pos[i] = ld->user_pos[idx[i]];
	}
	if (c->users != NULL)
		explicit_bzero(c->users, n * sizeof(*c->users));
	free(c->users);
	free(ld->user_pos);
	c->users = sorted;
	ld->user_pos = pos;
	free(idx);
}
