/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A subscriber's life over IPsec with memory that runs out at each point of it. */
#include "control/scene.h"

#include "must.h"
#include "nomem.h"
#include "suite.h"

#include <string.h>

static void link_up(struct rig *r)
{
	if (r->charon.instance == 0)
		rig_link_up(r, 1);
}

/*
 * One peer authentication buys one judged password, whatever there was no memory for: when a wrong one was
 * judged, nothing comes up any more.
 */
static void one_guess(struct play *p, uint64_t conn)
{
	struct ctl_stats st = must_stats(p->r);
	const struct conn *k = ctl_conn(p->r->ctl, conn);

	CU_ASSERT_TRUE(st.ppp_auths <= 1);
	CU_ASSERT_TRUE(st.ppp_auth_failures == 0 || p->r->networks_up == 0);
	CU_ASSERT_TRUE(k == NULL || !k->used_by_single_shot || k->tunnels != 0 || k->fired);
}

static void shoot(struct play *p, const char *first)
{
	struct rig *r = p->r;
	uint64_t conn = rig_connect(r, 1, 0, NULL);
	uint32_t d;

	scene_step(p, 0);
	if (conn == 0)
		return;
	d = scene_dial(p, "ss-ipsec", 1701, conn, 1, first);
	scene_step(p, 1000);
	one_guess(p, conn);
	/* another call on the same tunnel, another tunnel beside it */
	if (p->dial[d].t != NULL)
		lac_call(p->dial[d].t, "user1", "pass1", r->now_ms);
	scene_step(p, 1000);
	scene_dial(p, "ss-ipsec", 1702, conn, 1, "pass1");
	scene_step(p, 1000);
	one_guess(p, conn);
	if (p->dial[d].s != NULL)
		lac_hangup(p->dial[d].s, r->now_ms);
	scene_step(p, 10000);
	one_guess(p, conn);
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 3000);
	one_guess(p, conn);
	/* charon asks for another SA of the same peer */
	rig_child_up(r, 1, 0, &(struct rig_pair){0});
	scene_step(p, 1000);
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 3000);
	one_guess(p, conn);
}

static void right(struct play *p)
{
	link_up(p->r);
	shoot(p, "pass1");
}

static void wrong(struct play *p)
{
	link_up(p->r);
	shoot(p, "wrong");
}

static void test_right(void)
{
	scene_play(&(struct scene){"single-shot", NULL, right});
}

static void test_wrong(void)
{
	scene_play(&(struct scene){"single-shot, wrong", NULL, wrong});
}

/* As charon does for a responder: SPI and SAs first, the IKE_SA is up behind them; the SCCRQ is early. */
static void early(struct play *p)
{
	struct rig *r = p->r;
	struct rig_pair a = {.ike = 1, .spi_out = 4711};
	struct sslink_msg m;
	uint64_t conn;

	link_up(r);
	if (rig_get_spi(r, 1, &a.spi_in) != SSLINK_OK)
		return;
	scene_step(p, 0);
	m = rig_add_msg(&a, true);
	if (rig_ask(r, &m) != SSLINK_OK) {
		rig_del_sa(r, a.spi_in, true);
		scene_step(p, 0);
		rig_ike_up(r, 1);
		return;
	}
	conn = rig_conn_of(r, a.spi_in);
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 100);
	m = rig_add_msg(&a, false);
	rig_ask(r, &m);
	scene_step(p, 100);
	rig_ike_up(r, 1);
	scene_step(p, 3000);
	one_guess(p, conn);
	ctl_clear_conn(r->ctl, conn, r->now_ms);
	scene_step(p, 3000);
	one_guess(p, conn);
}

static void test_early(void)
{
	scene_play(&(struct scene){"early", NULL, early});
}

