/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * One or two links in virtual time. An end keeps what it sent and what it was told; by hand its
 * peer is the test itself, which feeds frames and looks at the answers; joined, two ends talk over
 * a wire that loses, doubles, delays and reorders by a seed.
 */
#pragma once

#include "ppp/ppp.h"

#include <CUnit/CUnit.h>
#include <CUnit/Basic.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENT_MAX 256

struct sent {
	uint8_t b[1600];
	size_t len;
};

enum verdict { JUDGE, LATER, ACCEPT, REFUSE };

struct net;

struct end {
	struct net *net;
	struct end *far; /* NULL: frames are only kept */
	struct ppp_conf conf;
	struct ppp *p;
	/* what it sent, oldest first, taken from by next_frame */
	struct sent sent[SENT_MAX];
	unsigned int n_sent, taken;
	/* what it was told */
	unsigned int lcp_ups, ups, downs, deads, auths;
	enum ppp_reason reason;
	bool proxy;
	char user[PPP_NAME_MAX];
	/* the owner's part */
	enum verdict verdict;
	const char *secret; /* for JUDGE */
	const char *message;
	uint32_t address; /* for the peer */
	bool any_address; /* give what is asked for */
	uint32_t delay_ms; /* of a verdict */
	struct timer late;
	struct ppp_auth_reply reply;
	bool close_in_callback; /* ppp_close from every callback */
	unsigned int down_at; /* ppp_lower_down from within this send, counted from 1 */
	bool is_down;
	unsigned int after_down; /* callbacks that came later all the same */
};

/* A frame on its way. */
struct flight;

struct net {
	struct timerq q;
	struct log log; /* at debug; a line with the password in it fails */
	uint64_t now, rnd;
	struct end a, b; /* authenticator; peer, or nobody */
	unsigned int loss, dup; /* percent */
	uint32_t delay_min, delay_max; /* ms */
	bool loopback;
	struct flight *flights;
};

uint32_t net_random(struct net *n);
struct ppp_conf conf_auth(uint32_t methods);
struct ppp_conf conf_peer(uint32_t methods);

void net_init(struct net *n, uint64_t seed);
/* Makes end a alone. conf may be changed in n->a.conf before end_new. */
void end_new(struct net *n, struct end *e, const struct ppp_conf *conf);
void net_pair(struct net *n, const struct ppp_conf *a, const struct ppp_conf *b);
void net_start(struct net *n);
/* Runs virtual time on to ms from now. */
void net_run(struct net *n, uint64_t ms);
/* Frees the ends; asserts that no timer stayed. */
void net_free(struct net *n);

/* Feeds one control packet, with FF03. */
void feed(struct end *e, uint16_t proto, uint8_t code, uint8_t id, const void *body, size_t len);
void feed_raw(struct end *e, const void *frame, size_t len);

struct got {
	uint16_t proto;
	uint8_t code, id;
	const uint8_t *body;
	size_t len;
	bool full_header;
};

/* The oldest frame not yet taken; false when there is none. */
bool next_frame(struct end *e, struct got *g);
/* .. of this protocol and code, dropping others; asserts when there is none. */
bool expect_frame(struct end *e, uint16_t proto, uint8_t code, struct got *g);
void drop_frames(struct end *e);

/* By hand: opens LCP as a peer that agrees; returns what the end's request asked. */
void hand_lcp_open(struct end *e, struct got *req);
/* .. and authenticates by PAP with this password; the id used is 1. */
void hand_pap(struct end *e, uint8_t id, const char *user, const char *password);
/* .. and opens IPCP with the address that the end gives. */
void hand_ipcp_open(struct end *e);
struct ppp_info info(const struct end *e);

/* Each file's suite. */
void suite_fsm(void);
void suite_lcp(void);
void suite_frame(void);
void suite_auth(void);
void suite_chap(void);
void suite_crypto(void);
void suite_ipcp(void);
void suite_proxy(void);
void suite_pair(void);
void suite_shared(void);
