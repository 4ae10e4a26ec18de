/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Errors of one value or of the text: the exact lines. */
#include "check.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

struct bad {
	const char *text, *want;
};

static void run(const struct bad *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		refused(v[i].text, v[i].want);
}

#define RUN(v) run(v, sizeof(v) / sizeof(v[0]))
/* Texts of this file have no ports and no profiles, of which each is warned. */
#define EMPTY                                                                                      \
	"t:1: warning: configuration: no ports: no packet gets in\n"                               \
	"t:1: warning: configuration: no destination-profiles: no tunnel gets in\n"

static void test_syntax(void)
{
	static const struct bad v[] = {
	        {"system = {\n\tworkers = ;\n};", "t:2: expected a value, found ';'\n"},
	        {"2a = 1;", "t:1: expected a key, found a value\n"},
	        {"a.b = 1;", "t:1: expected '=' behind the key, found a value\n"},
	        {"a = 1;;", "t:1: expected a key, found ';'\n"},
	        {"a = 1 = 2", "t:1: expected ';' or a key, found '='\n"},
	        {"a = word;",
	         "t:1: expected a value, found a word (text stands in double quotes)\n"},
	        {"a = \"x\" word;", "t:1: expected '=' behind the key, found ';'\n"},
	        {"a = $;", "t:1: expected a value, found '$'\n"},
	        {"a = \x01;", "t:1: expected a value, found byte 01\n"},
	        {"a = ( 1,\n);", "t:2: expected a value, found ')'\n"},
	        {"a = ( 1 2 );", "t:1: expected ',' or the closing bracket, found a value\n"},
	        {"a = [ { } ];", "t:1: expected a simple value (lists hold groups, arrays do not), "
	                         "found '{'\n"},
	        {"a = 1;\nb", "t:2: expected '=' behind the key, found the end of the text\n"},
	        {"a =", "t:1: expected a value, found the end of the text\n"},
	        {"log = { level = \"info\"", "t:1: this '{' is never closed\n"},
	        {"\nports = (\n{ name = \"a\"; )", "t:3: ')' where the '{' of line 3 must be "
	                                           "closed by '}'\n"},
	        {"a = 1 }", "t:1: '}' closes nothing\n"},
	        {"\n\na = \"text\nmore", "t:3: the string that begins here has no end\n"},
	        {"/* a\n*\n", "t:1: the comment that begins here has no end\n"},
	        {"a = \"x\\x00y\";", "t:1: a string cannot hold the byte \\x00\n"},
	        {"a = ((((((((((((((((( 1 )))))))))))))))));",
	         "t:1: brackets are nested more than 16 deep\n"},
	        {"system = { workers = 1;\n\n workers = 2; };",
	         "t:3: \"workers\" is here a second time; the first is in line 1\n"},
	        {"log = {}; a = { b = 1; c = { b = 2; }; }; log = {};",
	         "t:1: \"log\" is here a second time; the first is in line 1\n"},
	        {"a = [ 1, \"x\" ];",
	         "t:1: mismatched element type in array in this line or before it\n"},
	        {"@include \"x\"", "t:1: files cannot be included here\n"},
	        {"a = 1; @include \"x\"", "t:1: @include stands at the start of a line, before a "
	                                  "file name in double quotes\n"},
	        {"\n@include x", "t:2: @include stands at the start of a line, before a file name "
	                         "in double quotes\n"},
	        {"user-files = (\"x\");",
	         "t:1: configuration: user-files cannot be read here\n" EMPTY},
	};

	RUN(v);
}