static void update(struct rig *r, const struct rig_pair *p, uint16_t from, uint16_t to)
{
	struct endpoint was = {ipaddr_v4(RIG_PEER), from}, is = {ipaddr_v4(RIG_PEER), to};

	rig_update(r, p, false, was, is);
	rig_update(r, p, true, was, is);
}

static uint8_t replay(struct rig *r, const struct rig_pair *p, bool inbound)
{
	struct sslink_msg m = rig_add_msg(p, inbound);

	m.add_sa.resync = true;
	return rig_ask(r, &m);
}

/* A session whose SAs move, are rekeyed, expire, and are given to other IKE_SAs. */
static void rekey(struct play *p)
{
	struct rig *r = p->r;
	struct rig_pair a = {.life = {.soft_s = 100, .hard_s = 1000}};
	struct rig_pair b = {0}, c = {0};
	struct endpoint to = {ipaddr_v4(RIG_PEER), 4501};
	struct sslink_msg m;
	uint64_t conn;

	link_up(r);
	conn = rig_connect(r, 1, 0, &a);
	scene_step(p, 0);
	if (conn == 0)
		return;
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 1000);
	/* behind a NAT, which changes its mind: told by charon, and seen by a worker */
	update(r, &a, 0, 4500);
	scene_step(p, 100);
	if (rig_sa_id(r, a.spi_in, true) != 0)
		rig_sa_event(r, a.spi_in, true, DP_SA_MAPPING, &to);
	scene_step(p, 100);
	update(r, &a, 4500, 4501);
	scene_step(p, 100);
	/* orders for a new CHILD_SA have to wait */
	b.ike = 1;
	b.spi_out = 4711;
	if (rig_get_spi(r, 1, &b.spi_in) == SSLINK_OK) {
		for (int inbound = 1; inbound >= 0; inbound--) {
			r->fifo_full = true;
			m = rig_add_msg(&b, inbound);
			rig_ask(r, &m);
			scene_step(p, 100);
			r->fifo_full = false;
			scene_step(p, 100);
		}
		rig_child_down(r, &b);
	}
	/* another one takes over */
	if (rig_child_up(r, 1, 0, &b) == SSLINK_OK) {
		m = (struct sslink_msg){
		        .type = SSLINK_CHILD_REKEY,
		        .child_rekey = {.old_spi_in = a.spi_in, .new_spi_in = b.spi_in}};
		rig_tell(r, &m);
		scene_step(p, 3000);
		rig_child_down(r, &a);
	} else {
		b = a;
	}
	scene_step(p, 100);
	rig_ike_rekey(r, 1, 2);
	scene_step(p, 100);
	/* charon's plugin comes again, and has heard of the NAT meanwhile */
	ctl_ike_link_down(r->ctl, r->now_ms);
	scene_step(p, 100);
	if (rig_sa_id(r, b.spi_in, true) != 0)
		rig_sa_event(r, b.spi_in, true, DP_SA_MAPPING, &to);
	scene_step(p, 100);
	b.ike = 3;
	rig_link_hello(r, r->charon.instance);
	replay(r, &b, true);
	replay(r, &b, false);
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	r->charon.ikes[0] = 3;
	r->charon.n_ikes = 1;
	scene_step(p, 1000);
	rig_child_up(r, 3, 0, &c);
	scene_step(p, 1000);
	rig_child_down(r, &b);
	scene_step(p, 1000);
	rig_child_down(r, &c);
	scene_step(p, 1000);
}

static void test_rekey(void)
{
	scene_play(&(struct scene){"rekey", NULL, rekey});
}

