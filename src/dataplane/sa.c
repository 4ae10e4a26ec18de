/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Children and security associations: control's side. They are made here and sent to their worker. */
#include "dataplane/ip4.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#define NAT_PORT 4500 /* RFC 3948 */

/* ---- what has been freed and may still be seen by a worker ---- */

/* Its child was buried behind it and is not taken again before it is freed, so the worker is still known. */
static struct node *sa_node(struct dp *dp, uint32_t child)
{
	return dp->worker_node[dp->child[child].worker];
}

static void sa_free(struct dp *dp, struct sa *sa)
{
	/* What is cold may stand among the keys, and be wiped with them. */
	struct node *node = sa_node(dp, sa_cold(sa)->child);
	const uint32_t lines = sa_cold(sa)->lines;

	esp_sa_wipe(esp_of(sa));
	dp_sa_mem_put(node, sa, lines);
}

/* The worker has done all that was ordered before. */
static bool let_go(const struct dp *dp, uint16_t w, uint64_t buried)
{
	return __atomic_load_n(&dp->workers[w]->applied, __ATOMIC_ACQUIRE) >= buried;
}

static void sa_bury(struct dp *dp, uint16_t w, struct sa *sa)
{
	struct dead_sas *d = &dp->dead_sas[w];

	sa_cold(sa)->next_dead = NULL;
	sa_cold(sa)->buried = dp->last_order[w];
	if (d->first == NULL)
		d->first = sa;
	else
		sa_cold(d->last)->next_dead = sa;
	d->last = sa;
}

static void child_bury(struct dp *dp, uint16_t w, uint32_t child)
{
	struct dead_children *d = &dp->dead_children[w];

	dp->ctl_child[child].next = 0;
	dp->ctl_child[child].buried = dp->last_order[w];
	if (d->first == 0)
		d->first = child;
	else
		dp->ctl_child[d->last].next = child;
	d->last = child;
}

/* The longest dead first. */
static void sas_reclaim(struct dp *dp, uint16_t w)
{
	struct sa *sa = dp->dead_sas[w].first, *next;

	for (; sa != NULL && let_go(dp, w, sa_cold(sa)->buried); sa = next) {
		next = sa_cold(sa)->next_dead;
		if (sa_cold(sa)->inbound)
			dp_spi_release(dp, esp_sa_spi(esp_of(sa)));
		sa_free(dp, sa);
	}
	dp->dead_sas[w].first = sa;
}

static void children_reclaim(struct dp *dp, uint16_t w)
{
	uint32_t i = dp->dead_children[w].first, next;

	for (; i != 0 && let_go(dp, w, dp->ctl_child[i].buried); i = next) {
		next = dp->ctl_child[i].next;
		dp->ctl_child[i].next = dp->child_free;
		dp->child_free = i;
	}
	dp->dead_children[w].first = i;
}

void dp_sa_reclaim(struct dp *dp)
{
	for (uint16_t w = 0; w < dp->conf.n_workers; w++) {
		/* In this order: whatever SAs a freed child has had are freed before it is taken again. */
		children_reclaim(dp, w);
		sas_reclaim(dp, w);
	}
}

/* ---- children ---- */

bool dp_child_live(const struct dp *dp, uint32_t child)
{
	return child != 0 && child < CHILD_MAX && dp->ctl_child[child].live;
}

bool dp_child_fits(const struct dp *dp, uint32_t child, uint16_t worker, uint64_t conn)
{
	return dp_child_live(dp, child) && dp->child[child].worker == worker &&
	       dp->child[child].conn == conn;
}

/* 0: there is none. */
static uint32_t child_take(struct dp *dp)
{
	const uint32_t i = dp->child_free;

	if (i == 0)
		return dp->child_unused < CHILD_MAX ? dp->child_unused++ : 0;
	dp->child_free = dp->ctl_child[i].next;
	return i;
}

