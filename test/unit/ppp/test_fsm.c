/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The automaton: its table against RFC 1661 4.1, and what surrounds the table. */
#include "ppp/fsm.h"
#include "unit/ppp/harness.h"

#include <stdio.h>
#include <string.h>

/* Events by states 0 to 9, in the notation of RFC 1661 4.1; "-" cannot happen. */
static const char *const rfc[FSM_EVENTS][FSM_STATES] = {
        [FSM_EV_UP] = {"2", "irc,scr/6", "-", "-", "-", "-", "-", "-", "-", "-"},
        [FSM_EV_DOWN] = {"-", "-", "0", "tls/1", "0", "1", "1", "1", "1", "tld/1"},
        [FSM_EV_OPEN] = {"tls/1", "1", "irc,scr/6", "3", "5", "5", "6", "7", "8", "9"},
        [FSM_EV_CLOSE] = {"0", "tlf/0", "2", "2", "4", "4", "irc,str/4", "irc,str/4", "irc,str/4",
                          "tld,irc,str/4"},
        [FSM_EV_TO_PLUS] = {"-", "-", "-", "-", "str/4", "str/5", "scr/6", "scr/6", "scr/8", "-"},
        [FSM_EV_TO_MINUS] = {"-", "-", "-", "-", "tlf/2", "tlf/3", "tlf/3", "tlf/3", "tlf/3", "-"},
        [FSM_EV_RCR_PLUS] = {"-", "-", "sta/2", "irc,scr,sca/8", "4", "5", "sca/8", "sca,tlu/9",
                             "sca/8", "tld,scr,sca/8"},
        [FSM_EV_RCR_MINUS] = {"-", "-", "sta/2", "irc,scr,scn/6", "4", "5", "scn/6", "scn/7",
                              "scn/6", "tld,scr,scn/6"},
        [FSM_EV_RCA] = {"-", "-", "sta/2", "sta/3", "4", "5", "irc/7", "scr/6", "irc,tlu/9",
                        "tld,scr/6"},
        [FSM_EV_RCN] = {"-", "-", "sta/2", "sta/3", "4", "5", "irc,scr/6", "scr/6", "irc,scr/8",
                        "tld,scr/6"},
        [FSM_EV_RTR] = {"-", "-", "sta/2", "sta/3", "sta/4", "sta/5", "sta/6", "sta/6", "sta/6",
                        "tld,zrc,sta/5"},
        [FSM_EV_RTA] = {"-", "-", "2", "3", "tlf/2", "tlf/3", "6", "6", "8", "tld,scr/6"},
        [FSM_EV_RUC] = {"-", "-", "scj/2", "scj/3", "scj/4", "scj/5", "scj/6", "scj/7", "scj/8",
                        "scj/9"},
        [FSM_EV_RXJ_PLUS] = {"-", "-", "2", "3", "4", "5", "6", "6", "8", "9"},
        [FSM_EV_RXJ_MINUS] = {"-", "-", "tlf/2", "tlf/3", "tlf/2", "tlf/3", "tlf/3", "tlf/3",
                              "tlf/3", "tld,irc,str/5"},
        [FSM_EV_RXR] = {"-", "-", "2", "3", "4", "5", "6", "7", "8", "ser/9"},
};

static const char action_names[13][4] = {"tld", "irc", "zrc", "scr", "sca", "scn", "str",
                                         "sta", "scj", "ser", "tlu", "tls", "tlf"};

/* out holds any cell: the longest has three actions. */
static void cell(const struct fsm_row *row, char *out)
{
	char *p = out;

	for (int b = 0; b < 13; b++) {
		if (!(row->actions & 1 << b))
			continue;
		if (p != out)
			*p++ = ',';
		memcpy(p, action_names[b], 3);
		p += 3;
	}
	if (p != out)
		*p++ = '/';
	*p++ = (char)('0' + row->next);
	*p = '\0';
}

static void test_table(void)
{
	for (int ev = 0; ev < FSM_EVENTS; ev++) {
		for (int st = 0; st < FSM_STATES; st++) {
			const char *want = rfc[ev][st];
			char got[64], stay[12];

			snprintf(stay, sizeof(stay), "%d", st);
			cell(fsm_row((enum fsm_state)st, (enum fsm_event)ev), got);
			if (strcmp(want, "-") == 0)
				want = stay;
			if (strcmp(got, want) != 0)
				printf("event %d state %d\n", ev, st);
			CU_ASSERT_STRING_EQUAL(got, want);
		}
	}
}

static struct net net;

static struct end *fresh(uint32_t methods)
{
	struct ppp_conf c = conf_auth(methods);

	net_init(&net, 11);
	end_new(&net, &net.a, &c);
	net_start(&net);
	return &net.a;
}

