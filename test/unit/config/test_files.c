/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Includes and user files. */
#include "check.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[64];

static int setup(void)
{
	return make_folder(dir, sizeof(dir)) == NULL;
}

static int teardown(void)
{
	remove_folder(dir);
	return 0;
}

/* Loads dir/name; in want, '@' stands for the folder and a '/'. */
static struct config *load_file(const char *name, const char *want)
{
	struct reports *r = calloc(1, sizeof(*r));
	char path[256], *text = calloc(1, REPORTS_MAX), *out = text;
	struct config *c;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	c = config_load(path, collect, r);
	for (; *want != '\0'; want++)
		if (*want == '@')
			out += sprintf(out, "%s/", dir);
		else
			*out++ = *want;
	same_reports(r, text);
	CU_ASSERT_EQUAL(c == NULL, r->errors > 0);
	free(text);
	free(r);
	return c;
}

static void test_include(void)
{
	char sub[128];
	struct config *c;

	snprintf(sub, sizeof(sub), "%s/sub", dir);
	mkdir(sub, 0700);
	write_file(dir, "main.cfg",
	           T_PORT T_DEST "\n \t@include \"sub/a.cfg\" system = { workers = 3;\n"
	                         "@include \"empty.cfg\"\nmemory = 128; };\n"
	                         "log = {\n@include \"log.cfg\"\n};");
	write_file(dir, "empty.cfg", "");
	write_file(dir, "log.cfg", "level = \"debug\"");
	/* Found from the folder of the including file. */
	write_file(sub, "a.cfg", "# first\n@include \"b.cfg\"\n" T_POOL);
	write_file(sub, "b.cfg", T_PROFILE);
	c = load_file("main.cfg", "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(c->system.workers, 3);
	CU_ASSERT_EQUAL(c->system.memory_mb, 128);
	CU_ASSERT_EQUAL(c->log.level, LOG_LVL_DEBUG);
	CU_ASSERT_EQUAL(c->n_pools, 1);
	CU_ASSERT_PTR_NOT_NULL(config_interface_profile(c, "ppp"));
	config_free(c);
}

static void test_include_errors(void)
{
	config_free(load_file("absent.cfg",
	                      "@absent.cfg:0: cannot read @absent.cfg: No such file or "
	                      "directory\n"));
	write_file(dir, "1.cfg", "\n\n@include \"absent.cfg\"\n");
	config_free(load_file("1.cfg", "@1.cfg:3: cannot read @absent.cfg: No such file or "
	                               "directory\n"));
	/* Lines before, in and behind an include keep their own numbers. */
	write_file(dir, "2.cfg",
	           T_PORT T_DEST T_POOL T_PROFILE
	           "\nsystem = { workers = 0; };\n"
	           "@include \"3.cfg\"\nl2tp = { hello-interval = -1; "
	           "};");
	write_file(dir, "3.cfg", "/* a comment\n\n*/ console = {\n idle-timeout = 86401; };");
	config_free(load_file("2.cfg",
	                      "@2.cfg:2: system: workers is 0, allowed is 1-64\n"
	                      "@3.cfg:4: console: idle-timeout is 86401, allowed is 0-86400 s\n"
	                      "@2.cfg:4: l2tp: hello-interval is -1, allowed is 0-3600 s\n"));
	write_file(dir, "4.cfg", "\n@include \"5.cfg\"\nlog = { };");
	write_file(dir, "5.cfg", "\n\n\nlog = { };\n");
	config_free(load_file("4.cfg", "@4.cfg:3: \"log\" is here a second time; the first is in "
	                               "line 4\n"));
	write_file(dir, "6.cfg", "log = {\n@include \"7.cfg\"\n};");
	write_file(dir, "7.cfg", "level = \"info\"; };\n");
	config_free(load_file("6.cfg", "@7.cfg:1: '}' closes nothing\n"));
	write_file(dir, "8.cfg", "a = 1;\n@include \"8.cfg\"\n");
	config_free(load_file("8.cfg",
	                      "@8.cfg:2: includes are nested too deep: does a file include "
	                      "itself?\n"));
}

static void test_user_file(void)
{
	const struct cfg_user *u;
	struct config *c;

	write_file(dir, "m.cfg",
	           T_PORT T_DEST T_POOL T_PROFILE "users = ({name=\"zed\"; password=\"z\";});\n"
	                                          "user-files = ( \"u1.txt\", \"u2.txt\" );");
	write_file(dir, "u1.txt",
	           "# subscribers\n\nmike  pass#word\n"
	           "  anna@example.net \"a \\\"b\\\\ c\" 10.9.0.5 max-sessions=2 # note\r\n"
	           "hash {crypt}$6$salt$hash pool=p\n");
	write_file(dir, "u2.txt", "nt {nt}00112233445566778899AABBCCDDEEFF\n\"two words\" \"{x}\"");
	c = load_file("m.cfg", "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(c->n_users, 6);
	for (uint32_t i = 1; i < c->n_users; i++)
		CU_ASSERT(strcmp(c->users[i - 1].name, c->users[i].name) < 0);
	u = config_user(c, "anna@example.net");
	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	CU_ASSERT_STRING_EQUAL(u->password, "a \"b\\ c");
	CU_ASSERT_EQUAL(ipaddr_to_v4(&u->address), 0x0a090005);
	CU_ASSERT_EQUAL(u->max_sessions, 2);
	u = config_user(c, "hash");
	CU_ASSERT_STRING_EQUAL(u->crypt, "$6$salt$hash");
	CU_ASSERT_STRING_EQUAL(u->password, "");
	CU_ASSERT_STRING_EQUAL(u->pool, "p");
	CU_ASSERT_STRING_EQUAL(config_user(c, "mike")->password, "pass#word");
	u = config_user(c, "nt");
	CU_ASSERT(u->has_nt_hash && u->nt_hash[1] == 0x11 && u->nt_hash[15] == 0xff);
	CU_ASSERT_STRING_EQUAL(config_user(c, "two words")->password, "{x}");
	CU_ASSERT_STRING_EQUAL(config_user(c, "zed")->password, "z");
	CU_ASSERT_PTR_NULL(config_user(c, "Anna@example.net"));
	CU_ASSERT_PTR_NULL(config_user(c, ""));
	config_free(c);
}

static void test_user_file_errors(void)
{
	write_file(dir, "e.cfg",
	           T_PORT T_DEST T_POOL T_PROFILE "\nusers = ({name=\"a\"; password=\"z\";});\n"
	                                          "user-files = ( \"e.txt\",\n\"none.txt\" );");
	write_file(dir, "e.txt",
	           "a pass\nb\nc SECRET pool=x\nd SECRET secret\n"
	           "e SECRET 1.2.3.4 pool=p max-sessions=1 more\nf {md5}SECRET\ng {nt}SECRET\n"
	           "h \"SECRET\ni \"SECRET\"x\nj SECRET ::1 max-sessions=x\nk SECRET 0.0.0.0\n"
	           "\"\" SECRET\nl SECRET 1.2.3.4\nm SECRET 1.2.3.4\n\x01 SECRET");
	config_free(load_file(
	        "e.cfg",
	        "@e.cfg:4: configuration: cannot read the user file @none.txt: No such file or "
	        "directory\n"
	        "@e.txt:1: user \"a\" is here a second time; the first is in @e.cfg:2\n"
	        "@e.txt:2: user \"b\": the password is missing\n"
	        "@e.txt:3: user \"c\": pool is \"x\", but there is no such pool\n"
	        "@e.txt:4: user \"d\": behind the password come an IPv4 address, pool=NAME or "
	        "max-sessions=N; a password with blanks stands in double quotes\n"
	        "@e.txt:5: too many fields: a value with blanks stands in double quotes\n"
	        "@e.txt:6: user \"f\": an unknown kind of hash, allowed are {crypt} and {nt}; a "
	        "password that begins with '{' stands in double quotes\n"
	        "@e.txt:7: user \"g\": nt-hash is malformed, it must be 32 hexadecimal digits\n"
	        "@e.txt:8: a double quote is not closed\n"
	        "@e.txt:9: text follows a closing quote without a blank\n"
	        "@e.txt:10: user \"j\": address is \"::1\", which is not an IPv4 address\n"
	        "@e.txt:10: user \"j\": max-sessions is x, allowed is 0-65535\n"
	        "@e.txt:11: user \"k\": address is 0.0.0.0, which no host can have\n"
	        "@e.txt:12: user \"\": name is empty\n"
	        "@e.txt:14: user \"m\": its address is here a second time; the first is in "
	        "@e.txt:13\n"
	        "@e.txt:15: user \"?\": name is \"?\", it must be text without control "
	        "characters\n"));
}

static void test_not_a_user_file(void)
{
	char text[2048] = "";
	struct reports *r = calloc(1, sizeof(*r));
	char path[128];

	for (int i = 0; i < 100; i++)
		strcat(text, "oneword\n");
	write_file(dir, "n.txt", text);
	write_file(dir, "n.cfg", T_PORT T_DEST T_POOL T_PROFILE "user-files = \"n.txt\";");
	snprintf(path, sizeof(path), "%s/n.cfg", dir);
	CU_ASSERT_PTR_NULL(config_load(path, collect, r));
	CU_ASSERT_EQUAL(r->errors, 21);
	CU_ASSERT_PTR_NOT_NULL(
	        strstr(r->text, "n.txt:20: too many errors, the rest of this file was not read\n"));
	free(r);
}

/* As many as 1,000 in a file and 1,000 in the text, found by name. */
static void test_many_users(void)
{
	static const char head[] =
	        T_PORT T_DEST T_POOL T_PROFILE "user-files = \"many.txt\"; users = (";
	char *text = malloc(200000), *file = malloc(200000), *t = text, *f = file, name[32];
	struct config *c;

	t += sprintf(t, "%s", head);
	for (int i = 0; i < 1000; i++) {
		t += sprintf(t, "%s{name=\"t%d\"; password=\"p%d\";}\n", i > 0 ? "," : "", i, i);
		f += sprintf(f, "f%d \"p %d\" 10.7.%d.%d\n", i, i, i / 250, i % 250 + 1);
	}
	strcpy(t, ");");
	write_file(dir, "many.cfg", text);
	write_file(dir, "many.txt", file);
	c = load_file("many.cfg", "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(c->n_users, 2000);
	for (int i = 0; i < 1000; i++) {
		const struct cfg_user *u;

		snprintf(name, sizeof(name), "f%d", i);
		u = config_user(c, name);
		CU_ASSERT(u != NULL && atoi(u->password + 2) == i);
		snprintf(name, sizeof(name), "t%d", i);
		u = config_user(c, name);
		CU_ASSERT(u != NULL && atoi(u->password + 1) == i);
	}
	config_free(c);
	free(text);
	free(file);
}

void register_files(void)
{
	CU_pSuite s = CU_add_suite("config: files", setup, teardown);

	CU_add_test(s, "include", test_include);
	CU_add_test(s, "include errors", test_include_errors);
	CU_add_test(s, "user file", test_user_file);
	CU_add_test(s, "user file errors", test_user_file_errors);
	CU_add_test(s, "not a user file", test_not_a_user_file);
	CU_add_test(s, "many users", test_many_users);
}