/* Its peer moves while there is no link: a worker has seen it, or charon, or both; and by whom it is told. */
static void roam(struct play *p)
{
	struct rig *r = p->r;
	struct endpoint to = {ipaddr_v4(RIG_PEER), 4500};
	struct rig_pair a = {0};
	uint64_t conn;

	link_up(r);
	conn = rig_connect(r, 1, 0, &a);
	scene_step(p, 0);
	if (conn == 0)
		return;
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 1000);
	update(r, &a, 0, 4500);
	for (int i = 0; i < 4; i++) {
		bool seen = i & 1, moved = i & 2;
		uint16_t from = to.port++;

		ctl_ike_link_down(r->ctl, r->now_ms);
		if (seen && rig_sa_id(r, a.spi_in, true) != 0)
			rig_sa_event(r, a.spi_in, true, DP_SA_MAPPING, &to);
		scene_step(p, 100);
		rig_link_hello(r, r->charon.instance);
		for (int inbound = 1; inbound >= 0; inbound--) {
			struct sslink_msg m = rig_add_msg(&a, inbound);
			struct endpoint *us = inbound ? &m.add_sa.dst : &m.add_sa.src;
			struct endpoint *them = inbound ? &m.add_sa.src : &m.add_sa.dst;

			us->port = 4500;
			them->port = moved ? to.port : from;
			m.add_sa.resync = m.add_sa.encap = true;
			rig_ask(r, &m);
		}
		CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
		update(r, &a, from, to.port);
		scene_step(p, 100);
	}
	rig_child_down(r, &a);
	scene_step(p, 1000);
}

static void test_roam(void)
{
	scene_play(&(struct scene){"roam", NULL, roam});
}

static void adopted(struct rig *r, const struct rig_pair *a, uint32_t old_id, uint32_t new_id)
{
	uint32_t told = 0;

	if (rig_conn_of(r, a->spi_in) == 0)
		return;
	rig_migrate(r, old_id, new_id, &a->spi_in, 1);
	rig_ike_down(r, old_id);
	for (uint32_t i = 0; i < r->charon.n_msgs; i++)
		told += r->charon.msgs[i].type == SSLINK_DELETE_CHILD &&
		        r->charon.msgs[i].sa_id.spi == a->spi_in;
	/* What is not here must not stay at charon for ever. */
	CU_ASSERT_TRUE(rig_conn_of(r, a->spi_in) != 0 || told > 0);
}

/* Each new SA is elsewhere than those before, which stay where they are. */
static void places(struct play *p)
{
	struct rig *r = p->r;
	struct rig_pair a = {0}, b = {.ike = 1, .spi_out = 4711};
	uint64_t conn;

	link_up(r);
	conn = rig_connect(r, 1, 0, &a);
	scene_step(p, 0);
	if (conn == 0)
		return;
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 1000);
	if (rig_get_spi(r, 1, &b.spi_in) != SSLINK_OK)
		return;
	for (int inbound = 1; inbound >= 0; inbound--) {
		struct sslink_msg m = rig_add_msg(&b, inbound);

		m.add_sa.encap = true;
		m.add_sa.src.port = inbound ? 4501 : 4500;
		m.add_sa.dst.port = inbound ? 4500 : 4502;
		if (rig_ask(r, &m) != SSLINK_OK)
			break;
		scene_step(p, 100);
	}
	scene_step(p, 3000);
	rig_child_down(r, &b);
	scene_step(p, 1000);
	rig_child_down(r, &a);
	scene_step(p, 1000);
}

static void test_places(void)
{
	scene_play(&(struct scene){"places", NULL, places});
}

/* IKEv1's new main mode adopts what the old IKE_SA had; the client has lost its memory and dials again. */
static void adopt(struct play *p)
{
	struct rig *r = p->r;
	struct rig_pair a = {0}, b = {0};
	struct sslink_msg m = {.type = SSLINK_IKE_UP, .ike_up = rig_ike(2)};
	uint64_t conn;

	link_up(r);
	conn = rig_connect(r, 1, 0, &a);
	scene_step(p, 0);
	if (conn == 0)
		return;
	scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
	scene_step(p, 1000);
	rig_ike_up(r, 2);
	m.ike_up.version = 1;
	rig_tell(r, &m);
	adopted(r, &a, 1, 2);
	scene_step(p, 100);
	scene_dial(p, "ss-ipsec", 1702, conn, 1, "pass1");
	scene_step(p, 3000);
	rig_child_up(r, 2, 0, &b);
	scene_step(p, 1000);
	/* the next IKE_SA is made by the news that it adopts */
	r->charon.ikes[r->charon.n_ikes++] = 3;
	adopted(r, &b, 2, 3);
	scene_step(p, 1000);
}

