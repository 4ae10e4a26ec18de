/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A LAC with any number of tunnels and PPP clients on lib/l2tp and lib/ppp: the load generator's heart,
 * and the peer of the tests of control. No sockets and no clock.
 */
#pragma once

#include "base/idpool.h"
#include "base/log.h"
#include "base/timerq.h"
#include "l2tp/l2tp.h"
#include "ppp/ppp.h"

#include <stdbool.h>
#include <stdint.h>

struct lac;
struct lac_tunnel;
struct lac_session;

enum lac_event {
	LAC_TUNNEL_UP,
	LAC_TUNNEL_GONE,
	LAC_CALL_UP,
	LAC_NETWORK_UP,
	LAC_SESSION_GONE,
};

struct lac_ops {
	/* Sends a datagram, control or data, from path->local to path->remote. */
	void (*send)(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len);
	/* s is NULL for tunnel events. The object is freed after a GONE event. */
	void (*event)(void *ctx, enum lac_event ev, struct lac_tunnel *t, struct lac_session *s);
	/* An IPv4 packet came down to a session. */
	void (*ip)(void *ctx, struct lac_session *s, const uint8_t *pkt, size_t len);
	void (*random)(void *ctx, uint8_t *buf, size_t len);
};

struct lac_dial {
	const char *host_name;
	const char *secret; /* NULL: none */
	const char *user, *password;
	uint32_t auth_methods; /* that the clients agree to */
	uint32_t sessions; /* opened as soon as the tunnel is up */
	uint32_t hello_ms;
	bool hide_avps;
	bool sequencing;
	void *user_data; /* of the tunnel */
};

/* timers and log are the caller's. NULL: no memory. */
struct lac *lac_new(const struct lac_ops *ops, void *ctx, struct timerq *timers, struct log *log);
void lac_free(struct lac *l);

/* Opens a tunnel along path. The strings of d are copied. NULL: no id or no memory. */
struct lac_tunnel *lac_dial(struct lac *l, const struct l2tp_path *path, const struct lac_dial *d,
                            uint64_t now_ms);
/* One more call on a tunnel. NULL: refused by the engine. */
struct lac_session *lac_call(struct lac_tunnel *t, const char *user, const char *password,
                             uint64_t now_ms);
/* A datagram came in along path (remote is the LNS). */
void lac_rx(struct lac *l, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
            uint64_t now_ms);

/* Runs due timers, and frees what could not be freed inside callbacks. */
void lac_tick(struct lac *l, uint64_t now_ms);

/* Sends an IPv4 packet up. False: the network is not up. */
bool lac_send_ip(struct lac_session *s, const uint8_t *pkt, size_t len);
/* Hangs up: PPP Terminate-Request, then CDN. */
void lac_hangup(struct lac_session *s, uint64_t now_ms);
/* CDN at once. */
void lac_drop(struct lac_session *s, uint64_t now_ms);
/* StopCCN. */
void lac_close(struct lac_tunnel *t, uint64_t now_ms);

struct l2tp *lac_engine(struct lac *l);
struct l2tp_tunnel *lac_tunnel_engine(struct lac_tunnel *t);
void *lac_tunnel_data(struct lac_tunnel *t);
struct lac_tunnel *lac_session_tunnel(struct lac_session *s);
/* A number that the user may keep with a session. */
uint32_t *lac_session_tag(struct lac_session *s);
bool lac_session_up(const struct lac_session *s);
void lac_session_info(const struct lac_session *s, struct ppp_info *out);
/* How the session ended; valid in the LAC_SESSION_GONE event. */
enum ppp_reason lac_session_ppp_reason(const struct lac_session *s);
void lac_session_result(const struct lac_session *s, struct l2tp_result *out);
/* How the tunnel ended; valid in the LAC_TUNNEL_GONE event. */
void lac_tunnel_result(const struct lac_tunnel *t, struct l2tp_result *out);
uint32_t lac_tunnels(const struct lac *l), lac_sessions(const struct lac *l);
