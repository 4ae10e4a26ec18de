/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The console's commands about IPsec: what they print, and that no table is too long for them. */
#include "fake_ctl.h"
#include "suite.h"
#include "terminal.h"

#include <CUnit/CUnit.h>

#include <string.h>

/* A dial-in client behind a NAT, with its pair of SAs. */
static void make_conn(void)
{
	struct ctl_sa_view sa = {.peer_port = 1701,
	                         .encap = true,
	                         .suite = {.cipher = ESP_AES_GCM},
	                         .replay_window = 64,
	                         .age_s = 10,
	                         .soft_left_s = 3300,
	                         .hard_left_s = 3590};

	ipaddr_parse("192.0.2.1", &sa.local.addr);
	ipaddr_parse("198.51.100.7", &sa.peer.addr);
	sa.local.port = 4500;
	sa.peer.port = 61234;
	fake.conn = (struct ctl_conn_view){.profile = "dial-in",
	                                   .local = sa.local,
	                                   .peer = sa.peer,
	                                   .encap = true,
	                                   .ike_id = 9,
	                                   .ike_version = 2,
	                                   .auth = SSLINK_AUTH_PSK,
	                                   .remote_id = "alice\033[2J\n",
	                                   .worker = 1,
	                                   .uptime_s = 3661,
	                                   .used_by_tunnel = true,
	                                   .used_by_single_shot = true,
	                                   .tunnels = 1,
	                                   .tunnel_id = 7,
	                                   .refused_sccrq = 3,
	                                   .refused_icrq = 4,
	                                   .refused_sas = 5,
	                                   .rekeys = 1,
	                                   .nat_moves = 6,
	                                   .n_children = 1,
	                                   .n_sas = 2};
	fake.conn.sas[0] = fake.conn.sas[1] = sa;
	fake.conn.sas[0].spi = 0xc0de0001;
	fake.conn.sas[0].inbound = true;
	fake.conn.sas[0].stats = (struct dp_sa_stats){.packets = 42,
	                                              .bytes = 4200,
	                                              .seq = 45,
	                                              .auth_errors = 1,
	                                              .replays = 2,
	                                              .pad_errors = 3,
	                                              .selector_errors = 4,
	                                              .latched = 5};
	fake.conn.sas[1].spi = 0xbeef;
	fake.conn.sas[1].hard_left_s = fake.conn.sas[1].soft_left_s = UINT64_MAX;
	fake.conn.sas[1].stats = (struct dp_sa_stats){
	        .packets = 11, .bytes = 1100, .seq = 11, .used = true, .in_use = true};
	fake.n_conns = 1;
}

static void test_interface(void)
{
	static const char detail[] =
	        "\r\nIPsec transport interface 1 is up\r\n"
	        "  Configuration\r\n"
	        "    IPsec transport profile is dial-in\r\n"
	        "  IKE\r\n"
	        "    IKE version 2, IKE_SA 9, rekeyed 0 times\r\n"
	        "    Remote identity alice.[2J.\r\n"
	        "    Authenticated by a pre-shared key\r\n"
	        "  Transport address\r\n"
	        "    Application l2tp\r\n"
	        "    Local address 192.0.2.1:4500\r\n"
	        "    Remote address 198.51.100.7:61234\r\n"
	        "    NAT-T in use: ESP in UDP, NAT moves 6\r\n"
	        "  Interface status\r\n"
	        "    Single-shot: in use (tunnel 7)\r\n"
	        "    Tunnels 1, in their destruct period 0\r\n"
	        "    Refused tunnels 3, sessions 4, security associations 5\r\n"
	        "    Children 1, security associations 2, rekeyed 1 time\r\n"
	        "    Owner worker 1\r\n"
	        "    Age 01:01:01\r\n"
	        "  Inbound spi 0xc0de0001, aes256gcm16, transport mode, in UDP\r\n"
	        "    Local 192.0.2.1:4500, remote 198.51.100.7:61234, selector port 1701\r\n"
	        "    Age 00:00:10, lifetime left 00:59:50, rekeying in 00:55:00\r\n"
	        "    Replay window 64, highest sequence number 45\r\n"
	        "    Packets 42, octets 4200\r\n"
	        "    Auth errors 1, replay errors 2, pad errors 3, policy errors 4, "
	        "single-shot fired 5\r\n"
	        "  Outbound spi 0x0000beef, aes256gcm16, transport mode, in UDP, in use\r\n"
	        "    Local 192.0.2.1:4500, remote 198.51.100.7:61234, selector port 1701\r\n"
	        "    Age 00:00:10, lifetime left unlimited, rekeying is the peer's\r\n"
	        "    Last sequence number 11\r\n"
	        "    Packets 11, octets 1100\r\n";

	open_console();
	run("show ipsec transport interface");
	CU_ASSERT(has("0 IPsec transport interfaces found\r\n"));
	make_conn();
	run("show ipsec transport interface");
	CU_ASSERT_STRING_EQUAL(
	        out,
	        "\r\n"
	        "Id       State         Profile          Peer                  Single-shot Tunnels "
	        "Age              Identity\r\n"
	        "1        up            dial-in          198.51.100.7:61234    in-use            1 "
	        "01:01:01         alice.[2J.\r\n"
	        "1 IPsec transport interface found\r\nlns>");
	run("show ipsec transport interface 1");
	CU_ASSERT(strncmp(out, detail, sizeof(detail) - 1) == 0);
	CU_ASSERT_STRING_EQUAL(out + sizeof(detail) - 1, "lns>");
	run("sh ips tr int 1 det");
	CU_ASSERT(strncmp(out, detail, sizeof(detail) - 1) == 0);
	run("sh ips tr int det 1");
	CU_ASSERT(strncmp(out, detail, sizeof(detail) - 1) == 0);
	run("show ipsec transport interface detail");
	CU_ASSERT(strncmp(out, detail, sizeof(detail) - 1) == 0);
	CU_ASSERT(has("1 IPsec transport interface found\r\n"));
	run("show ipsec transport interface 2");
	CU_ASSERT_STRING_EQUAL(out, "\r\n% No IPsec transport interface 2\r\nlns>");
	run("show ipsec transport interface 18446744073709551615");
	CU_ASSERT(has("% No IPsec transport interface 18446744073709551615\r\n"));
	run("show ipsec transport interface 18446744073709551616");
	CU_ASSERT(has("% Not one of: "));
	cli_free(cli);
}

