/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Words against tables, abbreviations, errors, help and completion. */
#include "harness.h"

#include <CUnit/CUnit.h>

#include <string.h>

static struct bench b;

static void runs(const char *line)
{
	unsigned int starts = b.starts;

	bench_clear(&b);
	bench_type(&b, line);
	bench_type(&b, "\r");
	CU_ASSERT_EQUAL(b.starts, starts + 1);
	CU_ASSERT(bench_has(&b, "done\r\n"));
}

static void fails(const char *line, const char *says)
{
	unsigned int starts = b.starts;

	bench_clear(&b);
	bench_type(&b, line);
	bench_type(&b, "\r");
	CU_ASSERT_EQUAL(b.starts, starts);
	CU_ASSERT(bench_has(&b, says));
	if (!bench_has(&b, says))
		fprintf(stderr, "[%s] wanted [%s]\n", b.out, says);
}

static void test_abbreviation(void)
{
	bench_open(&b);
	CU_ASSERT_STRING_EQUAL(b.out, "lns>");
	runs("show tunnel");
	CU_ASSERT_FALSE(b.has_id);
	runs("sh t");
	runs("  SHOW   Tun\t");
	runs("sh t 7");
	CU_ASSERT_EQUAL(b.id, 7);
	CU_ASSERT_FALSE(b.detail);
	runs("sh t 65535 d");
	CU_ASSERT_EQUAL(b.id, 65535);
	CU_ASSERT(b.detail);
	runs("sh t det");
	CU_ASSERT(b.detail);
	CU_ASSERT_FALSE(b.has_id);
	/* exact before abbreviated */
	runs("show session");
	runs("show sessions");
	runs("ping 192.0.2.1");
	CU_ASSERT_EQUAL(ipaddr_to_v4(&b.addr), 0xc0000201);
	runs("ping 2001:db8::1");
	bench_close(&b);
}

static void test_quotes(void)
{
	bench_open(&b);
	runs("show profile \"a b|c?\"");
	CU_ASSERT_STRING_EQUAL(b.text, "a b|c?");
	runs("show profile \"a\\\"\\\\\"");
	CU_ASSERT_STRING_EQUAL(b.text, "a\"\\");
	fails("show profile \"a", "closing double quote is missing");
	fails("\"show\" tunnel", "Unknown word");
	fails("show profile 123456789012345678901", "NAME must have 1 to 20 characters");
	fails("show profile \"\"", "NAME must have 1 to 20 characters");
	bench_close(&b);
}

static void test_errors(void)
{
	bench_open(&b);
	fails("show bogus 1", "\r\n         ^\r\n% Unknown word; possible here: tunnel, session, "
	                      "sessions-all, profile\r\n");
	fails("show s", "\r\n         ^\r\n% Ambiguous: session, sessions-all\r\n");
	fails("show", "\r\n        ^\r\n% Incomplete; possible here: tunnel");
	fails("rows", "% Incomplete; possible here: ID");
	fails("rows -1", "% ID must be a number from 0 to 1000000");
	fails("rows 1000001", "% ID must be a number from 0 to 1000000");
	fails("rows 99999999999999999999999", "% ID must be a number from 0 to 1000000");
	fails("rows 1x", "% ID must be a number");
	fails("show tunnel 65536", "% Not one of: ID, detail");
	fails("show session extra", "% The command is complete before this word");
	fails("ping 192.0.2.256", "% ADDRESS must be an IPv4 or IPv6 address");
	fails("show tunnel detail 7", "complete before this word");
	fails("a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
	      "a a a a a a a a a a a a a a a a a a a a a a a a a a a",
	      "Unknown word");
	bench_clear(&b);
	bench_type(&b, "\r\r\n   \r! a comment\r");
	CU_ASSERT_FALSE(bench_has(&b, "%"));
	CU_ASSERT_EQUAL(bench_count(&b, "lns>"), 4);
	bench_close(&b);
}

static void test_filter_syntax(void)
{
	bench_open(&b);
	runs("show tunnel | include done");
	runs("sh t|i done | e xyz | begin done");
	fails("show tunnel | nothing", "A filter is");
	fails("show tunnel |", "A filter is");
	fails("show tunnel | include", "A filter is");
	fails("show tunnel | include | count", "A filter is");
	fails("show tunnel | include a b", "A filter is");
	fails("show tunnel | count | count | count | count | count", "A filter is");
	fails("show | include x", "Incomplete");
	fails("| include x", "Incomplete");
	bench_close(&b);
}

static void test_level(void)
{
	bench_open_level(&b, 1);
	fails("reload", "Unknown word");
	bench_type(&b, "?");
	CU_ASSERT_FALSE(bench_has(&b, "For the privileged"));
	bench_close(&b);
	bench_open_level(&b, 10);
	runs("reload");
	bench_close(&b);
}

