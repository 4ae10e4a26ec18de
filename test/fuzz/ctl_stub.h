/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A data plane for fuzzing src/control: it keeps count of what it was ordered and passes no packet. No
 * index, id or SPI is ever given twice in a run, so whatever control uses after it gave it back shows;
 * an order that the real one would have to refuse because control has lost count aborts. One file
 * includes it.
 */
#pragma once

#include "control/ctl.h"
#include "control/ipsec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STUB_WORKERS  3
#define STUB_CHILDREN 4096
#define STUB_SAS      8192
#define STUB_SPIS     4096
#define STUB_STATIC   4000 /* SPIs from here on are those that the configuration names */
#define STUB_TUNNELS  2048
#define STUB_SESSIONS 2048

/* What goes wrong; by the input's bits. */
#define STUB_FIFO_FULL   0x01 /* orders about SAs do not fit */
#define STUB_TICKETS     0x02 /* workers acknowledge nothing */
#define STUB_NO_CHILD    0x04
#define STUB_NO_SA       0x08
#define STUB_NO_SPI      0x10
#define STUB_NO_SESSION  0x20
#define STUB_DEAF_CHARON 0x40
#define STUB_SA_INVALID  0x80 /* with NO_SA: another error */

enum stub_spi { STUB_SPI_NONE, STUB_SPI_OUT, STUB_SPI_TOLD, STUB_SPI_SA, STUB_SPI_BACK };

struct stub {
	uint8_t faults;
	struct {
		struct dp_child c;
		bool live, latched;
		uint32_t users;
	} child[STUB_CHILDREN]; /* 0: none */
	struct {
		struct dp_sa s;
		bool live;
	} sa[STUB_SAS]; /* by id; 0: none */
	uint8_t spi[STUB_SPIS];
	struct {
		uint64_t conn;
		uint16_t id;
		bool live;
	} tunnel[STUB_TUNNELS];
	struct {
		struct dp_session s;
		bool live, closed; /* closed: with its tunnel */
	} session[STUB_SESSIONS];
	uint32_t top_child, top_sa, top_spi, top_tunnel, top_session;
	uint32_t n_children, n_sas, n_spis, n_tunnels, n_sessions;
	uint64_t tickets, applied;
	uint8_t key_sum;
};

static struct stub stub;

