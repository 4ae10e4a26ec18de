/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The IPsec side of control: IKE_SAs, the transport connections that they stand for (E1), their
 * children and SAs. It is driven by the messages of charon's plugin (lib/sslink), by timers and by
 * events of the data plane, and knows neither socket nor clock.
 *
 * A connection is made with the first CHILD_SA of a newly authenticated IKE_SA and follows that
 * IKE_SA through its rekeying (E4). Its owner worker is chosen at the first SPI and kept.
 */
#pragma once

#include "base/addr.h"
#include "control/conn.h"
#include "dataplane/dp.h"
#include "esp/esp.h"
#include "sslink/sslink.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl;

/* ---- the link to charon's plugin: called by src/ike ---- */

/* A plugin has connected; HELLO will be its first message. Ends an older link first. */
void ctl_ike_link_up(struct ctl *c, uint64_t now_ms);
/*
 * One message of the plugin. The answer, where one is due, goes by ctl_ops.ike_send: at once, or when
 * the workers have applied what it speaks of. m may hold keys: the caller wipes it.
 */
void ctl_ike_rx(struct ctl *c, const struct sslink_msg *m, uint64_t now_ms);
/* The link is lost: charon died, or lost interest. Sessions run on (DESIGN section 5). */
void ctl_ike_link_down(struct ctl *c, uint64_t now_ms);

/* ---- SAs of the configuration, for laboratories without IKE ---- */

struct ctl_static_sa {
	const char *name;
	uint32_t spi_in, spi_out;
	struct endpoint local, peer; /* outer; the inner addresses are the same */
	struct esp_suite suite; /* CBC or NULL, with a hash */
	const uint8_t *enc_key_in, *auth_key_in, *enc_key_out, *auth_key_out;
	bool encap; /* ports are those of the endpoints */
	uint32_t replay_window;
};

/* Makes a connection of one child. 0, or -errno. Its end (a latch that fired) is for good. */
int ctl_static_sa_add(struct ctl *c, const struct ctl_static_sa *s, uint64_t now_ms);

/* ---- for shows and metrics ---- */

enum ctl_conn_state {
	CTL_CONN_UP,
	CTL_CONN_NO_SA, /* its IKE_SA lives, it has no CHILD_SA */
	CTL_CONN_ORPHAN, /* charon does not know it any more */
	CTL_CONN_DISCONNECTING, /* the signal was given (E18) */
	CTL_CONN_DOWN, /* gone; records of its tunnels remain */
};
const char *ctl_conn_state_name(enum ctl_conn_state s); /* "up", "no-sa", .. */

#define CTL_CONN_SAS_MAX 8

struct ctl_sa_view {
	uint32_t spi;
	bool inbound, tunnel_mode, encap, esn;
	struct endpoint local, peer; /* outer */
	uint16_t peer_port; /* of its selector; 0: any */
	struct esp_suite suite;
	uint32_t replay_window;
	uint64_t age_s, soft_left_s, hard_left_s; /* left: UINT64_MAX without a limit */
	struct dp_sa_stats stats;
};

struct ctl_conn_view {
	uint64_t id;
	enum ctl_conn_state state;
	bool is_static;
	char profile[SSLINK_NAME_MAX]; /* ipsec transport profile; of a static one its own name */
	struct endpoint local, peer; /* outer, as now known */
	bool encap; /* NAT was found */
	uint32_t ike_id;
	uint8_t ike_version;
	enum sslink_auth auth;
	char remote_id[SSLINK_ID_MAX];
	uint16_t worker;
	uint64_t uptime_s;
	bool used_by_tunnel, used_by_single_shot, fired, disconnecting;
	enum ss_reason fired_reason;
	uint64_t fired_ago_s;
	uint32_t tunnels, records; /* live ones, and those in their destruct period */
	uint16_t tunnel_id; /* of one that lives on it; 0: none */
	uint64_t refused_sccrq, refused_icrq, refused_sas; /* latched or in use already */
	uint64_t rekeys, ike_rekeys, nat_moves;
	uint32_t n_children,
	        n_sas; /* n_sas: all; the first CTL_CONN_SAS_MAX are in sas, newest first */
	struct ctl_sa_view sas[CTL_CONN_SAS_MAX];
};

/* By slot, as the other walks: *cursor starts at 0. False at the end. */
bool ctl_conn_next(const struct ctl *c, uint32_t *cursor, uint64_t now_ms,
                   struct ctl_conn_view *out);
bool ctl_conn_get(const struct ctl *c, uint64_t id, uint64_t now_ms, struct ctl_conn_view *out);

/* Ends a connection as an operator: SAs removed at once, IKE_SA deleted. 0, or -ENOENT. */
int ctl_clear_conn(struct ctl *c, uint64_t id, uint64_t now_ms);

struct ctl_ipsec_stats {
	bool link_up, syncing;
	uint64_t links, link_losses;
	uint64_t ike_sas, conns_total, children_total, sas_total;
	uint32_t ike_now, conns_now, conns_up, children_now, sas_now, orphans_now;
	uint64_t ike_auths; /* IKE authentications that led to a connection (B3) */
	uint64_t refused[SSLINK_STATUS_MAX]; /* requests of charon, by answer */
	uint64_t refused_latched; /* .. of them for a fired or disconnecting connection */
	uint64_t child_rekeys, ike_rekeys, migrations, nat_moves;
	uint64_t stale_migrations; /* told when the connection had moved on */
	uint64_t soft_expires, hard_expires, disconnects, orphans;
	uint64_t bad_messages;
};
void ctl_ipsec_stats_get(const struct ctl *c, struct ctl_ipsec_stats *out);
