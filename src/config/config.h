/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The configuration as the program uses it. Made by config_load from libconfig text, with every value
 * checked and every default filled in; constant afterwards. Names of stanzas and keys are in the
 * schema table (config/schema.c), which also documents them.
 */
#pragma once

#include "base/addr.h"
#include "base/log.h"
#include "ppp/ppp.h" /* method bits */

#include <stdbool.h>
#include <stdint.h>

#define CFG_NAME_MAX   64
#define CFG_SECRET_MAX 128

enum cfg_idle { CFG_IDLE_SPIN, CFG_IDLE_PAUSE, CFG_IDLE_SLEEP };
enum cfg_log_target { CFG_LOG_STDERR, CFG_LOG_SYSLOG };

struct cfg_system {
	char host_name[CFG_NAME_MAX]; /* default: the machine's */
	uint16_t workers; /* 1-64, default 1 */
	char cpus[128]; /* "0,1-2": first is control's; empty: chosen */
	bool hugepages; /* default true */
	uint32_t memory_mb; /* 64-1048576, default 512 */
	enum cfg_idle idle; /* default pause */
	uint32_t idle_sleep_us; /* 1-1000, default 50 */
	uint16_t vector; /* 8-64, default 32 */
};

struct cfg_log {
	enum log_level level; /* default info */
	enum cfg_log_target target; /* default stderr */
};

struct cfg_console {
	struct endpoint listen; /* default 127.0.0.1:2300 */
	uint16_t max_connections; /* 1-64, default 8 */
	uint32_t idle_timeout_s; /* 0-86400, default 600 */
	char netns[128]; /* path of the network namespace to listen in; empty: the daemon's */
};

struct cfg_metrics {
	struct endpoint listen; /* family 0: off, the default */
	uint16_t max_connections; /* 1-16, default 4 */
	char netns[128]; /* as the console's */
};

struct cfg_subif {
	uint16_t vlan; /* 1-4094 */
	uint16_t mtu;
	char name[16]; /* twin's name; default PORT.VLAN */
	struct ipprefix *addresses;
	uint32_t n_addresses;
};

struct cfg_port {
	char name[16]; /* also the kernel twin's name; at most 15 bytes, 10 with sub-interfaces */
	char device[128]; /* "0000:03:00.0" or "net_af_packet0,iface=wan0" */
	uint16_t mtu; /* 576-9000, default 1500 */
	uint16_t rx_descriptors, tx_descriptors; /* 64-4096, default 1024 */
	struct ipprefix *addresses;
	uint32_t n_addresses;
	struct cfg_subif *subifs;
	uint32_t n_subifs;
};

struct cfg_route { /* static routes, put into the kernel on the twins */
	struct ipprefix prefix;
	struct ipaddr via;
};

struct cfg_pool {
	char name[CFG_NAME_MAX];
	struct ipaddr first, last; /* inclusive, IPv4; at most 65,536 addresses; no overlap */
};

struct cfg_user {
	char name[PPP_NAME_MAX];
	char password[CFG_SECRET_MAX + 1]; /* plain; empty when hashed */
	char crypt[128]; /* crypt(3) hash: serves PAP only */
	bool has_nt_hash;
	uint8_t nt_hash[16]; /* serves PAP and MS-CHAPv2 */
	struct ipaddr address; /* framed address; family 0: from the pool */
	char pool[CFG_NAME_MAX]; /* overrides the interface profile's */
	uint16_t max_sessions; /* 0: no limit */
};

struct cfg_interface_profile {
	char name[CFG_NAME_MAX];
	uint32_t auth_methods; /* bits of enum ppp_auth_method; default all three */
	struct ipaddr local_address; /* our IPCP address */
	char pool[CFG_NAME_MAX];
	struct ipaddr dns[2], nbns[2];
	uint16_t mru, mtu; /* 128-9000, default 1460 */
	bool mss_clamp; /* default true */
	bool accept_peer_address; /* default false: Nak with ours */
	uint32_t echo_interval_s; /* 0-3600, default 30 */
	uint8_t echo_failures; /* 1-20, default 3 */
	uint8_t auth_tries; /* 1-10, default 3; single-shot: 1 */
	uint32_t auth_timeout_s; /* 5-300, default 30 */
	uint32_t ncp_timeout_s; /* 5-300, default 60 */
	bool acfc, pfc; /* ask for them; default false */
	uint32_t lcp_restart_ms; /* 100-10000, default 3000 */
	uint8_t lcp_max_configure; /* 1-50, default 10 */
	uint8_t lcp_max_terminate; /* 1-10, default 2 */
	uint8_t lcp_max_failure; /* 1-20, default 5 */
};

