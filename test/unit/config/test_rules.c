/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Rules between values: the exact lines. The first line of each text is complete in itself. */
#include "check.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define HEAD T_POOL T_PROFILE

static void test_ports(void)
{
	refused(HEAD T_DEST "\nports = (\n"
	                    "{ name = \"sixteen-bytes-xx\"; device = \"net_tap0\"; },\n"
	                    "{ name = \"a/b\"; device = \"01:00.0\"; },\n"
	                    "{ name = \"wan\"; device = \"0000:01:00.0,arg=1\"; mtu = 500; },\n"
	                    "{ name = \"wan\"; device = \"em0\"; rx-descriptors = 63; },\n"
	                    "{ device = \"net_af_packet0,iface=e0\"; },\n"
	                    "{ name = \"y\"; device = \"net_af_packet1,iface=e0,qpairs=1\"; },\n"
	                    "{ name = \"z\"; }\n);",
	        "t:3: port \"sixteen-bytes-xx\": name has 16 bytes, allowed is 1-15\n"
	        "t:4: port \"a/b\": name is \"a/b\", it must be letters, digits, '.', '_' and '-'\n"
	        "t:5: port \"wan\": mtu is 500, allowed is 576-9000 bytes\n"
	        "t:5: port \"wan\": its device 0000:01:00.0,arg=1 is that of port \"a/b\" already\n"
	        "t:6: port \"wan\": device is \"em0\", it must be a PCI address such as "
	        "0000:03:00.0, "
	        "or a driver with its arguments such as net_af_packet0,iface=wan0\n"
	        "t:6: port \"wan\": rx-descriptors is 63, allowed is 64-4096\n"
	        "t:6: port \"wan\": the same name as in t:5, each port needs its own\n"
	        "t:7: port 5: name is missing, it is a string of 1-15 bytes\n"
	        "t:8: port \"y\": its device net_af_packet1,iface=e0,qpairs=1 is that of port 5 "
	        "already\n"
	        "t:9: port \"z\": device is missing, it is a string of 1-127 bytes\n");
}

static void test_subifs(void)
{
	refused(HEAD T_DEST
	        "\nports = ({ name = \"elevenbytes\"; device = \"net_tap0\"; subinterfaces = (\n"
	        "{ vlan = 10; }, { vlan = 0; }, { vlan = 4095; }, { mtu = 1000; },\n"
	        "{ vlan = 10; name = \"x\"; },\n"
	        "{ vlan = 11; mtu = 1501; name = \"x\"; } ); });",
	        "t:2: port \"elevenbytes\": name has 11 bytes, allowed is 1-10 with "
	        "sub-interfaces\n"
	        "t:3: sub-interface 2: vlan is 0, allowed is 1-4094\n"
	        "t:3: sub-interface 3: vlan is 4095, allowed is 1-4094\n"
	        "t:3: sub-interface 4: vlan is missing, it is 1-4094\n"
	        "t:4: sub-interface \"x\": the same vlan as in t:3, each sub-interface needs its "
	        "own\n"
	        "t:5: the network device \"x\" is here a second time; the first is in t:4\n"
	        "t:5: sub-interface \"x\": mtu is 1501, allowed is at most the port's, 1500\n");
}

