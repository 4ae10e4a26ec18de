/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A peer of the rig's data plane that speaks ESP: its SAs are ours the other way round, and lib/esp does
 * them. Its inner address is not its outer one, as behind a NAT.
 */
#pragma once

#include "dataplane/rig.h"

#include "esp/esp.h"

#define CONN       0x4242
#define PEER_INNER IP(192, 168, 7, 7)
#define PEER_NAT   6789 /* its port of encapsulation, as we see it */

/* Offsets in a frame of if 0. */
#define FRAME_IP  14
#define FRAME_UDP 34

struct peer {
	struct dp_child c;
	uint32_t child;
	uint32_t outer_ip; /* host order */
	uint16_t outer_port;
	bool tunnel_mode, encap, esn;
	struct esp_suite suite;
};

/* One CHILD_SA, seen from both ends. */
struct pair {
	struct dp_sa in, out; /* ours */
	dp_sa_id in_id, out_id;
	struct esp_sa *tx, *rx; /* the peer's */
};

extern const struct esp_suite suite_gcm, suite_cbc, suite_null;

struct esp *peer_engine(void);
/* A peer with the usual child of rig()->owner, in transport mode, with GCM. */
void peer_init(struct peer *p);
void peer_add(struct peer *p); /* its child */
/* Keys and SPIs on both ends; nothing is installed. */
void pair_make(struct pair *q, const struct peer *p);
void pair_in(struct pair *q); /* installs ours, inbound .. */
void pair_out(struct pair *q);
void pair_up(struct pair *q, const struct peer *p); /* all of it, and turns */
void pair_free(struct pair *q); /* the peer's end */
void pair_del(struct pair *q); /* deletes both of ours */

/* A session in the child, not added. */
struct dp_session peer_session(const struct peer *p);

/* An L2TP message as the peer's UDP layer makes it: from the UDP header, or from its IPv4 header on. */
void peer_message(struct bytes *d, const struct peer *p, const struct l2tpspec *s);
/* A data message of SID: 40 bytes from SUB to dst. packet: what comes out, but for the TTL. */
void peer_data(struct bytes *d, const struct peer *p, uint32_t dst, struct bytes *packet);
/* Encrypts the bytes: ESP from its header on. */
void peer_esp(struct bytes *esp, const struct peer *p, struct pair *q, const struct bytes *inner);
/* A frame to us around ESP. */
void peer_wrap(struct bytes *frame, const struct peer *p, const struct bytes *esp);
/* Both, and in at port 0 queue 0; without turning. */
void peer_put(const struct peer *p, struct pair *q, const struct bytes *inner);
void peer_put_data(const struct peer *p, struct pair *q, uint32_t dst);
/* A packet of the network's to SUB; without turning. */
void peer_put_down(void);
/* The peer with its SAs and its session is up: a test begins. */
void peer_up(struct peer *p, struct pair *q);

/* Checks the outer headers of a frame of ours and decrypts it; inner from the UDP header on. */
void peer_opens(const struct bytes *frame, const struct peer *p, struct pair *q,
                struct bytes *inner);
/* The same for frame i of the rig, which must be there; returns the L2TP message's flags word. */
uint16_t peer_opens_nr(uint32_t i, const struct peer *p, struct pair *q, struct bytes *inner);

/* How many events of that kind and SA are among the punts. */
uint32_t events(dp_sa_id id, enum dp_sa_event e);
struct dp_sa_stats sa_stats(dp_sa_id id);

CU_TestInfo *esp_up_tests(void);
CU_TestInfo *esp_bad_tests(void);
CU_TestInfo *esp_hold_tests(void);
CU_TestInfo *esp_down_tests(void);
CU_TestInfo *esp_natt_tests(void);
CU_TestInfo *esp_control_tests(void);
CU_TestInfo *esp_limits_tests(void);
CU_TestInfo *esp_rekey_tests(void);
CU_TestInfo *esp_latch_tests(void);
CU_TestInfo *esp_worker_tests(void);
