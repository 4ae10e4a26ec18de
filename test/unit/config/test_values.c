/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Every default and every key: what stands in the text arrives in the struct. */
#include "check.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EQ(a, b)  CU_ASSERT_EQUAL(a, b)
#define STR(a, b) CU_ASSERT_STRING_EQUAL(a, b)

static bool is_v4(const struct ipaddr *a, const char *text)
{
	struct ipaddr b;

	return ipaddr_parse(text, &b) == 0 && ipaddr_eq(a, &b);
}

static void default_globals(const struct config *c)
{
	char host[CFG_NAME_MAX] = "";

	gethostname(host, sizeof(host) - 1);
	STR(c->system.host_name, host);
	EQ(c->system.workers, 1);
	STR(c->system.cpus, "");
	EQ(c->system.hugepages, true);
	EQ(c->system.memory_mb, 512);
	EQ(c->system.idle, CFG_IDLE_PAUSE);
	EQ(c->system.idle_sleep_us, 50);
	EQ(c->system.vector, 32);
	EQ(c->log.level, LOG_LVL_INFO);
	EQ(c->log.target, CFG_LOG_STDERR);
	EQ(c->console.listen.port, 2300);
	CU_ASSERT(is_v4(&c->console.listen.addr, "127.0.0.1"));
	EQ(c->console.max_connections, 8);
	EQ(c->console.idle_timeout_s, 600);
	STR(c->console.netns, "");
	EQ(c->metrics.listen.addr.family, 0);
	EQ(c->metrics.max_connections, 4);
	STR(c->metrics.netns, "");
	EQ(c->l2tp.idle_timeout_s, 60);
	EQ(c->l2tp.destruct_timeout_s, 600);
	EQ(c->l2tp.retransmission_established, 5);
	EQ(c->l2tp.retransmission_not_established, 5);
	EQ(c->l2tp.retransmit_interval_ms, 1000);
	EQ(c->l2tp.hello_interval_s, 60);
	EQ(c->l2tp.data_checksum, true);
	EQ(c->l2tp.verify_checksum, true);
	EQ(c->l2tp.default_receive_window, 0);
	EQ(c->l2tp.ignore_receive_data_sequencing, false);
	EQ(c->l2tp.disable_challenge, false);
	EQ(c->l2tp.disconnect_cause, false);
	EQ(c->l2tp.destination_lockout_timeout_s, 300);
	EQ(c->l2tp.short_drain_timeout_s, 2);
	EQ(c->l2tp.first_session_timeout_s, 60);
	EQ(c->l2tp.half_open_percent, 25);
	EQ(c->l2tp.linger_timeout_s, 31);
	EQ(c->l2tp.outer_df, false);
	EQ(c->l2tp.failover_protocol, false);
}

static void default_profiles(const struct config *c)
{
	const struct cfg_interface_profile *p = config_interface_profile(c, "ppp");
	const struct cfg_dest_profile *d = &c->dest_profiles[0];

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	EQ(p->auth_methods, PPP_AUTH_PAP | PPP_AUTH_CHAP_MD5 | PPP_AUTH_MSCHAPV2);
	EQ(p->dns[0].family, 0);
	EQ(p->nbns[1].family, 0);
	EQ(p->mru, 1460);
	EQ(p->mtu, 1460);
	EQ(p->mss_clamp, true);
	EQ(p->accept_peer_address, false);
	EQ(p->echo_interval_s, 30);
	EQ(p->echo_failures, 3);
	EQ(p->auth_tries, 3);
	EQ(p->auth_timeout_s, 30);
	EQ(p->ncp_timeout_s, 60);
	EQ(p->acfc || p->pfc, false);
	EQ(p->lcp_restart_ms, 3000);
	EQ(p->lcp_max_configure, 10);
	EQ(p->lcp_max_terminate, 2);
	EQ(p->lcp_max_failure, 5);
	CU_ASSERT(is_v4(&d->address, "0.0.0.0"));
	EQ(d->max_sessions, 0);
	EQ(d->n_hosts, 1);
	CU_ASSERT(d->hosts[0].is_default && !d->hosts[0].single_shot_tunnel);
	CU_ASSERT(!d->hosts[0].enable_ipsec_transport && !d->hosts[0].disconnect_cause);
	STR(d->hosts[0].tunnel_password, "");
	STR(d->hosts[0].local_host, c->system.host_name);
	EQ(d->hosts[0].local_ip.family, 0);
	EQ(d->hosts[0].receive_window, 0);
}