#define check(ok)                                                                                  \
	do {                                                                                       \
		if (!(ok)) {                                                                       \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok);                   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void stub_reset(void)
{
	memset(stub.child, 0, (stub.top_child + 1) * sizeof(stub.child[0]));
	memset(stub.sa, 0, (stub.top_sa + 1) * sizeof(stub.sa[0]));
	memset(stub.spi, 0, sizeof(stub.spi));
	memset(stub.tunnel, 0, stub.top_tunnel * sizeof(stub.tunnel[0]));
	memset(stub.session, 0, stub.top_session * sizeof(stub.session[0]));
	stub.faults = 0;
	stub.top_child = stub.top_sa = stub.top_spi = stub.top_tunnel = stub.top_session = 0;
	stub.n_children = stub.n_sas = stub.n_spis = stub.n_tunnels = stub.n_sessions = 0;
	stub.tickets = stub.applied = 0;
}

static bool stub_fails(uint8_t fault)
{
	return (stub.faults & fault) != 0;
}

uint16_t dp_n_workers(const struct dp *dp)
{
	return STUB_WORKERS;
}

uint16_t dp_owner_pick(struct dp *dp, const uint32_t *more)
{
	return more[0] <= more[1] ? 0 : 1;
}

bool dp_applied(struct dp *dp, uint64_t ticket)
{
	check(ticket != 0 && ticket <= stub.tickets);
	if (!stub_fails(STUB_TICKETS))
		stub.applied = stub.tickets;
	return ticket <= stub.applied;
}

/* ---- children ---- */

static bool child_live(uint32_t child)
{
	return child != 0 && child <= stub.top_child && stub.child[child].live;
}

int dp_child_add(struct dp *dp, const struct dp_child *c, uint32_t *child)
{
	check(c->conn != 0 && c->worker < STUB_WORKERS && c->local.port == 1701);
	check(c->local.addr.family == AF_INET && c->peer.addr.family == AF_INET);
	if (stub_fails(STUB_NO_CHILD) || stub.top_child + 1 == STUB_CHILDREN)
		return -ENOSPC;
	*child = ++stub.top_child;
	stub.child[*child].c = *c;
	stub.child[*child].live = true;
	stub.n_children++;
	return 0;
}

int dp_child_del(struct dp *dp, uint32_t child)
{
	check(child_live(child) && stub.child[child].users == 0);
	stub.child[child].live = false;
	stub.n_children--;
	return 0;
}

void dp_child_latch(struct dp *dp, uint32_t child)
{
	check(child_live(child));
	stub.child[child].latched = true;
}

/* ---- SPIs ---- */

uint16_t dp_spi_worker(uint32_t spi)
{
	return spi & 63;
}

static uint32_t spi_make(uint32_t n, uint16_t worker)
{
	return 0xc0000000u | n << 6 | worker;
}

static uint8_t *spi_of(uint32_t spi)
{
	const uint32_t n = spi >> 6 & (STUB_SPIS - 1);

	return spi == spi_make(n, dp_spi_worker(spi)) ? &stub.spi[n] : NULL;
}

int dp_spi_get(struct dp *dp, uint16_t worker, uint32_t *spi)
{
	check(worker < STUB_WORKERS);
	if (stub_fails(STUB_NO_SPI) || stub.top_spi == STUB_STATIC)
		return -ENOSPC;
	stub.spi[stub.top_spi] = STUB_SPI_OUT;
	*spi = spi_make(stub.top_spi++, worker);
	stub.n_spis++;
	return 0;
}

int dp_spi_take(struct dp *dp, uint32_t spi)
{
	uint8_t *at = spi_of(spi);

	check(at != NULL && at - stub.spi >= STUB_STATIC);
	if (*at != STUB_SPI_NONE)
		return -EBUSY;
	*at = STUB_SPI_OUT;
	stub.n_spis++;
	return 0;
}

void dp_spi_put(struct dp *dp, uint32_t spi)
{
	uint8_t *at = spi_of(spi);

	check(at != NULL && (*at == STUB_SPI_OUT || *at == STUB_SPI_TOLD));
	*at = STUB_SPI_BACK;
	stub.n_spis--;
}

/* ---- security associations ---- */

static bool sa_live(dp_sa_id id)
{
	return id != 0 && id <= stub.top_sa && stub.sa[id].live;
}

/* The lengths that RFC 3686, 4106, 7634, 2404 and 4868 ask for. */
static void check_keys(const struct dp_sa *s)
{
	static const uint16_t hash[ESP_AUTH_MAX] = {0, 20, 32, 48, 64};
	const uint16_t k = s->suite.key_len;
	const bool aead =
	        s->suite.cipher == ESP_AES_GCM || s->suite.cipher == ESP_CHACHA20_POLY1305;
	const uint16_t salt = aead || s->suite.cipher == ESP_AES_CTR ? 4 : 0;
	uint8_t sum = 0;

	check(s->suite.cipher < ESP_CIPHER_MAX && s->suite.auth < ESP_AUTH_MAX);
	check(s->suite.cipher == ESP_NULL                ? k == 0
	      : s->suite.cipher == ESP_3DES_CBC          ? k == 24
	      : s->suite.cipher == ESP_CHACHA20_POLY1305 ? k == 32
	                                                 : k == 16 || k == 24 || k == 32);
	check(aead == (s->suite.auth == ESP_AUTH_AEAD));
	check(s->enc_key_len == k + salt && s->auth_key_len == hash[s->suite.auth]);
	for (uint16_t i = 0; i < s->enc_key_len; i++)
		sum ^= s->enc_key[i];
	for (uint16_t i = 0; i < s->auth_key_len; i++)
		sum ^= s->auth_key[i];
	stub.key_sum ^= sum; /* so that all of them are read */
}

static void check_outer(const struct endpoint *local, const struct endpoint *peer, bool encap)
{
	check(local->addr.family == AF_INET && peer->addr.family == AF_INET);
	check(!encap || (local->port != 0 && peer->port != 0));
}

int dp_sa_add(struct dp *dp, const struct dp_sa *s, dp_sa_id *id, uint64_t *ticket)
{
	uint8_t *spi = spi_of(s->spi);

	check(child_live(s->child) && !stub.child[s->child].latched && s->spi > 255);
	check_outer(&s->local, &s->peer, s->encap);
	check_keys(s);
	check(s->replay_window <= 4096);
	if (s->inbound) {
		check(spi != NULL && (*spi == STUB_SPI_OUT || *spi == STUB_SPI_TOLD));
		check(dp_spi_worker(s->spi) == stub.child[s->child].c.worker && s->pair == 0);
	} else if (s->pair != 0) {
		/* While the order waited its pair may have gone. */
		check(s->pair <= stub.top_sa && stub.sa[s->pair].s.inbound &&
		      stub.sa[s->pair].s.child == s->child);
	}
	if (stub_fails(STUB_FIFO_FULL))
		return -EAGAIN;
	if (stub_fails(STUB_NO_SA) || stub.top_sa + 1 == STUB_SAS)
		return stub_fails(STUB_SA_INVALID) ? -EINVAL : -ENOSPC;
	*id = ++stub.top_sa;
	stub.sa[*id].s = *s;
	stub.sa[*id].live = true;
	stub.child[s->child].users++;
	stub.n_sas++;
	if (s->inbound) {
		*spi = STUB_SPI_SA;
		stub.n_spis--;
	}
	if (ticket != NULL)
		*ticket = ++stub.tickets;
	return 0;
}

int dp_sa_update(struct dp *dp, dp_sa_id id, const struct endpoint *local,
                 const struct endpoint *peer, bool encap)
{
	check(sa_live(id));
	check_outer(local, peer, encap);
	if (stub_fails(STUB_FIFO_FULL))
		return -EAGAIN;
	stub.sa[id].s.local = *local;
	stub.sa[id].s.peer = *peer;
	return 0;
}

int dp_sa_use(struct dp *dp, dp_sa_id id)
{
	check(sa_live(id) && !stub.sa[id].s.inbound);
	return stub_fails(STUB_FIFO_FULL) ? -EAGAIN : 0;
}

int dp_sa_del(struct dp *dp, dp_sa_id id, uint64_t *ticket)
{
	check(sa_live(id));
	if (stub_fails(STUB_FIFO_FULL))
		return -EAGAIN;
	check(child_live(stub.sa[id].s.child) && stub.child[stub.sa[id].s.child].users > 0);
	stub.child[stub.sa[id].s.child].users--;
	if (stub.sa[id].s.inbound)
		*spi_of(stub.sa[id].s.spi) = STUB_SPI_BACK;
	stub.sa[id].live = false;
	stub.n_sas--;
	*ticket = ++stub.tickets;
	return 0;
}

void *dp_sa_user(const struct dp *dp, dp_sa_id id)
{
	(void)dp;
	return id > 0 && id <= stub.top_sa && stub.sa[id].live ? stub.sa[id].s.user : NULL;
}

int dp_sa_stats(struct dp *dp, dp_sa_id id, struct dp_sa_stats *out)
{
	check(sa_live(id));
	*out = (struct dp_sa_stats){.packets = id, .bytes = 100, .used = id % 2, .idle_ms = 1500};
	return 0;
}

/* ---- tunnels and sessions ---- */

static uint32_t tunnel_at(uint16_t id)
{
	uint32_t i = 0;

	while (i < stub.top_tunnel && !(stub.tunnel[i].live && stub.tunnel[i].id == id))
		i++;
	return i;
}

int dp_tunnel_add(struct dp *dp, uint16_t id, const struct endpoint *local,
                  const struct endpoint *peer, uint64_t conn)
{
	uint32_t i = tunnel_at(id);

	if (i == STUB_TUNNELS)
		return -EAFNOSUPPORT;
	if (i < stub.top_tunnel) { /* again, for its port */
		check(stub.tunnel[i].conn == conn);
		return 0;
	}
	stub.tunnel[i].id = id;
	stub.tunnel[i].conn = conn;
	stub.tunnel[i].live = true;
	stub.top_tunnel++;
	stub.n_tunnels++;
	return 0;
}

int dp_tunnel_del(struct dp *dp, uint16_t id)
{
	uint32_t i = tunnel_at(id);

	check(i < stub.top_tunnel);
	stub.tunnel[i].live = false;
	stub.n_tunnels--;
	return 0;
}

void dp_tunnel_close(struct dp *dp, uint16_t id)
{
	check(tunnel_at(id) < stub.top_tunnel);
	for (uint32_t i = 0; i < stub.top_session; i++)
		stub.session[i].closed |= stub.session[i].s.tunnel_id == id;
}

static uint32_t session_at(uint16_t id)
{
	uint32_t i = 0;

	while (i < stub.top_session &&
	       !(stub.session[i].live && stub.session[i].s.session_id == id))
		i++;
	return i;
}

static void session_child(const struct dp_session *s, int n)
{
	check((s->child != 0) == (s->conn != 0));
	if (s->child == 0)
		return;
	check(child_live(s->child) && stub.child[s->child].c.conn == s->conn &&
	      stub.child[s->child].c.worker == s->worker);
	stub.child[s->child].users += (uint32_t)n;
}

int dp_session_add(struct dp *dp, const struct dp_session *s)
{
	uint32_t i = session_at(s->session_id);

	check(s->session_id != 0 && s->gen != 0 && i == stub.top_session);
	if (stub_fails(STUB_NO_SESSION) || i == STUB_SESSIONS)
		return -EBUSY;
	session_child(s, 1);
	stub.session[i].s = *s;
	stub.session[i].live = true;
	stub.session[i].closed = false;
	stub.top_session++;
	stub.n_sessions++;
	return 0;
}

int dp_session_update(struct dp *dp, const struct dp_session *s)
{
	uint32_t i = session_at(s->session_id);

	check(i < stub.top_session && stub.session[i].s.gen == s->gen);
	if (stub.session[i].closed)
		return -ENOENT;
	if (stub_fails(STUB_FIFO_FULL))
		return -EAGAIN;
	session_child(s, 1);
	session_child(&stub.session[i].s, -1);
	stub.session[i].s = *s;
	return 0;
}

int dp_session_del(struct dp *dp, uint16_t id, uint32_t gen, uint64_t *ticket)
{
	uint32_t i = session_at(id);

	check(i < stub.top_session && stub.session[i].s.gen == gen);
	if (stub_fails(STUB_FIFO_FULL))
		return -EAGAIN;
	session_child(&stub.session[i].s, -1);
	stub.session[i].live = false;
	stub.n_sessions--;
	*ticket = ++stub.tickets;
	return 0;
}

int dp_session_stats(struct dp *dp, uint16_t id, uint32_t gen, struct dp_session_stats *out)
{
	*out = (struct dp_session_stats){0};
	return 0;
}

/* ---- packets ---- */

static void stub_sent(const uint8_t *p, size_t len); /* of the target: a message to a peer */

int dp_send_udp(struct dp *dp, const struct endpoint *src, const struct endpoint *dst,
                uint32_t child, const uint8_t *payload, size_t len)
{
	check(child_live(child)); /* there is no plain UDP here */
	stub_sent(payload, len);
	return stub_fails(STUB_FIFO_FULL) ? -EAGAIN : 0;
}

int dp_send_ppp(struct dp *dp, uint16_t id, uint32_t gen, const uint8_t *frame, size_t len)
{
	return session_at(id) < stub.top_session ? 0 : -ESTALE;
}

int dp_send_ip(struct dp *dp, const uint8_t *packet, size_t len)
{
	return 0;
}
