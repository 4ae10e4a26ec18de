/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Resumable output, paging and filters. */
#include "harness.h"

#include <CUnit/CUnit.h>

#include <string.h>

static struct bench b;

/* A small buffer that is drained bit by bit: everything arrives, never much at once. */
static void test_resume(void)
{
	size_t most = 0, total = 0;
	unsigned int turns = 0;

	bench_open(&b);
	bench_clear(&b);
	b.high_water = 200;
	CU_ASSERT_EQUAL(cli_input(b.cli, "rows 64000\r", 11), 11);
	for (;;) {
		unsigned int prints = b.prints;

		b.wait = cli_pump(b.cli);
		CU_ASSERT(b.prints - prints <= CLI_TURN_STEPS);
		most = b.len > most ? b.len : most;
		turns++;
		if (b.wait == CLI_WAIT_INPUT)
			break;
		CU_ASSERT_FATAL(b.wait == CLI_WAIT_ROOM || b.wait == CLI_WAIT_NOTHING);
		CU_ASSERT_FATAL(turns < 100000);
		if (b.wait == CLI_WAIT_ROOM) {
			total += b.len;
			bench_clear(&b);
		}
	}
	total += b.len;
	CU_ASSERT_EQUAL(b.prints, 64001);
	CU_ASSERT(most < 240);
	CU_ASSERT(total > 64000 * 10);
	CU_ASSERT_EQUAL(b.releases, 1);
	CU_ASSERT(bench_has(&b, "row 64000 tenth\r\nlns>"));
	bench_close(&b);
}

/* Nothing is shown, but a turn ends all the same. */
static void test_bounded_turn(void)
{
	bench_open(&b);
	bench_type(&b, "rows 10000 | include 9999\r");
	CU_ASSERT(b.pumps >= 10000 / CLI_TURN_STEPS);
	CU_ASSERT_EQUAL(bench_count(&b, "row "), 1);
	bench_close(&b);
}

static void test_close_midway(void)
{
	bench_open(&b);
	b.high_water = b.len + 100;
	bench_type(&b, "rows 1000\r");
	CU_ASSERT_EQUAL(b.wait, CLI_WAIT_ROOM);
	CU_ASSERT_EQUAL(b.releases, 0);
	bench_close(&b);
	CU_ASSERT_EQUAL(b.releases, 1);
}

static void test_interrupt(void)
{
	bench_open(&b);
	b.high_water = b.len + 100;
	bench_type(&b, "rows 1000\r");
	bench_type(&b, "show tunnel\r\003");
	CU_ASSERT_EQUAL(b.releases, 1);
	CU_ASSERT(bench_has(&b, "^C\r\n"));
	CU_ASSERT_EQUAL(b.starts, 1);
	b.high_water = 0;
	bench_clear(&b);
	bench_pump(&b);
	CU_ASSERT_STRING_EQUAL(b.out, "lns>");
	bench_close(&b);
}

/* A client that types and never reads makes nothing grow. */
static void test_typeahead(void)
{
	unsigned int i;
	size_t taken = 0;

	bench_open(&b);
	b.high_water = b.len + 100;
	for (i = 0; i < 10000; i++) {
		taken += cli_input(b.cli, "?????????????", 13);
		b.wait = cli_pump(b.cli);
	}
	CU_ASSERT_EQUAL(b.wait, CLI_WAIT_ROOM);
	CU_ASSERT(taken < CLI_TYPEAHEAD + 20);
	CU_ASSERT_EQUAL(cli_input_room(b.cli), 0);
	CU_ASSERT(b.len < 4096);
	bench_close(&b);
}

static void test_commands_in_one_go(void)
{
	bench_open(&b);
	bench_type(&b, "rows 3\rshow tunnel\rexit\r");
	CU_ASSERT(bench_has(&b, "row 3\r\nlns>show tunnel\r\ndone\r\nlns>exit\r\n"));
	CU_ASSERT_EQUAL(b.wait, CLI_WAIT_CLOSE);
	bench_close(&b);
}

