/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A subscriber's life over plain UDP with memory that runs out at each point of it. */
#include "control/scene.h"

#include "control/ctl_int.h"
#include "nomem.h"
#include "suite.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void call(struct play *p, uint32_t dial, const char *password)
{
	if (p->dial[dial].t != NULL)
		p->dial[dial].s = lac_call(p->dial[dial].t, "user1", password, p->r->now_ms);
}

static void hang_up(struct play *p, uint32_t dial)
{
	if (p->dial[dial].s != NULL)
		lac_hangup(p->dial[dial].s, p->r->now_ms);
}

/* A wrong password, the right one, a log-out, and the tunnel's end. */
static void login(struct play *p)
{
	uint32_t d = scene_dial(p, "std", 1701, 0, 1, "wrong");

	scene_step(p, 1000);
	scene_step(p, 20000);
	call(p, d, "pass1");
	scene_step(p, 1000);
	scene_step(p, 20000);
	hang_up(p, d);
	scene_step(p, 3000);
	if (p->dial[d].t != NULL)
		lac_close(p->dial[d].t, p->r->now_ms);
	scene_step(p, 3000);
}

static void conf_chap(struct rig *r)
{
	r->ifprof.auth_methods = PPP_AUTH_CHAP_MD5;
}

static void conf_pap(struct rig *r)
{
	r->ifprof.auth_methods = PPP_AUTH_PAP;
}

static void conf_mschap(struct rig *r)
{
	r->ifprof.auth_methods = PPP_AUTH_MSCHAPV2;
	r->users[0].address = ipaddr_v4(0x0a400005);
	r->hosts[0].data_sequencing = true;
}

static void test_chap(void)
{
	scene_play(&(struct scene){"CHAP", conf_chap, login});
}

static void test_pap(void)
{
	scene_play(&(struct scene){"PAP", conf_pap, login});
}

static void test_mschap(void)
{
	scene_play(&(struct scene){"MS-CHAPv2", conf_mschap, login});
}

/* What may end a session other than its user: its LAC, the operator, a link that goes. */
static void ends(struct play *p)
{
	struct rig *r = p->r;
	struct ctl_session_view v;
	struct ctl_tunnel_view tv;
	uint32_t cursor, d = scene_dial(p, "std", 1701, 0, 1, "pass1");

	scene_step(p, 1000);
	if (p->dial[d].s != NULL)
		lac_drop(p->dial[d].s, r->now_ms);
	scene_step(p, 1000);
	call(p, d, "pass1");
	scene_step(p, 1000);
	for (cursor = 0; ctl_session_next(r->ctl, &cursor, r->now_ms, &v);)
		if (!v.closing && !v.destructing)
			CU_ASSERT_EQUAL(ctl_clear_session(r->ctl, v.id, r->now_ms), 0);
	scene_step(p, 8000);
	call(p, d, "pass1");
	scene_step(p, 1000);
	for (cursor = 0; ctl_tunnel_next(r->ctl, &cursor, r->now_ms, &tv);)
		if (!tv.destructing)
			CU_ASSERT_EQUAL(ctl_clear_tunnel(r->ctl, tv.id, r->now_ms), 0);
	scene_step(p, 3000);
	d = scene_dial(p, "std", 1702, 0, 1, "pass1");
	scene_step(p, 70000); /* a Hello */
	r->cut = true;
	scene_step(p, 200000);
	r->cut = false;
	scene_step(p, 1000);
}

static void test_ends(void)
{
	scene_play(&(struct scene){"ends", NULL, ends});
}

/* Many calls at once on a network that loses, doubles and overtakes; they end with their tunnel. */
static void crowd(struct play *p)
{
	struct rig *r = p->r;
	uint32_t d;

	r->jitter_ms = 60;
	r->dup_percent = 10;
	d = scene_dial(p, "std", 1701, 0, L2TP_CALLS_AT_ONCE + 3, "pass1");
	scene_step(p, 20000);
	r->jitter_ms = r->dup_percent = 0;
	if (p->dial[d].t != NULL)
		lac_call(p->dial[d].t, r->users[3].name, "pass4", r->now_ms);
	scene_step(p, 1000);
	if (p->dial[d].t != NULL)
		lac_close(p->dial[d].t, r->now_ms);
	scene_step(p, 5000);
}

static void conf_crowd(struct rig *r)
{
	conf_pap(r);
	/* A name that fits into no slab */
	memset(r->users[3].name + 5, 'x', 100);
	r->users[0].max_sessions = 0;
}

static void test_crowd(void)
{
	scene_play(&(struct scene){"crowd", conf_crowd, crowd});
}

/* The single-shot tunnel without IPsec: a call, and none after it. */
static void single(struct play *p)
{
	uint32_t d = scene_dial(p, "ss", 1701, 0, 1, "pass1");

	scene_step(p, 1000);
	call(p, d, "pass1");
	scene_step(p, 1000);
	hang_up(p, d);
	scene_step(p, 5000);
	scene_dial(p, "ss", 1701, 0, 1, "wrong");
	scene_step(p, 5000);
}

static void test_single(void)
{
	scene_play(&(struct scene){"single-shot, plain", NULL, single});
}