static void test_addresses(void)
{
	refused(HEAD T_DEST
	        "\nports = ({ name = \"a\"; device = \"net_tap0\"; addresses = (\n"
	        "\"192.0.2.1/24\", \"192.0.2.1\", \"192.0.2.0/24\", \"192.0.2.4/33\",\n"
	        "\"224.0.0.1/24\", \"0.0.0.0/0\", \"2001:db8::/64\", 5 ); },\n"
	        "{ name = \"b\"; device = \"net_tap1\"; addresses = \"192.0.2.1/32\";\n"
	        "subinterfaces = ( { vlan = 5; addresses = [ \"192.0.2.1/24\" ]; } ); } );",
	        "t:3: port \"a\": addresses is \"192.0.2.1\", which is not an address with prefix "
	        "length such as 192.0.2.1/24\n"
	        "t:3: port \"a\": addresses is 192.0.2.0/24, which no host can have\n"
	        "t:3: port \"a\": addresses is \"192.0.2.4/33\", which is not an address with "
	        "prefix "
	        "length such as 192.0.2.1/24\n"
	        "t:4: port \"a\": addresses is 224.0.0.1/24, which no host can have\n"
	        "t:4: port \"a\": addresses is 0.0.0.0/0, which no host can have\n"
	        "t:4: port \"a\": addresses is 2001:db8::/64, which no host can have\n"
	        "t:4: port \"a\": addresses is an integer, allowed is addresses with prefix length "
	        "such as 192.0.2.1/24 in double quotes\n"
	        "t:5: addresses holds 192.0.2.1 a second time; the first is in t:2\n"
	        "t:6: addresses holds 192.0.2.1 a second time; the first is in t:2\n");
}

static void test_routes(void)
{
	refused(HEAD T_DEST T_PORT
	        "\nroutes = (\n{ prefix = \"10.0.0.1/8\"; via = \"192.0.2.2\"; },\n"
	        "{ prefix = \"0.0.0.0/0\"; via = \"192.0.3.2\"; },\n"
	        "{ prefix = \"0.0.0.0/0\"; via = \"192.0.2.1\"; },\n"
	        "{ prefix = \"::/0\"; via = \"192.0.2.2\"; },\n"
	        "{ prefix = \"10.0.0.0\"; via = \"x\"; }, { }\n);",
	        "t:3: route 1: prefix is 10.0.0.1/8, which has bits set beyond the first 8\n"
	        "t:4: route 2: via 192.0.3.2 is in no subnet of a port\n"
	        "t:5: route 3: the same prefix as in t:4, each route needs its own\n"
	        "t:5: route 3: via 192.0.2.1 is our own address\n"
	        "t:6: route 4: prefix and via are not of one address family\n"
	        "t:7: route 5: prefix is \"10.0.0.0\", which is not a prefix such as 192.0.2.0/24\n"
	        "t:7: route 5: via is \"x\", which is not an IPv4 or IPv6 address\n"
	        "t:7: route 6: prefix is missing, it is a prefix such as 192.0.2.0/24\n"
	        "t:7: route 6: via is missing, it is an IPv4 or IPv6 address\n");
}

static void test_pools(void)
{
	refused(T_PROFILE T_DEST T_PORT
	        "\npools = (\n{ name = \"p\"; first = \"10.1.0.0\"; last = \"10.2.0.0\"; },\n"
	        "{ name = \"q\"; first = \"10.1.5.0\"; last = \"10.1.6.0\"; },\n"
	        "{ name = \"r\"; first = \"10.1.255.255\"; last = \"10.3.0.0\"; },\n"
	        "{ name = \"s\"; first = \"10.9.0.2\"; last = \"10.9.0.1\"; },\n"
	        "{ name = \"q\"; first = \"192.0.2.0\"; last = \"192.0.2.9\"; },\n"
	        "{ name = \"a b\"; first = \"10.0.0.0\"; last = \"10.0.0.1\"; },\n"
	        "{ name = \"v\"; first = \"::1\"; last = \"255.255.255.255\"; }\n);",
	        "t:1: interface profile \"ppp\": local-address 10.0.0.1 lies in pool \"a b\"\n"
	        "t:3: pool \"p\" has 65537 addresses, allowed are 1-65536\n"
	        "t:4: pool \"q\" overlaps pool \"p\"\n"
	        "t:5: pool \"r\" has 65538 addresses, allowed are 1-65536\n"
	        "t:5: pool \"r\" overlaps pool \"p\"\n"
	        "t:6: pool \"s\": last is below first\n"
	        "t:7: pool \"q\": the same name as in t:4, each pool needs its own\n"
	        "t:7: pool \"q\" holds 192.0.2.1, which is our own address in t:1\n"
	        "t:8: pool \"a b\": name is \"a b\", it must be one word without blanks and "
	        "quotes\n"
	        "t:9: pool \"v\": first is \"::1\", which is not an IPv4 address\n"
	        "t:9: pool \"v\": last is 255.255.255.255, which no host can have\n");
	accepted(T_PROFILE T_DEST T_PORT
	         "pools = ({ name=\"p\"; first=\"10.1.0.0\"; last=\"10.1.255.255\"; });",
	         "");
}