int dp_child_add(struct dp *dp, const struct dp_child *c, uint32_t *child)
{
	uint32_t i;

	if (c->conn == 0 || c->worker >= dp->conf.n_workers || c->local.port == 0)
		return -EINVAL;
	if (c->local.addr.family != AF_INET || c->peer.addr.family != AF_INET)
		return -EAFNOSUPPORT;
	i = child_take(dp);
	if (i == 0) {
		dp_sa_reclaim(dp);
		i = child_take(dp);
	}
	if (i == 0)
		return -ENOSPC;
	/* Orders that name it lead its worker here. */
	dp->child[i] = (struct child){
	        .conn = c->conn,
	        .local_ip = ipaddr_to_v4(&c->local.addr),
	        .peer_ip = ipaddr_to_v4(&c->peer.addr),
	        .local_port = c->local.port,
	        .peer_port = c->peer.port,
	        .worker = c->worker,
	};
	__atomic_store_n(&dp->fired[i / 8], dp->fired[i / 8] & ~(1u << i % 8), __ATOMIC_RELEASE);
	dp->ctl_child[i].live = true;
	dp->ctl_child[i].users = 0;
	*child = i;
	return 0;
}

int dp_child_del(struct dp *dp, uint32_t child)
{
	struct ctl_child *c = &dp->ctl_child[child < CHILD_MAX ? child : 0];
	uint16_t w;

	if (!dp_child_live(dp, child))
		return -ENOENT;
	if (c->users > 0)
		return -EBUSY;
	w = dp->child[child].worker;
	c->live = false;
	child_bury(dp, w, child);
	return 0;
}

void dp_child_latch(struct dp *dp, uint32_t child)
{
	if (!dp_child_live(dp, child) || dp_child_fired(dp, child))
		return;
	__atomic_store_n(&dp->fired[child / 8], dp->fired[child / 8] | 1u << child % 8,
	                 __ATOMIC_RELEASE);
	dp->fence_owed = true; /* one for all that are latched before the next message */
}

void dp_child_use(struct dp *dp, uint32_t child, int n)
{
	if (child != 0)
		dp->ctl_child[child].users += (uint32_t)n;
}

/* ---- security associations ---- */

static struct sa *sa_find(const struct dp *dp, dp_sa_id id)
{
	struct sa *sa = dp->sas[id & (SA_MAX - 1)];

	return sa != NULL && sa_cold(sa)->id == id ? sa : NULL;
}

struct sa *dp_sa_find(const struct dp *dp, dp_sa_id id)
{
	return sa_find(dp, id);
}

static int outer_make(struct sa_outer *o, const struct endpoint *local, const struct endpoint *peer,
                      bool encap)
{
	struct rte_ipv4_hdr ip = {
	        .version_ihl = RTE_IPV4_VHL_DEF,
	        .time_to_live = 64, /* RFC 1700: the recommended default */
	        .next_proto_id = encap ? IPPROTO_UDP : IPPROTO_ESP,
	};
	struct rte_udp_hdr udp = {
	        .src_port = rte_cpu_to_be_16(local->port != 0 ? local->port : NAT_PORT),
	        .dst_port = rte_cpu_to_be_16(peer->port != 0 ? peer->port : NAT_PORT),
	};

	if (local->addr.family != AF_INET || peer->addr.family != AF_INET)
		return -EAFNOSUPPORT;
	*o = (struct sa_outer){
	        .local_ip = ipaddr_to_v4(&local->addr),
	        .peer_ip = ipaddr_to_v4(&peer->addr),
	        .peer_port = rte_be_to_cpu_16(udp.dst_port),
	        .encap = encap,
	        .tmpl_len = sizeof(ip) + (encap ? sizeof(udp) : 0),
	};
	ip.src_addr = rte_cpu_to_be_32(o->local_ip);
	ip.dst_addr = rte_cpu_to_be_32(o->peer_ip);
	ip.hdr_checksum = rte_raw_cksum(&ip, sizeof(ip));
	memcpy(o->tmpl, &ip, sizeof(ip));
	if (encap)
		memcpy(o->tmpl + sizeof(ip), &udp, sizeof(udp));
	return 0;
}

static uint64_t limit(uint64_t n)
{
	return n != 0 ? n : UINT64_MAX;
}