/* What a connection's latch is called, and the other forms of the fields. */
static void test_states(void)
{
	open_console();
	make_conn();
	fake.conn.state = CTL_CONN_DISCONNECTING;
	fake.conn.fired = true;
	fake.conn.fired_reason = SS_SESSION_CDN_RX;
	fake.conn.fired_ago_s = 5;
	run("show ipsec transport interface 1");
	CU_ASSERT(has("interface 1 is disconnecting\r\n"));
	CU_ASSERT(has("    Single-shot: fired (session-cdn-received, 5 s ago)\r\n"));
	run("show ipsec transport interface | include fired");
	CU_ASSERT(has("1        disconnecting dial-in          198.51.100.7:61234    fired  "));
	fake.conn.fired = fake.conn.used_by_single_shot = fake.conn.used_by_tunnel = false;
	run("show ipsec transport interface 1");
	CU_ASSERT(has("    Single-shot: unused\r\n"));
	fake.conn.used_by_tunnel = true;
	run("show ipsec transport interface 1");
	CU_ASSERT(has("    Single-shot: no (standard tunnels)\r\n"));
	fake.conn.is_static = true;
	fake.conn.encap = false;
	fake.conn.n_sas = CTL_CONN_SAS_MAX + 3;
	fake.conn.sas[0].esn = fake.conn.sas[0].tunnel_mode = true;
	fake.conn.sas[0].encap = false;
	fake.conn.sas[0].peer_port = 0;
	run("show ipsec transport interface 1");
	CU_ASSERT(has("    Security association of the configuration is dial-in\r\n"));
	CU_ASSERT_FALSE(has("IKE"));
	CU_ASSERT(has("    NAT-T not in use, "));
	CU_ASSERT(has("0xc0de0001, aes256gcm16, tunnel mode, ESN\r\n"));
	CU_ASSERT(has("selector port any\r\n"));
	CU_ASSERT(has("  3 older security associations are not listed\r\n"));
	cli_free(cli);
}

static void test_summary(void)
{
	open_console();
	make_conn();
	fake.n_conns = 70;
	fake.n_down = 9;
	run("show ipsec transport interface summary");
	CU_ASSERT_STRING_EQUAL(out, "\r\n"
	                            "Operational status\r\n"
	                            "  total                      70\r\n"
	                            "  up                         61\r\n"
	                            "  no-sa                       0\r\n"
	                            "  orphan                      0\r\n"
	                            "  disconnecting               0\r\n"
	                            "  down                        9\r\n"
	                            "Single-shot\r\n"
	                            "  unused                      0\r\n"
	                            "  in use                     70\r\n"
	                            "  fired                       0\r\n"
	                            "  standard tunnels            0\r\n"
	                            "NAT-T\r\n"
	                            "  in use                     70\r\n"
	                            "lns>");
	cli_free(cli);
}

