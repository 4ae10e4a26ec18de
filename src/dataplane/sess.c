/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Tunnels and sessions: control's side. What a session's owner needs is made here and sent to it. */
#include "dataplane/outer.h"

#include <errno.h>
#include <string.h>

#include <rte_ip.h>

/* Both of them: dp.owner, and the owner's own map. */
static void owner_set(struct dp *dp, uint16_t session_id, uint8_t owner)
{
	const uint64_t bit = 1ull << (session_id % 64);
	const uint8_t old = dp_owner(dp, session_id);

	if (old != SESS_NO_OWNER)
		__atomic_fetch_and(&dp->workers[old]->mine[session_id / 64], ~bit,
		                   __ATOMIC_RELEASE);
	__atomic_store_n(&dp->owner[session_id], owner, __ATOMIC_RELEASE);
	if (owner != SESS_NO_OWNER)
		__atomic_fetch_or(&dp->workers[owner]->mine[session_id / 64], bit,
		                  __ATOMIC_RELEASE);
}

/* ---- tunnels ---- */

int dp_tunnel_add(struct dp *dp, uint16_t tunnel_id, const struct endpoint *local,
                  const struct endpoint *peer, uint64_t conn)
{
	struct tunnel *t = &dp->tunnels[tunnel_id];
	uint64_t addrs;

	if (tunnel_id == 0)
		return -EINVAL;
	if (local->addr.family != AF_INET || peer->addr.family != AF_INET)
		return -EAFNOSUPPORT;
	addrs = (uint64_t)ipaddr_to_v4(&peer->addr) << 32 | ipaddr_to_v4(&local->addr);
	/* A worker that reads half of it takes a control message for a stranger's: it comes again. */
	__atomic_store_n(&t->known, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->addrs, addrs, __ATOMIC_RELEASE);
	__atomic_store_n(&t->conn, conn, __ATOMIC_RELEASE);
	__atomic_store_n(&t->known, TUNNEL_KNOWN | peer->port, __ATOMIC_RELEASE);
	return 0;
}

int dp_tunnel_del(struct dp *dp, uint16_t tunnel_id)
{
	struct tunnel *t = &dp->tunnels[tunnel_id];

	if (t->known == 0)
		return -ENOENT;
	__atomic_store_n(&t->known, 0, __ATOMIC_RELEASE);
	return 0;
}

/* A walk over all ids: a list of a tunnel's own would be longer in the cache than this is in time. */
void dp_tunnel_close(struct dp *dp, uint16_t tunnel_id)
{
	for (uint32_t id = 1; id < SESS_IDS; id++) {
		struct ctl_session *c = &dp->ctl[id];

		if (!c->live || c->tunnel_id != tunnel_id)
			continue;
		c->closed = true;
		owner_set(dp, (uint16_t)id, SESS_NO_OWNER);
		__atomic_store_n(&dp->gen[id], 0, __ATOMIC_RELEASE);
	}
	dp->fence_owed = true;
}

/* ---- the lines ---- */

static uint16_t line_flags(const struct dp_session *s)
{
	uint16_t f = SESS_VALID;

	f |= s->open ? SESS_OPEN : 0;
	f |= s->check_sequence ? SESS_CHECK_SEQ : 0;
	f |= s->conn != 0 ? SESS_BOUND : 0;
	f |= s->sequencing ? SESS_SEQ : 0;
	f |= s->length_bit ? SESS_LENGTH : 0;
	f |= s->udp_checksum ? SESS_UDP_SUM : 0;
	f |= s->outer_df ? SESS_DF : 0;
	f |= s->mss_clamp != 0 ? SESS_CLAMP : 0;
	f |= s->peer_ip != 0 && !ip4_martian_src(ipaddr_to_v4(&s->peer.addr)) ? SESS_ADDRESSES : 0;
	return f;
}

static void build_rx(const struct dp_session *s, struct sess_rx *rx)
{
	*rx = (struct sess_rx){
	        .flags = line_flags(s),
	        .tunnel_id = s->tunnel_id,
	        .gen = s->gen,
	        .peer_ip = ipaddr_to_v4(&s->peer.addr),
	        .local_ip = ipaddr_to_v4(&s->local.addr),
	        .peer_port = s->peer.port,
	        .local_port = s->local.port,
	        .sub_ip = s->peer_ip,
	        .conn = s->conn,
	        .mss = s->mss_clamp,
	};
}