static void test_keys(void)
{
	static const struct bad v[] = {
	        {"\nsytem = { };",
	         EMPTY "t:2: configuration: unknown key \"sytem\"; did you mean \"system\"?\n"},
	        {"\nl2tp = {\n idle-timeout = 5; };",
	         EMPTY "t:3: l2tp: unknown key \"idle-timeout\"; did you mean "
	               "\"tunnel-idle-timeout\"?\n"},
	        {"\nl2tp = { destruct_timeout = 100; };",
	         EMPTY "t:2: l2tp: unknown key \"destruct_timeout\"; did you mean "
	               "\"destruct-timeout\"?\n"},
	        {"\nl2tp = { hello-intreval = 100; };",
	         EMPTY "t:2: l2tp: unknown key \"hello-intreval\"; did you mean "
	               "\"hello-interval\"?\n"},
	        {"\nl2tp = { mtu = 100; };", EMPTY "t:2: l2tp: unknown key \"mtu\"; it belongs to "
	                                           "port\n"},
	        {"\nlog = { pools = (); };", EMPTY "t:2: log: unknown key \"pools\"; it belongs to "
	                                           "the top of the file\n"},
	        {"\nlog = { colour = 1; };",
	         EMPTY "t:2: log: unknown key \"colour\"; allowed are level, target\n"},
	};

	RUN(v);
}

static void test_types(void)
{
	static const struct bad v[] = {
	        {"\nsystem = 5;",
	         EMPTY "t:2: configuration: system is an integer, allowed is a group { .. }\n"},
	        {"\nports = { };", EMPTY "t:2: configuration: ports is a group, allowed is a list "
	                                 "of groups ( { .. }, { .. } )\n"},
	        {"\npools = ( 5, \"x\" );", EMPTY "t:2: pool 1 is an integer, allowed is a group "
	                                          "{ .. }\n"
	                                          "t:2: pool 2 is a string, allowed is a group "
	                                          "{ .. }\n"},
	        {"\nsystem = { workers = \"1\"; hugepages = 1; host-name = true; idle = 5; };",
	         EMPTY "t:2: system: workers is a string, allowed is 1-64\n"
	               "t:2: system: hugepages is an integer, allowed is true or false\n"
	               "t:2: system: host-name is a boolean, allowed is a string of 1-63 bytes\n"
	               "t:2: system: idle is an integer, allowed is spin, pause or sleep in double "
	               "quotes\n"},
	        {"\nsystem = { memory = 1e3; };", EMPTY "t:2: system: memory is a number with a "
	                                                "fraction, allowed is 64-1048576 MB\n"},
	        {"\nconsole = { listen = [ 1 ]; };",
	         EMPTY "t:2: console: listen is an array, allowed is an address and port such as "
	               "127.0.0.1:2300 or [::1]:2300 in double quotes\n"},
	        {"\nlog = ( );", EMPTY "t:2: configuration: log is a list, allowed is a group "
	                               "{ .. }\n"},
	};

	RUN(v);
}

static void test_integers(void)
{
	static const struct bad v[] = {
	        {"\nsystem = { workers = 0; };",
	         EMPTY "t:2: system: workers is 0, allowed is 1-64\n"},
	        {"\nsystem = { workers = 65; };",
	         EMPTY "t:2: system: workers is 65, allowed is 1-64\n"},
	        {"\nsystem = { workers = -1; };",
	         EMPTY "t:2: system: workers is -1, allowed is 1-64\n"},
	        /* libconfig reads 600. */
	        {"\nl2tp = { destruct-timeout = 4294967896; };",
	         EMPTY "t:2: l2tp: destruct-timeout is 4294967896, allowed is 10-3600 s\n"},
	        /* .. and 1 */
	        {"\nsystem = { workers = 0x100000001; };",
	         EMPTY "t:2: system: workers is 0x100000001, allowed is 1-64\n"},
	        {"\nsystem = { workers = 18446744073709551617L; };",
	         EMPTY "t:2: system: workers is 18446744073709551617L, allowed is 1-64\n"},
	        {"\nsystem = { workers = 99999999999999999999999999999999999999999; };", EMPTY
	         "t:2: system: workers is 99999999999999999999999999999999, allowed is 1-64\n"},
	        {"\nl2tp = { default-receive-window = 3; };",
	         EMPTY "t:2: l2tp: default-receive-window is 3, allowed is 0 or 4 messages\n"},
	        {"# where the value stands\nl2tp = {\n hello-interval\n =\n 3601; };",
	         EMPTY "t:5: l2tp: hello-interval is 3601, allowed is 0-3600 s\n"},
	};

	RUN(v);
}

