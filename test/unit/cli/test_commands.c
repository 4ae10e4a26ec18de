/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The console's commands: what they print, to the letter where JunosE's lines are known. */
#include "console/commands.h"
#include "fake_ctl.h"
#include "terminal.h"

#include <CUnit/Basic.h>

#include <string.h>

static void test_profile(void)
{
	open_console();
	run("show l2tp destination profile boston");
	CU_ASSERT_STRING_EQUAL(out, "\r\n"
	                            "L2TP destination profile boston\r\n"
	                            "Configuration\r\n"
	                            "  Destination address\r\n"
	                            "    Transport ipUdp\r\n"
	                            "    Virtual router default\r\n"
	                            "    Peer address 10.10.76.12\r\n"
	                            "Statistics\r\n"
	                            "  Destination profile current session count is 0\r\n"
	                            "Host profile attributes\r\n"
	                            "  Remote host is LAC\r\n"
	                            "    Configuration\r\n"
	                            "      Tunnel password is ********\r\n"
	                            "      Local host name is LNS\r\n"
	                            "      Local ip address is 46.1.1.2\r\n"
	                            "      Disconnect-cause avp is enabled\r\n"
	                            "      Tunnels are single-shot\r\n"
	                            "      Override out-of-resource-result-code is enabled\r\n"
	                            "    Statistics\r\n"
	                            "      Current session count is 0\r\n"
	                            "1 L2TP host profile found\r\n"
	                            "lns>");
	memset(&hosts[0], 0, sizeof(hosts[0]));
	strcpy(hosts[0].name, "default");
	fake.profile_sessions = 3;
	run("sh l2 dest prof boston");
	CU_ASSERT(has("  Remote host is default\r\n    Configuration\r\n    Statistics\r\n"
	              "      Current session count is 3\r\n"));
	run("show l2tp destination profile");
	CU_ASSERT_STRING_EQUAL(out, "\r\nL2TP destination profile boston\r\n"
	                            "L2TP destination profile any\r\n"
	                            "2 L2TP destination profiles found\r\nlns>");
	run("show l2tp destination profile nowhere");
	CU_ASSERT(has("% No L2TP destination profile nowhere"));
	cli_free(cli);
}

static void test_tunnel(void)
{
	open_console();
	run("show l2tp tunnel");
	CU_ASSERT(has("0 L2TP tunnels found"));
	fake.n_tunnels = 1;
	fake.tunnel.info.state = L2TP_TS_ESTABLISHED;
	fake.tunnel.sessions = 1;
	fake.tunnel.uptime_s = 2 * 86400 + 3661;
	fake.tunnel.single_shot = CTL_SS_CARRYING;
	ipaddr_parse("192.0.2.1", &fake.tunnel.path.remote.addr);
	fake.tunnel.path.remote.port = 1701;
	strcpy(fake.tunnel.info.peer_host, "evil\033[2J\nhost");
	run("show l2tp tunnel");
	CU_ASSERT(has("\r\nL2TP tunnel boston/1 is Up with 1 active session, peer 192.0.2.1:1701 "
	              "evil.[2J.host\r\n1 L2TP tunnel found\r\n"));
	run("show l2tp tunnel 1 detail");
	CU_ASSERT(has("    Tunnel is single-shot: carrying session\r\n"));
	CU_ASSERT(has("    Established time 2 days 01:01:01\r\n"));
	CU_ASSERT(has("    Peer address 192.0.2.1 port 1701\r\n"));
	CU_ASSERT_FALSE(has("IPsec"));
	CU_ASSERT_FALSE(has("Terminate reason"));
	run("show l2tp tunnel 2");
	CU_ASSERT(has("% No L2TP tunnel 2\r\n"));
	run("show l2tp tunnel 0");
	CU_ASSERT(has("% Not one of: ID, detail"));
	fake.tunnel.destructing = true;
	fake.tunnel.destruct_left_s = 599;
	fake.tunnel.single_shot = CTL_SS_FIRED;
	fake.tunnel.reason = L2TP_R_TUNNEL_RX_STOPCCN;
	fake.tunnel.conn = fake.n_conns = 12;
	fake.conn.fired = true;
	fake.conn.fired_reason = SS_SESSION_CDN_RX;
	fake.conn.state = CTL_CONN_DISCONNECTING;
	run("show l2tp tunnel detail");
	CU_ASSERT(has("tunnel boston/1 is Down with"));
	CU_ASSERT(has("    IPsec transport connection 12\r\n"));
	CU_ASSERT(has("    Terminate reason tunnel rx stopccn\r\n"));
	CU_ASSERT(has("    Destruct time remaining 599 seconds\r\n"));
	CU_ASSERT(has("connection fired 00:00:00 ago: session-cdn-received\r\n"));
	CU_ASSERT(has("    IPsec transport connection is disconnecting, single-shot fired\r\n"));
	fake.conn = (struct ctl_conn_view){.used_by_tunnel = true, .used_by_single_shot = true};
	fake.conn.tunnel_id = 1;
	run("show l2tp tunnel detail");
	CU_ASSERT(has("    IPsec transport connection is up, single-shot in use (tunnel 1)\r\n"));
	CU_ASSERT_FALSE(has("connection fired"));
	fake.n_conns = 11;
	run("show l2tp tunnel detail");
	CU_ASSERT(has("    IPsec transport connection 12\r\n"));
	CU_ASSERT_FALSE(has("connection is"));
	cli_free(cli);
}