static void test_defaults(void)
{
	struct config *c = load(T_PORT T_POOL T_PROFILE T_DEST, "");

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	default_globals(c);
	default_profiles(c);
	EQ(c->ports[0].mtu, 1500);
	EQ(c->ports[0].rx_descriptors, 1024);
	EQ(c->ports[0].tx_descriptors, 1024);
	EQ(c->n_users, 0);
	EQ(c->n_routes, 0);
	CU_ASSERT_PTR_NULL(config_user(c, "x"));
	CU_ASSERT_PTR_NULL(config_pool(c, "x"));
	CU_ASSERT_PTR_NULL(config_interface_profile(c, "x"));
	config_free(c);
	config_free(NULL);
}

static const char globals[] =
        "system = { host-name = \"lns\"; workers = 64; cpus = \"0-62,70,90\"; hugepages = "
        "False; "
        "memory = 0x100; idle = \"spin\"; idle-sleep = 1000L; vector = 8; };"
        "log = { level = \"error\"; target = \"syslog\"; };"
        "console : { listen = \"[::1]:23\", max-connections = 1, idle-timeout = 0, "
        "netns = \"/run/netns/m\" }"
        "l2tp = { tunnel-idle-timeout = 86400; destruct-timeout = 3600; "
        "retransmission-established = 2; retransmission-not-established = 7; "
        "retransmit-interval = 100; hello-interval = 0; data-checksum = false; "
        "verify-checksum = false; default-receive-window = 4; ignore-receive-data-sequencing = "
        "true; disable-challenge = TRUE; disconnect-cause = true; "
        "destination-lockout-timeout = 3599; short-drain-timeout = 31; first-session-timeout = 10; "
        "half-open-percent = 100; linger-timeout = 1; outer-df = true; "
        "failover-resync = \"failover-protocol\"; };";

