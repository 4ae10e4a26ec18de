/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The text. A family is one name with its HELP and TYPE and all its samples; a plain one is a field
 * of a struct of counters, named by a table.
 */
#include "console/metrics.h"
#include "control/ctl.h"
#include "control/ipsec.h"
#include "dataplane/dp.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define BUSY_S 5 /* as the console shows it */

enum kind { COUNTER, GAUGE };

struct family {
	const char *name, *help;
	enum kind kind;
	size_t offset, size;
};

#define FIELD(s, f) offsetof(struct s, f), sizeof(((struct s *)0)->f)
#define COUNT(s, f, n, h)                                                                          \
	{                                                                                          \
		n "_total", h, COUNTER, FIELD(s, f)                                                \
	}
#define NOW(s, f, n, h)                                                                            \
	{                                                                                          \
		n, h, GAUGE, FIELD(s, f)                                                           \
	}

static const struct family ctl_families[] = {
        COUNT(ctl_stats, destinations.total, "destinations", "Destinations created."),
        COUNT(ctl_stats, destinations.failed, "destinations_failed",
              "Destinations that never had an established tunnel."),
        COUNT(ctl_stats, destinations.auth_errors, "destinations_auth_errors",
              "Destinations ended by a failed authentication."),
        NOW(ctl_stats, destinations.active, "destinations_active",
            "Destinations with an established tunnel."),
        NOW(ctl_stats, destinations.live, "destinations_live", "Destinations that exist."),
        COUNT(ctl_stats, tunnels.total, "tunnels", "L2TP tunnels created."),
        COUNT(ctl_stats, tunnels.failed, "tunnels_failed",
              "L2TP tunnels that were never established."),
        COUNT(ctl_stats, tunnels.auth_errors, "tunnels_auth_errors",
              "L2TP tunnels whose authentication failed."),
        NOW(ctl_stats, tunnels.active, "tunnels_active", "Established L2TP tunnels."),
        NOW(ctl_stats, tunnels.live, "tunnels_live", "L2TP tunnels in any state."),
        COUNT(ctl_stats, sessions.total, "sessions", "L2TP sessions created."),
        COUNT(ctl_stats, sessions.failed, "sessions_failed",
              "L2TP sessions that were never established."),
        COUNT(ctl_stats, sessions.auth_errors, "sessions_auth_errors",
              "L2TP sessions whose authentication failed."),
        NOW(ctl_stats, sessions.active, "sessions_active", "Established L2TP sessions."),
        NOW(ctl_stats, sessions.live, "sessions_live", "L2TP sessions in any state."),
        COUNT(ctl_stats, ss_tunnels, "ss_tunnels", "Single-shot tunnels accepted."),
        COUNT(ctl_stats, ss_refused_sccrq, "ss_refused_sccrq",
              "Tunnel requests refused by a single-shot connection."),
        COUNT(ctl_stats, ss_refused_icrq, "ss_refused_icrq",
              "Session requests refused by a single-shot tunnel."),
        COUNT(ctl_stats, ipsec_disconnects, "ipsec_disconnect_signals",
              "IPsec connections told to disconnect."),
        COUNT(ctl_stats, ppp_auths, "ppp_auths", "PPP credentials judged."),
        COUNT(ctl_stats, ppp_auth_failures, "ppp_auth_failures", "PPP credentials refused."),
        COUNT(ctl_stats, sccrq_no_profile, "sccrq_no_profile",
              "Tunnel requests that no profile or host fits."),
        COUNT(ctl_stats, sccrq_needs_ipsec, "sccrq_needs_ipsec",
              "Tunnel requests outside the IPsec that their host requires."),
        COUNT(ctl_stats, half_open_evicted, "half_open_evicted",
              "Half-open tunnels that gave way to others."),
        COUNT(ctl_stats, records_reclaimed, "records_reclaimed",
              "Records of ended tunnels given up early."),
        COUNT(ctl_stats, icmp_sent, "icmp_sent", "ICMP errors sent."),
        COUNT(ctl_stats, icmp_suppressed, "icmp_suppressed",
              "ICMP errors not sent for their rate."),
        COUNT(ctl_stats, stale_punts, "stale_punts", "Punted packets of sessions that had ended."),
        NOW(ctl_stats, half_open, "half_open", "Tunnels not yet established."),
        NOW(ctl_stats, half_open_limit, "half_open_limit", "Limit of half-open tunnels."),
        NOW(ctl_stats, tunnel_ids_used, "tunnel_ids_used", "Tunnel ids in use."),
        NOW(ctl_stats, session_ids_used, "session_ids_used", "Session ids in use."),
        COUNT(ctl_stats, turns, "control_turns", "Turns of the control lcore's event loop."),
        COUNT(ctl_stats, turns_ns, "control_cpu_nanoseconds",
              "CPU time of the control lcore's event loop."),
        COUNT(ctl_stats, turns_long, "control_turns_long",
              "Turns of the control lcore's event loop that took more than 5 ms of CPU time."),
        NOW(ctl_stats, turn_longest_ns, "control_turn_longest_nanoseconds",
            "CPU time of the longest turn since it was last cleared."),
        COUNT(ctl_stats, l2tp.rx, "l2tp_control_received", "L2TP control messages received."),
        COUNT(ctl_stats, l2tp.tx, "l2tp_control_transmitted", "L2TP control messages transmitted."),
        COUNT(ctl_stats, l2tp.rx_zlb, "l2tp_control_received_zlb", "ZLBs received."),
        COUNT(ctl_stats, l2tp.tx_zlb, "l2tp_control_transmitted_zlb", "ZLBs transmitted."),
        COUNT(ctl_stats, l2tp.rx_malformed, "l2tp_control_malformed",
              "Malformed L2TP control messages received."),
        COUNT(ctl_stats, l2tp.rx_unknown_tunnel, "l2tp_control_unknown_tunnel",
              "L2TP control messages for a tunnel id not in use."),
        COUNT(ctl_stats, l2tp.rx_wrong_path, "l2tp_control_wrong_path",
              "L2TP control messages from another address, port or connection."),
        COUNT(ctl_stats, l2tp.rx_duplicate, "l2tp_control_duplicate",
              "L2TP control messages received again."),
        COUNT(ctl_stats, l2tp.rx_out_of_order, "l2tp_control_out_of_order",
              "L2TP control messages received early and kept."),
        COUNT(ctl_stats, l2tp.rx_out_of_window, "l2tp_control_out_of_window",
              "L2TP control messages outside the receive window."),
        COUNT(ctl_stats, l2tp.retransmits, "l2tp_control_retransmissions",
              "L2TP control messages sent again."),
        COUNT(ctl_stats, l2tp.tunnels_refused, "l2tp_tunnels_refused", "Tunnels refused."),
        COUNT(ctl_stats, l2tp.calls_refused, "l2tp_calls_refused", "Calls refused."),
        COUNT(ctl_stats, l2tp.auth_failed, "l2tp_auth_failed",
              "Tunnel authentications that failed."),
};