static void test_users(void)
{
	refused(HEAD T_DEST T_PORT
	        "\nusers = (\n{ name = \"a\"; password = \"x\"; pool = \"q\"; },\n"
	        "{ name = \"b\"; },\n{ name = \"c\"; password = \"x\"; crypt = \"x\"; },\n"
	        "{ password = \"x\"; },\n{ name = \"d\"; nt-hash = \"00\"; },\n"
	        "{ name = \"a\"; password = \"x\"; address = \"10.5.0.1\"; },\n"
	        "{ name = \"e\"; password = \"x\"; address = \"10.5.0.1\"; },\n"
	        "{ name = \"f\"; password = \"x\"; address = \"10.0.0.1\"; },\n"
	        "{ name = \"g\"; password = \"x\"; address = \"::1\"; max-sessions = 65536; }\n);",
	        "t:3: user \"a\": pool is \"q\", but there is no such pool\n"
	        "t:4: user \"b\": no password, crypt or nt-hash\n"
	        "t:5: user \"c\": both a password and a hash, allowed is one of them\n"
	        "t:6: user 4: name is missing, it is a string of 1-255 bytes\n"
	        "t:7: user \"d\": nt-hash is malformed, it must be 32 hexadecimal digits\n"
	        "t:8: user \"a\" is here a second time; the first is in t:3\n"
	        "t:9: user \"e\": its address is here a second time; the first is in t:8\n"
	        "t:10: user \"f\": address 10.0.0.1 is our own\n"
	        "t:11: user \"g\": address is \"::1\", which is not an IPv4 address\n"
	        "t:11: user \"g\": max-sessions is 65536, allowed is 0-65535\n");
}

static void test_interface_profiles(void)
{
	refused(T_POOL T_DEST T_PORT
	        "\ninterface-profiles = (\n"
	        "{ name = \"ppp\"; local-address = \"10.0.0.1\"; pool = \"pp\"; },\n"
	        "{ name = \"ppp\"; auth-methods = (\"pap\", \"none\"); },\n"
	        "{ name = \"b\"; local-address = \"0.0.0.0\"; auth-methods = (\"chpa\"); },\n"
	        "{ name = \"c\"; local-address = \"10.0.0.1\"; auth-methods = (); },\n"
	        "{ name = \"d\"; local-address = \"10.0.0.1\"; dns = (\"1.1.1.1\", \"x\", "
	        "\"9.9.9.9\"); "
	        "}\n);",
	        "t:3: interface profile \"ppp\": pool is \"pp\", but there is no such pool; did "
	        "you "
	        "mean \"p\"?\n"
	        "t:4: interface profile \"ppp\": auth-methods has \"none\" beside other words\n"
	        "t:4: interface profile \"ppp\": local-address is missing, it is an IPv4 address\n"
	        "t:4: interface profile \"ppp\": the same name as in t:3, each interface profile "
	        "needs its own\n"
	        "t:5: interface profile \"b\": local-address is 0.0.0.0, which no host can have\n"
	        "t:5: interface profile \"b\": auth-methods is \"chpa\", allowed is pap, chap, "
	        "mschapv2 and none; did you mean \"chap\"?\n"
	        "t:6: interface profile \"c\": auth-methods is empty, allowed is pap, chap, "
	        "mschapv2 "
	        "and none\n"
	        "t:7: interface profile \"d\": dns is \"x\", which is not an IPv4 address\n"
	        "t:7: interface profile \"d\": dns has more than 2 values\n");
}