/* The L2TP header of data messages (RFC 2661 3.1), the fields that change left zero. */
static uint8_t *build_l2tp(const struct dp_session *s, uint8_t *p)
{
	put_be16(p, (uint16_t)(2 | (s->length_bit ? 0x4000 : 0) | (s->sequencing ? 0x0800 : 0)));
	p += 2;
	if (s->length_bit)
		p += 2;
	put_be16(p, s->peer_tunnel_id);
	put_be16(p + 2, s->peer_session_id);
	p += 4;
	return s->sequencing ? p + 4 : p;
}

/* The PPP header of IPv4 packets: RFC 1661 2 and 6.5, 6.6; RFC 1332 2. */
static uint8_t *build_ppp(const struct dp_session *s, uint8_t *p)
{
	if (!s->tx_acfc) {
		*p++ = 0xff;
		*p++ = 0x03;
	}
	if (!s->tx_pfc)
		*p++ = 0x00;
	*p++ = 0x21;
	return p;
}

static void build_tx(const struct dp_session *s, struct sess_tx *tx)
{
	uint8_t framing[SESS_FRAMING_MAX] = {0};
	uint8_t *ppp = build_l2tp(s, framing), *end = build_ppp(s, ppp);
	uint8_t ip[sizeof(struct rte_ipv4_hdr)];

	*tx = (struct sess_tx){
	        .src_ip = rte_cpu_to_be_32(ipaddr_to_v4(&s->local.addr)),
	        .dst_ip = rte_cpu_to_be_32(ipaddr_to_v4(&s->peer.addr)),
	        .src_port = rte_cpu_to_be_16(s->local.port),
	        .dst_port = rte_cpu_to_be_16(s->peer.port),
	        .flags = line_flags(s),
	        .headers = (uint8_t)(OUTER_UDP + (size_t)(end - framing)),
	        .ppp_len = (uint8_t)(end - ppp),
	        .mtu = s->mtu,
	        .mss = s->mss_clamp,
	        .sub_ip = s->peer_ip,
	        .child = s->child,
	};
	memcpy(tx->framing + sizeof(framing) - (end - framing), framing, (size_t)(end - framing));
	outer_ip4_put(ip, tx, 0, 0, s->outer_df, 0);
	tx->ip_sum = rte_be_to_cpu_16(rte_raw_cksum(ip, sizeof(ip)));
}

static int session_check(const struct dp *dp, const struct dp_session *s)
{
	if (s->session_id == 0 || s->gen == 0 || s->worker >= dp->conf.n_workers)
		return -EINVAL;
	if (s->local.addr.family != AF_INET || s->peer.addr.family != AF_INET)
		return -EAFNOSUPPORT;
	if (s->child != 0 && !dp_child_fits(dp, s->child, s->worker, s->conn))
		return -EINVAL;
	return 0;
}

/* ---- sessions ---- */

int dp_session_add(struct dp *dp, const struct dp_session *s)
{
	struct ctl_session *c = &dp->ctl[s->session_id];
	struct fifo_msg msg = {.op = FIFO_SESSION_ADD, .id = s->session_id, .gen = s->gen};
	int rc = session_check(dp, s);

	if (rc != 0)
		return rc;
	if (c->live)
		return -EEXIST;
	if (c->del_ticket != 0 && !dp_applied(dp, c->del_ticket))
		return -EBUSY;
	if (!dp_fifo_room(dp, s->worker))
		return -EAGAIN;
	if (s->peer_ip != 0) {
		rc = dp_subs_set(dp, s->peer_ip, s->session_id);
		if (rc != 0)
			return rc;
	}
	build_rx(s, &msg.sess.rx);
	build_tx(s, &msg.sess.tx);
	/* hidden is false of one that was deleted. */
	*c = (struct ctl_session){
	        .gen = s->gen,
	        .sub_ip = s->peer_ip,
	        .child = s->child,
	        .worker = (uint8_t)s->worker,
	        .tunnel_id = s->tunnel_id,
	        .live = true,
	};
	dp_subs_hide(dp, s->session_id);
	dp_child_use(dp, s->child, 1);
	dp->n_sessions[s->worker]++;
	__atomic_store_n(&dp->n_live, dp->n_live + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&dp->gen[s->session_id], s->gen, __ATOMIC_RELEASE);
	owner_set(dp, s->session_id, (uint8_t)s->worker);
	dp_fifo_put(dp, s->worker, &msg);
	return 0;
}

/* The live session of that generation. */
static int session_find(struct dp *dp, uint16_t session_id, uint32_t gen, struct ctl_session **out)
{
	struct ctl_session *c = &dp->ctl[session_id];

	if (!c->live)
		return -ENOENT;
	if (c->gen != gen)
		return -ESTALE;
	*out = c;
	return 0;
}

