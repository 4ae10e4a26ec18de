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
#include "esp/esp.h" /* suites */
#include "ppp/ppp.h" /* method bits */

#include <stdbool.h>
#include <stdint.h>

#define CFG_NAME_MAX   64
#define CFG_SECRET_MAX 128
#define CFG_PATH_MAX   128
#define CFG_SOCKET_MAX 108 /* what a sockaddr_un holds */
#define CFG_IKE_ID_MAX 128

#define CFG_PEERS_MAX     16
#define CFG_PROPOSALS_MAX 8
#define CFG_PROPOSAL_MAX  128
#define CFG_CERTS_MAX     8
#define CFG_KEY_MAX       80 /* bytes of one key of a static security association */

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

/* What holds for charon and the link to it. Charon itself is started by scripts/charon. */
struct cfg_ipsec {
	char run_directory[CFG_SOCKET_MAX - 28]; /* default /run/sallyport */
	char socket[CFG_SOCKET_MAX]; /* of charon's plugin; default ike.sock in the run directory */
	char vici_socket[CFG_SOCKET_MAX]; /* charon's; default charon.vici there */
	char swanctl[CFG_PATH_MAX], charon[CFG_PATH_MAX]; /* programs */
	char charon_log[CFG_PATH_MAX]; /* default charon.log in the run directory */
	uint8_t charon_log_level; /* 0-3: 4 would write keys, default 1 */
	uint16_t charon_threads; /* 8-128, default 16 */
	uint32_t nat_keepalive_s; /* 0-3600, default 20; sent only when we are behind a NAT */
	uint32_t retransmit_timeout_ms; /* of IKE, the first: 500-10000, default 2000 */
	uint8_t retransmit_tries; /* 1-10, default 4 */
	/* IKE_SAs that are not yet authenticated. */
	uint32_t cookie_threshold; /* in all, before cookies are asked for: 0-100000, default 32 */
	uint32_t half_open_per_peer; /* 0-100000, default 64; a NAT is one peer */
	uint32_t half_open_max; /* 0-1000000, default 8192 */
};

enum cfg_ipsec_app { CFG_IPSEC_L2TP };
enum cfg_ike_version { CFG_IKE_ANY, CFG_IKE_V1, CFG_IKE_V2 };
enum cfg_esn { CFG_ESN_NO, CFG_ESN_YES, CFG_ESN_EITHER };

struct cfg_psk {
	char identity[CFG_IKE_ID_MAX]; /* IKE identity or address of the peer */
	char secret[CFG_SECRET_MAX + 1];
};

/*
 * An ipsec transport profile (spec/junose.md 5.1); charon's connections are made of it (ike/swanctl.h).
 * Either keys or a certificate are given, never both.
 */
struct cfg_ipsec_profile {
	char name[CFG_NAME_MAX];
	enum cfg_ipsec_app application;
	struct ipaddr local_address;
	struct ipprefix peers[CFG_PEERS_MAX]; /* those of family 0 are absent; default 0.0.0.0/0 */
	enum cfg_ike_version version; /* default any */
	bool allow_tunnel_mode; /* default false: ADD_SA for tunnel mode is refused */
	char ike_proposals[CFG_PROPOSALS_MAX][CFG_PROPOSAL_MAX]; /* empty ones are absent */
	char esp_proposals[CFG_PROPOSALS_MAX][CFG_PROPOSAL_MAX]; /* .. */
	bool weak_algorithms; /* default false */
	uint32_t lifetime_s; /* 300-864000, default 14400 */
	uint32_t lifetime_kb, lifetime_packets; /* default 0: none */
	uint32_t ike_lifetime_s; /* 600-864000, default 28800; used when we initiate rekeying */
	uint8_t rekey_margin; /* 1-50 %, default 10: rekeying begins so much before the end */
	bool initiate_rekey; /* default false: the peer does */
	uint32_t pfs_group; /* IANA number, config_dh_name has the word; 0: none */
	enum cfg_esn esn; /* default no */
	uint32_t replay_window; /* 0 (none), or 32-4096, default 128 */
	bool nat_traversal; /* default true; false: ADD_SA with encapsulation is refused */
	bool force_encapsulation; /* default false */
	uint32_t dpd_delay_s; /* 0-3600, default 30; 0: none */
	uint32_t dpd_timeout_s; /* 0-3600, default 150; IKEv1 */
	struct cfg_psk *psks;
	uint32_t n_psks;
	char group_psk[CFG_SECRET_MAX + 1]; /* of any identity; empty: none */
	char certificate[CFG_PATH_MAX], private_key[CFG_PATH_MAX]; /* files; empty: none */
	char ca_certificates[CFG_CERTS_MAX][CFG_PATH_MAX]; /* empty ones are absent */
	char local_identity
	        [CFG_IKE_ID_MAX]; /* default: the address, or the certificate's subject */
	char remote_identity[CFG_IKE_ID_MAX]; /* with wildcards; default %any */
};

/* A security association of the configuration: a connection without IKE, for laboratories. */
struct cfg_static_sa {
	char name[CFG_NAME_MAX];
	struct ipaddr local, peer;
	bool encapsulation; /* in UDP from our port 4500 to peer_port */
	uint16_t peer_port; /* default 4500 */
	uint32_t spi_in, spi_out; /* above 255; the low six bits of spi_in are the owner worker */
	char algorithms[CFG_PROPOSAL_MAX]; /* as written, and .. */
	struct esp_suite suite; /* .. as read */
	uint8_t enc_key_in[CFG_KEY_MAX], auth_key_in[CFG_KEY_MAX];
	uint8_t enc_key_out[CFG_KEY_MAX], auth_key_out[CFG_KEY_MAX];
	uint32_t n_enc_key_in, n_auth_key_in, n_enc_key_out, n_auth_key_out; /* bytes given */
	uint32_t replay_window; /* as above */
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
	struct cfg_ipsec ipsec;
	struct cfg_ipsec_profile *ipsec_profiles;
	uint32_t n_ipsec_profiles;
	struct cfg_static_sa *static_sas;
	uint32_t n_static_sas;
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
const struct cfg_ipsec_profile *config_ipsec_profile(const struct config *c, const char *name);

/* strongSwan's word for a Diffie-Hellman group, "ecp256" for 19; NULL: not one that we offer. */
const char *config_dh_name(uint32_t group);