/* A request that is lost goes out again, the same; a changed one has a new id. */
static void test_retransmission(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got a, b, c;

	CU_ASSERT_TRUE(next_frame(e, &a));
	CU_ASSERT_FALSE(next_frame(e, &b));
	net_run(&net, 2999);
	CU_ASSERT_FALSE(next_frame(e, &b));
	net_run(&net, 1);
	CU_ASSERT_TRUE(next_frame(e, &b));
	CU_ASSERT_EQUAL(a.id, b.id);
	CU_ASSERT_EQUAL(a.len, b.len);
	CU_ASSERT_EQUAL(memcmp(a.body, b.body, a.len), 0);
	feed(e, PPP_LCP, 4, b.id, b.body, 4); /* rejects the MRU */
	CU_ASSERT_TRUE(next_frame(e, &c));
	CU_ASSERT_NOT_EQUAL(c.id, b.id);
	CU_ASSERT_EQUAL(c.len, b.len - 4);
	/* and the answer to the old one is none to the new one */
	feed(e, PPP_LCP, 2, b.id, c.body, c.len);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "req-sent");
	net_free(&net);
}

static void test_ack_must_echo(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g;
	uint8_t b[64];

	next_frame(e, &g);
	memcpy(b, g.body, g.len);
	feed(e, PPP_LCP, 2, (uint8_t)(g.id + 1), b, g.len);
	feed(e, PPP_LCP, 2, g.id, b, g.len - 2);
	b[3] ^= 1;
	feed(e, PPP_LCP, 2, g.id, b, g.len);
	b[3] ^= 1;
	b[g.len] = 0;
	feed(e, PPP_LCP, 2, g.id, b, g.len + 1);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "req-sent");
	feed(e, PPP_LCP, 2, g.id, b, g.len);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "ack-rcvd");
	/* a second copy of the Ack is no crossed connection */
	feed(e, PPP_LCP, 2, g.id, b, g.len);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "ack-rcvd");
	/* the peer's request never comes: asked again, and the Ack counts again */
	net_run(&net, 3000);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "req-sent");
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 1, &g));
	feed(e, PPP_LCP, 2, g.id, b, g.len);
	CU_ASSERT_STRING_EQUAL(info(e).lcp_state, "ack-rcvd");
	net_free(&net);
}

static void test_bad_refusals(void)
{
	static const uint8_t other[] = {7, 2};
	static const uint8_t broken[] = {1, 9, 0};
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g, h;

	next_frame(e, &g);
	feed(e, PPP_LCP, 4, g.id, other, sizeof(other)); /* never asked for */
	feed(e, PPP_LCP, 4, g.id, NULL, 0);
	feed(e, PPP_LCP, 4, g.id, broken, sizeof(broken));
	feed(e, PPP_LCP, 3, g.id, broken, sizeof(broken));
	CU_ASSERT_FALSE(next_frame(e, &h));
	CU_ASSERT_EQUAL(info(e).rx_bad, 4);
	net_free(&net);
}

static void test_unknown_code(void)
{
	static const uint8_t body[] = {1, 2, 3};
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g;

	drop_frames(e);
	feed(e, PPP_LCP, 99, 7, body, sizeof(body));
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 7);
	CU_ASSERT_EQUAL(g.len, 7);
	CU_ASSERT_EQUAL(memcmp(g.body, "\x63\x07\x00\x07\x01\x02\x03", 7), 0);
	/* a peer that does not know Configure-Request is none */
	feed(e, PPP_LCP, 7, 1, g.body, g.len);
	CU_ASSERT_EQUAL(e->deads, 0); /* that was code 99 */
	feed(e, PPP_LCP, 7, 1, "\x01\x01\x00\x04", 4);
	CU_ASSERT_EQUAL(e->reason, PPP_R_PROTOCOL_ERROR);
	net_free(&net);
	e = fresh(PPP_AUTH_PAP);
	feed(e, PPP_LCP, 7, 1, NULL, 0);
	CU_ASSERT_EQUAL(info(e).rx_bad, 1);
	net_free(&net);
}

static void test_code_reject_fits_mru(void)
{
	static const uint8_t small[] = {1, 4, 0, 128};
	uint8_t big[1400];
	struct end *e = fresh(PPP_AUTH_NONE);
	struct got g;

	memset(big, 9, sizeof(big));
	feed(e, PPP_LCP, 1, 5, small, sizeof(small));
	drop_frames(e);
	feed(e, PPP_LCP, 77, 5, big, sizeof(big));
	CU_ASSERT_TRUE(next_frame(e, &g));
	CU_ASSERT_EQUAL(g.code, 7);
	CU_ASSERT_EQUAL(g.len, 124);
	net_free(&net);
}