static void test_session(void)
{
	open_console();
	fake.n_sessions = 2;
	fake.session.call.state = L2TP_CS_ESTABLISHED;
	fake.session.peer_ip = 0x0a010001;
	fake.session.pool = "big";
	fake.session.stats.rx_packets = 42;
	fake.session.ppp.phase = PPP_PH_NETWORK;
	fake.session.ppp.authenticated = true;
	strcpy(fake.session.user, "alice");
	strcpy(fake.session.ppp.user, "alice");
	run("show l2tp session");
	CU_ASSERT(has("\r\nL2TP session boston/4/1 is Up, user alice, address 10.1.0.1\r\n"
	              "L2TP session boston/4/2 is Up, user alice, address 10.1.0.1\r\n"
	              "2 L2TP sessions found\r\n"));
	run("show l2tp session 2 detail");
	CU_ASSERT(has("    Address is from pool big\r\n"));
	CU_ASSERT(has("    Data rx                     42 "));
	run("show l2tp session 3");
	CU_ASSERT(has("% No L2TP session 3\r\n"));
	run("show ppp");
	CU_ASSERT(has("1       alice                    network      mschapv2  "));
	CU_ASSERT(has("2 PPP links found\r\n"));
	run("show ppp session 1");
	CU_ASSERT(has("PPP link of L2TP session boston/4/1 is in phase network\r\n"));
	run("show ppp session 3");
	CU_ASSERT(has("% No L2TP session 3\r\n"));
	fake.session.closing = true;
	run("show l2tp session 1");
	CU_ASSERT(has("is Disconnecting,"));
	run("show ppp");
	CU_ASSERT(has("0 PPP links found\r\n"));
	cli_free(cli);
}