static void test_associations(void)
{
	open_console();
	make_conn();
	run("show ipsec security-associations");
	CU_ASSERT_STRING_EQUAL(
	        out,
	        "\r\n"
	        "SPI        Dir Interface Suite             Peer                         Packets   "
	        "        Octets   Seconds\r\n"
	        "0xc0de0001 in  1         aes256gcm16       198.51.100.7:61234                42   "
	        "          4200      3590\r\n"
	        "0x0000beef out 1         aes256gcm16       198.51.100.7:61234                11   "
	        "          1100         -\r\n"
	        "2 security associations found\r\nlns>");
	fake.conn.n_sas = CTL_CONN_SAS_MAX + 1;
	run("show ipsec sec");
	CU_ASSERT(has("1 older ones of interface 1 are not listed\r\n9 security associations "
	              "found\r\n"));
	fake.ipsec = (struct ctl_ipsec_stats){.link_up = true,
	                                      .ike_now = 1,
	                                      .ike_sas = 5,
	                                      .ike_auths = 4,
	                                      .ike_rekeys = 3,
	                                      .sas_total = 20,
	                                      .sas_now = 2,
	                                      .refused_latched = 8};
	fake.ipsec.refused[SSLINK_REFUSED] = 9;
	run("show ipsec ike-sa");
	CU_ASSERT_STRING_EQUAL(
	        out,
	        "\r\n"
	        "IKE_SA     Ver Auth   Peer                  NAT-T Rekeyed Interface Identity\r\n"
	        "9          2   psk    198.51.100.7:61234    yes         0 1         "
	        "alice.[2J.\r\n"
	        "IKE_SAs now 1, in all 5, authenticated 4, rekeyed 3\r\n"
	        "Link to charon is up\r\nlns>");
	run("show ipsec statistics");
	CU_ASSERT(has("Link to charon\r\n  State is up\r\n"));
	CU_ASSERT(has("  SAs                      20            2\r\n"));
	CU_ASSERT(has("  Refused                                                 9\r\n"
	              "    of them: single-shot fired                            8\r\n"));
	fake.ipsec.syncing = true;
	run("show ipsec statistics");
	CU_ASSERT(has("  State is up, replaying its SAs\r\n"));
	fake.ipsec.link_up = false;
	fake.conn.is_static = true;
	run("show ipsec ike-sa");
	CU_ASSERT_FALSE(has("psk"));
	CU_ASSERT(has("Link to charon is down\r\n"));
	cli_free(cli);
}

static void test_clear(void)
{
	open_console();
	make_conn();
	fake.n_conns = 65535;
	fake.n_down = 100;
	run("clear ipsec transport interface 7");
	CU_ASSERT_EQUAL(fake.cleared, 1);
	run("clear ipsec transport interface all");
	CU_ASSERT_EQUAL(fake.cleared, 1 + 65535 - 100);
	CU_ASSERT(turns > 20);
	run("clear ipsec transport interface 65536");
	CU_ASSERT(has("% No IPsec transport interface 65536\r\n"));
	run("clear ipsec transport interface");
	CU_ASSERT(has("% Incomplete; possible here: ID, all\r\n"));
	CU_ASSERT_EQUAL(fake.cleared, 1 + 65535 - 100);
	cli_free(cli);
}

/* The largest tables: short turns, bounded memory. */
static void test_full_tables(void)
{
	open_console();
	make_conn();
	fake.n_conns = 65535;
	run("show ipsec transport interface");
	CU_ASSERT(has("65535 IPsec transport interfaces found\r\n"));
	CU_ASSERT(turns > 65535 / CLI_TURN_STEPS);
	CU_ASSERT(most < 16384 + 1024);
	run("show ipsec transport interface detail");
	CU_ASSERT(has("65535 IPsec transport interfaces found\r\n"));
	CU_ASSERT(turns > 65535 / CLI_TURN_STEPS);
	CU_ASSERT(most < 16384 + 4096);
	run("show ipsec security-associations");
	CU_ASSERT(has("131070 security associations found\r\n"));
	CU_ASSERT(most < 16384 + 2048);
	run("show ipsec ike-sa");
	CU_ASSERT(has("IKE_SAs now"));
	CU_ASSERT(turns > 65535 / CLI_TURN_STEPS);
	run("show ipsec transport interface summary");
	CU_ASSERT(has("  total                   65535\r\n"));
	CU_ASSERT(turns > 65535 / 16 / CLI_TURN_STEPS);
	cli_free(cli);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"interface", test_interface},
	        {"states", test_states},
	        {"summary", test_summary},
	        {"associations", test_associations},
	        {"clear", test_clear},
	        {"full tables", test_full_tables},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("console commands: IPsec", tests);
}