static const struct family ipsec_families[] = {
        NOW(ctl_ipsec_stats, link_up, "ipsec_link_up", "1: the link to charon is up."),
        NOW(ctl_ipsec_stats, syncing, "ipsec_link_syncing", "1: charon replays its SAs."),
        COUNT(ctl_ipsec_stats, links, "ipsec_links", "Links that charon has set up."),
        COUNT(ctl_ipsec_stats, link_losses, "ipsec_link_losses", "Links to charon lost."),
        COUNT(ctl_ipsec_stats, ike_sas, "ike_sas_created", "IKE_SAs."),
        COUNT(ctl_ipsec_stats, conns_total, "ipsec_connections_created",
              "IPsec transport connections."),
        COUNT(ctl_ipsec_stats, children_total, "ipsec_children_created", "Children."),
        COUNT(ctl_ipsec_stats, sas_total, "ipsec_sas_created", "ESP SAs."),
        NOW(ctl_ipsec_stats, ike_now, "ike_sas", "IKE_SAs that exist."),
        NOW(ctl_ipsec_stats, conns_now, "ipsec_connections",
            "IPsec transport connections that exist."),
        NOW(ctl_ipsec_stats, conns_up, "ipsec_connections_up",
            "IPsec transport connections that are up."),
        NOW(ctl_ipsec_stats, children_now, "ipsec_children", "Children that exist."),
        NOW(ctl_ipsec_stats, sas_now, "ipsec_sas", "ESP SAs that exist."),
        NOW(ctl_ipsec_stats, orphans_now, "ipsec_connections_orphaned",
            "IPsec transport connections that charon does not know."),
        COUNT(ctl_ipsec_stats, ike_auths, "ike_auths",
              "IKE authentications that led to a connection."),
        COUNT(ctl_ipsec_stats, refused_latched, "ipsec_refused_latched",
              "Requests of charon refused for a connection that has fired."),
        COUNT(ctl_ipsec_stats, child_rekeys, "ipsec_child_rekeys", "Children rekeyed."),
        COUNT(ctl_ipsec_stats, ike_rekeys, "ike_rekeys", "IKE_SAs rekeyed."),
        COUNT(ctl_ipsec_stats, migrations, "ipsec_child_migrations",
              "Children that a new IKE_SA has adopted."),
        COUNT(ctl_ipsec_stats, stale_migrations, "ipsec_child_migrations_stale",
              "Adoptions that charon told of when their connection had moved on."),
        COUNT(ctl_ipsec_stats, nat_moves, "ipsec_nat_moves",
              "Changes of a peer's address or port behind its NAT."),
        COUNT(ctl_ipsec_stats, soft_expires, "ipsec_soft_expires", "SAs due for rekeying."),
        COUNT(ctl_ipsec_stats, hard_expires, "ipsec_hard_expires", "SAs past their lifetime."),
        COUNT(ctl_ipsec_stats, disconnects, "ipsec_disconnects",
              "Connections whose IKE_SA charon was told to end."),
        COUNT(ctl_ipsec_stats, orphans, "ipsec_orphans",
              "Connections that charon did not know after its return."),
        COUNT(ctl_ipsec_stats, bad_messages, "ipsec_link_bad_messages",
              "Malformed messages on the link to charon."),
};