static void test_strings(void)
{
	static const struct bad v[] = {
	        {"\nsystem = { host-name = \"\"; };",
	         EMPTY "t:2: system: host-name is empty: give a value or leave the key out\n"},
	        {"\nsystem = { host-name = \"a\\nb\"; };",
	         EMPTY "t:2: system: host-name is \"a?b\", it must be text without control "
	               "characters\n"},
	        {"\nsystem = { host-name = \"0123456789012345678901234567890123456789"
	         "012345678901234567890123\"; };",
	         EMPTY "t:2: system: host-name has 64 bytes, allowed is 1-63\n"},
	        {"\nsystem = { cpus = \"1,1\"; };",
	         EMPTY "t:2: system: cpus is \"1,1\", it must be a list of different CPU numbers "
	               "and ranges such as \"0,2-3\"\n"},
	        {"\nsystem = { cpus = \"3-2\"; };",
	         EMPTY "t:2: system: cpus is \"3-2\", it must be a list of different CPU numbers "
	               "and ranges such as \"0,2-3\"\n"},
	        {"\nsystem = { cpus = \"0,1024\"; };",
	         EMPTY "t:2: system: cpus is \"0,1024\", it must be a list of different CPU "
	               "numbers and ranges such as \"0,2-3\"\n"},
	        {"\nsystem = { cpus = \"0\"; };",
	         EMPTY "t:2: system: cpus names 1, but control and 1 workers need 2\n"},
	        {"\nconsole = { netns = \"mgmt\"; };",
	         EMPTY "t:2: console: netns is \"mgmt\", it must be a path that begins with '/'\n"},
	        {"\nlog = { level = \"debgu\"; };",
	         EMPTY "t:2: log: level is \"debgu\", allowed is error, warning, notice, info or "
	               "debug; did you mean \"debug\"?\n"},
	        {"\nlog = { target = \"file\"; };",
	         EMPTY "t:2: log: target is \"file\", allowed is stderr or syslog\n"},
	        {"\nconsole = { listen = \"::1:23\"; };",
	         EMPTY "t:2: console: listen is \"::1:23\", which is not an address and port such "
	               "as 127.0.0.1:2300 or [::1]:2300\n"},
	        {"\nconsole = { listen = \"127.0.0.1:65536\"; };",
	         EMPTY "t:2: console: listen is \"127.0.0.1:65536\", which is not an address and "
	               "port such as 127.0.0.1:2300 or [::1]:2300\n"},
	        {"\nconsole = { listen = \"[127.0.0.1]:5\"; };",
	         EMPTY "t:2: console: listen is \"[127.0.0.1]:5\", which is not an address and "
	               "port such as 127.0.0.1:2300 or [::1]:2300\n"},
	};

	RUN(v);
}

/* Whatever is wrong with a secret, no report shows it. */
static void test_secrets(void)
{
	static const char *const texts[] = {
	        "users = ({ name = \"u\"; password = \"SECRET\\x01\"; crypt = \"SEC RET\"; });",
	        "users = ({ name = \"u\"; nt-hash = \"SECRETSECRETSECRETSECRETSECRETSE\"; });",
	        "users = ({ name = \"u\"; password = (\"SECRET\"); });",
	        "users = ({ name = \"u\"; password = \"SECRET\"; nt-hash = \"SECRET\"; });",
	        "users = ({ name = \"u\"; password = \"SECRET\" ",
	        "users = ({ name = \"u\"; password = = \"SECRET\" });",
	        "users = ({ name = \"u\"; password = \"SECRET });",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct reports *r = calloc(1, sizeof(*r));
		struct config *c = config_load_text(texts[i], "t", NULL, collect, r);

		CU_ASSERT_PTR_NULL(c);
		CU_ASSERT(r->errors > 0);
		CU_ASSERT_PTR_NULL(strstr(r->text, "SEC"));
		config_free(c);
		free(r);
	}
}

void register_errors(void)
{
	CU_pSuite s = CU_add_suite("config: errors", NULL, NULL);

	CU_add_test(s, "syntax", test_syntax);
	CU_add_test(s, "unknown keys", test_keys);
	CU_add_test(s, "types", test_types);
	CU_add_test(s, "integers", test_integers);
	CU_add_test(s, "strings", test_strings);
	CU_add_test(s, "secrets", test_secrets);
}
