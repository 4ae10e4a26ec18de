/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Peers that move while there is no link to charon, or during its replay (spec/single-shot.md 3.2, E8). */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

#include <sys/socket.h>

static const struct endpoint us = {{AF_INET, {192, 0, 2, 1}}, 4500};

static struct endpoint at(uint8_t host, uint16_t port)
{
	return (struct endpoint){ipaddr_v4(RIG_PEER + host), port};
}

static void update_pair(struct rig *r, const struct rig_pair *p, struct endpoint was,
                        struct endpoint is)
{
	CU_ASSERT_EQUAL(rig_update(r, p, true, was, is), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_update(r, p, false, was, is), SSLINK_OK);
}

static uint8_t add(struct rig *r, const struct rig_pair *p, bool inbound, struct endpoint peer,
                   bool resync)
{
	struct sslink_msg m = rig_add_msg(p, inbound);

	m.add_sa.resync = resync;
	m.add_sa.encap = true;
	m.add_sa.src = inbound ? peer : us;
	m.add_sa.dst = inbound ? us : peer;
	return rig_ask(r, &m);
}

static uint8_t replay(struct rig *r, const struct rig_pair *p, bool inbound, struct endpoint peer)
{
	return add(r, p, inbound, peer, true);
}

static void replay_pair(struct rig *r, const struct rig_pair *p, struct endpoint peer)
{
	CU_ASSERT_EQUAL(replay(r, p, true, peer), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, p, false, peer), SSLINK_OK);
}

static uint8_t by_name(struct rig *r, enum sslink_type type, uint32_t spi, struct endpoint peer)
{
	struct sslink_msg m = {.type = type, .sa_id = {.spi = spi, .dst = peer.addr}};

	return rig_ask(r, &m);
}

/* A peer behind a NAT; its outbound SPI is of its own choice, 0: any. */
static uint64_t connect_from(struct rig *r, uint32_t ike, uint32_t spi_out, struct endpoint peer,
                             struct rig_pair *p)
{
	if (r->charon.instance == 0)
		rig_link_up(r, 1);
	rig_ike_up(r, ike);
	*p = (struct rig_pair){.ike = ike, .spi_out = spi_out != 0 ? spi_out : 0x20000 + ike};
	CU_ASSERT_EQUAL(rig_get_spi(r, ike, &p->spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(add(r, p, true, peer, false), SSLINK_OK);
	CU_ASSERT_EQUAL(add(r, p, false, peer, false), SSLINK_OK);
	return rig_conn_of(r, p->spi_in);
}

static bool is_at(const struct rig *r, const struct rig_pair *p, bool inbound, struct endpoint peer)
{
	dp_sa_id id = rig_sa_id(r, inbound ? p->spi_in : p->spi_out, inbound);

	return id != 0 && endpoint_eq(&r->sa[id % RIG_SAS].s.peer, &peer);
}

/* .. of several with this SPI, the one of the connection. */
static bool conn_sends_to(const struct rig *r, uint64_t conn, struct endpoint peer)
{
	for (uint32_t i = 0; i < RIG_SAS; i++)
		if (r->sa[i].id != 0 && !r->sa[i].s.inbound &&
		    r->child[r->sa[i].s.child].c.conn == conn)
			return endpoint_eq(&r->sa[i].s.peer, &peer);
	return false;
}

static void both_at(const struct rig *r, const struct rig_pair *p, struct endpoint peer)
{
	CU_ASSERT_TRUE(is_at(r, p, true, peer));
	CU_ASSERT_TRUE(is_at(r, p, false, peer));
}

static uint64_t refused(const struct rig *r)
{
	struct ctl_ipsec_stats st = rig_ipsec_stats(r);
	uint64_t n = 0;

	for (int i = 0; i < SSLINK_STATUS_MAX; i++)
		n += st.refused[i];
	return n;
}

static uint64_t dialled(struct rig *r, uint32_t ike, struct endpoint peer, struct rig_pair *p)
{
	uint64_t conn = connect_from(r, ike, 0, peer, p);

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	return conn;
}

/* charon has followed its peer, the news of that were lost, and the replay shows it. */
static void lost_update(struct endpoint to, bool late, bool out_first)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500);
	struct rig_pair p;
	uint64_t conn = dialled(r, 1, from, &p);
	struct ctl_conn_view k;

	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &p, !out_first, to), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &p, out_first, to), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	both_at(r, &p, to);
	k = rig_conn_view(r, conn);
	CU_ASSERT_TRUE(endpoint_eq(&k.peer, &to));
	CU_ASSERT_EQUAL(r->charon.n_mapping, 0);
	if (late)
		update_pair(r, &p, from, to);
	both_at(r, &p, to);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).nat_moves, 1);
	CU_ASSERT_EQUAL(refused(r), 0);
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	/* once more over another link: it is known by the new name now */
	rig_link_hello(r, 1);
	replay_pair(r, &p, to);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_QUERY_SA, p.spi_out, to), SSLINK_OK);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_DEL_SA, p.spi_out, to), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	CU_ASSERT_EQUAL(refused(r), 0);
	rig_free(r);
}