static void test_global(void)
{
	open_console();
	fake.stats.tunnels = (struct ctl_count){.total = 9, .active = 2, .failed = 3};
	fake.stats.ss_fired[SS_SESSION_CDN_RX] = 5;
	conf.l2tp.destruct_timeout_s = 600;
	run("show l2tp");
	CU_ASSERT(has("  Dynamic interface destruct timeout is 600 seconds\r\n"));
	CU_ASSERT(has("  Tunnels                   9        2            3            0\r\n"));
	CU_ASSERT_FALSE(has("Single-shot\r\n"));
	run("show l2tp detail");
	CU_ASSERT(has("  Fired: session-cdn-received                             5\r\n"));
	fake.dp.drop[DP_DROP_SS_FIRED] = 77;
	run("show l2tp detail");
	CU_ASSERT(has("  Packets dropped after firing                           77\r\n"));
	fake.dp.drop[DP_DROP_SS_FIRED] = 0;
	run("show ip pool");
	CU_ASSERT(has("big                  10.1.0.0        10.1.255.255       65536        6"
	              "       30    65500\r\n"));
	CU_ASSERT(has("2 address pools found\r\n"));
	fake.dp.drop[DP_DROP_ETH_SHORT] = 11;
	run("show dataplane drops");
	CU_ASSERT(has("eth-short                                  11  what it means\r\n"));
	CU_ASSERT_FALSE(has("vlan-unknown"));
	run("show dataplane drops all");
	CU_ASSERT(has("vlan-unknown"));
	fake.load.busy_permille = 473;
	run("show dataplane");
	CU_ASSERT(has("    47.3%  23.6% "));
	CU_ASSERT(has("  Dropped                                    11\r\n"));
	CU_ASSERT(has("\r\n1             7 "));
	run("show version");
	CU_ASSERT(has("2 data plane workers\r\nUp for 00:00:0"));
	run("terminal length 24");
	run("show history");
	CU_ASSERT(has("show version\r\nterminal length 24\r\nshow history\r\nlns>"));
	cli_free(cli);
}

static void test_ports(void)
{
	open_console();
	fake.port = (struct ports_info){.name = "wan0",
	                                .device = "net_af_packet0",
	                                .driver = "net_af_packet",
	                                .kernel_device = "veth1",
	                                .mac = {2, 0, 0, 0, 0, 1},
	                                .mtu = 1500,
	                                .link_up = true,
	                                .speed_mbps = 10000,
	                                .rx_missed = 4};
	fake.twin = (struct ports_twin_info){.name = "sp-sub", .up = true, .to_kernel = 9};
	fake.kernel = (struct ports_kernel_info){.routes = 3, .neighbours = 1};
	run("show ports");
	CU_ASSERT(has("\r\nwan0            up    10000 Mb/s    1500  02:00:00:00:00:01  "
	              "net_af_packet0\r\n1 port found\r\n"));
	run("show ports detail");
	CU_ASSERT(has("  Driver net_af_packet over veth1, NUMA node 0\r\n"));
	CU_ASSERT(has("  Receive missed 4, errors 0, "));
	run("show int");
	CU_ASSERT(has("\r\nsp-sub          subscribers         - up                 9 "));
	CU_ASSERT(has("Copied from the kernel: 3 routes (0 refused), 1 neighbour\r\n"));
	cli_free(cli);
}

/* The driver's answer for each kind of traffic, then what comes of it. */
static void test_distribution(void)
{
	open_console();
	fake.dist = (struct ports_dist_info){
	        .name = "wan0",
	        .driver = "net_nic",
	        .n_rxq = 2,
	        .n_rules = 1,
	        .row = {{"ESP", "to the owner, by the SPI", ""},
	                {"ESP in UDP", "hash of addresses and ports", "rules by SPI refused: no"},
	                {"L2TP data", "as it likes", "nothing better"},
	                {"all other", "as it likes", ""}},
	};
	fake.dp.rx = 1000;
	fake.dp.handed_off = 125;
	fake.dp.taken_over = 120;
	run("show dataplane distribution");
	CU_ASSERT(has("Port wan0 (net_nic): 2 receive queues, 1 flow rule\r\n"
	              "  ESP         to the owner, by the SPI\r\n"
	              "  ESP in UDP  hash of addresses and ports\r\n"
	              "              (rules by SPI refused: no)\r\n"
	              "  L2TP data   as it likes\r\n"));
	CU_ASSERT(has("\r\n1           4        7             1000            125            120 "
	              "           0\r\n"));
	CU_ASSERT(has("In the last minute:  nothing received\r\n"));
	/* The fake's workers and their sum are all the same: one has twice the mean. */
	CU_ASSERT(has("Since the start:     imbalance 2.00, 12.5% handed to their owner\r\n"));
	fake.load.rx = 40;
	fake.load.handed_off = 1;
	run("show dataplane distribution");
	CU_ASSERT(has("In the last minute:  imbalance 2.00, 2.5% handed to their owner\r\n"));
	cli_free(cli);
}

