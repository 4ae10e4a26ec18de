/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Configurations that links have in common: one copy, for as long as a link refers to it. */
#include "ppp/ppp_int.h"

#include <openssl/crypto.h>

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256

struct ppp_confs {
	struct slab links;
	struct slab_sizes texts;
	struct ppp_shared *bucket[BUCKETS];
};

struct ppp_confs *ppp_confs_new(void)
{
	struct ppp_confs *set = calloc(1, sizeof(*set));

	if (set == NULL)
		return NULL;
	slab_init(&set->links, sizeof(struct ppp));
	slab_sizes_init(&set->texts);
	return set;
}

void ppp_confs_free(struct ppp_confs *set)
{
	if (set == NULL)
		return;
	slab_fini(&set->links);
	slab_sizes_fini(&set->texts);
	free(set);
}

struct ppp *ppp_link_get(struct ppp_confs *set, enum ppp_role role)
{
	if (set != NULL && role == PPP_AUTHENTICATOR)
		return slab_get(&set->links);
	return calloc(1, role == PPP_PEER ? sizeof(struct ppp_client) : sizeof(struct ppp));
}

void ppp_link_put(struct ppp_confs *set, enum ppp_role role, struct ppp *p)
{
	OPENSSL_cleanse(p, sizeof(*p));
	if (set != NULL && role == PPP_AUTHENTICATOR)
		slab_put(&set->links, p);
	else
		free(p);
}

char *ppp_text_get(struct ppp_confs *set, size_t size)
{
	return slab_sizes_get(set != NULL ? &set->texts : NULL, size);
}

void ppp_text_put(struct ppp_confs *set, char *text, size_t size)
{
	slab_sizes_put(set != NULL ? &set->texts : NULL, text, size);
}

/* Everything that is told by value, and what is made of it. */
static struct ppp_shared values(const struct ppp_conf *c, const struct ppp_ops *ops,
                                struct timerq *timers, struct log *log)
{
	struct ppp_shared s = {
	        .ops = ops,
	        .timers = timers,
	        .log = log,
	        .role = c->role,
	        .mru = c->mru,
	        .mtu = c->mtu,
	        .auth_methods = c->auth_methods,
	        .want_acfc = c->want_acfc,
	        .want_pfc = c->want_pfc,
	        .single_shot = c->single_shot,
	        .auth_tries = c->auth_tries,
	        .max_configure = c->max_configure,
	        .max_terminate = c->max_terminate,
	        .max_failure = c->max_failure,
	        .echo_failures = c->echo_failures,
	        .restart_ms = c->restart_ms,
	        .auth_timeout_ms = c->auth_timeout_ms,
	        .ncp_timeout_ms = c->ncp_timeout_ms,
	        .echo_ms = c->echo_ms,
	        .local_ip = c->local_ip,
	        .dns = {c->dns[0], c->dns[1]},
	        .nbns = {c->nbns[0], c->nbns[1]},
	        .refs = 1,
	};

	if (s.mru < LCP_MRU_MIN)
		s.mru = LCP_MRU_MIN;
	if (s.echo_failures == 0)
		s.echo_failures = 1;
	if (s.auth_tries == 0 || s.single_shot)
		s.auth_tries = 1;
	return s;
}

static bool same(const struct ppp_shared *a, const struct ppp_shared *b, const char *name)
{
	return a->ops == b->ops && a->timers == b->timers && a->log == b->log &&
	       a->role == b->role && a->mru == b->mru && a->mtu == b->mtu &&
	       a->auth_methods == b->auth_methods && a->want_acfc == b->want_acfc &&
	       a->want_pfc == b->want_pfc && a->single_shot == b->single_shot &&
	       a->auth_tries == b->auth_tries && a->max_configure == b->max_configure &&
	       a->max_terminate == b->max_terminate && a->max_failure == b->max_failure &&
	       a->echo_failures == b->echo_failures && a->restart_ms == b->restart_ms &&
	       a->auth_timeout_ms == b->auth_timeout_ms && a->ncp_timeout_ms == b->ncp_timeout_ms &&
	       a->echo_ms == b->echo_ms && a->local_ip == b->local_ip &&
	       memcmp(a->dns, b->dns, sizeof(a->dns)) == 0 &&
	       memcmp(a->nbns, b->nbns, sizeof(a->nbns)) == 0 &&
	       strncmp(a->local_name, name, PPP_NAME_MAX - 1) == 0;
}

/* Interface profiles differ in their addresses and MTUs, hosts in their names. */
static struct ppp_shared **bucket(struct ppp_confs *set, const struct ppp_shared *s,
                                  const char *name)
{
	uint32_t h = s->local_ip ^ (uint32_t)s->mru << 16 ^ s->mtu ^ s->dns[0];

	for (size_t i = 0; i < PPP_NAME_MAX - 1 && name[i] != '\0'; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return &set->bucket[(h ^ h >> 16) % BUCKETS];
}

/* Whoever proves a password has it to himself. */
static bool keep_texts(struct ppp_shared *s, const struct ppp_conf *c)
{
	s->local_name = strndup(c->local_name, PPP_NAME_MAX - 1);
	if (s->role == PPP_PEER) {
		s->user = strndup(c->user, PPP_NAME_MAX - 1);
		s->password = strndup(c->password, PPP_NAME_MAX - 1);
	}
	return s->local_name != NULL &&
	       (s->role != PPP_PEER || (s->user != NULL && s->password != NULL));
}

const struct ppp_shared *ppp_shared_get(struct ppp_confs *set, const struct ppp_conf *conf,
                                        const struct ppp_ops *ops, void *ctx, struct timerq *timers,
                                        struct log *log)
{
	struct ppp_shared s = values(conf, ops, timers, log), **at = NULL, *made;

	if (set != NULL && s.role == PPP_AUTHENTICATOR) {
		at = bucket(set, &s, conf->local_name);
		for (made = *at; made != NULL; made = made->next)
			if (same(made, &s, conf->local_name)) {
				made->refs++;
				return made;
			}
	}
	made = malloc(sizeof(*made));
	if (made == NULL)
		return NULL;
	*made = s;
	made->of = set;
	ops->random(ctx, made->salt, sizeof(made->salt));
	if (!keep_texts(made, conf)) {
		ppp_shared_put(made);
		return NULL;
	}
	if (at != NULL) {
		made->listed = true;
		made->next = *at;
		*at = made;
	}
	return made;
}

void ppp_shared_put(const struct ppp_shared *shared)
{
	struct ppp_shared *s = (struct ppp_shared *)(uintptr_t)shared, **at;

	if (--s->refs > 0)
		return;
	if (s->listed) {
		for (at = bucket(s->of, s, s->local_name); *at != s; at = &(*at)->next)
			;
		*at = s->next;
	}
	if (s->password != NULL)
		OPENSSL_cleanse(s->password, strlen(s->password));
	free(s->password);
	free(s->local_name);
	free(s->user);
	OPENSSL_cleanse(s->salt, sizeof(s->salt));
	free(s);
}