static void test_modes(void)
{
	bench_open(&b);
	bench_type(&b, "conf\r");
	CU_ASSERT(bench_has(&b, "lns(config)#"));
	runs("inside");
	fails("show tunnel", "Unknown word");
	bench_type(&b, "exit\r");
	runs("show tunnel");
	bench_type(&b, "exit\rshow tunnel\r");
	CU_ASSERT_EQUAL(b.wait, CLI_WAIT_CLOSE);
	CU_ASSERT_EQUAL(bench_count(&b, "done"), 1);
	bench_close(&b);
}

static void test_help(void)
{
	bench_open(&b);
	bench_clear(&b);
	bench_type(&b, "show ?");
	CU_ASSERT(bench_has(&b, "show ?\r\n  tunnel               Tunnels\r\n"));
	CU_ASSERT(bench_has(&b, "\r\n  session              Sessions\r\n"));
	CU_ASSERT_FALSE(bench_has(&b, "<cr>"));
	CU_ASSERT(bench_has(&b, "\rlns>show "));
	bench_clear(&b);
	bench_type(&b, "tunnel ?");
	CU_ASSERT(bench_has(&b, "  ID <1-65535>         Local tunnel id\r\n"));
	CU_ASSERT(bench_has(&b, "  detail "));
	CU_ASSERT(bench_has(&b, "  |  "));
	CU_ASSERT(bench_has(&b, "  <cr>"));
	bench_clear(&b);
	bench_type(&b, "| ?");
	CU_ASSERT(bench_has(&b, "  exclude "));
	bench_clear(&b);
	bench_type(&b, "inc ?");
	CU_ASSERT(bench_has(&b, "  TEXT "));
	CU_ASSERT_FALSE(bench_has(&b, "<cr>"));
	bench_type(&b, "\025show s?");
	CU_ASSERT(bench_has(&b, "show s?\r\n  session  sessions-all\r\n"));
	bench_clear(&b);
	bench_type(&b, "\025show bogus ?");
	CU_ASSERT(bench_has(&b, "         ^\r\n% Unknown word"));
	bench_clear(&b);
	bench_type(&b, "\025?");
	CU_ASSERT(bench_has(&b, "  show                 Show the state\r\n"));
	CU_ASSERT_EQUAL(bench_count(&b, "Show the state"), 1);
	CU_ASSERT_FALSE(bench_has(&b, "<cr>"));
	bench_clear(&b);
	bench_type(&b, "show profile ?");
	CU_ASSERT(bench_has(&b, "  boston  boise  paris\r\n"));
	bench_close(&b);
}

static void test_tab(void)
{
	bench_open(&b);
	bench_clear(&b);
	bench_type(&b, "sh\tt\t");
	CU_ASSERT_STRING_EQUAL(b.out, "show tunnel ");
	bench_type(&b, "12 \t");
	CU_ASSERT_STRING_EQUAL(b.out, "show tunnel 12 detail ");
	bench_clear(&b);
	bench_type(&b, "\025show s\t");
	CU_ASSERT(bench_has(&b, "show session"));
	CU_ASSERT_FALSE(bench_has(&b, "sessions-all"));
	bench_type(&b, "\t");
	CU_ASSERT(bench_has(&b, "\r\n  session  sessions-all\r\n\rlns>show session"));
	bench_clear(&b);
	bench_type(&b, "\025show profile b\t");
	CU_ASSERT(bench_has(&b, "profile bo"));
	bench_type(&b, "s\t");
	CU_ASSERT(bench_has(&b, "boston "));
	bench_type(&b, "| c\t");
	CU_ASSERT(bench_has(&b, "| count "));
	bench_clear(&b);
	bench_type(&b, "\025nothing\t");
	CU_ASSERT_STRING_EQUAL(b.out + b.len - 1, "\a");
	bench_clear(&b);
	bench_type(&b, "\025show profile \"b\t");
	CU_ASSERT_STRING_EQUAL(b.out + b.len - 1, "\a");
	bench_close(&b);
}

void add_match_tests(void)
{
	CU_pSuite s = CU_add_suite("cli match", NULL, NULL);

	CU_ADD_TEST(s, test_abbreviation);
	CU_ADD_TEST(s, test_quotes);
	CU_ADD_TEST(s, test_errors);
	CU_ADD_TEST(s, test_filter_syntax);
	CU_ADD_TEST(s, test_level);
	CU_ADD_TEST(s, test_modes);
	CU_ADD_TEST(s, test_help);
	CU_ADD_TEST(s, test_tab);
}