static void test_lost_update(void)
{
	for (int i = 0; i < 4; i++) {
		lost_update(at(1, 4500), i & 1, i & 2);
		lost_update(at(0, 4999), i & 1, i & 2);
	}
}

/* Packets came from elsewhere while there was no link: charon is told, and its answer is the end of it. */
static void test_moved_alone(void)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), to = at(1, 4501);
	struct rig_pair p;
	uint64_t conn = dialled(r, 1, from, &p);
	struct sslink_msg m;

	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_sa_event(r, p.spi_in, true, DP_SA_MAPPING, &to);
	both_at(r, &p, to);
	rig_link_hello(r, 1);
	replay_pair(r, &p, from);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	both_at(r, &p, to);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 1);
	m = must_last_msg(r, SSLINK_MAPPING);
	CU_ASSERT_TRUE(endpoint_eq(&m.mapping.remote, &to));
	CU_ASSERT_EQUAL(by_name(r, SSLINK_QUERY_SA, p.spi_out, from), SSLINK_OK);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_QUERY_SA, p.spi_out, to), SSLINK_REFUSED);
	update_pair(r, &p, from, to);
	both_at(r, &p, to);
	CU_ASSERT_EQUAL(refused(r), 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).nat_moves, 1);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	/* nothing is left to tell */
	rig_link_hello(r, 1);
	replay_pair(r, &p, to);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 1);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_DEL_SA, p.spi_out, to), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	rig_free(r);
}

/* .. and charon deletes it before it has heard: by the name that it knows. */
static void test_deleted_by_old_name(void)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), to = at(1, 4501);
	struct rig_pair p;

	connect_from(r, 1, 0, from, &p);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_sa_event(r, p.spi_in, true, DP_SA_MAPPING, &to);
	rig_link_hello(r, 1);
	replay_pair(r, &p, from);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_DEL_SA, p.spi_out, from), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	rig_free(r);
}

/* Both have moved it: to the same place, or charon to another one than the peer's packets come from. */
static void both_moved(struct endpoint charons)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), to = at(1, 4501);
	bool agreed = endpoint_eq(&charons, &to);
	struct rig_pair p;

	dialled(r, 1, from, &p);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_sa_event(r, p.spi_in, true, DP_SA_MAPPING, &to);
	rig_link_hello(r, 1);
	replay_pair(r, &p, charons);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	both_at(r, &p, to);
	CU_ASSERT_EQUAL(r->charon.n_mapping, agreed ? 0 : 1);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_QUERY_SA, p.spi_out, charons), SSLINK_OK);
	update_pair(r, &p, charons, to);
	both_at(r, &p, to);
	/* what charon says by a link that is up is so */
	update_pair(r, &p, to, charons);
	both_at(r, &p, charons);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(refused(r), 0);
	rig_free(r);
}

static void test_both_moved(void)
{
	both_moved(at(1, 4501));
	both_moved(at(2, 4502));
}

/* The link was lost before charon had read of it. */
static void test_mapping_unread(void)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), to = at(0, 4501);
	struct rig_pair p;

	connect_from(r, 1, 0, from, &p);
	rig_sa_event(r, p.spi_in, true, DP_SA_MAPPING, &to);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 1);
	both_at(r, &p, from);
	rig_link_hello(r, 1);
	replay_pair(r, &p, from);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 2);
	/* its answer is lost, too, and the replay is one */
	rig_link_hello(r, 1);
	replay_pair(r, &p, to);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(r->charon.n_mapping, 2);
	both_at(r, &p, to);
	rig_free(r);
}

/* The workers had no room for the news. */
static void test_no_room(void)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), to = at(1, 4500);
	struct rig_pair p;

	connect_from(r, 1, 0, from, &p);
	r->fifo_full = true;
	rig_link_hello(r, 1);
	replay_pair(r, &p, to);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	both_at(r, &p, from);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	both_at(r, &p, to);
	rig_free(r);
}