static void test_adopt(void)
{
	scene_play(&(struct scene){"adopt", NULL, adopt});
}

static void many_at_once(struct rig *r)
{
	r->users[0].max_sessions = 0;
}

/* Another charon, which knows nothing: orphans; then SAs that expire, and one flushed. */
static void orphans(struct play *p)
{
	struct rig *r = p->r;
	struct rig_pair a = {.life = {.hard_s = 20}}, b = {0};
	struct sslink_msg flush = {.type = SSLINK_FLUSH_SAS};
	uint64_t conn, other;

	link_up(r);
	conn = rig_connect(r, 1, 0, &a);
	other = rig_connect(r, 2, 1702, &b);
	scene_step(p, 0);
	if (conn != 0)
		scene_dial(p, "std-ipsec", 1701, conn, 1, "pass1");
	if (other != 0)
		scene_dial(p, "ss-ipsec", 1702, other, 1, "pass1");
	scene_step(p, 1000);
	rig_link_hello(r, 2);
	r->charon.n_ikes = 0;
	CU_ASSERT_EQUAL(rig_sync_end(r), SSLINK_OK);
	scene_step(p, 1000);
	scene_step(p, 30000);
	conn = rig_connect(r, 1, 0, &a);
	scene_step(p, 1000);
	CU_ASSERT_EQUAL(rig_ask(r, &flush), SSLINK_OK);
	scene_step(p, 1000);
	/* E1: whatever was not heard, its authentication has had its connection */
	for (int i = 0; i < 3 && conn != 0; i++)
		CU_ASSERT_NOT_EQUAL(rig_child_up(r, 1, 0, &a), SSLINK_OK);
	scene_step(p, 1000);
	r->charon.n_ikes = 0;
	rig_ike_down(r, 1);
	scene_step(p, 1000);
}

static void test_orphans(void)
{
	scene_play(&(struct scene){"orphans", many_at_once, orphans});
}

/* Without IKE. */
static void fixed(struct play *p)
{
	static const uint8_t key[32] = {7};
	struct rig *r = p->r;
	struct ctl_static_sa s = {
	        .name = "a laboratory with a name that fits into no short text, nor into any slab",
	        .spi_in = 0xc0010000u,
	        .spi_out = 0x1234,
	        .local = {ipaddr_v4(RIG_LNS), 0},
	        .peer = {ipaddr_v4(RIG_PEER), 0},
	        .suite = {ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 16},
	        .enc_key_in = key,
	        .auth_key_in = key,
	        .enc_key_out = key,
	        .auth_key_out = key,
	        .replay_window = 64,
	};
	uint64_t conn;

	if (ctl_static_sa_add(r->ctl, &s, r->now_ms) == 0) {
		scene_step(p, 100);
		conn = rig_conn_of(r, s.spi_in);
		scene_dial(p, "ss-ipsec", 1701, conn, 1, "pass1");
		scene_step(p, 1000);
		one_guess(p, conn);
		ctl_conn_closed(r->ctl, conn, r->now_ms);
	}
	scene_step(p, 1000);
}

static void test_fixed(void)
{
	scene_play(&(struct scene){"static SAs", NULL, fixed});
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"single-shot", test_right}, {"single-shot, wrong", test_wrong},
	        {"early", test_early},       {"rekey", test_rekey},
	        {"places", test_places},     {"adopt", test_adopt},
	        {"orphans", test_orphans},   {"static SAs", test_fixed},
	        {"roam", test_roam},         CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec without memory", tests);
}