static void test_clear(void)
{
	open_console();
	fake.n_tunnels = 65535;
	fake.n_sessions = 65535;
	run("clear l2tp tunnel 7");
	CU_ASSERT_EQUAL(fake.cleared, 1);
	run("clear l2tp session 7");
	CU_ASSERT_EQUAL(fake.cleared, 2);
	run("clear l2tp tunnel all");
	CU_ASSERT_EQUAL(fake.cleared, 2 + 65535);
	/* Each leads to work of its own. */
	CU_ASSERT(turns >= 65535 / (CLI_TURN_STEPS / 4) - 1);
	run("clear l2tp session all");
	CU_ASSERT_EQUAL(fake.cleared, 2 + 2 * 65535);
	fake.n_tunnels = 0;
	run("show control");
	CU_ASSERT(has("  Longest turn since it was cleared, us"));
	CU_ASSERT(has("  Most of it went into                                  "));
	CU_ASSERT(has(" punts\r\n"));
	run("clear control turns");
	CU_ASSERT_EQUAL(fake.turns_cleared, 1);
	run("clear l2tp tunnel 7");
	CU_ASSERT(has("% No L2TP tunnel 7\r\n"));
	run("clear l2tp tunnel");
	CU_ASSERT(has("% Incomplete; possible here: ID, all\r\n"));
	cli_free(cli);
}

/* The largest tables: short turns, bounded memory. */
static void test_full_tables(void)
{
	open_console();
	fake.n_sessions = fake.n_tunnels = 65535;
	run("show l2tp session detail");
	CU_ASSERT(has("65535 L2TP sessions found\r\n"));
	CU_ASSERT(turns > 65535 / CLI_TURN_STEPS);
	CU_ASSERT(most < 16384 + 1024);
	run("show l2tp tunnel | include tunnel | count");
	CU_ASSERT(has("65536 lines\r\n"));
	CU_ASSERT(turns > 65535 / CLI_TURN_STEPS);
	cli_free(cli);
}

/* Every command has help for every word, and no word is ambiguous with itself. */
static void test_tables(void)
{
	size_t t, i, k;

	for (t = 0; t < console_root.n_tables; t++) {
		for (i = 0; i < console_root.tables[t]->n; i++) {
			const struct cli_command *c = &console_root.tables[t]->commands[i];

			CU_ASSERT_PTR_NOT_NULL(c->start);
			for (k = 0; k < CLI_MAX_TOKENS && c->tokens[k].type != CLI_END; k++) {
				CU_ASSERT_PTR_NOT_NULL(c->tokens[k].name);
				CU_ASSERT_PTR_NOT_NULL(c->tokens[k].help);
			}
			CU_ASSERT(k > 0);
		}
	}
}

int main(void)
{
	unsigned int failures;
	CU_pSuite s;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("console commands", NULL, NULL);
	CU_ADD_TEST(s, test_profile);
	CU_ADD_TEST(s, test_tunnel);
	CU_ADD_TEST(s, test_session);
	CU_ADD_TEST(s, test_global);
	CU_ADD_TEST(s, test_ports);
	CU_ADD_TEST(s, test_distribution);
	CU_ADD_TEST(s, test_clear);
	CU_ADD_TEST(s, test_full_tables);
	CU_ADD_TEST(s, test_tables);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