static void test_globals(void)
{
	char text[4096];
	struct config *c;

	snprintf(text, sizeof(text), "%s%s", T_PORT T_POOL T_PROFILE T_DEST, globals);
	c = load(text, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	STR(c->system.host_name, "lns");
	EQ(c->system.workers, 64);
	STR(c->system.cpus, "0-62,70,90");
	EQ(c->system.hugepages, false);
	EQ(c->system.memory_mb, 256);
	EQ(c->system.idle, CFG_IDLE_SPIN);
	EQ(c->system.idle_sleep_us, 1000);
	EQ(c->system.vector, 8);
	EQ(c->log.level, LOG_LVL_ERROR);
	EQ(c->log.target, CFG_LOG_SYSLOG);
	EQ(c->console.listen.port, 23);
	EQ(c->console.listen.addr.family, AF_INET6);
	EQ(c->console.max_connections, 1);
	EQ(c->console.idle_timeout_s, 0);
	STR(c->console.netns, "/run/netns/m");
	EQ(c->l2tp.idle_timeout_s, 86400);
	EQ(c->l2tp.destruct_timeout_s, 3600);
	EQ(c->l2tp.retransmission_established, 2);
	EQ(c->l2tp.retransmission_not_established, 7);
	EQ(c->l2tp.retransmit_interval_ms, 100);
	EQ(c->l2tp.hello_interval_s, 0);
	EQ(c->l2tp.data_checksum || c->l2tp.verify_checksum, false);
	EQ(c->l2tp.default_receive_window, 4);
	EQ(c->l2tp.ignore_receive_data_sequencing && c->l2tp.disable_challenge, true);
	EQ(c->l2tp.disconnect_cause && c->l2tp.outer_df && c->l2tp.failover_protocol, true);
	EQ(c->l2tp.destination_lockout_timeout_s, 3599);
	EQ(c->l2tp.short_drain_timeout_s, 31);
	EQ(c->l2tp.first_session_timeout_s, 10);
	EQ(c->l2tp.half_open_percent, 100);
	EQ(c->l2tp.linger_timeout_s, 1);
	config_free(c);
}

static void test_net(void)
{
	struct config *c =
	        load("ports = ({ name=\"wan\"; device=\"0000:03:00.0\"; mtu=9000; "
	             "rx-descriptors=64; tx-descriptors=4096; addresses=[\"192.0.2.1/24\", "
	             "\"2001:db8::1/64\"]; subinterfaces=({vlan=4094;}, {vlan=1; mtu=576; "
	             "name=\"v1\"; addresses=\"203.0.113.0/31\";}); });"
	             "routes = ({prefix=\"0.0.0.0/0\"; via=\"192.0.2.2\";}, "
	             "{prefix=\"::/0\"; via=\"2001:db8::2\";});"
	             "pools = ({name=\"a\"; first=\"10.0.0.1\"; last=\"10.0.0.1\";});",
	             "t:1: warning: configuration: no destination-profiles: no tunnel gets in\n");
	const struct cfg_port *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	p = &c->ports[0];
	STR(p->name, "wan");
	STR(p->device, "0000:03:00.0");
	EQ(p->mtu, 9000);
	EQ(p->rx_descriptors, 64);
	EQ(p->tx_descriptors, 4096);
	EQ(p->n_addresses, 2);
	EQ(p->addresses[1].len, 64);
	EQ(p->n_subifs, 2);
	EQ(p->subifs[0].vlan, 4094);
	EQ(p->subifs[0].mtu, 9000);
	STR(p->subifs[0].name, "wan.4094");
	EQ(p->subifs[0].n_addresses, 0);
	EQ(p->subifs[1].mtu, 576);
	STR(p->subifs[1].name, "v1");
	CU_ASSERT(is_v4(&p->subifs[1].addresses[0].addr, "203.0.113.0"));
	EQ(c->n_routes, 2);
	EQ(c->routes[1].prefix.len, 0);
	CU_ASSERT(is_v4(&c->routes[0].via, "192.0.2.2"));
	CU_ASSERT(is_v4(&config_pool(c, "a")->last, "10.0.0.1"));
	config_free(c);
}

static void test_profiles(void)
{
	struct config *c = load(
	        T_PORT T_POOL
	        "users = ({name=\"u\"; crypt=\"$6$a\"; "
	        "nt-hash=\"000102030405060708090a0b0c0d0e0F\"; "
	        "pool=\"p\"; max-sessions=7;});"
	        "interface-profiles = ({name=\"x\"; auth-methods=[\"mschapv2\"]; "
	        "local-address=\"10.0.0.1\"; pool=\"p\"; dns=(\"9.9.9.9\"); "
	        "nbns=(\"1.0.0.1\",\"1.0.0.2\"); mru=128; mtu=1400; mss-clamp=false; "
	        "accept-peer-address=true; echo-interval=0; echo-failures=20; auth-tries=10; "
	        "auth-timeout=5; ncp-timeout=300; acfc=true; pfc=true; lcp-restart=10000; "
	        "lcp-max-configure=50; lcp-max-terminate=10; lcp-max-failure=20;});"
	        "destination-profiles = ({name=\"d\"; address=\"198.51.100.7\"; "
	        "max-sessions=65535; "
	        "hosts=({name=\"lac 1\"; interface-profile=\"x\"; single-shot-tunnel=true; "
	        "tunnel-password=\"p\\\"w\"; local-host=\"me\"; local-ip=\"192.0.2.1\"; "
	        "max-sessions=1; session-out-of-resource-result-code-override=true; "
	        "disconnect-cause=true; enable-proxy-authenticate=true; disable-proxy-lcp=true; "
	        "receive-window=64; hide-avps=true; data-sequencing=true; "
	        "data-length-bit=true;});});",
	        "");
	const struct cfg_interface_profile *p;
	const struct cfg_host *h;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	p = config_interface_profile(c, "x");
	EQ(p->auth_methods, PPP_AUTH_MSCHAPV2);
	CU_ASSERT(is_v4(&p->dns[0], "9.9.9.9") && p->dns[1].family == 0);
	CU_ASSERT(is_v4(&p->nbns[1], "1.0.0.2"));
	EQ(p->mru, 128);
	EQ(p->mtu, 1400);
	EQ(!p->mss_clamp && p->accept_peer_address && p->acfc && p->pfc, true);
	EQ(p->echo_interval_s, 0);
	EQ(p->echo_failures, 20);
	EQ(p->auth_tries, 10);
	EQ(p->auth_timeout_s, 5);
	EQ(p->ncp_timeout_s, 300);
	EQ(p->lcp_restart_ms, 10000);
	EQ(p->lcp_max_configure, 50);
	EQ(p->lcp_max_terminate, 10);
	EQ(p->lcp_max_failure, 20);
	CU_ASSERT(is_v4(&c->dest_profiles[0].address, "198.51.100.7"));
	EQ(c->dest_profiles[0].max_sessions, 65535);
	h = &c->dest_profiles[0].hosts[0];
	STR(h->name, "lac 1");
	EQ(h->is_default, false);
	STR(h->tunnel_password, "p\"w");
	STR(h->local_host, "me");
	CU_ASSERT(is_v4(&h->local_ip, "192.0.2.1"));
	EQ(h->max_sessions, 1);
	CU_ASSERT(h->single_shot_tunnel && h->session_out_of_resource_result_code_override);
	CU_ASSERT(h->disconnect_cause && h->enable_proxy_authenticate && h->disable_proxy_lcp);
	CU_ASSERT(h->hide_avps && h->data_sequencing && h->data_length_bit);
	EQ(h->receive_window, 64);
	EQ(c->users[0].max_sessions, 7);
	EQ(c->users[0].nt_hash[15], 15);
	config_free(c);
}

/* Every form of libconfig's text that the tokens must follow. */
static void test_text_forms(void)
{
	struct config *c =
	        load(T_PORT T_POOL T_PROFILE T_DEST
	             "// one\n#* two /*\n/* three // \" */ /**/system : { workers = +3 /**/,\n"
	             "host-name = \"a\" // \"\n \"b\" \"\\x63\\\\\\q\"\n"
	             "memory=0X80LL hugepages=tRUE };log={level=\"in\"\n\"fo\"} // end",
	             "");

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	EQ(c->system.workers, 3);
	STR(c->system.host_name, "abc\\\\q");
	EQ(c->system.memory_mb, 128);
	EQ(c->log.level, LOG_LVL_INFO);
	config_free(c);
}

/* Each key of the schema is in the manual, and each stanza opens. */
static void test_describe(void)
{
	static const char *const words[] = {
	        "tunnel-idle-timeout: 0-86400 s; default 60\n",
	        "default-receive-window: 0 or 4 messages; default 0\n",
	        "single-shot-tunnel: true or false; default false\n",
	        "nt-hash: 32 hexadecimal digits\n",
	        "interface-profile: a string of 1-63 bytes; required; names an interface profile\n",
	        "idle: spin, pause or sleep; default pause\n",
	        "user-files: file names\n",
	        "subinterfaces: a list of groups ( { .. }, { .. } )\n",
	};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	config_describe(f);
	fclose(f);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		CU_ASSERT_PTR_NOT_NULL(strstr(text, words[i]));
		if (strstr(text, words[i]) == NULL)
			fprintf(stderr, "\nnot in the manual: %s", words[i]);
	}
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		CU_ASSERT(strlen(line) <= 120);
	free(text);
}

void register_values(void)
{
	CU_pSuite s = CU_add_suite("config: values", NULL, NULL);

	CU_add_test(s, "defaults", test_defaults);
	CU_add_test(s, "globals", test_globals);
	CU_add_test(s, "ports, routes, pools", test_net);
	CU_add_test(s, "profiles", test_profiles);
	CU_add_test(s, "forms of the text", test_text_forms);
	CU_add_test(s, "manual", test_describe);
}
