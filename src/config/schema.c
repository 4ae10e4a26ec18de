/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The table. Ranges and defaults of the l2tp stanza and of hosts are JunosE's where it has the
 * command; what each key does is said here once and printed by sallyport --describe.
 */
#include "config/schema.h"

#define F  CFG_FIELD
#define FN CFG_FIELD_N

static const struct cfg_word idle_words[] = {
        {"spin", CFG_IDLE_SPIN}, {"pause", CFG_IDLE_PAUSE}, {"sleep", CFG_IDLE_SLEEP}, {NULL, 0}};

static const struct cfg_word level_words[] = {
        {"error", LOG_LVL_ERROR}, {"warning", LOG_LVL_WARNING}, {"notice", LOG_LVL_NOTICE},
        {"info", LOG_LVL_INFO},   {"debug", LOG_LVL_DEBUG},     {NULL, 0}};

static const struct cfg_word target_words[] = {
        {"stderr", CFG_LOG_STDERR}, {"syslog", CFG_LOG_SYSLOG}, {NULL, 0}};

static const struct cfg_word failover_words[] = {
        {"disable", false}, {"failover-protocol", true}, {NULL, 0}};

static const struct cfg_word auth_words[] = {{"pap", PPP_AUTH_PAP},
                                             {"chap", PPP_AUTH_CHAP_MD5},
                                             {"mschapv2", PPP_AUTH_MSCHAPV2},
                                             {"none", PPP_AUTH_NONE},
                                             {NULL, 0}};

static const struct cfg_key system_keys[] = {
        {"host-name", CFG_STRING, F(cfg_system, host_name), .form = form_text,
         .deflt_note = "the machine's host name",
         .help = "Name of this box: the Host Name AVP toward LACs unless a host says otherwise, "
                 "the CHAP name toward subscribers, and the console's prompt."},
        {"workers", CFG_INT, F(cfg_system, workers), .min = 1, .max = 64, .deflt = "1",
         .help = "Threads that move packets, each on a CPU of its own."},
        {"cpus", CFG_STRING, F(cfg_system, cpus), .form = form_cpus,
         .deflt_note = "chosen from those the process may use",
         .help = "CPUs to run on, such as \"0,2-3\". The first is for control, the others for "
                 "the workers in turn."},
        {"hugepages", CFG_BOOL, F(cfg_system, hugepages), .deflt = "true",
         .help = "Take packet memory from hugepages. Without them it runs anywhere, slower, and "
                 "only virtual devices work."},
        {"memory", CFG_INT, F(cfg_system, memory_mb), .min = 64, .max = 1048576, .unit = "MB",
         .deflt = "512", .help = "Packet and table memory."},
        {"idle", CFG_WORD, F(cfg_system, idle), .words = idle_words, .deflt = "pause",
         .help = "What a worker without packets does, the more so the longer none come: spin costs "
                 "a "
                 "whole CPU and has the lowest latency, pause is kind to the CPU's other thread, "
                 "sleep gives the CPU away."},
        {"idle-sleep", CFG_INT, F(cfg_system, idle_sleep_us), .min = 1, .max = 1000, .unit = "us",
         .deflt = "50", .help = "The longest sleep when idle is sleep: sleeps grow up to it."},
        {"vector", CFG_INT, F(cfg_system, vector), .min = 8, .max = 64, .unit = "packets",
         .deflt = "32", .help = "Most packets that a worker handles together."},
        {.name = NULL}};

static const struct cfg_key log_keys[] = {
        {"level", CFG_WORD, F(cfg_log, level), .words = level_words, .deflt = "info",
         .help = "Lines of this level and of the more serious ones are written."},
        {"target", CFG_WORD, F(cfg_log, target), .words = target_words, .deflt = "stderr",
         .help = "Where log lines go."},
        {.name = NULL}};

