/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the tests of demands on control share. */
#pragma once

#include "control/rig.h"

#include <CUnit/Basic.h>

#define UP_MS 500 /* a dial-in with its session, without loss */

struct ctl_stats must_stats(const struct rig *r);
struct rig *must_rig(void); /* made and started */
/* Why a connection's latch fired; SS_NONE: it did not. */
enum ss_reason must_fired(const struct rig *r, uint64_t conn);
struct ctl_tunnel_view must_newest_tunnel(const struct rig *r);

/* A control message that no LAC of ours would send, arriving over a connection. */
void must_inject(struct rig *r, uint64_t conn, struct l2tp_build *b, uint16_t ns, uint16_t nr,
                 bool new_tunnel);
/* An SCCRQ; host NULL: without the attribute. */
void must_sccrq(struct rig *r, uint64_t conn, const char *host, uint16_t peer_id);

/*
 * The connection had its one try: right credentials come too late, a new connection is welcome.
 * Frees the rig.
 */
void must_be_latched(struct rig *r, uint64_t conn, enum ss_reason why);

/* ---- over IPsec ---- */

/* The last message of a type that charon got; type 0: none came. */
struct sslink_msg must_last_msg(const struct rig *r, enum sslink_type type);
/* Position of an event of a kind (type 0: any message), -1: none. */
int must_last_event(const struct rig *r, enum rig_op op, uint16_t type);
int must_first_event(const struct rig *r, enum rig_op op, uint16_t type);
/* The session that is live. */
struct ctl_session_view must_session(const struct rig *r);