/* A remote host of a destination profile (spec/junose.md 4.1). */
struct cfg_host {
	char name[256]; /* Host Name AVP of the LAC, or "default" */
	bool is_default;
	bool enable_ipsec_transport;
	bool single_shot_tunnel;
	char tunnel_password[CFG_SECRET_MAX + 1]; /* empty: none */
	char local_host[256]; /* default: system's */
	struct ipaddr local_ip; /* family 0: any */
	uint32_t max_sessions; /* 0: no limit */
	bool session_out_of_resource_result_code_override;
	bool disconnect_cause;
	char interface_profile[CFG_NAME_MAX];
	bool enable_proxy_authenticate;
	bool disable_proxy_lcp;
	uint16_t receive_window; /* 0: the global default */
	bool hide_avps; /* default false */
	bool data_sequencing; /* send and check Ns even when not asked */
	bool data_length_bit; /* default false */
};

struct cfg_dest_profile {
	char name[CFG_NAME_MAX];
	struct ipaddr address; /* 0.0.0.0: any */
	uint32_t max_sessions; /* 0: no limit */
	struct cfg_host *hosts;
	uint32_t n_hosts;
};

struct cfg_l2tp {
	uint32_t idle_timeout_s; /* tunnel-idle-timeout 0-86400, 60 */
	uint32_t destruct_timeout_s; /* 10-3600, 600 */
	uint8_t retransmission_established; /* 2-7, 5 */
	uint8_t retransmission_not_established; /* 2-7, 5 */
	uint32_t retransmit_interval_ms; /* first: 100-10000, 1000 */
	uint32_t hello_interval_s; /* 0-3600, 60 */
	bool data_checksum; /* default on (RFC 2661 8.1) */
	bool verify_checksum; /* of data, default on */
	uint16_t default_receive_window; /* 0 (the system chooses) or 4 */
	bool ignore_receive_data_sequencing;
	bool disable_challenge;
	bool disconnect_cause;
	uint32_t destination_lockout_timeout_s; /* 60-3600, 300 */
	uint32_t short_drain_timeout_s; /* 0-31, 2 */
	uint32_t first_session_timeout_s; /* single-shot (E13): 10-3600, 60 */
	uint16_t half_open_percent; /* share of the tunnel table, 1-100, 25 */
	uint32_t linger_timeout_s; /* after StopCCN, 31 (5.7): 1-60 */
	bool outer_df; /* set DF on the outer packet, default false */
	bool failover_protocol; /* failover-resync failover-protocol asked for */
};

struct config {
	struct cfg_system system;
	struct cfg_log log;
	struct cfg_console console;
	struct cfg_metrics metrics;
	struct cfg_l2tp l2tp;
	struct cfg_port *ports;
	uint32_t n_ports;
	struct cfg_route *routes;
	uint32_t n_routes;
	struct cfg_pool *pools;
	uint32_t n_pools;
	struct cfg_user *users; /* of the text and of user files; sorted by name */
	uint32_t n_users;
	struct cfg_interface_profile *interface_profiles;
	uint32_t n_interface_profiles;
	struct cfg_dest_profile *dest_profiles;
	uint32_t n_dest_profiles;
};

/* One finding: "file:line: text". */
typedef void (*config_report_fn)(void *ctx, bool warning, const char *file, unsigned int line,
                                 const char *text);

/*
 * Reads a file (and what it includes). Every error and warning is reported; returns NULL when there
 * was an error. The result is released, and its secrets wiped, by config_free.
 */
struct config *config_load(const char *path, config_report_fn report, void *ctx);
/* The same from text; name stands for the file in reports. Includes are relative to dir. */
struct config *config_load_text(const char *text, const char *name, const char *dir,
                                config_report_fn report, void *ctx);
void config_free(struct config *c);

/* Prints every stanza and key with type, unit, range, default and help, from the schema table. */
void config_describe(void *file);

/* Look-ups by name; NULL when absent. config_user takes the exact name. */
const struct cfg_user *config_user(const struct config *c, const char *name);
const struct cfg_interface_profile *config_interface_profile(const struct config *c,
                                                             const char *name);
const struct cfg_pool *config_pool(const struct config *c, const char *name);