/* A selector follows the outer address that charon knows: a rekeyed SA joins the same child. */
static void test_rekeyed_meanwhile(void)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), then = at(1, 4500), to = at(2, 4500);
	struct rig_pair p, q = {.ike = 1, .spi_out = 4711};

	connect_from(r, 1, 0, from, &p);
	update_pair(r, &p, from, then);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_sa_event(r, p.spi_in, true, DP_SA_MAPPING, &to);
	rig_link_hello(r, 1);
	replay_pair(r, &p, then);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &q.spi_in), SSLINK_OK);
	for (int inbound = 1; inbound >= 0; inbound--) {
		struct sslink_msg m = rig_add_msg(&q, inbound);

		m.add_sa.encap = true;
		m.add_sa.src = inbound ? then : us;
		m.add_sa.dst = inbound ? us : then;
		m.add_sa.remote_ts.first = m.add_sa.remote_ts.last = then.addr;
		CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	}
	CU_ASSERT_EQUAL(r->n_children, 1);
	rig_free(r);
}

/* Two of one IKE_SA have the SPI, and neither the name: it may be one or the other. */
static void test_ambiguous(void)
{
	struct rig *r = must_rig();
	struct endpoint from = at(0, 4500), then = at(1, 4500), to = at(2, 4500);
	struct rig_pair p, q;

	connect_from(r, 1, 4711, from, &p);
	q = p;
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &q.spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(add(r, &q, true, then, false), SSLINK_OK);
	CU_ASSERT_EQUAL(add(r, &q, false, then, false), SSLINK_OK);
	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &p, true, to), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &p, false, to), SSLINK_REFUSED);
	/* .. but when one was named, it is the other */
	CU_ASSERT_EQUAL(replay(r, &q, false, then), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &p, false, to), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &p, false, at(3, 4500)), SSLINK_REFUSED);
	rig_free(r);
}

/* A peer that has chosen another's SPI goes where that one was, and is replayed first. */
static void test_stranger_takes_name(void)
{
	struct rig *r = must_rig();
	struct endpoint home = at(0, 4500), away = at(1, 4500), den = at(2, 4500);
	struct rig_pair p, q;
	uint64_t victim = connect_from(r, 1, 4711, home, &p), other;

	other = connect_from(r, 2, 4711, den, &q);
	rig_dial(r, "ss-ipsec", 1701, victim, 1, "pass1");
	rig_run(r, UP_MS);
	rig_link_hello(r, 1);
	replay_pair(r, &q, home);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, home)); /* as before */
	CU_ASSERT_TRUE(conn_sends_to(r, other, home));
	replay_pair(r, &p, away);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, away));
	CU_ASSERT_TRUE(conn_sends_to(r, other, home));
	CU_ASSERT_EQUAL(rig_conn_view(r, victim).ike_id, 1);
	CU_ASSERT_EQUAL(rig_conn_view(r, other).ike_id, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	/* what the replay has overtaken moves nobody; each is meant by its own name */
	CU_ASSERT_EQUAL(rig_update(r, &p, false, home, away), SSLINK_OK);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, away));
	CU_ASSERT_TRUE(conn_sends_to(r, other, home));
	CU_ASSERT_EQUAL(by_name(r, SSLINK_DEL_SA, 4711, home), SSLINK_OK);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, away));
	CU_ASSERT_FALSE(conn_sends_to(r, other, home));
	rig_free(r);
}

/* .. or is replayed behind it: there is no room for two of one name. */
static void test_stranger_is_late(void)
{
	struct rig *r = must_rig();
	struct endpoint home = at(0, 4500), den = at(2, 4500);
	struct rig_pair p, q;
	uint64_t victim = connect_from(r, 1, 4711, home, &p), other;

	other = connect_from(r, 2, 4711, den, &q);
	rig_dial(r, "ss-ipsec", 1701, victim, 1, "pass1");
	rig_run(r, UP_MS);
	rig_link_hello(r, 1);
	replay_pair(r, &p, home);
	CU_ASSERT_EQUAL(replay(r, &q, true, home), SSLINK_OK);
	CU_ASSERT_EQUAL(replay(r, &q, false, home), SSLINK_REFUSED);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, home));
	CU_ASSERT_FALSE(conn_sends_to(r, other, home));
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(refused(r), 1);
	rig_free(r);
}

