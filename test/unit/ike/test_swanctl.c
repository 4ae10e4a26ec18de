/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What is written for charon: whole texts, hostile strings, and the files. */
#include "config/config.h"
#include "ike/swanctl.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT "ports = ({name=\"wan\"; device=\"net_tap0\"; addresses=(\"192.0.2.1/24\");});"

static struct config *load(const char *profiles)
{
	char text[8192];
	struct config *c;

	snprintf(text, sizeof(text), PORT "ipsec-transport-profiles = ( %s );", profiles);
	c = config_load_text(text, "t", NULL, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	return c;
}

static void rendered(const struct config *c, bool hide, const char *want)
{
	char *text = NULL;
	size_t len = 0;

	CU_ASSERT_EQUAL(swanctl_render(c, hide, &text, &len), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(strlen(text), len);
	CU_ASSERT_STRING_EQUAL(text, want);
	if (strcmp(text, want) != 0)
		fprintf(stderr, "\nwanted:\n%s\ngot:\n%s\n", want, text);
	swanctl_text_free(text, len);
}

#define TITLE "# Made by sallyport from its transport profiles; what is changed here is lost.\n"

static void test_road_warriors(void)
{
	static const char want[] =
	        TITLE "connections {\n"
	              "\tl2tp {\n"
	              "\t\tversion = 0\n"
	              "\t\tlocal_addrs = 192.0.2.1\n"
	              "\t\tremote_addrs = %any\n"
	              "\t\tproposals = aes256-sha256-ecp256, aes256gcm16-prfsha256-ecp256\n"
	              "\t\tunique = never\n"
	              "\t\taggressive = no\n"
	              "\t\tmobike = no\n"
	              "\t\tencap = no\n"
	              "\t\tdpd_delay = 30s\n"
	              "\t\tdpd_timeout = 150s\n"
	              "\t\treauth_time = 0s\n"
	              "\t\trekey_time = 0s\n"
	              "\t\tover_time = 0s\n"
	              "\t\trand_time = 0s\n"
	              "\t\tlocal {\n"
	              "\t\t\tauth = psk\n"
	              "\t\t\tid = \"192.0.2.1\"\n"
	              "\t\t}\n"
	              "\t\tremote {\n"
	              "\t\t\tauth = psk\n"
	              "\t\t\tid = \"%any\"\n"
	              "\t\t}\n"
	              "\t\tchildren {\n"
	              "\t\t\tl2tp {\n"
	              "\t\t\t\tmode = transport\n"
	              "\t\t\t\tlocal_ts = dynamic[udp/1701]\n"
	              "\t\t\t\tremote_ts = dynamic[udp]\n"
	              "\t\t\t\tesp_proposals = aes256gcm16, aes128-sha1\n"
	              "\t\t\t\tlife_time = 14400s\n"
	              "\t\t\t\trekey_time = 0s\n"
	              "\t\t\t\trand_time = 0s\n"
	              "\t\t\t\tlife_packets = 4294967295\n"
	              "\t\t\t\trekey_packets = 4026531825\n"
	              "\t\t\t\trand_packets = 0\n"
	              "\t\t\t\treplay_window = 128\n"
	              "\t\t\t\tdpd_action = clear\n"
	              "\t\t\t}\n"
	              "\t\t}\n"
	              "\t}\n"
	              "}\n"
	              "secrets {\n"
	              "\tike-l2tp-0 {\n"
	              "\t\tid-1 = \"%any\"\n"
	              "\t\tsecret = 0sc2VjcmV0\n"
	              "\t}\n"
	              "}\n";
	struct config *c = load(
	        "{ name = \"l2tp\"; local-address = \"192.0.2.1\"; ike-proposals = "
	        "(\"aes256-sha256-ecp256\", \"aes256gcm16-prfsha256-ecp256\"); esp-proposals = "
	        "(\"aes256gcm16\", \"aes128-sha1\"); group-pre-shared-key = \"secret\"; }");

	rendered(c, false, want);
	config_free(c);
}

static void test_everything(void)
{
	static const char want[] = TITLE "connections {\n"
	                                 "\ta {\n"
	                                 "\t\tversion = 2\n"
	                                 "\t\tlocal_addrs = 192.0.2.1\n"
	                                 "\t\tremote_addrs = 198.51.100.0/24, 203.0.113.7/32\n"
	                                 "\t\tproposals = aes128-sha1-modp2048\n"
	                                 "\t\tunique = never\n"
	                                 "\t\taggressive = no\n"
	                                 "\t\tmobike = no\n"
	                                 "\t\tencap = yes\n"
	                                 "\t\tdpd_delay = 0s\n"
	                                 "\t\tdpd_timeout = 150s\n"
	                                 "\t\treauth_time = 0s\n"
	                                 "\t\trekey_time = 800s\n"
	                                 "\t\tover_time = 200s\n"
	                                 "\t\trand_time = 100s\n"
	                                 "\t\tlocal {\n"
	                                 "\t\t\tauth = psk\n"
	                                 "\t\t\tid = \"lns\"\n"
	                                 "\t\t}\n"
	                                 "\t\tremote {\n"
	                                 "\t\t\tauth = psk\n"
	                                 "\t\t\tid = \"*@example.net\"\n"
	                                 "\t\t}\n"
	                                 "\t\tchildren {\n"
	                                 "\t\t\tl2tp {\n"
	                                 "\t\t\t\tmode = transport\n"
	                                 "\t\t\t\tlocal_ts = dynamic[udp/1701]\n"
	                                 "\t\t\t\tremote_ts = dynamic[udp]\n"
	                                 "\t\t\t\tesp_proposals = aes128-sha1-ecp384-esn\n"
	                                 "\t\t\t\tlife_time = 500s\n"
	                                 "\t\t\t\trekey_time = 400s\n"
	                                 "\t\t\t\trand_time = 50s\n"
	                                 "\t\t\t\tlife_bytes = 4398046510080\n"
	                                 "\t\t\t\trekey_bytes = 3518437208064\n"
	                                 "\t\t\t\trand_bytes = 439804651008\n"
	                                 "\t\t\t\tlife_packets = 10\n"
	                                 "\t\t\t\trekey_packets = 8\n"
	                                 "\t\t\t\trand_packets = 1\n"
	                                 "\t\t\t\treplay_window = 64\n"
	                                 "\t\t\t\tdpd_action = clear\n"
	                                 "\t\t\t}\n"
	                                 "\t\t}\n"
	                                 "\t}\n"
	                                 "}\n"
	                                 "secrets {\n"
	                                 "\tike-a-0 {\n"
	                                 "\t\tid-1 = \"%any\"\n"
	                                 "\t\tsecret = \"***\"\n"
	                                 "\t}\n"
	                                 "}\n";
	struct config *c =
	        load("{ name = \"a\"; local-address = \"192.0.2.1\"; version = \"2\"; peers = "
	             "(\"198.51.100.0/24\", \"203.0.113.7\"); ike-proposals = "
	             "\"aes128-sha1-modp2048\"; "
	             "esp-proposals = \"aes128-sha1\"; pfs-group = \"ecp384\"; esn = \"yes\"; "
	             "initiate-rekey = true; rekey-margin = 20; lifetime = 500; lifetime-kilobytes "
	             "= "
	             "4294967295; lifetime-packets = 10; ike-lifetime = 1000; replay-window = 64; "
	             "force-encapsulation = true; dpd-delay = 0; local-identity = \"lns\"; "
	             "remote-identity = \"*@example.net\"; group-pre-shared-key = \"g\"; }");

	rendered(c, true, want);
	config_free(c);
}

/* Title of each connection and key, its identity, addresses and version, a line each. */
static void summary(const struct config *c, const char *want)
{
	static const char *const kept[] = {"version", "remote_addrs", "id =", "id-1"};
	char *text = NULL, got[4096] = "", *save = NULL;
	size_t len = 0, n = 0;
	bool remote = false;

	CU_ASSERT_EQUAL_FATAL(swanctl_render(c, true, &text, &len), 0);
	for (char *l = strtok_r(text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		bool title = l[0] == '\t' && l[1] != '\t' && l[1] != '}', keep = title;

		remote = remote ? l[2] != '}' : strcmp(l, "\t\tremote {") == 0;
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			keep = keep ||
			       (strncmp(l + strspn(l, "\t"), kept[i], strlen(kept[i])) == 0 &&
			        (i != 2 || remote));
		if (keep)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s", title ? "\n" : " ",
			                      l + strspn(l, "\t"));
	}
	CU_ASSERT_STRING_EQUAL(got, want);
	if (strcmp(got, want) != 0)
		fprintf(stderr, "\nwanted:%s\ngot:%s\n", want, got);
	swanctl_text_free(text, len);
}

/*
 * The key of a peer has connections of its own, and no owner but the peer: charon would let it vouch
 * for others.
 */
static void test_peers_keys(void)
{
	struct config *c =
	        load("{ name = \"p\"; local-address = \"192.0.2.1\"; peers = \"203.0.113.0/24\"; "
	             "pre-shared-keys = ({ identity = \"a@b\"; secret = \"1\"; }, { identity = "
	             "\"203.0.113.7\"; secret = \"2\"; }, { identity = \"10.0.0.1\"; secret = "
	             "\"3\"; }); }");

	/* By IKEv1 only an address, and only one from which the peer may come. */
	summary(c, "\np@1 { version = 2 remote_addrs = 203.0.113.0/24 id = \"a@b\""
	           "\np@2 { version = 2 remote_addrs = 203.0.113.0/24 id = \"203.0.113.7\""
	           "\np@2v1 { version = 1 remote_addrs = 203.0.113.7 id = \"203.0.113.7\""
	           "\np@2v1nat { version = 1 remote_addrs = 203.0.113.7 id = \"%any\""
	           "\np@3 { version = 2 remote_addrs = 203.0.113.0/24 id = \"10.0.0.1\""
	           "\nike-p-1 { id-1 = \"a@b\""
	           "\nike-p-2 { id-1 = \"203.0.113.7\""
	           "\nike-p-3 { id-1 = \"10.0.0.1\"");
	c->ipsec_profiles[0].version = CFG_IKE_V1;
	strcpy(c->ipsec_profiles[0].group_psk, "g");
	summary(c, "\np@2v1 { version = 1 remote_addrs = 203.0.113.7 id = \"203.0.113.7\""
	           "\np@2v1nat { version = 1 remote_addrs = 203.0.113.7 id = \"%any\""
	           "\np { version = 1 remote_addrs = 203.0.113.0/24 id = \"%any\""
	           "\nike-p-1 { id-1 = \"a@b\""
	           "\nike-p-2 { id-1 = \"203.0.113.7\""
	           "\nike-p-3 { id-1 = \"10.0.0.1\""
	           "\nike-p-0 { id-1 = \"%any\"");
	c->ipsec_profiles[0].version = CFG_IKE_V2;
	summary(c, "\np@1 { version = 2 remote_addrs = 203.0.113.0/24 id = \"a@b\""
	           "\np@2 { version = 2 remote_addrs = 203.0.113.0/24 id = \"203.0.113.7\""
	           "\np@3 { version = 2 remote_addrs = 203.0.113.0/24 id = \"10.0.0.1\""
	           "\np { version = 2 remote_addrs = 203.0.113.0/24 id = \"%any\""
	           "\nike-p-1 { id-1 = \"a@b\""
	           "\nike-p-2 { id-1 = \"203.0.113.7\""
	           "\nike-p-3 { id-1 = \"10.0.0.1\""
	           "\nike-p-0 { id-1 = \"%any\"");
	config_free(c);
}

/* IKEv1 offers the first algorithm of each type alone, so it gets each combination, the best first. */
static void test_proposals(void)
{
	struct config *c =
	        load("{ name = \"p\"; local-address = \"192.0.2.1\"; group-pre-shared-key = \"1\"; "
	             "ike-proposals = (\"aes256gcm16-prfsha384-ecp384\", "
	             "\"aes256-aes128-sha256-sha1-modp2048\"); esp-proposals = "
	             "(\"aes256gcm16-aes128gcm16\", \"aes128-sha256-sha1\"); esn = \"yes\"; }");
	char *text = NULL;
	size_t len;

	CU_ASSERT_EQUAL_FATAL(swanctl_render(c, false, &text, &len), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(
	        text, "\t\tproposals = aes256gcm16-prfsha384-ecp384, aes256-sha256-modp2048, "
	              "aes256-sha1-modp2048, aes128-sha256-modp2048, "
	              "aes128-sha1-modp2048\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	                              "\t\t\t\tesp_proposals = aes256gcm16-esn, aes128gcm16-esn, "
	                              "aes128-sha256-esn, aes128-sha1-esn\n"));
	swanctl_text_free(text, len);
	c->ipsec_profiles[0].version = CFG_IKE_V2;
	CU_ASSERT_EQUAL_FATAL(swanctl_render(c, false, &text, &len), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\t\tproposals = aes256gcm16-prfsha384-ecp384, "
	                                    "aes256-aes128-sha256-sha1-modp2048\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\t\t\t\tesp_proposals = aes256gcm16-aes128gcm16-esn, "
	                                    "aes128-sha256-sha1-esn\n"));
	swanctl_text_free(text, len);
	config_free(c);
}

/* The part from the first "local {" on, as far as the children. */
static void test_certificate(void)
{
	static const char want[] = "\t\tlocal {\n"
	                           "\t\t\tauth = pubkey\n"
	                           "\t\t\tcerts = \"/etc/x/lns.pem\"\n"
	                           "\t\t}\n"
	                           "\t\tremote {\n"
	                           "\t\t\tauth = pubkey\n"
	                           "\t\t\tid = \"C=DE, O=Example, CN=*\"\n"
	                           "\t\t\tcacerts = \"/etc/x/ca.pem\", \"/etc/x/a b.pem\"\n"
	                           "\t\t}\n"
	                           "\t\tchildren {";
	struct config *c =
	        load("{ name = \"c\"; local-address = \"192.0.2.1\"; certificate = "
	             "\"/etc/x/lns.pem\"; "
	             "private-key = \"/etc/x/k\"; ca-certificates = (\"/etc/x/ca.pem\", \"/etc/x/a "
	             "b.pem\"); remote-identity = \"C=DE, O=Example, CN=*\"; }");
	char *text = NULL;
	size_t len;

	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, want));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\nsecrets {\n}\n"));
	swanctl_text_free(text, len);
	config_free(c);
}