int dp_session_update(struct dp *dp, const struct dp_session *s)
{
	struct fifo_msg msg = {.op = FIFO_SESSION_UPDATE, .id = s->session_id, .gen = s->gen};
	struct ctl_session *c;
	int rc = session_check(dp, s);

	if (rc == 0)
		rc = session_find(dp, s->session_id, s->gen, &c);
	if (rc == 0 && c->closed)
		rc = -ENOENT;
	if (rc != 0)
		return rc;
	if (!dp_fifo_room(dp, c->worker))
		return -EAGAIN;
	if (s->peer_ip != 0) {
		rc = dp_subs_set(dp, s->peer_ip, s->session_id);
		if (rc != 0)
			return rc;
	}
	if (c->sub_ip != 0 && c->sub_ip != s->peer_ip)
		dp_subs_clear(dp, c->sub_ip, s->session_id);
	c->sub_ip = s->peer_ip;
	dp_subs_hide(dp, s->session_id);
	dp_child_use(dp, s->child, 1);
	dp_child_use(dp, c->child, -1);
	c->child = s->child;
	build_rx(s, &msg.sess.rx);
	build_tx(s, &msg.sess.tx);
	dp_fifo_put(dp, c->worker, &msg);
	return 0;
}

int dp_session_del(struct dp *dp, uint16_t session_id, uint32_t gen, uint64_t *ticket)
{
	struct fifo_msg msg = {.op = FIFO_SESSION_DEL, .id = session_id, .gen = gen};
	struct ctl_session *c;
	int rc = session_find(dp, session_id, gen, &c);

	if (rc != 0)
		return rc;
	if (!dp_fifo_room(dp, -1))
		return -EAGAIN;
	msg.owner = c->worker;
	if (c->sub_ip != 0)
		dp_subs_clear(dp, c->sub_ip, session_id);
	owner_set(dp, session_id, SESS_NO_OWNER);
	__atomic_store_n(&dp->gen[session_id], 0, __ATOMIC_RELEASE);
	dp->n_sessions[c->worker]--;
	__atomic_store_n(&dp->n_live, dp->n_live - 1, __ATOMIC_RELAXED);
	dp_child_use(dp, c->child, -1);
	c->live = false;
	c->sub_ip = 0;
	dp_subs_hide(dp, session_id);
	c->del_ticket = dp_fifo_put_all(dp, &msg);
	dp->fence = c->del_ticket;
	dp->fence_owed = false;
	if (ticket != NULL)
		*ticket = c->del_ticket;
	return 0;
}

bool dp_applied(struct dp *dp, uint64_t ticket)
{
	const uint64_t seq = ticket & (UINT64_MAX >> 8);
	const uint32_t only = (uint32_t)(ticket >> 56); /* dp_ticket */

	for (uint16_t i = 0; i < dp->conf.n_workers; i++) {
		if (only != 0 && only != i + 1u)
			continue;
		if (__atomic_load_n(&dp->workers[i]->applied, __ATOMIC_ACQUIRE) < seq)
			return false;
	}
	return true;
}

#define READ(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

int dp_session_stats(struct dp *dp, uint16_t session_id, uint32_t gen, struct dp_session_stats *out)
{
	const struct sess_ctr *c = &dp->ctr[session_id];
	const struct sess_tx *t = &dp->tx[session_id];

	if (dp->ctl[session_id].gen == 0)
		return -ENOENT;
	if (dp->ctl[session_id].gen != gen)
		return -ESTALE;
	*out = (struct dp_session_stats){0};
	if (READ(dp->rx[session_id].gen) != gen)
		return 0; /* its owner has not seen it yet */
	out->rx_packets = READ(dp->rx[session_id].packets);
	out->rx_bytes = READ(dp->rx[session_id].bytes);
	out->tx_packets = READ(t->packets);
	out->tx_bytes = READ(t->bytes);
	/* Its owner writes it when there is something to count. */
	if (__atomic_load_n(&c->gen, __ATOMIC_ACQUIRE) == gen) {
		out->rx_discards = READ(c->rx_discards);
		out->tx_discards = READ(c->tx_discards);
		out->rx_out_of_sequence = READ(c->rx_out_of_sequence);
		out->rx_lost = READ(c->rx_lost);
	}
	out->ns = READ(t->ns);
	out->nr = READ(dp->rx[session_id].nr);
	return 0;
}

uint32_t dp_worker_sessions(const struct dp *dp, uint16_t worker)
{
	return worker < dp->conf.n_workers ? dp->n_sessions[worker] : 0;
}