static const struct cfg_key console_keys[] = {
        {"listen", CFG_ENDPOINT, F(cfg_console, listen), .deflt = "127.0.0.1:2300",
         .help = "Address and port of the operator console (telnet, in clear)."},
        {"max-connections", CFG_INT, F(cfg_console, max_connections), .min = 1, .max = 64,
         .deflt = "8", .help = "Operators at once."},
        {"idle-timeout", CFG_INT, F(cfg_console, idle_timeout_s), .max = 86400, .unit = "s",
         .deflt = "600", .help = "A silent operator is disconnected after this; 0: never."},
        {"netns", CFG_STRING, F(cfg_console, netns), .form = form_path,
         .deflt_note = "the network namespace of the daemon",
         .help = "Path of the network namespace to listen in."},
        {.name = NULL}};

static const struct cfg_key metrics_keys[] = {
        {"listen", CFG_ENDPOINT, F(cfg_metrics, listen), .deflt_note = "off",
         .help = "Address and port of the metrics for Prometheus (HTTP, in clear): GET /metrics."},
        {"max-connections", CFG_INT, F(cfg_metrics, max_connections), .min = 1, .max = 16,
         .deflt = "4", .help = "Scrapes at once; further ones wait."},
        {"netns", CFG_STRING, F(cfg_metrics, netns), .form = form_path,
         .deflt_note = "the network namespace of the daemon",
         .help = "Path of the network namespace to listen in."},
        {.name = NULL}};

static const struct cfg_key l2tp_keys[] = {
        {"tunnel-idle-timeout", CFG_INT, F(cfg_l2tp, idle_timeout_s), .max = 86400, .unit = "s",
         .deflt = "60",
         .help = "A standard tunnel without sessions is closed after this; 0: it stays. A "
                 "single-shot tunnel ends with its session, whatever this says."},
        {"destruct-timeout", CFG_INT, F(cfg_l2tp, destruct_timeout_s), .min = 10, .max = 3600,
         .unit = "s", .deflt = "600",
         .help = "How long the record of a closed tunnel is kept. The IPsec connection of a "
                 "standard tunnel ends with this period, that of a single-shot tunnel before it."},
        {"retransmission-established", CFG_INT, F(cfg_l2tp, retransmission_established), .min = 2,
         .max = 7, .deflt = "5",
         .help = "Retries of a control message before an established tunnel is given up."},
        {"retransmission-not-established", CFG_INT, F(cfg_l2tp, retransmission_not_established),
         .min = 2, .max = 7, .deflt = "5", .help = "The same before it is established."},
        {"retransmit-interval", CFG_INT, F(cfg_l2tp, retransmit_interval_ms), .min = 100,
         .max = 10000, .unit = "ms", .deflt = "1000",
         .help = "Wait before the first retry; it doubles with each (RFC 2661 5.8)."},
        {"hello-interval", CFG_INT, F(cfg_l2tp, hello_interval_s), .max = 3600, .unit = "s",
         .deflt = "60", .help = "Silence after which a Hello asks if the peer lives; 0: never."},
        {"data-checksum", CFG_BOOL, F(cfg_l2tp, data_checksum), .deflt = "true",
         .help = "Put a UDP checksum on data messages outside IPsec (RFC 2661 8.1)."},
        {"verify-checksum", CFG_BOOL, F(cfg_l2tp, verify_checksum), .deflt = "true",
         .help = "Check the UDP checksum of received data messages outside IPsec."},
        {"default-receive-window", CFG_INT, F(cfg_l2tp, default_receive_window), .max = 4,
         .flags = CFG_ENDS, .unit = "messages", .deflt = "0",
         .help = "Receive window offered to peers; 0: the system chooses."},
        {"ignore-receive-data-sequencing", CFG_BOOL, F(cfg_l2tp, ignore_receive_data_sequencing),
         .deflt = "false",
         .help = "Neither drop nor reorder data messages by their sequence numbers."},
        {"disable-challenge", CFG_BOOL, F(cfg_l2tp, disable_challenge), .deflt = "false",
         .help = "Send no Challenge: a tunnel password then only answers the peer's."},
        {"disconnect-cause", CFG_BOOL, F(cfg_l2tp, disconnect_cause), .deflt = "false",
         .help = "Put the PPP disconnect cause (RFC 3145) into every CDN. A host's own key works "
                 "without this one."},
        {"destination-lockout-timeout", CFG_INT, F(cfg_l2tp, destination_lockout_timeout_s),
         .min = 60, .max = 3600, .unit = "s", .deflt = "300",
         .help = "How long an unreachable destination is not tried again."},
        {"short-drain-timeout", CFG_INT, F(cfg_l2tp, short_drain_timeout_s), .max = 31, .unit = "s",
         .deflt = "2",
         .help = "How long a draining tunnel goes on draining after a restart was asked for."},
        {"first-session-timeout", CFG_INT, F(cfg_l2tp, first_session_timeout_s), .min = 10,
         .max = 3600, .unit = "s", .deflt = "60",
         .help = "A single-shot tunnel without a session after this is a failed one."},
        {"half-open-percent", CFG_INT, F(cfg_l2tp, half_open_percent), .min = 1, .max = 100,
         .unit = "%", .deflt = "25",
         .help = "Share of the tunnel table that tunnels not yet established may fill."},
        {"linger-timeout", CFG_INT, F(cfg_l2tp, linger_timeout_s), .min = 1, .max = 60, .unit = "s",
         .deflt = "31",
         .help = "How long a received StopCCN is acknowledged again when it comes again "
                 "(RFC 2661 5.7)."},
        {"outer-df", CFG_BOOL, F(cfg_l2tp, outer_df), .deflt = "false",
         .help = "Set Don't Fragment on the packets of the tunnel."},
        {"failover-resync", CFG_WORD, F(cfg_l2tp, failover_protocol), .words = failover_words,
         .deflt = "disable",
         .help = "Offer to resynchronize after a failure (RFC 4951); never offered on a "
                 "single-shot tunnel."},
        {.name = NULL}};