/* Responses of any id, as the client may send them who was asked nothing yet. */
static void respond(struct rig *r, const struct ctl_session_view *v)
{
	for (int id = 0; id < 256; id++) {
		uint8_t f[26] = {0xff, 0x03, 0xc2, 0x23, 2, (uint8_t)id, 0, 22, 16};
		struct dp_punt punt = {
		        .class = DP_PUNT_PPP,
		        .session_id = v->id,
		        .gen = v->gen,
		        .data = f,
		        .len = sizeof(f),
		};

		f[25] = 'u';
		ctl_punt(r->ctl, &punt, r->now_ms);
	}
}

static void unasked(struct play *p)
{
	struct ctl_session_view v = {0};

	scene_dial(p, "std", 1701, 0, 1, "pass1");
	for (int i = 0; i < 200 && v.ppp.phase != PPP_PH_AUTHENTICATE; i++) {
		uint32_t cursor = 0;

		rig_run(p->r, 1);
		ctl_session_next(p->r->ctl, &cursor, p->r->now_ms, &v);
	}
	nomem_disarm(); /* so many digests are the other scenes' */
	if (v.ppp.phase == PPP_PH_AUTHENTICATE)
		respond(p->r, &v);
	scene_step(p, 1000);
	scene_step(p, 20000);
}

static void test_unasked(void)
{
	scene_play(&(struct scene){"unasked", conf_chap, unasked});
}

/* Both ends of the tunnel prove that they know a secret, and hide what they can. */
static void conf_secret(struct rig *r)
{
	snprintf(r->hosts[0].tunnel_password, sizeof(r->hosts[0].tunnel_password), "sesame");
	r->hosts[0].hide_avps = true;
}

static void secret(struct play *p)
{
	struct l2tp_path path = {
	        .local = {ipaddr_v4(RIG_PEER), 1701},
	        .remote = {ipaddr_v4(RIG_LNS), 1701},
	};
	struct lac_dial d = {
	        .host_name = "std",
	        .user = "user1",
	        .password = "pass1",
	        .auth_methods = PPP_AUTH_PAP,
	        .sessions = 1,
	        .hide_avps = true,
	};

	/* One who does not know it is not let in, whatever there was no memory for. */
	d.secret = "open";
	p->dial[p->n_dials++].t = lac_dial(p->r->lac, &path, &d, p->r->now_ms);
	scene_step(p, 1000);
	scene_step(p, 50000);
	CU_ASSERT_EQUAL(p->r->tunnels_up, 0);
	CU_ASSERT_EQUAL(p->tunnels_up, 0);
	d.secret = "sesame";
	path.local.port++;
	p->dial[p->n_dials++].t = lac_dial(p->r->lac, &path, &d, p->r->now_ms);
	scene_step(p, 1000);
	scene_step(p, 5000);
	p->r->hosts[0].tunnel_password[0] = '\0';
}

static void test_secret(void)
{
	scene_play(&(struct scene){"secret", conf_secret, secret});
}

/* A hash, which the helper thread checks. */
static void conf_hash(struct rig *r)
{
	struct crypt_data cd = {0};

	conf_pap(r);
	snprintf(r->users[0].crypt, sizeof(r->users[0].crypt), "%s",
	         crypt_rn("pass1", "$1$abcdefgh", &cd, sizeof(cd)));
	r->users[0].password[0] = '\0';
}

static void hash(struct play *p)
{
	static const struct timespec ms = {.tv_nsec = 1000000};
	uint32_t d = scene_dial(p, "std", 1701, 0, 1, "pass1");

	/* The thread's time is not the rig's. */
	for (int i = 0; i < 15; i++) {
		rig_run(p->r, 2);
		if (i >= 10)
			nanosleep(&ms, NULL);
	}
	scene_step(p, 1000);
	hang_up(p, d);
	scene_step(p, 3000);
	snprintf(p->r->users[0].password, sizeof(p->r->users[0].password), "pass1");
}

static void test_hash(void)
{
	scene_play(&(struct scene){"a hash", conf_hash, hash});
}

/* The instance itself: all of it, or nothing. */
static void test_start(void)
{
	uint32_t n, failed = 1;

	for (n = 1; failed > 0; n++) {
		struct rig *r = rig_new();
		struct ctl *c;
		int objects;

		rig_start(r);
		objects = nomem_objects();
		nomem_arm((struct nomem_plan){.from = n});
		c = ctl_new(&r->conf, r->ctl->ops, r, (struct dp *)r, &r->lns_timers, &r->log,
		            r->now_ms);
		nomem_disarm();
		failed = nomem_failed();
		CU_ASSERT_EQUAL(c == NULL, failed != 0);
		ctl_free(c);
		CU_ASSERT_EQUAL(nomem_objects(), objects);
		rig_free(r);
	}
	CU_ASSERT_TRUE(n > 20);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"start", test_start},        {"CHAP", test_chap},       {"PAP", test_pap},
	        {"MS-CHAPv2", test_mschap},   {"ends", test_ends},       {"crowd", test_crowd},
	        {"single-shot", test_single}, {"unasked", test_unasked}, {"a secret", test_secret},
	        {"a hash", test_hash},        CU_TEST_INFO_NULL,
	};

	return run_suite("control without memory", tests);
}