static void test_paging(void)
{
	bench_open(&b);
	cli_set_window(b.cli, 80, 10);
	bench_clear(&b);
	bench_type(&b, "rows 25\r");
	CU_ASSERT_EQUAL(b.wait, CLI_WAIT_INPUT);
	CU_ASSERT_EQUAL(bench_count(&b, "row "), 9);
	CU_ASSERT_STRING_EQUAL(b.out + b.len - 8, "--More--");
	bench_clear(&b);
	bench_type(&b, "x");
	CU_ASSERT_EQUAL(b.len, 0);
	bench_type(&b, "\r\n");
	CU_ASSERT_STRING_EQUAL(b.out, "\r        \rrow 10 tenth\r\n--More--");
	bench_clear(&b);
	bench_type(&b, " ");
	CU_ASSERT_EQUAL(bench_count(&b, "row "), 9);
	CU_ASSERT(bench_has(&b, "row 19\r\n--More--"));
	bench_clear(&b);
	bench_type(&b, "q");
	CU_ASSERT_STRING_EQUAL(b.out, "\r        \rlns>");
	CU_ASSERT_EQUAL(b.releases, 1);
	bench_clear(&b);
	bench_type(&b, "rows 9\r");
	CU_ASSERT_FALSE(bench_has(&b, "More"));
	bench_type(&b, "rows 10\r");
	CU_ASSERT(bench_has(&b, "More"));
	bench_type(&b, "\003");
	CU_ASSERT_EQUAL(b.releases, 3);
	cli_set_length(b.cli, 0);
	cli_set_window(b.cli, 80, 10);
	bench_clear(&b);
	bench_type(&b, "rows 100\r");
	CU_ASSERT_EQUAL(bench_count(&b, "row "), 100);
	bench_close(&b);
}

static void test_paging_wide(void)
{
	bench_open(&b);
	cli_set_window(b.cli, 40, 4);
	bench_clear(&b);
	bench_type(&b, "wide 400\r");
	/* ten rows on a screen of four: out whole */
	CU_ASSERT_FALSE(bench_has(&b, "More"));
	CU_ASSERT(bench_has(&b, "0\r\nlns>"));
	bench_close(&b);
}

static void test_filters(void)
{
	bench_open(&b);
	bench_type(&b, "rows 100 | include tenth\r");
	CU_ASSERT_EQUAL(bench_count(&b, "row "), 10);
	bench_clear(&b);
	bench_type(&b, "rows 100 | exclude tenth | count\r");
	CU_ASSERT(bench_has(&b, "\r\n90 lines\r\nlns>"));
	bench_clear(&b);
	bench_type(&b, "rows 100 | count tenth\r");
	CU_ASSERT(bench_has(&b, "\r\n10 lines\r\nlns>"));
	bench_clear(&b);
	bench_type(&b, "rows 100 | begin \"row 98\"\r");
	CU_ASSERT(bench_has(&b, "\r\nrow 98\r\nrow 99\r\nrow 100 tenth\r\nlns>"));
	CU_ASSERT_FALSE(bench_has(&b, "row 97"));
	bench_clear(&b);
	bench_type(&b, "rows 5\r");
	CU_ASSERT_EQUAL(bench_count(&b, "row "), 5); /* filters end with their line */
	bench_close(&b);
}

static void test_clean_output(void)
{
	char buf[8];

	bench_open(&b);
	bench_clear(&b);
	bench_type(&b, "hostile\r");
	CU_ASSERT_STRING_EQUAL(b.out, "hostile\r\nname a.[2Jb..c. end\r\nno newline\r\nlns>");
	CU_ASSERT_STRING_EQUAL(cli_clean(buf, sizeof(buf), "a\nb\302\233cdefgh"), "a.b..cd");
	bench_close(&b);
}

static void test_flood(void)
{
	bench_open(&b);
	b.high_water = 1000;
	bench_clear(&b);
	bench_type(&b, "flood | count\r");
	CU_ASSERT(bench_has(&b, "% Output was cut"));
	CU_ASSERT(bench_has(&b, " lines\r\nlns>"));
	bench_close(&b);
}

void add_output_tests(void)
{
	CU_pSuite s = CU_add_suite("cli output", NULL, NULL);

	CU_ADD_TEST(s, test_resume);
	CU_ADD_TEST(s, test_bounded_turn);
	CU_ADD_TEST(s, test_close_midway);
	CU_ADD_TEST(s, test_interrupt);
	CU_ADD_TEST(s, test_typeahead);
	CU_ADD_TEST(s, test_commands_in_one_go);
	CU_ADD_TEST(s, test_paging);
	CU_ADD_TEST(s, test_paging_wide);
	CU_ADD_TEST(s, test_filters);
	CU_ADD_TEST(s, test_clean_output);
	CU_ADD_TEST(s, test_flood);
}