static const struct cfg_key subif_keys[] = {
        {"vlan", CFG_INT, F(cfg_subif, vlan), .min = 1, .max = 4094,
         .flags = CFG_REQUIRED | CFG_UNIQUE, .help = "802.1Q VLAN id."},
        {"mtu", CFG_INT, F(cfg_subif, mtu), .min = 576, .max = 9000, .unit = "bytes",
         .deflt_note = "the port's", .help = "MTU; at most the port's."},
        {"name", CFG_STRING, F(cfg_subif, name), .form = form_ifname,
         .deflt_note = "the port's name, a dot and the VLAN id",
         .help = "Name of its network device in the kernel."},
        {"addresses", CFG_PREFIXES, FN(cfg_subif, addresses, n_addresses),
         .help = "Our addresses with prefix length."},
        {.name = NULL}};
static const struct cfg_stanza subif_stanza = {"sub-interface", sizeof(struct cfg_subif),
                                               subif_keys};

static const struct cfg_key port_keys[] = {
        {"name", CFG_STRING, F(cfg_port, name), .form = form_ifname,
         .flags = CFG_REQUIRED | CFG_UNIQUE,
         .help = "Name of the port and of its network device in the kernel; at most 10 bytes with "
                 "sub-interfaces."},
        {"device", CFG_STRING, F(cfg_port, device), .form = form_device, .flags = CFG_REQUIRED,
         .help = "PCI address of the NIC, or a virtual device with its arguments."},
        {"mtu", CFG_INT, F(cfg_port, mtu), .min = 576, .max = 9000, .unit = "bytes",
         .deflt = "1500", .help = "Largest IP packet."},
        {"rx-descriptors", CFG_INT, F(cfg_port, rx_descriptors), .min = 64, .max = 4096,
         .deflt = "1024",
         .help = "Receive descriptors of each queue; a packet socket has 8 MB of frames at least."},
        {"tx-descriptors", CFG_INT, F(cfg_port, tx_descriptors), .min = 64, .max = 4096,
         .deflt = "1024", .help = "Transmit descriptors of each queue."},
        {"addresses", CFG_PREFIXES, FN(cfg_port, addresses, n_addresses),
         .help = "Our addresses with prefix length."},
        {"subinterfaces", CFG_LIST, FN(cfg_port, subifs, n_subifs), .stanza = &subif_stanza,
         .help = "802.1Q sub-interfaces."},
        {.name = NULL}};