/* Options that the peer insists on are rejected after Max-Failure Naks, then it is over. */
static void test_max_failure(void)
{
	static const uint8_t mru[] = {1, 4, 0, 1};
	struct end *e = fresh(PPP_AUTH_PAP);
	unsigned int naks = 0, rejects = 0;
	struct got g;

	drop_frames(e);
	for (int i = 0; i < 60 && e->deads == 0; i++) {
		feed(e, PPP_LCP, 1, (uint8_t)i, mru, sizeof(mru));
		while (next_frame(e, &g)) {
			naks += g.code == 3;
			rejects += g.code == 4;
		}
		drop_frames(e);
	}
	CU_ASSERT_EQUAL(naks, 5);
	CU_ASSERT(rejects > 5 && rejects < 40);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_LCP_NOT_CONVERGED);
	net_free(&net);
}

/* A peer that finds fault with everything we ask. */
static void test_max_failure_of_ours(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	static const uint8_t nak[] = {5, 6, 1, 2, 3, 4};
	struct got g;
	int i;

	for (i = 0; i < 30 && next_frame(e, &g) && g.code == 1; i++)
		feed(e, PPP_LCP, 3, g.id, nak, sizeof(nak));
	CU_ASSERT_EQUAL(i, 11);
	net_run(&net, 10000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_LCP_NOT_CONVERGED);
	net_free(&net);
}

static void test_terminate(void)
{
	struct end *e = fresh(PPP_AUTH_PAP);
	struct got g, h;

	hand_lcp_open(e, &g);
	ppp_close(e->p, net.now);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 5, &g));
	net_run(&net, 3000);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 5, &h));
	CU_ASSERT_EQUAL(g.id, h.id);
	CU_ASSERT_EQUAL(e->deads, 0);
	net_run(&net, 3000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_ADMIN); /* Max-Terminate 2 */
	CU_ASSERT_FALSE(next_frame(e, &g));
	net_free(&net);

	e = fresh(PPP_AUTH_PAP);
	hand_lcp_open(e, &g);
	ppp_close(e->p, net.now);
	expect_frame(e, PPP_LCP, 5, &g);
	feed(e, PPP_LCP, 6, g.id, NULL, 0);
	CU_ASSERT_EQUAL(e->deads, 1);
	net_free(&net);

	/* the peer's request: acknowledged at once, the end one restart time later */
	e = fresh(PPP_AUTH_PAP);
	hand_lcp_open(e, &g);
	feed(e, PPP_LCP, 5, 44, NULL, 0);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 6, &g));
	CU_ASSERT_EQUAL(g.id, 44);
	CU_ASSERT_EQUAL(e->deads, 0);
	net_run(&net, 3000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_PEER_TERMINATED);
	net_free(&net);

	/* a peer that gives up before LCP was open */
	e = fresh(PPP_AUTH_PAP);
	feed(e, PPP_LCP, 5, 44, NULL, 0);
	CU_ASSERT_TRUE(expect_frame(e, PPP_LCP, 6, &g));
	net_run(&net, 30000);
	CU_ASSERT_EQUAL(e->reason, PPP_R_PEER_TERMINATED);
	net_free(&net);
}

static void test_before_start(void)
{
	struct ppp_conf c = conf_auth(PPP_AUTH_PAP);
	struct got g;

	net_init(&net, 1);
	end_new(&net, &net.a, &c);
	feed(&net.a, PPP_LCP, 1, 1, NULL, 0);
	CU_ASSERT_FALSE(next_frame(&net.a, &g));
	ppp_close(net.a.p, net.now);
	CU_ASSERT_EQUAL(net.a.reason, PPP_R_ADMIN);
	ppp_start(net.a.p, NULL, net.now);
	CU_ASSERT_FALSE(next_frame(&net.a, &g));
	net_free(&net);
}

void suite_fsm(void)
{
	CU_pSuite s = CU_add_suite("automaton", NULL, NULL);

	CU_add_test(s, "table of RFC 1661 4.1", test_table);
	CU_add_test(s, "retransmission and ids", test_retransmission);
	CU_add_test(s, "Ack echoes exactly", test_ack_must_echo);
	CU_add_test(s, "nonsense in Nak and Reject", test_bad_refusals);
	CU_add_test(s, "unknown code, Code-Reject", test_unknown_code);
	CU_add_test(s, "Code-Reject fits the MRU", test_code_reject_fits_mru);
	CU_add_test(s, "Max-Failure", test_max_failure);
	CU_add_test(s, "Max-Failure of ours", test_max_failure_of_ours);
	CU_add_test(s, "termination", test_terminate);
	CU_add_test(s, "before start", test_before_start);
}
