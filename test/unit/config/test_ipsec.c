/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Transport profiles, static security associations, proposals: values, and the exact lines. */
#include "check.h"

#include "config/proposal.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD T_POOL T_PROFILE T_PORT
#define HOST                                                                                       \
	"destination-profiles = ({name=\"any\"; hosts=({name=\"default\"; "                        \
	"interface-profile=\"ppp\"; enable-ipsec-transport=true;});});"
#define GOOD "local-address = \"192.0.2.1\"; group-pre-shared-key = \"k\"; "
#define PROFILE(keys)                                                                              \
	HEAD HOST "\nipsec-transport-profiles = ({ name = \"p\"; " GOOD "\n" keys " });"
#define KEY16 "000102030405060708090a0b0c0d0e0f"
#define KEY20 KEY16 "10111213"
#define STATIC(keys)                                                                               \
	HEAD HOST "\nstatic-security-associations = ({ name = \"s\"; local-address = "             \
	          "\"192.0.2.1\"; "                                                                \
	          "peer = \"192.0.2.9\"; spi-out = 256;\n" keys " });"

static void test_defaults(void)
{
	struct config *c = load(PROFILE(""), "");
	const struct cfg_ipsec_profile *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(c->ipsec.run_directory, "/run/sallyport");
	CU_ASSERT_STRING_EQUAL(c->ipsec.socket, "/run/sallyport/ike.sock");
	CU_ASSERT_STRING_EQUAL(c->ipsec.vici_socket, "/run/sallyport/charon.vici");
	CU_ASSERT_STRING_EQUAL(c->ipsec.charon_log, "/run/sallyport/charon.log");
	CU_ASSERT_STRING_EQUAL(c->ipsec.swanctl, "/usr/sbin/swanctl");
	CU_ASSERT_EQUAL(c->n_ipsec_profiles, 1);
	p = config_ipsec_profile(c, "p");
	CU_ASSERT_PTR_EQUAL_FATAL(p, &c->ipsec_profiles[0]);
	CU_ASSERT_PTR_NULL(config_ipsec_profile(c, "q"));
	CU_ASSERT_EQUAL(p->application, CFG_IPSEC_L2TP);
	CU_ASSERT_EQUAL(p->peers[0].addr.family, AF_INET);
	CU_ASSERT_EQUAL(p->peers[0].len, 0);
	CU_ASSERT_EQUAL(p->peers[1].addr.family, 0);
	CU_ASSERT_EQUAL(p->version, CFG_IKE_ANY);
	CU_ASSERT_STRING_EQUAL(p->esp_proposals[0], "aes256gcm16-aes128gcm16");
	CU_ASSERT_STRING_EQUAL(p->esp_proposals[2], "aes256-aes128-sha1");
	CU_ASSERT_STRING_EQUAL(p->esp_proposals[3], "");
	CU_ASSERT_STRING_EQUAL(p->ike_proposals[2], "aes256-aes128-sha1-ecp384-ecp256-modp2048");
	CU_ASSERT_STRING_EQUAL(p->ike_proposals[3], "");
	CU_ASSERT_EQUAL(p->lifetime_s, 14400);
	CU_ASSERT_EQUAL(p->ike_lifetime_s, 28800);
	CU_ASSERT_EQUAL(p->rekey_margin, 10);
	CU_ASSERT_FALSE(p->initiate_rekey);
	CU_ASSERT_FALSE(p->allow_tunnel_mode);
	CU_ASSERT_FALSE(p->weak_algorithms);
	CU_ASSERT_TRUE(p->nat_traversal);
	CU_ASSERT_EQUAL(p->pfs_group, 0);
	CU_ASSERT_EQUAL(p->esn, CFG_ESN_NO);
	CU_ASSERT_EQUAL(p->replay_window, 128);
	CU_ASSERT_EQUAL(p->dpd_delay_s, 30);
	CU_ASSERT_EQUAL(p->dpd_timeout_s, 150);
	CU_ASSERT_STRING_EQUAL(p->local_identity, "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(p->remote_identity, "%any");
	config_free(c);
}

static void test_values(void)
{
	struct config *c = load(
	        HEAD HOST
	        "ipsec = { run-directory = \"/run/x\"; vici-socket = \"/run/y/v\"; charon-threads "
	        "= "
	        "8; nat-keepalive = 0; ike-retransmit-timeout = 500; ike-retransmit-tries = 1; "
	        "ike-cookie-threshold = 1; ike-half-open-per-peer = 2; ike-half-open-max = 3; "
	        "charon-log-level = 2; charon = \"/c\"; swanctl = \"/s\"; charon-log = \"/l\"; };"
	        "ipsec-transport-profiles = ({ name = \"a-b_1\"; local-address = \"192.0.2.1\"; "
	        "application = \"l2tp\"; peers = (\"198.51.100.0/24\", \"203.0.113.7\", "
	        "\"0.0.0.0\"); version = \"2\"; allow-tunnel-mode = true; ike-proposals = "
	        "\"aes256-sha512-modp4096\"; esp-proposals = [\"aes128gcm8\"]; lifetime = 300; "
	        "lifetime-kilobytes = 4294967295; lifetime-packets = 7; ike-lifetime = 600; "
	        "rekey-margin = 50; initiate-rekey = true; pfs-group = \"curve25519\"; esn = "
	        "\"either\"; replay-window = 4096; nat-traversal = false; dpd-delay = 1; "
	        "dpd-timeout = 0; pre-shared-keys = ({ identity = \"a@b\"; secret = \"s 1\"; }, { "
	        "identity = \"203.0.113.7\"; secret = \"s\\\"2\"; }); local-identity = \"lns\"; "
	        "remote-identity = \"*@b\"; });",
	        "");
	const struct cfg_ipsec_profile *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_STRING_EQUAL(c->ipsec.socket, "/run/x/ike.sock");
	CU_ASSERT_STRING_EQUAL(c->ipsec.vici_socket, "/run/y/v");
	CU_ASSERT_STRING_EQUAL(c->ipsec.charon_log, "/l");
	CU_ASSERT_EQUAL(c->ipsec.nat_keepalive_s, 0);
	CU_ASSERT_EQUAL(c->ipsec.half_open_max, 3);
	p = &c->ipsec_profiles[0];
	CU_ASSERT_EQUAL(p->peers[0].len, 24);
	CU_ASSERT_EQUAL(p->peers[1].len, 32);
	CU_ASSERT_EQUAL(p->peers[2].len, 0);
	CU_ASSERT_EQUAL(p->peers[2].addr.family, AF_INET);
	CU_ASSERT_EQUAL(p->peers[3].addr.family, 0);
	CU_ASSERT_EQUAL(p->version, CFG_IKE_V2);
	CU_ASSERT_STRING_EQUAL(p->ike_proposals[0], "aes256-sha512-modp4096");
	CU_ASSERT_STRING_EQUAL(p->ike_proposals[1], "");
	CU_ASSERT_STRING_EQUAL(p->esp_proposals[0], "aes128gcm8");
	CU_ASSERT_EQUAL(p->lifetime_kb, 4294967295u);
	CU_ASSERT_EQUAL(p->pfs_group, 31);
	CU_ASSERT_EQUAL(p->esn, CFG_ESN_EITHER);
	CU_ASSERT_EQUAL(p->n_psks, 2);
	CU_ASSERT_STRING_EQUAL(p->psks[1].secret, "s\"2");
	CU_ASSERT_STRING_EQUAL(p->local_identity, "lns");
	CU_ASSERT_TRUE(p->allow_tunnel_mode);
	CU_ASSERT_FALSE(p->nat_traversal);
	config_free(c);
}

struct row {
	const char *text, *why; /* why NULL: good */
};

static void test_ike_proposals(void)
{
	static const struct row v[] = {
	        {"aes256-sha256-ecp256", NULL},
	        {"aes256-aes192-aes128-sha512-sha384-sha256-sha1-ecp521-ecp384-ecp256-modp8192",
	         NULL},
	        {"aes128gcm16-aes256gcm16-prfsha256-curve25519", NULL},
	        {"chacha20poly1305-prfsha512-modp3072", NULL},
	        {"aes256-sha256-prfsha384-ecp256", NULL},
	        {"aes256-sha256", "it has no group, such as ecp256"},
	        {"sha256-ecp256", "it has no cipher, such as aes256"},
	        {"aes256-ecp256", "\"aes256\" needs a hash, such as sha256"},
	        {"aes256gcm16-ecp256", "\"aes256gcm16\" needs a prf, such as prfsha256"},
	        {"aes256gcm16-sha256-prfsha256-ecp256",
	         "\"aes256gcm16\" takes no hash, leave \"sha256\" out"},
	        {"aes256-aes256gcm16-sha256-ecp256",
	         "\"aes256\" and \"aes256gcm16\" cannot be in one proposal, make two"},
	        {"aes256gcm16-aes256-prfsha1-ecp256",
	         "\"aes256gcm16\" and \"aes256\" cannot be in one proposal, make two"},
	        {"3des-sha1-modp2048", "\"3des\" is weak and needs weak-algorithms = true"},
	        {"aes128-md5-modp2048", "\"md5\" is weak and needs weak-algorithms = true"},
	        {"aes128-sha1-modp1024", "\"modp1024\" is weak and needs weak-algorithms = true"},
	        {"aes128-sha1-modp768", "\"modp768\" is no algorithm of IKE"},
	        {"aes-265-sha1-ecp256", "\"aes\" is no algorithm of IKE"},
	        {"aes265-sha1-ecp256",
	         "\"aes265\" is no algorithm of IKE; did you mean \"aes256\"?"},
	        {"aes128-sha1-ecp256-aes128", "\"aes128\" is there twice"},
	        {"aes128ctr-sha1-ecp256", "\"aes128ctr\" is not done for IKE"},
	        {"null-sha1-ecp256", "\"null\" is not done for IKE"},
	        {"aes128-sha1-ecp256-esn", "\"esn\" has a key of its own, esn"},
	        {"default", "\"default\" is no algorithm of IKE"},
	        {"", "\"\" is no algorithm of IKE"},
	        {"aes128--sha1", "\"\" is no algorithm of IKE"},
	        {"aes128-sha1-ecp256-", "\"\" is no algorithm of IKE"},
	        {"aes128,sha1", "\"aes128,sha1\" is no algorithm of IKE"},
	};
	char why[256];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		why[0] = '\0';
		CU_ASSERT_EQUAL(proposal_ok(v[i].text, PROPOSAL_IKE, false, why, sizeof(why)),
		                v[i].why == NULL);
		if (v[i].why != NULL)
			CU_ASSERT_STRING_EQUAL(why, v[i].why);
	}
	CU_ASSERT_TRUE(
	        proposal_ok("3des-md5-modp1024-modp1536", PROPOSAL_IKE, true, why, sizeof(why)));
}