static const struct cfg_stanza port_stanza = {"port", sizeof(struct cfg_port), port_keys};

static const struct cfg_key route_keys[] = {
        {"prefix", CFG_PREFIX, F(cfg_route, prefix), .flags = CFG_REQUIRED | CFG_UNIQUE,
         .help = "Destination; 0.0.0.0/0 for the default route."},
        {"via", CFG_ADDRESS, F(cfg_route, via), .flags = CFG_REQUIRED | CFG_UNICAST,
         .help = "Next hop; in the subnet of a port."},
        {.name = NULL}};
static const struct cfg_stanza route_stanza = {"route", sizeof(struct cfg_route), route_keys};

static const struct cfg_key pool_keys[] = {
        {"name", CFG_STRING, F(cfg_pool, name), .form = form_word,
         .flags = CFG_REQUIRED | CFG_UNIQUE, .help = "Name of the pool."},
        {"first", CFG_ADDRESS, F(cfg_pool, first), .flags = CFG_REQUIRED | CFG_IPV4 | CFG_UNICAST,
         .help = "First address given out."},
        {"last", CFG_ADDRESS, F(cfg_pool, last), .flags = CFG_REQUIRED | CFG_IPV4 | CFG_UNICAST,
         .help = "Last address given out; a pool has at most 65,536."},
        {.name = NULL}};
static const struct cfg_stanza pool_stanza = {"pool", sizeof(struct cfg_pool), pool_keys};

static const struct cfg_key user_keys[] = {
        {"name", CFG_STRING, F(cfg_user, name), .form = form_text, .flags = CFG_REQUIRED,
         .help = "Name as the subscriber sends it, with its domain if it sends one."},
        {"password", CFG_STRING, F(cfg_user, password), .flags = CFG_SECRET_VALUE,
         .help = "Password in clear; serves every method."},
        {"crypt", CFG_STRING, F(cfg_user, crypt), .form = form_word, .flags = CFG_SECRET_VALUE,
         .help = "A crypt(3) hash in place of the password; serves PAP only."},
        {"nt-hash", CFG_HEX, FN(cfg_user, nt_hash, has_nt_hash), .flags = CFG_SECRET_VALUE,
         .help = "The NT hash in place of the password; serves PAP and MS-CHAPv2."},
        {"address", CFG_ADDRESS, F(cfg_user, address), .flags = CFG_IPV4 | CFG_UNICAST,
         .deflt_note = "one of the pool", .help = "The user's own address."},
        {"pool", CFG_STRING, F(cfg_user, pool), .form = form_word, .ref = CFG_REF_POOL,
         .deflt_note = "the interface profile's",
         .help = "Pool from which the user gets an address."},
        {"max-sessions", CFG_INT, F(cfg_user, max_sessions), .max = 65535, .deflt = "0",
         .help = "Sessions at once; 0: no limit."},
        {.name = NULL}};
static const struct cfg_stanza user_stanza = {"user", sizeof(struct cfg_user), user_keys};

