/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The rig's IPsec: a model of the data plane's children and SAs, and a charon that does as it is told. */
#pragma once

#include "control/rig.h"

/* There is one data plane a process; its functions get the rig as struct dp. */
struct dp {
	struct rig rig;
};

static inline struct rig *rig_of(const struct dp *dp)
{
	return (struct rig *)&((struct dp *)dp)->rig;
}

#define RIG_LNS  0xc0000201u /* 192.0.2.1 */
#define RIG_PEER 0xc000020bu
#define RIG_NONE 255 /* for an sslink_status: no answer came */

/* A CHILD_SA as both ends have it. */
struct rig_pair {
	uint32_t ike, spi_in, spi_out;
	uint16_t port; /* the peer's; 0: any */
	struct endpoint peer; /* outer, behind a NAT; no address: RIG_PEER without one */
	struct sslink_lifetime life;
};

/* ---- for rig.c: the model of the data plane ---- */

void rig_note(struct rig *r, enum rig_op op, uint32_t child, uint16_t type);
bool rig_child_sends(const struct rig *r, uint32_t child); /* it has an SA to send by */
bool rig_comes_in(struct rig *r, const struct l2tp_path *path, const struct l2tp_hdr *h);
/* E23: what is promised to hold when a CDN or StopCCN is handed over. */
void rig_check_send(struct rig *r, uint32_t child, const uint8_t *p, size_t len);
/* What must never be: a second tunnel or session on single-shot, traffic after the latch. */
void rig_check_tunnel(const struct rig *r, uint64_t conn);
void rig_check_session(struct rig *r, const struct dp_session *s);
void rig_forward(struct rig *r, const struct dp_session *s);
void rig_session_child(struct rig *r, const struct dp_session *s, int change);
int rig_ike_send(void *ctx, const struct sslink_msg *m);
void rig_ipsec_end(struct rig *r);
void rig_ipsec_check_empty(const struct rig *r);

/* ---- for tests ---- */

/* A link of the charon with this instance number; its snapshot is empty. */
void rig_link_up(struct rig *r, uint64_t instance);
/* Up to HELLO; the test replays, then sends SYNC_END. */
void rig_link_hello(struct rig *r, uint64_t instance);
uint8_t rig_sync_end(struct rig *r);
/* A request, and its answer's status; RIG_NONE: not yet. */
uint8_t rig_ask(struct rig *r, struct sslink_msg *m);
void rig_tell(struct rig *r, struct sslink_msg *m);

struct sslink_ike rig_ike(uint32_t id);
uint8_t rig_get_spi(struct rig *r, uint32_t ike, uint32_t *spi);
/* An ADD_SA with everything right; the test may spoil it. */
struct sslink_msg rig_add_msg(const struct rig_pair *p, bool inbound);
/* All of a CHILD_SA's making. The first status that is not OK. */
uint8_t rig_child_up(struct rig *r, uint32_t ike, uint16_t port, struct rig_pair *p);
/* UPDATE_SA in UDP: its peer is not there any more, but here. The status. */
uint8_t rig_update(struct rig *r, const struct rig_pair *p, bool inbound, struct endpoint was,
                   struct endpoint is);
uint8_t rig_del_sa(struct rig *r, uint32_t spi, bool inbound);
void rig_child_down(struct rig *r, const struct rig_pair *p);
void rig_ike_up(struct rig *r, uint32_t ike);
void rig_ike_down(struct rig *r, uint32_t ike);
void rig_ike_rekey(struct rig *r, uint32_t old_id, uint32_t new_id);
void rig_migrate(struct rig *r, uint32_t old_id, uint32_t new_id, const uint32_t *spis, uint16_t n);
/* An authenticated peer with one CHILD_SA: the connection's id, 0: refused. p may be NULL. */
uint64_t rig_connect(struct rig *r, uint32_t ike, uint16_t port, struct rig_pair *p);
uint64_t rig_conn_of(const struct rig *r, uint32_t spi_in); /* 0: no such SA */
dp_sa_id rig_sa_id(const struct rig *r, uint32_t spi, bool inbound);
void rig_sa_event(struct rig *r, uint32_t spi, bool inbound, enum dp_sa_event ev,
                  const struct endpoint *src);
struct ctl_ipsec_stats rig_ipsec_stats(const struct rig *r);
struct ctl_conn_view rig_conn_view(const struct rig *r, uint64_t conn);
