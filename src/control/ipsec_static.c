/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* SAs of the configuration: a connection without IKE, of one child, that nobody makes anew. */
#include "control/ipsec_int.h"

#include <errno.h>
#include <string.h>

static int add_one(struct ctl *c, struct child *ch, const struct ctl_static_sa *s, bool inbound)
{
	struct sa *sa = sa_new(c, inbound ? s->spi_in : s->spi_out, inbound);
	struct dp_sa o = {
	        .spi = inbound ? s->spi_in : s->spi_out,
	        .child = ch->index,
	        .inbound = inbound,
	        .encap = s->encap,
	        .local = s->local,
	        .peer = s->peer,
	        .suite = s->suite,
	        .enc_key = inbound ? s->enc_key_in : s->enc_key_out,
	        .auth_key = inbound ? s->auth_key_in : s->auth_key_out,
	        .replay_window = inbound ? s->replay_window : 0,
	        .pair = inbound ? 0 : ((const struct sa *)slab_at(ch->sas))->id,
	        .user = sa,
	};
	int ret;

	if (sa == NULL)
		return -ENOMEM;
	suite_keys(&s->suite, &o.enc_key_len, &o.auth_key_len);
	ret = dp_sa_add(c->dp, &o, &sa->id, &sa->ticket);
	if (ret < 0) {
		sa->id = 0;
		sa_free(c, sa);
		return ret;
	}
	sa->state = SA_ADDING;
	sa->encap = ch->conn->encap = s->encap;
	sa_set_suite(sa, &s->suite);
	sa->replay_window = (uint16_t)o.replay_window;
	sa->worker = (uint8_t)ch->conn->worker;
	sa_join_child(sa, ch);
	sa_wait(sa);
	return 0;
}

static int add_both(struct ctl *c, struct conn *k, const struct ctl_static_sa *s)
{
	struct child_key key = {
	        .local = {s->local.addr, L2TP_PORT},
	        .peer = {s->peer.addr, 0},
	};
	struct child *ch = child_new(c, k, &key);
	int ret;

	if (ch == NULL) {
		dp_spi_put(c->dp, s->spi_in);
		return -errno;
	}
	ret = add_one(c, ch, s, true);
	if (ret < 0) {
		dp_spi_put(c->dp, s->spi_in);
		return ret;
	}
	return add_one(c, ch, s, false);
}

int ctl_static_sa_add(struct ctl *c, const struct ctl_static_sa *s, uint64_t now_ms)
{
	struct conn *k;
	uint16_t enc, auth;
	int ret;

	c->now_ms = now_ms;
	if (!suite_keys(&s->suite, &enc, &auth) || s->spi_in < 256 || s->spi_out < 256 ||
	    s->name == NULL || dp_spi_worker(s->spi_in) >= dp_n_workers(c->dp))
		return -EINVAL;
	if (ipaddr_to_v4(&s->local.addr) == 0 || ipaddr_to_v4(&s->peer.addr) == 0)
		return -EAFNOSUPPORT;
	if (sa_find(c, s->spi_out, false, &s->peer.addr) != NULL)
		return -EEXIST;
	ret = dp_spi_take(c->dp, s->spi_in);
	if (ret < 0)
		return ret;
	k = conn_make(c);
	if (k == NULL) {
		dp_spi_put(c->dp, s->spi_in);
		return -ENOMEM;
	}
	k->is_static = true;
	k->local = s->local;
	k->peer = s->peer;
	k->profile = texts_get(c->ipsec->texts, s->name, strlen(s->name));
	k->worker = dp_spi_worker(s->spi_in);
	c->ipsec->load[k->worker]++;
	ret = add_both(c, k, s);
	if (ret < 0)
		ctl_conn_closed(c, k->id, now_ms);
	ipsec_poll(c);
	return ret;
}