static const struct cfg_key profile_keys[] = {
        {"name", CFG_STRING, F(cfg_interface_profile, name), .form = form_word,
         .flags = CFG_REQUIRED | CFG_UNIQUE, .help = "Name of the profile."},
        {"auth-methods", CFG_WORDS, F(cfg_interface_profile, auth_methods), .words = auth_words,
         .deflt = "pap chap mschapv2",
         .help = "Methods asked of the subscriber, the strongest first; \"none\" alone asks for "
                 "no password."},
        {"local-address", CFG_ADDRESS, F(cfg_interface_profile, local_address),
         .flags = CFG_REQUIRED | CFG_IPV4 | CFG_UNICAST,
         .help = "Our address on the link (IPCP); may be the same on all links."},
        {"pool", CFG_STRING, F(cfg_interface_profile, pool), .form = form_word, .ref = CFG_REF_POOL,
         .deflt_note = "none: users need an address or pool of their own",
         .help = "Pool of the subscribers' addresses."},
        {"dns", CFG_ADDRESSES, F(cfg_interface_profile, dns), .flags = CFG_IPV4 | CFG_UNICAST,
         .help = "Name servers given to the subscriber."},
        {"nbns", CFG_ADDRESSES, F(cfg_interface_profile, nbns), .flags = CFG_IPV4 | CFG_UNICAST,
         .help = "NetBIOS name servers given to the subscriber."},
        {"mru", CFG_INT, F(cfg_interface_profile, mru), .min = 128, .max = 9000, .unit = "bytes",
         .deflt = "1460", .help = "Largest packet that we ask the subscriber to send."},
        {"mtu", CFG_INT, F(cfg_interface_profile, mtu), .min = 128, .max = 9000, .unit = "bytes",
         .deflt = "1460", .help = "Largest packet that we send, whatever the subscriber takes."},
        {"mss-clamp", CFG_BOOL, F(cfg_interface_profile, mss_clamp), .deflt = "true",
         .help = "Lower the MSS in TCP SYNs so that segments fit the MTU."},
        {"accept-peer-address", CFG_BOOL, F(cfg_interface_profile, accept_peer_address),
         .deflt = "false", .help = "Let the subscriber choose its address."},
        {"echo-interval", CFG_INT, F(cfg_interface_profile, echo_interval_s), .max = 3600,
         .unit = "s", .deflt = "30", .help = "Silence before an LCP Echo-Request; 0: none."},
        {"echo-failures", CFG_INT, F(cfg_interface_profile, echo_failures), .min = 1, .max = 20,
         .deflt = "3", .help = "Unanswered Echo-Requests that end the session."},
        {"auth-tries", CFG_INT, F(cfg_interface_profile, auth_tries), .min = 1, .max = 10,
         .deflt = "3", .help = "Passwords a session may try; always one on single-shot."},
        {"auth-timeout", CFG_INT, F(cfg_interface_profile, auth_timeout_s), .min = 5, .max = 300,
         .unit = "s", .deflt = "30", .help = "Time for the authentication."},
        {"ncp-timeout", CFG_INT, F(cfg_interface_profile, ncp_timeout_s), .min = 5, .max = 300,
         .unit = "s", .deflt = "60", .help = "Time for IPCP after the authentication."},
        {"acfc", CFG_BOOL, F(cfg_interface_profile, acfc), .deflt = "false",
         .help = "Ask for address and control field compression."},
        {"pfc", CFG_BOOL, F(cfg_interface_profile, pfc), .deflt = "false",
         .help = "Ask for protocol field compression."},
        {"lcp-restart", CFG_INT, F(cfg_interface_profile, lcp_restart_ms), .min = 100, .max = 10000,
         .unit = "ms", .deflt = "3000", .help = "Restart timer of LCP and IPCP (RFC 1661 4.6)."},
        {"lcp-max-configure", CFG_INT, F(cfg_interface_profile, lcp_max_configure), .min = 1,
         .max = 50, .deflt = "10", .help = "Configure-Requests without an answer (RFC 1661 4.6)."},
        {"lcp-max-terminate", CFG_INT, F(cfg_interface_profile, lcp_max_terminate), .min = 1,
         .max = 10, .deflt = "2", .help = "Terminate-Requests without an answer."},
        {"lcp-max-failure", CFG_INT, F(cfg_interface_profile, lcp_max_failure), .min = 1, .max = 20,
         .deflt = "5", .help = "Naks before what the subscriber asks for is rejected instead."},
        {.name = NULL}};
static const struct cfg_stanza profile_stanza = {
        "interface profile", sizeof(struct cfg_interface_profile), profile_keys};