/* What config_load refuses is refused here once more, and what is quoted stays inside its quotes. */
static void test_hostile(void)
{
	static const char *const bad[] = {"a\nb", "a\tb", "a\x7f", "\n", "a\r"};
	struct config *c = load("{ name = \"c\"; local-address = \"192.0.2.1\"; "
	                        "group-pre-shared-key = \"k\"; }");
	struct cfg_ipsec_profile *p = &c->ipsec_profiles[0];
	char *text = NULL;
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(p->local_identity, bad[i]);
		CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), -EINVAL);
	}
	strcpy(p->local_identity, "a\" } secrets { \\");
	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\t\t\tid = \"a\\\" } secrets { \\\\\"\n"));
	swanctl_text_free(text, len);
	strcpy(p->name, "a.b");
	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), -EINVAL);
	strcpy(p->name, "a {");
	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), -EINVAL);
	strcpy(p->name, "");
	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), -EINVAL);
	strcpy(p->name, "c");
	strcpy(p->certificate, "/a,/etc/shadow");
	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), -EINVAL);
	strcpy(p->certificate, "etc/x");
	CU_ASSERT_EQUAL(swanctl_render(c, false, &text, &len), -EINVAL);
	config_free(c);
}

/* Keys of any bytes: RFC 4648 section 10, and what would be syntax. */
static void test_secrets(void)
{
	static const char *const v[][2] = {{"f", "Zg=="},
	                                   {"fo", "Zm8="},
	                                   {"foo", "Zm9v"},
	                                   {"foob", "Zm9vYg=="},
	                                   {"fooba", "Zm9vYmE="},
	                                   {"foobar", "Zm9vYmFy"},
	                                   {"\xff\xfe\n\"", "//4KIg=="},
	                                   {"0x12", "MHgxMg=="}};
	struct config *c = load("{ name = \"c\"; local-address = \"192.0.2.1\"; "
	                        "group-pre-shared-key = \"k\"; }");
	char want[64], *text;
	size_t len;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		strcpy(c->ipsec_profiles[0].group_psk, v[i][0]);
		snprintf(want, sizeof(want), "\t\tsecret = 0s%s\n", v[i][1]);
		CU_ASSERT_EQUAL_FATAL(swanctl_render(c, false, &text, &len), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, want));
		swanctl_text_free(text, len);
		CU_ASSERT_EQUAL_FATAL(swanctl_render(c, true, &text, &len), 0);
		CU_ASSERT_PTR_NULL(strstr(text, v[i][1]));
		swanctl_text_free(text, len);
	}
	config_free(c);
}