static void test_dest_profiles(void)
{
	refused(HEAD T_PORT "\ndestination-profiles = (\n"
	                    "{ name = \"a\"; hosts = (\n"
	                    "  { name = \"x\"; interface-profile = \"pppp\"; },\n"
	                    "  { name = \"x\"; interface-profile = \"ppp\"; hide-avps = true; },\n"
	                    "  { name = \"y\"; local-ip = \"192.0.2.2\"; }, { interface-profile = "
	                    "\"ppp\"; } ); },\n"
	                    "{ name = \"b\"; hosts = ( ); },\n"
	                    "{ name = \"b\"; address = \"192.0.2.300\"; }\n);",
	        "t:4: host \"x\": interface-profile is \"pppp\", but there is no such interface "
	        "profile; did you mean \"ppp\"?\n"
	        "t:5: host \"x\": the same name as in t:4, each host needs its own\n"
	        "t:5: host \"x\": hide-avps needs a tunnel-password (RFC 2661 4.3)\n"
	        "t:6: host \"y\": interface-profile is missing, it is a string of 1-63 bytes\n"
	        "t:6: host 4: name is missing, it is a string of 1-255 bytes\n"
	        "t:6: host \"y\": local-ip 192.0.2.2 is not an address of a port\n"
	        "t:7: destination profile \"b\": the same address as in t:3, each destination "
	        "profile "
	        "needs its own\n"
	        "t:7: destination profile \"b\": hosts is empty, at least one host is needed "
	        "(\"default\" stands for any)\n"
	        "t:8: destination profile \"b\": address is \"192.0.2.300\", which is not an IPv4 "
	        "or "
	        "IPv6 address\n"
	        "t:8: destination profile \"b\": hosts is missing, it is a list of groups ( { .. "
	        "}, "
	        "{ .. } )\n"
	        "t:8: destination profile \"b\": the same name as in t:7, each destination profile "
	        "needs its own\n");
}

static void test_no_addresses(void)
{
	static const char profile[] =
	        T_PORT T_DEST "interface-profiles = ({name=\"ppp\"; local-address=\"10.0.0.1\";});";
	char text[1024];

	refused(profile,
	        "t:1: host \"default\": interface profile \"ppp\" has no pool and no user has an "
	        "address or a pool: nobody would get an address\n");
	strcpy(text, profile);
	strcat(text, "users = ({name=\"u\"; password=\"x\"; address=\"10.0.0.7\";});");
	accepted(text, "");
	strcpy(text, profile);
	strcat(text, T_POOL "users = ({name=\"u\"; password=\"x\"; pool=\"p\";});");
	accepted(text, "");
}