static const struct cfg_key host_keys[] = {
        {"name", CFG_STRING, F(cfg_host, name), .form = form_text,
         .flags = CFG_REQUIRED | CFG_UNIQUE,
         .help = "Host Name AVP of the LAC; \"default\" stands for every other."},
        {"interface-profile", CFG_STRING, F(cfg_host, interface_profile), .form = form_word,
         .ref = CFG_REF_INTERFACE_PROFILE, .flags = CFG_REQUIRED,
         .help = "Interface profile of the sessions."},
        {"single-shot-tunnel", CFG_BOOL, F(cfg_host, single_shot_tunnel), .deflt = "false",
         .help = "One session a tunnel, one tunnel an IPsec connection, one guess at a password; "
                 "after that only a new connection gets in."},
        {"enable-ipsec-transport", CFG_BOOL, F(cfg_host, enable_ipsec_transport), .deflt = "false",
         .help = "Take only tunnels inside an IPsec transport connection."},
        {"tunnel-password", CFG_STRING, F(cfg_host, tunnel_password), .flags = CFG_SECRET_VALUE,
         .deflt_note = "none: tunnels are not authenticated",
         .help = "Secret shared with the LAC, for the challenge and for hidden AVPs."},
        {"local-host", CFG_STRING, F(cfg_host, local_host), .form = form_text,
         .deflt_note = "the system's host-name", .help = "Host Name AVP that we send."},
        {"local-ip", CFG_ADDRESS, F(cfg_host, local_ip), .flags = CFG_UNICAST,
         .deflt_note = "any of ours", .help = "Address of ours that the LAC must have called."},
        {"max-sessions", CFG_INT, F(cfg_host, max_sessions), .max = 65535, .deflt = "0",
         .help = "Sessions of this host at once, over all its tunnels; 0: no limit."},
        {"session-out-of-resource-result-code-override", CFG_BOOL,
         F(cfg_host, session_out_of_resource_result_code_override), .deflt = "false",
         .help = "Refuse for want of resources with CDN result 2 in place of 4 and 5: some LACs "
                 "try another LNS only then."},
        {"disconnect-cause", CFG_BOOL, F(cfg_host, disconnect_cause), .deflt = "false",
         .help = "Put the PPP disconnect cause (RFC 3145) into the CDNs of this host."},
        {"enable-proxy-authenticate", CFG_BOOL, F(cfg_host, enable_proxy_authenticate),
         .deflt = "false", .help = "Use the credentials that the LAC has taken already."},
        {"disable-proxy-lcp", CFG_BOOL, F(cfg_host, disable_proxy_lcp), .deflt = "false",
         .help = "Negotiate LCP anew, whatever the LAC has agreed on."},
        {"receive-window", CFG_INT, F(cfg_host, receive_window), .max = 64, .unit = "messages",
         .deflt = "0", .help = "Receive window offered to this host; 0: the global default."},
        {"hide-avps", CFG_BOOL, F(cfg_host, hide_avps), .deflt = "false",
         .help = "Hide what may be hidden (RFC 2661 4.3); needs a tunnel password."},
        {"data-sequencing", CFG_BOOL, F(cfg_host, data_sequencing), .deflt = "false",
         .help = "Number data messages and check the numbers, even when the LAC asks for none."},
        {"data-length-bit", CFG_BOOL, F(cfg_host, data_length_bit), .deflt = "false",
         .help = "Send the Length field in data messages."},
        {.name = NULL}};
static const struct cfg_stanza host_stanza = {"host", sizeof(struct cfg_host), host_keys};

static const struct cfg_key dest_keys[] = {
        {"name", CFG_STRING, F(cfg_dest_profile, name), .form = form_word,
         .flags = CFG_REQUIRED | CFG_UNIQUE, .help = "Name of the profile."},
        {"address", CFG_ADDRESS, F(cfg_dest_profile, address), .deflt = "0.0.0.0",
         .flags = CFG_UNIQUE, .help = "Address of the LAC; 0.0.0.0: any."},
        {"max-sessions", CFG_INT, F(cfg_dest_profile, max_sessions), .max = 65535, .deflt = "0",
         .help = "Sessions of this profile at once; 0: no limit."},
        {"hosts", CFG_LIST, FN(cfg_dest_profile, hosts, n_hosts), .stanza = &host_stanza,
         .flags = CFG_REQUIRED,
         .help = "Remote hosts that may set up tunnels. The named one is taken before "
                 "\"default\"."},
        {.name = NULL}};