static const struct family dp_families[] = {
        COUNT(dp_stats, rx, "dataplane_received", "Packets received."),
        COUNT(dp_stats, tx, "dataplane_transmitted", "Packets transmitted."),
        COUNT(dp_stats, injected, "dataplane_injected", "Packets that control has sent."),
        COUNT(dp_stats, punts, "dataplane_punted", "Packets given to control."),
        COUNT(dp_stats, fragments_made, "dataplane_fragments_made", "Fragments made."),
        COUNT(dp_stats, fragments_merged, "dataplane_fragments_merged", "Fragments merged."),
        NOW(dp_stats, held, "dataplane_held", "Packets that wait for something."),
        COUNT(dp_stats, handed_off, "dataplane_handed_off", "Packets given to their owner."),
};

static const struct family worker_families[] = {
        COUNT(dp_stats, rx, "worker_received", "Packets that a worker has received."),
        COUNT(dp_stats, tx, "worker_transmitted", "Packets that a worker has transmitted."),
        COUNT(dp_stats, handed_off, "worker_handed_off",
              "Packets that a worker has given to their owner."),
        COUNT(dp_stats, taken_over, "worker_taken_over",
              "Packets that a worker has taken over from those that had received them."),
        COUNT(dp_stats, vectors, "worker_vectors", "Vectors that were not empty."),
        COUNT(dp_stats, busy_cycles, "worker_busy_cycles", "CPU cycles with packets."),
        COUNT(dp_stats, idle_cycles, "worker_idle_cycles", "CPU cycles without."),
};

static const struct family pool_families[] = {
        NOW(ctl_pool_view, size, "pool_addresses", "Addresses of a pool."),
        NOW(ctl_pool_view, used, "pool_addresses_used", "Addresses in use."),
        NOW(ctl_pool_view, reserved, "pool_addresses_reserved", "Addresses kept for their users."),
};

#define N(v) (sizeof(v) / sizeof((v)[0]))

static void head(struct evbuffer *out, const char *name, enum kind kind, const char *help)
{
	evbuffer_add_printf(out, "# HELP sallyport_%s %s\n# TYPE sallyport_%s %s\n", name, help,
	                    name, kind == COUNTER ? "counter" : "gauge");
}

/* A label's value: backslash, quote and newline are escaped; names are valid in their own right. */
static void sample(struct evbuffer *out, const char *name, const char *label, const char *value,
                   uint64_t n)
{
	evbuffer_add_printf(out, "sallyport_%s{%s=\"", name, label);
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			evbuffer_add(out, "\\n", 2);
		else if (*p == '\\' || *p == '"')
			evbuffer_add_printf(out, "\\%c", *p);
		else
			evbuffer_add(out, p, 1);
	}
	evbuffer_add_printf(out, "\"} %" PRIu64 "\n", n);
}

static uint64_t field(const struct family *f, const void *base)
{
	const char *p = (const char *)base + f->offset;
	uint64_t n64;
	uint32_t n32;

	switch (f->size) {
	case sizeof(n64):
		memcpy(&n64, p, sizeof(n64));
		return n64;
	case sizeof(n32):
		memcpy(&n32, p, sizeof(n32));
		return n32;
	default:
		return *(const bool *)p;
	}
}

static void plain(struct evbuffer *out, const struct family *f, size_t n, const void *base)
{
	for (; n > 0; f++, n--) {
		head(out, f->name, f->kind, f->help);
		evbuffer_add_printf(out, "sallyport_%s %" PRIu64 "\n", f->name, field(f, base));
	}
}

static void control_text(struct evbuffer *out, const struct ctl *ctl)
{
	struct ctl_stats st;
	unsigned int i;

	ctl_stats_get(ctl, &st);
	plain(out, ctl_families, N(ctl_families), &st);
	head(out, "ss_fired_total", COUNTER, "Single-shot tunnels that have fired, by reason.");
	for (i = SS_NONE + 1; i < SS_REASON_MAX; i++)
		sample(out, "ss_fired_total", "reason", ss_reason_name(i), st.ss_fired[i]);
}