static void test_esp_proposals(void)
{
	static const struct row v[] = {
	        {"aes128-sha1", NULL},
	        {"aes256-aes192-aes128-sha512-sha384-sha256-sha1", NULL},
	        {"aes128ctr-aes256ctr-sha256", NULL},
	        {"aes128gcm16-aes192gcm12-aes256gcm8", NULL},
	        {"chacha20poly1305", NULL},
	        {"aes128", "\"aes128\" needs a hash, such as sha256"},
	        {"aes128ctr", "\"aes128ctr\" needs a hash, such as sha256"},
	        {"aes128gcm16-sha1", "\"aes128gcm16\" takes no hash, leave \"sha1\" out"},
	        {"sha1", "it has no cipher, such as aes256"},
	        {"aes128-md5", "\"md5\" is not done for ESP"},
	        {"aes128-sha1-ecp256", "\"ecp256\" has a key of its own, pfs-group"},
	        {"aes128-sha1-noesn", "\"noesn\" has a key of its own, esn"},
	        {"aes128-prfsha1", "\"prfsha1\" is not done for ESP"},
	        {"null-sha256", "\"null\" is weak and needs weak-algorithms = true"},
	        {"3des-sha1", "\"3des\" is weak and needs weak-algorithms = true"},
	};
	char why[256];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		why[0] = '\0';
		CU_ASSERT_EQUAL(proposal_ok(v[i].text, PROPOSAL_ESP, false, why, sizeof(why)),
		                v[i].why == NULL);
		if (v[i].why != NULL)
			CU_ASSERT_STRING_EQUAL(why, v[i].why);
	}
	CU_ASSERT_TRUE(proposal_ok("3des-null-sha1", PROPOSAL_ESP, true, why, sizeof(why)));
}