static void test_warnings(void)
{
	accepted("", "t:1: warning: configuration: no ports: no packet gets in\n"
	             "t:1: warning: configuration: no destination-profiles: no tunnel gets in\n");
	accepted(HEAD T_PORT T_DEST "\nl2tp = { destruct-timeout = 300; };",
	         "t:2: warning: l2tp: destruct-timeout 300 s is not above "
	         "destination-lockout-timeout 300 s: the record of an unreachable destination may "
	         "go "
	         "before its lockout ends\n");
	accepted(HEAD T_PORT T_DEST "\nl2tp = { destruct-timeout = 301; };", "");
	accepted(HEAD T_PORT T_DEST "\nconsole = { listen = \"0.0.0.0:23\"; };\n"
	                            "system = { cpus = \"0-3\"; workers = 2; };",
	         "t:2: warning: console: listen is not a loopback address, and telnet goes in "
	         "clear\n"
	         "t:3: warning: system: cpus names 4, of which 3 are used\n");
	accepted(HEAD T_PORT T_DEST "\nconsole = { listen = \"[::1]:23\"; };", "");
	accepted(HEAD T_PORT T_DEST "\nmetrics = { listen = \"127.0.0.1:9180\"; };", "");
	accepted(HEAD T_PORT T_DEST "\nmetrics = { listen = \"192.0.2.1:9180\"; };",
	         "t:2: warning: metrics: listen is not a loopback address, and whoever reaches it "
	         "reads all counters\n");
	accepted(
	        HEAD T_PORT
	        "\nl2tp = { disable-challenge = true; failover-resync = \"failover-protocol\"; };\n"
	        "destination-profiles = ({ name = \"a\"; hosts = ({ name = \"x\"; "
	        "interface-profile = \"ppp\";\nsingle-shot-tunnel = true;\nmax-sessions = 2;\n"
	        "enable-ipsec-transport = true;\ntunnel-password = \"x\"; }); });",
	        "t:4: warning: host \"x\": failover-resync is not offered on single-shot tunnels\n"
	        "t:5: warning: host \"x\": max-sessions 2 counts over all tunnels of the host; a "
	        "single-shot tunnel carries one session all the same\n"
	        "t:6: warning: host \"x\": there is no ipsec-transport-profile: no tunnel of the "
	        "host "
	        "gets in\n"
	        "t:7: warning: host \"x\": with disable-challenge the tunnel-password is not asked "
	        "of the LAC\n");
}

static void test_user_warnings(void)
{
	accepted(T_POOL T_PORT
	         "destination-profiles = ({ name = \"a\"; hosts = ({ name = \"x\"; "
	         "interface-profile "
	         "= \"ppp\"; single-shot-tunnel = true; }); });"
	         "\ninterface-profiles = ({ name=\"ppp\"; local-address=\"10.0.0.1\"; pool=\"p\"; "
	         "mtu = 1463; auth-methods = \"none\"; });",
	         "t:1: warning: host \"x\": a single-shot tunnel guards a password, but interface "
	         "profile \"ppp\" asks for none\n"
	         "t:2: warning: interface profile \"ppp\": mtu 1463 and 38 bytes of headers are "
	         "above "
	         "every port's mtu: large packets will be fragmented\n");
	accepted(T_POOL T_PORT T_DEST
	         "interface-profiles = ({ name=\"ppp\"; local-address=\"10.0.0.1\"; pool=\"p\"; "
	         "auth-methods = [ \"chap\" ]; });\nusers = (\n{ name = \"b\"; crypt = \"$6$x\"; "
	         "},\n"
	         "{ name = \"a\"; crypt = \"$6$x\"; address = \"10.0.0.5\"; },\n"
	         "{ name = \"c\"; nt-hash = \"00112233445566778899aabbccddeeFF\"; },\n"
	         "{ name = \"d\"; password = \"x\"; } );",
	         "t:3: warning: user \"b\" and 1 more: a crypt hash serves pap only, which no "
	         "interface "
	         "profile asks for\n"
	         "t:4: warning: user \"a\": the address lies in a pool, which may have given it to "
	         "another\n"
	         "t:5: warning: user \"c\": an NT hash serves pap and mschapv2 only, which no "
	         "interface profile asks for\n");
}

void register_rules(void)
{
	CU_pSuite s = CU_add_suite("config: rules", NULL, NULL);

	CU_add_test(s, "ports", test_ports);
	CU_add_test(s, "sub-interfaces", test_subifs);
	CU_add_test(s, "addresses", test_addresses);
	CU_add_test(s, "routes", test_routes);
	CU_add_test(s, "pools", test_pools);
	CU_add_test(s, "users", test_users);
	CU_add_test(s, "interface profiles", test_interface_profiles);
	CU_add_test(s, "destination profiles", test_dest_profiles);
	CU_add_test(s, "profiles without addresses", test_no_addresses);
	CU_add_test(s, "warnings", test_warnings);
	CU_add_test(s, "warnings about users", test_user_warnings);
}