static void test_none(void)
{
	struct config *c = load("");

	rendered(c, false, TITLE "connections {\n}\nsecrets {\n}\n");
	config_free(c);
}

static mode_t mode(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode : 0;
}

static void test_files(void)
{
	struct config *c = load("{ name = \"c\"; local-address = \"192.0.2.1\"; certificate = "
	                        "\"/x/c\"; private-key = \"/x/k\"; ca-certificates = \"/x/a\"; }");
	char dir[] = "/tmp/sallyport-swanctl-XXXXXX", path[256], cmd[300];
	const char *what = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(c->ipsec.run_directory, sizeof(c->ipsec.run_directory), "%s/a/b", dir);
	umask(0);
	CU_ASSERT_EQUAL(swanctl_write(c, &what), 0);
	CU_ASSERT_EQUAL(swanctl_write(c, &what), 0);
	umask(022);
	CU_ASSERT_EQUAL(mode(c->ipsec.run_directory), S_IFDIR | 0700);
	CU_ASSERT_EQUAL(mode(swanctl_dir(c, path, sizeof(path))), S_IFDIR | 0700);
	CU_ASSERT_EQUAL(mode(swanctl_file(c, path, sizeof(path))), S_IFREG | 0600);
	snprintf(path, sizeof(path), "%s/a/b/swanctl/private/c", dir);
	CU_ASSERT_TRUE(S_ISLNK(mode(path)));
	/* A profile that is gone leaves no link; a folder that others can write to is none for keys. */
	c->ipsec_profiles[0].private_key[0] = '\0';
	CU_ASSERT_EQUAL(swanctl_write(c, &what), 0);
	CU_ASSERT_EQUAL(mode(path), 0);
	chmod(c->ipsec.run_directory, 0777);
	CU_ASSERT_EQUAL(swanctl_write(c, &what), -EPERM);
	CU_ASSERT_STRING_EQUAL(what, "run directory");
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	CU_ASSERT_EQUAL(system(cmd), 0);
	config_free(c);
}

int main(void)
{
	unsigned int failures;
	CU_pSuite s;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	s = CU_add_suite("swanctl", NULL, NULL);
	CU_add_test(s, "road warriors", test_road_warriors);
	CU_add_test(s, "every key", test_everything);
	CU_add_test(s, "keys of single peers", test_peers_keys);
	CU_add_test(s, "certificate", test_certificate);
	CU_add_test(s, "hostile strings", test_hostile);
	CU_add_test(s, "proposals", test_proposals);
	CU_add_test(s, "secrets", test_secrets);
	CU_add_test(s, "no profile", test_none);
	CU_add_test(s, "files", test_files);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