static const struct cfg_stanza dest_stanza = {"destination profile",
                                              sizeof(struct cfg_dest_profile), dest_keys};

static const struct cfg_stanza system_stanza = {"system", sizeof(struct cfg_system), system_keys};
static const struct cfg_stanza log_stanza = {"log", sizeof(struct cfg_log), log_keys};
static const struct cfg_stanza console_stanza = {"console", sizeof(struct cfg_console),
                                                 console_keys};
static const struct cfg_stanza metrics_stanza = {"metrics", sizeof(struct cfg_metrics),
                                                 metrics_keys};
static const struct cfg_stanza l2tp_stanza = {"l2tp", sizeof(struct cfg_l2tp), l2tp_keys};

static const struct cfg_key root_keys[] = {
        {"system", CFG_GROUP, F(config, system), .stanza = &system_stanza,
         .help = "The machine: its name, threads and memory."},
        {"log", CFG_GROUP, F(config, log), .stanza = &log_stanza, .help = "Log lines."},
        {"console", CFG_GROUP, F(config, console), .stanza = &console_stanza,
         .help = "The operator console."},
        {"metrics", CFG_GROUP, F(config, metrics), .stanza = &metrics_stanza,
         .help = "Counters for Prometheus."},
        {"l2tp", CFG_GROUP, F(config, l2tp), .stanza = &l2tp_stanza,
         .help = "What holds for all tunnels."},
        {"ports", CFG_LIST, FN(config, ports, n_ports), .stanza = &port_stanza,
         .help = "Network ports."},
        {"routes", CFG_LIST, FN(config, routes, n_routes), .stanza = &route_stanza,
         .help = "Static routes."},
        {"pools", CFG_LIST, FN(config, pools, n_pools), .stanza = &pool_stanza,
         .help = "Address pools of the subscribers."},
        {"users", CFG_LIST, FN(config, users, n_users), .stanza = &user_stanza,
         .help = "Subscribers. Each has a password, or a crypt hash or NT hash or both."},
        {"user-files", CFG_FILES,
         .help = "Files with one subscriber a line: NAME SECRET [ADDRESS] [pool=NAME] "
                 "[max-sessions=N]. SECRET is the password, {crypt}HASH or {nt}HASH; what has "
                 "blanks, or begins with '{' or '#', stands in double quotes. '#' starts a "
                 "comment."},
        {"interface-profiles", CFG_LIST, FN(config, interface_profiles, n_interface_profiles),
         .stanza = &profile_stanza, .help = "How PPP runs with subscribers."},
        {"destination-profiles", CFG_LIST, FN(config, dest_profiles, n_dest_profiles),
         .stanza = &dest_stanza, .help = "Which LACs may set up tunnels, and how."},
        {"ipsec", CFG_GROUP, F(config, ipsec), .stanza = &cfg_ipsec_stanza,
         .help = "Charon, which speaks IKE for us, and the link to it."},
        {"ipsec-transport-profiles", CFG_LIST, FN(config, ipsec_profiles, n_ipsec_profiles),
         .stanza = &cfg_ipsec_profile_stanza,
         .help = "Who may set up IPsec transport connections for L2TP, and how."},
        {"static-security-associations", CFG_LIST, FN(config, static_sas, n_static_sas),
         .stanza = &cfg_static_sa_stanza,
         .help = "Connections with keys of this file in place of IKE: for laboratories only, "
                 "since a key that never changes protects nothing for long."},
        {.name = NULL}};

const struct cfg_stanza cfg_root = {"configuration", sizeof(struct config), root_keys};