/* What decrypted packets are compared with. */
static void selectors_set(struct sa *sa, const struct child *c)
{
	const rte_be16_t ports[2] = {rte_cpu_to_be_16(c->peer_port),
	                             rte_cpu_to_be_16(c->local_port)};
	const uint16_t mask[2] = {c->peer_port != 0 ? UINT16_MAX : 0, UINT16_MAX};

	sa->in.local_ip = c->local_ip;
	sa->in.peer_ip = c->peer_ip;
	memcpy(&sa->in.ports, ports, sizeof(ports));
	memcpy(&sa->in.ports_mask, mask, sizeof(mask));
	sa->in.conn = c->conn;
	sa->in.child = sa_cold(sa)->child;
	sa->in.opens = esp_sa_opens(esp_of(sa));
}

static bool has_limits(const struct dp_sa *s)
{
	return (s->soft_bytes | s->hard_bytes | s->soft_packets | s->hard_packets) != 0;
}

/* Fills what stands in or behind the SA of lib/esp, which is there. */
static void cold_set(struct sa *sa, const struct dp_sa *s, uint32_t lines)
{
	*sa_cold(sa) = (struct sa_cold){
	        .user = s->user,
	        .child = s->child,
	        .lines = (uint8_t)lines,
	        .inbound = s->inbound,
	        .limited = has_limits(s),
	};
	if (!s->inbound)
		sa_cold(sa)->pair = s->pair;
	if (has_limits(s))
		*(struct sa_limits *)sa_line(sa, lines - 1) = (struct sa_limits){
		        .soft_bytes = limit(s->soft_bytes),
		        .hard_bytes = limit(s->hard_bytes),
		        .soft_packets = limit(s->soft_packets),
		        .hard_packets = limit(s->hard_packets),
		};
}

static void hot_set(struct sa *sa, const struct child *c)
{
	struct esp_sa *esp = esp_of(sa);

	sa->head = (uint8_t)esp_sa_head(esp);
	if (sa_cold(sa)->inbound) {
		selectors_set(sa, c);
	} else {
		sa->out.block = esp_sa_block(esp);
		sa->out.tail_max = (uint8_t)esp_sa_tail_max(esp);
	}
}

static struct sa *sa_make(struct dp *dp, const struct dp_sa *s, const struct sa_outer *outer)
{
	const struct esp_sa_conf conf = {.spi = s->spi,
	                                 .inbound = s->inbound,
	                                 .suite = s->suite,
	                                 .enc_key = s->enc_key,
	                                 .auth_key = s->auth_key,
	                                 .enc_key_len = s->enc_key_len,
	                                 .auth_key_len = s->auth_key_len,
	                                 .esn = s->esn,
	                                 .replay_window = s->replay_window};
	const size_t size = esp_sa_size(dp->esp, &conf), gap = esp_sa_gap(dp->esp, &conf);
	const uint32_t end = (uint32_t)((sizeof(struct sa) + size + SA_LINE - 1) / SA_LINE);
	const uint32_t lines = end + (gap == 0) + has_limits(s);
	struct sa *sa;