static void ipsec_text(struct evbuffer *out, const struct ctl *ctl)
{
	static const char *const answers[SSLINK_STATUS_MAX] = {
	        [SSLINK_REFUSED] = "refused",
	        [SSLINK_BUSY] = "busy",
	        [SSLINK_UNSUPPORTED] = "unsupported",
	        [SSLINK_NO_RESOURCES] = "no-resources",
	};
	struct ctl_ipsec_stats st;
	unsigned int i;

	ctl_ipsec_stats_get(ctl, &st);
	plain(out, ipsec_families, N(ipsec_families), &st);
	head(out, "ipsec_requests_refused_total", COUNTER,
	     "Requests of charon not granted, by answer.");
	for (i = SSLINK_OK + 1; i < SSLINK_STATUS_MAX; i++)
		sample(out, "ipsec_requests_refused_total", "answer", answers[i], st.refused[i]);
}

static void dataplane_text(struct evbuffer *out, struct dp *dp)
{
	struct dp_stats st;
	unsigned int i;

	dp_stats_get(dp, -1, &st);
	plain(out, dp_families, N(dp_families), &st);
	head(out, "ss_refused_data_total", COUNTER,
	     "Packets of connections whose single-shot tunnel has fired.");
	evbuffer_add_printf(out, "sallyport_ss_refused_data_total %" PRIu64 "\n",
	                    st.drop[DP_DROP_SS_FIRED]);
	head(out, "dataplane_drops_total", COUNTER, "Packets dropped, by reason.");
	for (i = DP_DROP_NONE + 1; i < DP_DROP_MAX; i++)
		sample(out, "dataplane_drops_total", "reason", dp_drop_name(i), st.drop[i]);
	head(out, "dataplane_punts_total", COUNTER, "Packets given to control, by class.");
	for (i = 0; i < DP_PUNT_MAX; i++)
		sample(out, "dataplane_punts_total", "class", dp_punt_name(i), st.punt[i]);
}

static uint64_t drops(const struct dp_stats *st)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < DP_DROP_MAX; i++)
		n += st->drop[i];
	return n;
}

static void worker_text(struct evbuffer *out, struct dp *dp)
{
	uint16_t n = dp_n_workers(dp);
	struct dp_stats st;
	char w[8];

	for (size_t f = 0; f < N(worker_families); f++) {
		const struct family *fam = &worker_families[f];

		head(out, fam->name, fam->kind, fam->help);
		for (uint16_t i = 0; i < n; i++) {
			dp_stats_get(dp, i, &st);
			snprintf(w, sizeof(w), "%u", i);
			sample(out, fam->name, "worker", w, field(fam, &st));
		}
	}
	head(out, "worker_dropped_total", COUNTER, "Packets that a worker has dropped.");
	for (uint16_t i = 0; i < n; i++) {
		dp_stats_get(dp, i, &st);
		snprintf(w, sizeof(w), "%u", i);
		sample(out, "worker_dropped_total", "worker", w, drops(&st));
	}
	head(out, "worker_busy_ratio", GAUGE,
	     "Share of a worker's CPU cycles with packets, in the last 5 seconds.");
	for (uint16_t i = 0; i < n; i++) {
		struct dp_load l;

		dp_load_get(dp, i, BUSY_S, &l);
		evbuffer_add_printf(out, "sallyport_worker_busy_ratio{worker=\"%u\"} %u.%03u\n", i,
		                    l.busy_permille / 1000, l.busy_permille % 1000);
	}
	head(out, "worker_sessions", GAUGE, "Sessions that a worker owns.");
	for (uint16_t i = 0; i < n; i++) {
		snprintf(w, sizeof(w), "%u", i);
		sample(out, "worker_sessions", "worker", w, dp_worker_sessions(dp, i));
	}
}

static void pool_text(struct evbuffer *out, const struct ctl *ctl)
{
	struct ctl_pool_view v;

	for (size_t f = 0; f < N(pool_families); f++) {
		const struct family *fam = &pool_families[f];
		uint32_t cursor = 0;

		head(out, fam->name, fam->kind, fam->help);
		while (ctl_pool_next(ctl, &cursor, &v))
			sample(out, fam->name, "pool", v.name, field(fam, &v));
	}
}

void metrics_text(struct evbuffer *out, const struct ctl *ctl, struct dp *dp)
{
	head(out, "build_info", GAUGE, "Always 1; its label says which version runs.");
	sample(out, "build_info", "version", SALLYPORT_VERSION, 1);
	control_text(out, ctl);
	ipsec_text(out, ctl);
	dataplane_text(out, dp);
	worker_text(out, dp);
	pool_text(out, ctl);
}