static void test_suites(void)
{
	struct esp_suite s;
	char why[256];

	CU_ASSERT_EQUAL(proposal_suite("aes192-sha384", &s, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(s.cipher, ESP_AES_CBC);
	CU_ASSERT_EQUAL(s.auth, ESP_HMAC_SHA384_192);
	CU_ASSERT_EQUAL(s.key_len, 24);
	CU_ASSERT_EQUAL(s.icv_len, 24);
	CU_ASSERT_EQUAL(proposal_suite("aes256gcm12", &s, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(s.cipher, ESP_AES_GCM);
	CU_ASSERT_EQUAL(s.auth, ESP_AUTH_AEAD);
	CU_ASSERT_EQUAL(s.icv_len, 12);
	CU_ASSERT_TRUE(proposal_suite("aes256-aes128-sha1", &s, why, sizeof(why)) < 0);
	CU_ASSERT_STRING_EQUAL(why, "it has more than one cipher and one hash");
	CU_ASSERT_TRUE(proposal_suite("aes256", &s, why, sizeof(why)) < 0);
	CU_ASSERT_STRING_EQUAL(config_dh_name(19), "ecp256");
	CU_ASSERT_STRING_EQUAL(config_dh_name(2), "modp1024");
	CU_ASSERT_PTR_NULL(config_dh_name(0));
}

static void test_profile_values(void)
{
	refused(HEAD HOST
	        "\nipsec-transport-profiles = (\n"
	        "{ name = \"a.b\"; " GOOD "peers = \"192.0.2.1/24\"; },\n"
	        "{ name = \"-a\"; " GOOD "peers = (); },\n"
	        "{ name = \"a\"; " GOOD "peers = (\"2001:db8::/32\", \"x\"); },\n"
	        "{ name = \"a\"; " GOOD "version = \"3\"; application = \"gre\"; },\n"
	        "{ " GOOD "lifetime = 299; rekey-margin = 51; ike-lifetime = 599; },\n"
	        "{ name = \"b\"; local-address = \"::1\"; group-pre-shared-key = \"\"; },\n"
	        "{ name = \"c\"; group-pre-shared-key = \"k\"; esp-proposals = (); },\n"
	        "{ name = \"d\"; " GOOD "remote-identity = \"a\\\"b\"; local-identity = \"%any\"; "
	        "},\n"
	        "{ name = \"e\"; local-address = \"192.0.2.1\"; certificate = \"/a,b\"; "
	        "private-key = "
	        "\"k\"; ca-certificates = (\"/a\", \"/b\\\\\"); },\n"
	        "{ name = \"f\"; " GOOD "esn = \"maybe\"; pfs-group = \"ecp265\"; replay-window = "
	        "4097; }\n);",
	        "t:3: ipsec transport profile \"a.b\": name is \"a.b\", it must be letters, "
	        "digits, "
	        "'_' and '-'\n"
	        "t:3: ipsec transport profile \"a.b\": peers is 192.0.2.1/24, which has bits set "
	        "beyond the first 24\n"
	        "t:4: ipsec transport profile \"-a\": name is \"-a\", it must be letters, digits, "
	        "'_' and '-'\n"
	        "t:4: ipsec transport profile \"-a\": peers is empty, allowed is 1-16 prefixes "
	        "such "
	        "as 192.0.2.0/24, or addresses\n"
	        "t:5: ipsec transport profile \"a\": peers is \"2001:db8::/32\", which is not an "
	        "IPv4 prefix such as 192.0.2.0/24, or an address\n"
	        "t:5: ipsec transport profile \"a\": peers is \"x\", which is not an IPv4 prefix "
	        "such as 192.0.2.0/24, or an address\n"
	        "t:6: ipsec transport profile \"a\": version is \"3\", allowed is 1, 2 or any\n"
	        "t:6: ipsec transport profile \"a\": application is \"gre\", allowed is l2tp\n"
	        "t:6: ipsec transport profile \"a\": the same name as in t:5, each ipsec transport "
	        "profile needs its own\n"
	        "t:7: ipsec transport profile 5: lifetime is 299, allowed is 300-864000 s\n"
	        "t:7: ipsec transport profile 5: rekey-margin is 51, allowed is 1-50 %\n"
	        "t:7: ipsec transport profile 5: ike-lifetime is 599, allowed is 600-864000 s\n"
	        "t:7: ipsec transport profile 5: name is missing, it is a string of 1-63 bytes\n"
	        "t:8: ipsec transport profile \"b\": local-address is \"::1\", which is not an "
	        "IPv4 "
	        "address\n"
	        "t:8: ipsec transport profile \"b\": group-pre-shared-key is empty: give a value "
	        "or "
	        "leave the key out\n"
	        "t:8: ipsec transport profile \"b\": no pre-shared-keys, group-pre-shared-key or "
	        "certificate: nobody could authenticate\n"
	        "t:9: ipsec transport profile \"c\": esp-proposals is empty, allowed is 1-8 "
	        "strings "
	        "of 1-127 bytes\n"
	        "t:9: ipsec transport profile \"c\": local-address is missing, it is an IPv4 "
	        "address\n"
	        "t:10: ipsec transport profile \"d\": remote-identity is \"a\"b\", it must be an "
	        "identity without control characters, quotes and backslashes\n"
	        "t:10: ipsec transport profile \"d\": local-identity is \"%any\", it must be one "
	        "identity (for any peer there is group-pre-shared-key)\n"
	        "t:11: ipsec transport profile \"e\": certificate is \"/a,b\", it must be a path "
	        "that begins with '/', without commas, quotes and backslashes\n"
	        "t:11: ipsec transport profile \"e\": private-key is \"k\", it must be a path that "
	        "begins with '/', without commas, quotes and backslashes\n"
	        "t:11: ipsec transport profile \"e\": ca-certificates is \"/b\\\", it must be a "
	        "path that begins with '/', without commas, quotes and backslashes\n"
	        "t:11: ipsec transport profile \"e\": no pre-shared-keys, group-pre-shared-key or "
	        "certificate: nobody could authenticate\n"
	        "t:11: ipsec transport profile \"e\": ca-certificates need a certificate\n"
	        "t:12: ipsec transport profile \"f\": esn is \"maybe\", allowed is no, yes or "
	        "either\n"
	        "t:12: ipsec transport profile \"f\": pfs-group is \"ecp265\", allowed is none, "
	        "modp1024, modp1536, modp2048, modp3072, modp4096, modp6144, modp8192, ecp256, "
	        "ecp384, ecp521 or curve25519; did you mean \"ecp256\"?\n"
	        "t:12: ipsec transport profile \"f\": replay-window is 4097, allowed is 0-4096 "
	        "packets\n");
}

static void test_profile_rules(void)
{
	refused(PROFILE("local-identity = \"x\";\nesp-proposals = (\"aes128-sha1\",\n"
	                "\"aes128-md5\");\nike-proposals = \"aes128-sha1\";"
	                "\nreplay-window = 31;\npfs-group = \"modp1024\";\ndpd-timeout = 30;"
	                "\nforce-encapsulation = true; nat-traversal = false;"),
	        "t:4: ipsec transport profile \"p\": esp-proposals \"aes128-md5\": \"md5\" is not "
	        "done for ESP\n"
	        "t:6: ipsec transport profile \"p\": ike-proposals \"aes128-sha1\": it has no "
	        "group, such as ecp256\n"
	        "t:7: ipsec transport profile \"p\": replay-window is 31, allowed is 32-4096 "
	        "packets, or 0 for none\n"
	        "t:8: ipsec transport profile \"p\": pfs-group \"modp1024\" is weak and needs "
	        "weak-algorithms = true\n"
	        "t:9: ipsec transport profile \"p\": dpd-timeout 30 s is not above dpd-delay 30 s: "
	        "every idle peer would be lost\n"
	        "t:10: ipsec transport profile \"p\": force-encapsulation makes every peer look as "
	        "if behind a NAT, which nat-traversal = false refuses\n");
	refused(PROFILE("version = \"1\"; esn = \"yes\";\nike-proposals = "
	                "\"aes128gcm16-prfsha1-ecp256\";\npre-shared-keys = ({ identity = \"a\"; "
	                "secret = \"x\"; });"),
	        "t:3: ipsec transport profile \"p\": esn is \"yes\", which IKEv1 cannot agree on\n"
	        "t:4: ipsec transport profile \"p\": ike-proposals has AEAD ciphers only, which "
	        "IKEv1 does not have\n"
	        "t:5: pre-shared key of \"a\": the identity is no address, and IKEv1 looks for "
	        "keys "
	        "by address\n");
	refused(HEAD HOST "\nipsec-transport-profiles = ({ name = \"p\"; local-address = "
	                  "\"192.0.2.2\"; group-pre-shared-key = \"k\"; });",
	        "t:2: ipsec transport profile \"p\": local-address 192.0.2.2 is not an address of "
	        "a "
	        "port\n");
	accepted(PROFILE("weak-algorithms = true; pfs-group = \"modp1024\"; esp-proposals = "
	                 "\"3des-sha1\"; ike-proposals = \"3des-sha1-modp1024\";"),
	         "t:3: warning: ipsec transport profile \"p\": weak-algorithms are for peers that "
	         "can do no better\n");
	refused("\nipsec = { socket = \"/a\"; vici-socket = \"/a\"; };" HEAD HOST,
	        "t:2: ipsec: vici-socket is the same as socket\n"
	        "t:2: warning: host \"default\": there is no ipsec-transport-profile: no tunnel of "
	        "the host gets in\n");
}

static void test_authentication(void)
{
	refused(PROFILE("pre-shared-keys = ({ identity = \"10.0.0.1\"; secret = \"a\"; },\n"
	                "{ identity = \"10.0.0.1\"; secret = \"b\"; },\n{ secret = \"c\"; },\n"
	                "{ identity = \"x\"; secret = 5; });"),
	        "t:2: warning: ipsec transport profile \"p\": by IKEv2 whoever has the "
	        "group-pre-shared-key can claim the identity of a peer with a key of its own\n"
	        "t:4: pre-shared key 2: the same identity as in t:3, each pre-shared key needs its "
	        "own\n"
	        "t:5: pre-shared key 3: identity is missing, it is a string of 1-127 bytes\n"
	        "t:6: pre-shared key 4: secret is an integer, allowed is a string of 1-128 bytes\n"
	        "t:6: warning: pre-shared key of \"x\": serves IKEv2 only, since IKEv1 looks for "
	        "keys by address\n");
	refused(PROFILE("certificate = \"/c\"; private-key = \"/k\"; ca-certificates = \"/a\";"),
	        "t:3: ipsec transport profile \"p\": both a certificate and pre-shared keys; make "
	        "two profiles\n");
	refused(HEAD HOST "\nipsec-transport-profiles = ({ name = \"p\"; local-address = "
	                  "\"192.0.2.1\"; certificate = \"/c\"; });",
	        "t:2: ipsec transport profile \"p\": certificate needs a private-key\n"
	        "t:2: ipsec transport profile \"p\": certificate needs ca-certificates, by which "
	        "peers are checked\n");
	refused(PROFILE("private-key = \"/k\";"),
	        "t:3: ipsec transport profile \"p\": private-key needs a certificate\n");
	/* Charon would take either. */
	refused(HEAD HOST "\nipsec-transport-profiles = ({ name = \"a\"; version = \"2\"; " GOOD
	                  "pre-shared-keys = ({ identity = \"x\"; secret = \"1\"; }); },\n"
	                  "{ name = \"b\"; version = \"2\"; local-address = \"192.0.2.1\";\n"
	                  "group-pre-shared-key = \"other\";\n"
	                  "pre-shared-keys = ({ identity = \"x\"; secret = \"2\"; }); });",
	        "t:2: warning: ipsec transport profile \"a\": by IKEv2 whoever has the "
	        "group-pre-shared-key can claim the identity of a peer with a key of its own\n"
	        "t:2: warning: ipsec transport profile \"a\": by IKEv2 whoever has the "
	        "group-pre-shared-key can also claim the identity of a peer with a key of its own "
	        "in profile \"b\"\n"
	        "t:4: ipsec transport profile \"b\": group-pre-shared-key is another than that of "
	        "profile \"a\", which has the same local identity: give one of them a "
	        "local-identity of its own\n"
	        "t:4: warning: ipsec transport profile \"b\": by IKEv2 whoever has the "
	        "group-pre-shared-key can claim the identity of a peer with a key of its own\n"
	        "t:4: warning: ipsec transport profile \"b\": profile \"a\" has another "
	        "group-pre-shared-key: IKEv2 peers of both must name the local-identity that they "
	        "expect\n"
	        "t:4: warning: ipsec transport profile \"b\": by IKEv2 whoever has the "
	        "group-pre-shared-key can also claim the identity of a peer with a key of its own "
	        "in profile \"a\"\n"
	        "t:5: pre-shared key of \"x\": profile \"a\" has another one for the same "
	        "identity\n");
	/* And a key of ourselves would be one of everybody. */
	refused(HEAD HOST "\nipsec-transport-profiles = ({ name = \"a\"; version = \"2\"; "
	                  "local-identity = \"LNS\"; local-address = \"192.0.2.1\";\n"
	                  "pre-shared-keys = ({ identity = \"lns\"; secret = \"1\"; }); });",
	        "t:3: pre-shared key of \"lns\": that is our own identity\n");
	accepted(HEAD HOST
	         "\nipsec-transport-profiles = ({ name = \"a\"; " GOOD "},\n"
	         "{ name = \"b\"; local-identity = \"b\"; local-address = \"192.0.2.1\";\n"
	         "group-pre-shared-key = \"other\"; });",
	         "t:4: warning: ipsec transport profile \"b\": profile \"a\" has another "
	         "group-pre-shared-key: IKEv2 peers of both must name the local-identity that they "
	         "expect\n");
}

/* What a group's key opens beside its own connections, and what it does not. */
static void test_group_keys(void)
{
#define TWO(a, b)                                                                                  \
	HEAD HOST                                                                                  \
	        "\nipsec-transport-profiles = ({ name = \"a\"; local-address = \"192.0.2.1\"; " a  \
	        " },\n{ name = \"b\"; local-identity = \"b\"; local-address = \"192.0.2.1\"; " b   \
	        " });"
#define GROUP(k) "group-pre-shared-key = \"" k "\";"
#define OWN      "pre-shared-keys = ({ identity = \"10.0.0.1\"; secret = \"own\"; });"
	accepted(TWO(GROUP("k"), GROUP("k")), "");
	accepted(TWO("version = \"1\"; " OWN, GROUP("l")), "");
	accepted(TWO(OWN, "version = \"1\"; " GROUP("l")),
	         "t:3: warning: ipsec transport profile \"b\": by IKEv2 whoever has the "
	         "group-pre-shared-key can also claim the identity of a peer with a key of its own "
	         "in profile \"a\"\n");
	/* Two keys are told apart by our identity. */
	accepted(TWO(GROUP("k"), GROUP("l") OWN),
	         "t:3: warning: ipsec transport profile \"b\": by IKEv2 whoever has the "
	         "group-pre-shared-key can claim the identity of a peer with a key of its own\n"
	         "t:3: warning: ipsec transport profile \"b\": profile \"a\" has another "
	         "group-pre-shared-key: IKEv2 peers of both must name the local-identity that they "
	         "expect\n");
}

static void test_files(void)
{
	static const char text[] =
	        HEAD HOST "\nipsec-transport-profiles = ({ name = \"p\"; local-address = "
	                  "\"192.0.2.1\";\n"
	                  "certificate = \"%s/cert\";\nprivate-key = \"%s/key\";\n"
	                  "ca-certificates = (\"%s/ca\", \"%s\"); });";
	struct reports *r = calloc(1, sizeof(*r));
	char dir[128], conf[2048], want[2048], path[256];
	struct config *c;

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_PTR_NOT_NULL_FATAL(make_folder(dir, sizeof(dir)));
	write_file(dir, "cert", "x");
	write_file(dir, "key", "x");
	snprintf(path, sizeof(path), "%s/key", dir);
	chmod(path, 0644);
	snprintf(conf, sizeof(conf), text, dir, dir, dir, dir);
	snprintf(
	        want, sizeof(want),
	        "t:4: warning: ipsec transport profile \"p\": private-key %s can be read or "
	        "written by everybody\n"
	        "t:5: ipsec transport profile \"p\": ca-certificates %s/ca cannot be read: No such "
	        "file or directory\n"
	        "t:5: ipsec transport profile \"p\": ca-certificates %s is no file\n",
	        path, dir, dir);
	c = config_load_text(conf, "t", dir, collect, r);
	CU_ASSERT_PTR_NULL(c);
	same_reports(r, want);
	remove_folder(dir);
	free(r);
}

static void test_statics(void)
{
	struct config *c =
	        load(STATIC("spi-in = 0x1000; algorithms = \"aes128-sha1\"; encapsulation = true; "
	                    "peer-port = 5000; replay-window = 64; enc-key-in = \"" KEY16
	                    "\"; enc-key-out = \"" KEY16 "\"; auth-key-in = \"" KEY20
	                    "\"; auth-key-out = \"" KEY20 "\";"),
	             "");
	const struct cfg_static_sa *s;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(c->n_static_sas, 1);
	s = &c->static_sas[0];
	CU_ASSERT_EQUAL(s->spi_in, 0x1000);
	CU_ASSERT_EQUAL(s->peer_port, 5000);
	CU_ASSERT_EQUAL(s->suite.cipher, ESP_AES_CBC);
	CU_ASSERT_EQUAL(s->suite.auth, ESP_HMAC_SHA1_96);
	CU_ASSERT_EQUAL(s->n_enc_key_in, 16);
	CU_ASSERT_EQUAL(s->n_auth_key_out, 20);
	CU_ASSERT_EQUAL(s->enc_key_in[15], 0x0f);
	CU_ASSERT_EQUAL(s->auth_key_out[19], 0x13);
	config_free(c);
	accepted(STATIC("spi-in = 256; algorithms = \"null-sha1\"; auth-key-in = \"" KEY20
	                "\"; auth-key-out = \"" KEY20 "\";"),
	         "");
}

static void test_static_rules(void)
{
	static const char *const nonces[][2] = {{"aes128gcm16", "GCM"},
	                                        {"aes256ctr-sha1", "CTR"},
	                                        {"chacha20poly1305", "ChaCha20"}};
	char text[2048], want[512];

	refused(STATIC("spi-in = 255;\nalgorithms = \"aes128-sha1\";\nenc-key-in = \"00\";\n"
	               "enc-key-out = \"0g\";\nauth-key-in = \"000\"; replay-window = 5;"),
	        "t:2: static security association \"s\": auth-key-out is missing, aes128-sha1 "
	        "needs 40 hexadecimal digits\n"
	        "t:3: static security association \"s\": spi-in is 255, allowed is "
	        "256-4294967295\n"
	        "t:5: static security association \"s\": enc-key-in has 1 bytes, aes128-sha1 needs "
	        "16\n"
	        "t:6: static security association \"s\": enc-key-out is malformed, it must be "
	        "2-160 "
	        "hexadecimal digits, two a byte\n"
	        "t:7: static security association \"s\": auth-key-in is malformed, it must be "
	        "2-160 "
	        "hexadecimal digits, two a byte\n"
	        "t:7: static security association \"s\": replay-window is 5, allowed is 32-4096 "
	        "packets, or 0 for none\n");
	refused(STATIC("spi-in = 0x101;\nalgorithms = \"null-sha256\"; enc-key-in = \"00\";\n"
	               "enc-key-out = \"00\";\nauth-key-in = \"" KEY20 "\";"),
	        "t:2: static security association \"s\": auth-key-out is missing, null-sha256 "
	        "needs 64 hexadecimal digits\n"
	        "t:3: static security association \"s\": spi-in 0x00000101 belongs to worker 1 by "
	        "its low six bits, but system.workers is 1; use 0x00000100\n"
	        "t:4: static security association \"s\": enc-key-in is given, but null-sha256 has "
	        "no such key\n"
	        "t:5: static security association \"s\": enc-key-out is given, but null-sha256 has "
	        "no such key\n"
	        "t:6: static security association \"s\": auth-key-in has 20 bytes, null-sha256 "
	        "needs 32\n");
	refused(HEAD HOST "\nstatic-security-associations = ({ name = \"a\"; local-address = "
	                  "\"192.0.2.2\";\npeer = \"192.0.2.1\"; spi-out = 256; spi-in = 256;\n"
	                  "algorithms = \"aes-sha1\"; },\n{ name = \"a\"; spi-in = 256; });",
	        "t:2: static security association \"a\": local-address 192.0.2.2 is not an address "
	        "of a port\n"
	        "t:3: static security association \"a\": peer 192.0.2.1 is our own address\n"
	        "t:4: static security association \"a\": algorithms \"aes-sha1\": \"aes\" is no "
	        "algorithm of ESP\n"
	        "t:5: static security association \"a\": local-address is missing, it is an IPv4 "
	        "address\n"
	        "t:5: static security association \"a\": peer is missing, it is an IPv4 address\n"
	        "t:5: static security association \"a\": spi-out is missing, it is "
	        "256-4294967295\n"
	        "t:5: static security association \"a\": algorithms is missing, it is a string of "
	        "1-127 bytes\n"
	        "t:5: static security association \"a\": the same name as in t:2, each static "
	        "security association needs its own\n"
	        "t:5: static security association \"a\": the same spi-in as in t:3, each static "
	        "security association needs its own\n");
	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), STATIC("spi-in = 256; algorithms = \"%s\";"),
		         nonces[i][0]);
		snprintf(
		        want, sizeof(want),
		        "t:3: static security association \"s\": algorithms \"%s\": %s must never "
		        "use a nonce twice with a key, and with a key of this file a restart would "
		        "repeat them all; use a cipher such as aes256\n",
		        nonces[i][0], nonces[i][1]);
		refused(text, want);
	}
}

void register_ipsec(void)
{
	CU_pSuite s = CU_add_suite("config: ipsec", NULL, NULL);

	CU_add_test(s, "defaults", test_defaults);
	CU_add_test(s, "values", test_values);
	CU_add_test(s, "IKE proposals", test_ike_proposals);
	CU_add_test(s, "ESP proposals", test_esp_proposals);
	CU_add_test(s, "suites", test_suites);
	CU_add_test(s, "values of a profile refused", test_profile_values);
	CU_add_test(s, "rules of a profile", test_profile_rules);
	CU_add_test(s, "authentication", test_authentication);
	CU_add_test(s, "group keys", test_group_keys);
	CU_add_test(s, "files", test_files);
	CU_add_test(s, "static SAs", test_statics);
	CU_add_test(s, "static SAs refused", test_static_rules);
}
