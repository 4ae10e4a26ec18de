/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the steps of one load share: read the tree, read user files, finish, check, warn. */
#pragma once

#include "config/schema.h"
#include "config/source.h"

#include <libconfig.h>

struct loader {
	struct config *c;
	struct source src;
	config_t tree;
	struct findings found;
	bool no_files; /* the text may not name files */
	struct pos *user_pos; /* of c->users, beside it */
};

/* Where a setting of the tree, or its value, stands. */
struct pos load_pos(const struct loader *ld, const config_setting_t *s);

/* The setting of list[i] of the tree's root, or of its key when it has that. Never NULL. */
struct pos load_pos_of(const struct loader *ld, const char *list, uint32_t i, const char *key);
/* The same one list further in: root.list[i].inner[j].key */
struct pos load_pos_in(const struct loader *ld, const char *list, uint32_t i, const char *inner,
                       uint32_t j, const char *key);
/* Of root.group.key; the first line without one. */
struct pos load_pos_key(const struct loader *ld, const char *group, const char *key);

/* The name of a list element for reports: port "wan", or route 2. Returns buf. */
const char *load_title(const struct cfg_stanza *s, const config_setting_t *elem, char *buf,
                       size_t size);

/* Calls store for each string of a list, array or single string. */
void load_strings(struct loader *ld, const config_setting_t *s, const char *title,
                  const struct cfg_key *k,
                  void (*store)(struct loader *ld, const config_setting_t *s, const char *text,
                                void *arg),
                  void *arg);

/* The error of a name that stands for nothing; says what was perhaps meant. */
void load_ref_error(struct loader *ld, struct pos pos, const char *title, const struct cfg_key *k,
                    const char *name);

/* users.c: reads the user files of the tree, behind the users of the text; sorts; finds doubles. */
void load_users(struct loader *ld, const config_setting_t *files);
void load_users_sort(struct loader *ld);

/* check.c and warn.c: what holds between values. */
void load_check(struct loader *ld);
void load_check_net(struct loader *ld);
void load_warn(struct loader *ld);

/* ipsec.c: defaults that depend on other values, and what holds between values, of IPsec. */
void ipsec_finish(struct config *c);
void load_check_ipsec(struct loader *ld);
void load_warn_ipsec(struct loader *ld);