/* Nobody is there: it stays where it is, whether it is told or replayed. */
static void test_nowhere(void)
{
	struct rig *r = must_rig();
	struct endpoint home = at(0, 4500), nowhere[] = {at(1, 0), {.port = 4500}};
	struct rig_pair p;

	dialled(r, 1, home, &p);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(rig_update(r, &p, true, home, nowhere[i]), SSLINK_UNSUPPORTED);
		CU_ASSERT_EQUAL(rig_update(r, &p, false, home, nowhere[i]), SSLINK_UNSUPPORTED);
	}
	rig_link_hello(r, 1);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(replay(r, &p, true, nowhere[i]), SSLINK_REFUSED);
		CU_ASSERT_EQUAL(replay(r, &p, false, nowhere[i]), SSLINK_REFUSED);
	}
	both_at(r, &p, home);
	CU_ASSERT_EQUAL(refused(r), 8);
	rig_free(r);
}

/* A peer whose SA is gone here has no claim to another's that has SPI and address of it. */
static void test_stranger_has_none(void)
{
	struct rig *r = must_rig();
	struct endpoint home = at(0, 4500), den = at(2, 4500);
	struct rig_pair p, q, x;
	uint64_t victim = connect_from(r, 1, 4711, home, &p);

	connect_from(r, 2, 4712, den, &q);
	x = q;
	x.spi_out = 4711;
	rig_link_hello(r, 1);
	CU_ASSERT_EQUAL(replay(r, &x, false, home), SSLINK_REFUSED); /* its name, before its turn */
	CU_ASSERT_EQUAL(replay(r, &x, false, den), SSLINK_REFUSED);
	x.ike = 3;
	CU_ASSERT_EQUAL(replay(r, &x, false, at(0, 4501)), SSLINK_REFUSED);
	replay_pair(r, &p, home);
	CU_ASSERT_EQUAL(replay(r, &x, false, home), SSLINK_REFUSED); /* .. and after it */
	replay_pair(r, &q, den);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_conn_view(r, victim).ike_id, 1);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, home));
	CU_ASSERT_EQUAL(r->n_sas, 4);
	rig_free(r);
}

/* .. and moves to where that one is, and on from there: charon's name for its SA is the other's then. */
static void test_stranger_updates(void)
{
	struct rig *r = must_rig();
	struct endpoint home = at(0, 4500), den = at(2, 4500), on = at(3, 4500);
	struct rig_pair p, q;
	uint64_t victim = connect_from(r, 1, 4711, home, &p), other;

	other = connect_from(r, 2, 4711, den, &q);
	CU_ASSERT_EQUAL(rig_update(r, &q, true, den, home), SSLINK_OK);
	rig_update(r, &q, false, den, home);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, home));
	CU_ASSERT_EQUAL(rig_update(r, &q, true, home, on), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_update(r, &q, false, home, on), SSLINK_REFUSED);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, home));
	/* who is at home moves as ever */
	update_pair(r, &p, home, at(4, 4500));
	CU_ASSERT_TRUE(conn_sends_to(r, victim, at(4, 4500)));
	CU_ASSERT_TRUE(conn_sends_to(r, other, den));
	/* by packets of its own, too, none takes another's name */
	ctl_ike_link_down(r->ctl, r->now_ms);
	home = at(4, 4500);
	rig_sa_event(r, q.spi_in, true, DP_SA_MAPPING, &home);
	rig_link_hello(r, 1);
	replay_pair(r, &q, den);
	replay_pair(r, &p, home);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	CU_ASSERT_EQUAL(by_name(r, SSLINK_DEL_SA, 4711, den), SSLINK_OK);
	CU_ASSERT_TRUE(conn_sends_to(r, victim, home));
	CU_ASSERT_FALSE(conn_sends_to(r, other, home));
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"an update is lost (E8)", test_lost_update},
	        {"moved alone (E8)", test_moved_alone},
	        {"deleted by its old name", test_deleted_by_old_name},
	        {"both have moved it", test_both_moved},
	        {"a mapping is not read", test_mapping_unread},
	        {"no room", test_no_room},
	        {"rekeyed meanwhile (E8)", test_rekeyed_meanwhile},
	        {"ambiguous", test_ambiguous},
	        {"a stranger takes the name", test_stranger_takes_name},
	        {"a stranger is late", test_stranger_is_late},
	        {"nowhere", test_nowhere},
	        {"a stranger has none", test_stranger_has_none},
	        {"a stranger's updates", test_stranger_updates},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: moves", tests);
}