	if (size == 0) {
		errno = EINVAL;
		return NULL;
	}
	sa = dp_sa_mem_get(sa_node(dp, s->child), lines);
	if (sa == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*sa = (struct sa){
	        .tunnel_mode = s->tunnel_mode,
	        .cold = (uint8_t)(gap != 0 ? (sizeof(struct sa) + gap) / SA_LINE : end),
	};
	if (esp_sa_place(dp->esp, &conf, esp_of(sa)) == NULL) {
		dp_sa_mem_put(sa_node(dp, s->child), sa, lines);
		errno = ENOMEM;
		return NULL;
	}
	cold_set(sa, s, lines);
	hot_set(sa, &dp->child[s->child]);
	dp_sa_outer_set(sa, outer);
	dp_sa_watch(sa);
	return sa;
}

static uint16_t sa_worker(const struct dp *dp, const struct sa *sa)
{
	return dp->child[sa_cold(sa)->child].worker;
}

/* An inbound SPI has been handed out to the child's worker, and has no SA yet. */
static int spi_check(const struct dp *dp, const struct dp_sa *s)
{
	const uint32_t slot = spi_slot(s->spi);

	if (!s->inbound)
		return 0;
	if (s->spi < SPI_MIN || dp->spi[slot].spi != s->spi)
		return -ENOENT;
	if (dp->spi_ctl.slot[slot].installed)
		return -EEXIST;
	return spi_worker(s->spi) == dp->child[s->child].worker ? 0 : -EINVAL;
}

static uint64_t order(struct dp *dp, enum fifo_op op, struct sa *sa)
{
	struct fifo_msg msg = {.op = (uint16_t)op, .sa.sa = sa};

	return dp_ticket(sa_worker(dp, sa), dp_fifo_put(dp, sa_worker(dp, sa), &msg));
}

int dp_sa_add(struct dp *dp, const struct dp_sa *s, dp_sa_id *id, uint64_t *ticket)
{
	struct sa_outer outer;
	struct sa *sa;
	uint32_t i;
	uint64_t t;
	int rc;

	dp_sa_reclaim(dp);
	if (!dp_child_live(dp, s->child))
		return -ENOENT;
	rc = outer_make(&outer, &s->local, &s->peer, s->encap);
	if (rc == 0)
		rc = spi_check(dp, s);
	if (rc != 0)
		return rc;
	if (!dp_fifo_room(dp, dp->child[s->child].worker))
		return -EAGAIN;
	if (dp->n_sa_free == 0)
		return -ENOSPC;
	sa = sa_make(dp, s, &outer);
	if (sa == NULL)
		return errno == EINVAL ? -EINVAL : -ENOMEM;
	i = dp->sa_free[--dp->n_sa_free];
	sa_cold(sa)->id = ++dp->sa_serial << SA_IDX_BITS | i;
	dp->sas[i] = sa;
	dp_child_use(dp, s->child, 1);
	if (s->inbound)
		dp->spi_ctl.slot[spi_slot(s->spi)].installed = true;
	*id = sa_cold(sa)->id;
	t = order(dp, FIFO_SA_ADD, sa);
	if (ticket != NULL)
		*ticket = t;
	return 0;
}

int dp_sa_update(struct dp *dp, dp_sa_id id, const struct endpoint *local,
                 const struct endpoint *peer, bool encap)
{
	struct fifo_msg msg = {.op = FIFO_SA_UPDATE};
	struct sa *sa = sa_find(dp, id);
	int rc;

	if (sa == NULL)
		return -ENOENT;
	rc = outer_make(&msg.sa.outer, local, peer, encap);
	if (rc != 0)
		return rc;
	if (!dp_fifo_room(dp, sa_worker(dp, sa)))
		return -EAGAIN;
	msg.sa.sa = sa;
	dp_fifo_put(dp, sa_worker(dp, sa), &msg);
	return 0;
}

int dp_sa_use(struct dp *dp, dp_sa_id id)
{
	struct sa *sa = sa_find(dp, id);

	if (sa == NULL || sa_cold(sa)->inbound)
		return -ENOENT;
	if (!dp_fifo_room(dp, sa_worker(dp, sa)))
		return -EAGAIN;
	order(dp, FIFO_SA_USE, sa);
	return 0;
}

int dp_sa_del(struct dp *dp, dp_sa_id id, uint64_t *ticket)
{
	struct sa *sa = sa_find(dp, id);
	uint32_t i = (uint32_t)(id & (SA_MAX - 1));
	uint64_t t;

	if (sa == NULL)
		return -ENOENT;
	if (!dp_fifo_room(dp, sa_worker(dp, sa)))
		return -EAGAIN;
	if (sa_cold(sa)->inbound) {
		uint32_t spi = esp_sa_spi(esp_of(sa));

		dp_spi_close(dp, spi);
		dp->spi_ctl.slot[spi_slot(spi)].installed = false;
	}
	t = order(dp, FIFO_SA_DEL, sa);
	if (ticket != NULL)
		*ticket = t;
	dp->sas[i] = NULL;
	dp->sa_free[dp->n_sa_free++] = i;
	dp_child_use(dp, sa_cold(sa)->child, -1);
	sa_bury(dp, sa_worker(dp, sa), sa);
	return 0;
}

void *dp_sa_user(const struct dp *dp, dp_sa_id id)
{
	const struct sa *sa = sa_find(dp, id);

	return sa != NULL ? sa_cold(sa)->user : NULL;
}

#define READ(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

static void drops_read(const struct dp *dp, const struct sa *sa, struct dp_sa_stats *out)
{
	const struct sa_drops *d = &dp->sa_drops[spi_slot(esp_sa_spi(esp_of(sa)))];

	if (__atomic_load_n(&d->of, __ATOMIC_ACQUIRE) != sa_cold(sa)->id)
		return; /* there has been nothing to count */
	out->auth_errors = READ(d->auth_errors);
	out->replays = READ(d->replays);
	out->pad_errors = READ(d->pad_errors);
	out->selector_errors = READ(d->selector_errors);
	out->latched = READ(d->latched);
}

int dp_sa_stats(struct dp *dp, dp_sa_id id, struct dp_sa_stats *out)
{
	const struct sa *sa = sa_find(dp, id);
	bool inbound;

	if (sa == NULL)
		return -ENOENT;
	inbound = sa_cold(sa)->inbound;
	*out = (struct dp_sa_stats){
	        .packets = READ(sa->packets),
	        .bytes = READ(sa->bytes),
	        .seq = esp_sa_seq(esp_of(sa)),
	        .used = READ(sa->packets) > 0,
	        .in_use = !inbound && READ(dp->child[sa_cold(sa)->child].out) == sa,
	};
	if (inbound)
		drops_read(dp, sa, out);
	if (out->used) {
		uint64_t last = READ(sa->last), now = rte_rdtsc();

		out->idle_ms = now > last ? (now - last) / (dp->tsc_hz / 1000) : 0;
	}
	return 0;
}

/* ---- life ---- */

int dp_sa_init(struct dp *dp)
{
	char why[128] = "";

	dp->esp = esp_new(why, sizeof(why));
	if (dp->esp == NULL) {
		log_error(dp->log, "dataplane: event=esp-failed error=\"%s\"", why);
		return -EIO;
	}
	dp->child = rte_calloc_socket("dp_child", CHILD_MAX, sizeof(*dp->child),
	                              RTE_CACHE_LINE_SIZE, dp->conf.socket);
	dp->child_out =
	        dp_table_new("dp_child_out", CHILD_MAX * sizeof(*dp->child_out), dp->conf.socket);
	dp->fired =
	        rte_zmalloc_socket("dp_fired", CHILD_MAX / 8, RTE_CACHE_LINE_SIZE, dp->conf.socket);
	dp->sa_drops = dp_sparse_new(SPI_SLOTS * sizeof(*dp->sa_drops));
	dp->ctl_child = calloc(CHILD_MAX, sizeof(*dp->ctl_child));
	dp->child_unused = 1;
	dp->sas = calloc(SA_MAX, sizeof(*dp->sas));
	dp->sa_free = calloc(SA_MAX, sizeof(*dp->sa_free));
	if (dp->child == NULL || dp->child_out == NULL || dp->fired == NULL ||
	    dp->sa_drops == NULL || dp->ctl_child == NULL || dp->sas == NULL || dp->sa_free == NULL)
		return -ENOMEM;
	for (uint32_t i = SA_MAX; i > 0; i--)
		dp->sa_free[dp->n_sa_free++] = i - 1;
	return dp_spi_init(dp);
}

void dp_sa_free(struct dp *dp)
{
	for (uint16_t w = 0; w < DP_MAX_WORKERS; w++) {
		struct sa *sa = dp->dead_sas[w].first, *next;

		for (; sa != NULL; sa = next) {
			next = sa_cold(sa)->next_dead;
			sa_free(dp, sa);
		}
	}
	for (uint32_t i = 0; dp->sas != NULL && i < SA_MAX; i++) {
		if (dp->sas[i] != NULL)
			sa_free(dp, dp->sas[i]);
	}
	for (uint32_t i = 0; i < dp->n_nodes; i++)
		dp_sa_mem_free(&dp->node[i]);
	dp_spi_free(dp);
	free(dp->sa_free);
	free(dp->sas);
	free(dp->ctl_child);
	dp_sparse_free(dp->sa_drops, SPI_SLOTS * sizeof(*dp->sa_drops));
	rte_free(dp->fired);
	dp_table_free(dp->child_out, CHILD_MAX * sizeof(*dp->child_out));
	rte_free(dp->child);
	if (dp->esp != NULL)
		esp_free(dp->esp);
}
