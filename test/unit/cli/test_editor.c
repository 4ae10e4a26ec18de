/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Keys, history, lines wider than the screen, and bytes that no keyboard sends. */
#include "harness.h"

#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bench b;

/* What the keys made of the line, as the command saw it. */
static void gives(const char *keys, const char *name)
{
	b.text[0] = '\0';
	bench_type(&b, "show profile ");
	bench_type(&b, keys);
	bench_type(&b, "\r");
	CU_ASSERT_STRING_EQUAL(b.text, name);
	bench_clear(&b);
}

static void test_keys(void)
{
	bench_open(&b);
	gives("abc", "abc");
	gives("abc\b\177x", "ax");
	gives("ac\033[Db", "abc");
	gives("ac\002b", "abc");
	gives("ac\033OD\033OCd", "acd");
	gives("abc\033[D\033[3~", "ab");
	gives("abc\033[D\004", "ab");
	gives("one\027two", "two");
	gives("ab\033[D\033[D\013x", "x");
	gives("junk\025show profile y", "y");
	gives("x\001\013show profile y", "y");
	gives("x\001\005y", "xy");
	gives("x\033[H\033[Fy", "xy");
	gives("x\033[1~\033[4~y", "xy");
	gives("x\033[7~\033[8~y", "xy");
	gives("x\033OH\033OFy", "xy");
	gives("junk\003show profile z", "z");
	gives("a\033[15~\033[1;5Qb\033\033[Dc", "acb");
	gives("a\010\010\010\010\010\010\010\010\010\010\010\010\010\010\010\010\010show profile q",
	      "q");
	bench_close(&b);
}

/* The three ends of a line of telnet, and a bare LF. */
static void test_line_ends(void)
{
	bench_open(&b);
	bench_bytes(&b, "sh t\r\nsh t\r\0sh t\rsh t\n", 22);
	CU_ASSERT_EQUAL(b.starts, 4);
	CU_ASSERT_EQUAL(bench_count(&b, "lns>"), 5);
	bench_close(&b);
}

static void test_history(void)
{
	char line[32];
	unsigned int i;

	bench_open(&b);
	bench_type(&b, "show profile one\rshow profile two\rshow profile two\r");
	CU_ASSERT_PTR_NULL(cli_history(b.cli, 2));
	bench_type(&b, "\033[A\033[A\r");
	CU_ASSERT_STRING_EQUAL(b.text, "one");
	bench_type(&b, "show profile dra\020\020\016\016ft\r");
	CU_ASSERT_STRING_EQUAL(b.text, "draft");
	bench_clear(&b);
	bench_type(&b, "\016");
	CU_ASSERT_STRING_EQUAL(b.out, "\a");
	for (i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "show profile n%u\r", i);
		bench_type(&b, line);
	}
	CU_ASSERT_STRING_EQUAL(cli_history(b.cli, 0), "show profile n68");
	CU_ASSERT_STRING_EQUAL(cli_history(b.cli, CLI_HISTORY - 1), "show profile n99");
	CU_ASSERT_PTR_NULL(cli_history(b.cli, CLI_HISTORY));
	for (i = 0; i < 100; i++)
		bench_type(&b, "\020");
	bench_type(&b, "\r");
	CU_ASSERT_STRING_EQUAL(b.text, "n68");
	bench_close(&b);
}

static void test_long_line(void)
{
	unsigned int i;

	bench_open(&b);
	cli_set_window(b.cli, 40, 24);
	bench_clear(&b);
	for (i = 0; i < CLI_LINE_MAX; i++)
		bench_type(&b, "x");
	CU_ASSERT_NOT_EQUAL(b.out[b.len - 1], '\a');
	bench_clear(&b);
	bench_type(&b, "x");
	CU_ASSERT_STRING_EQUAL(b.out, "\a");
	/* a redraw never takes more than the row */
	bench_clear(&b);
	bench_type(&b, "\001");
	CU_ASSERT(b.len < 60);
	bench_clear(&b);
	bench_type(&b, "\r");
	CU_ASSERT(bench_has(&b, "    ^\r\n% Unknown word"));
	bench_clear(&b);
	for (i = 0; i < CLI_LINE_MAX; i++)
		bench_type(&b, "x");
	bench_clear(&b);
	bench_type(&b, "\r");
	/* the start of the word is out of sight: no caret at a wrong place */
	CU_ASSERT_FALSE(bench_has(&b, "^"));
	bench_close(&b);
}

static void test_leave(void)
{
	bench_open(&b);
	bench_type(&b, "x\b\004");
	CU_ASSERT_EQUAL(b.wait, CLI_WAIT_CLOSE);
	bench_close(&b);
}

static void test_redraw(void)
{
	bench_open(&b);
	bench_type(&b, "show");
	bench_clear(&b);
	bench_type(&b, "\014");
	CU_ASSERT_STRING_EQUAL(b.out, "\033[H\033[2J\rlns>show\033[K");
	bench_clear(&b);
	bench_type(&b, "\033[D");
	CU_ASSERT_STRING_EQUAL(b.out, "\rlns>show\033[K\033[1D");
	bench_close(&b);
}

/* No input ends in anything but output. */
static void test_hostile_bytes(void)
{
	unsigned char bytes[4096];
	unsigned int i, k;

	srand(1);
	bench_open(&b);
	for (i = 0; i < 300; i++) {
		for (k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)rand();
		bench_bytes(&b, bytes, (size_t)(rand() % 200));
		bench_clear(&b);
		if (b.wait == CLI_WAIT_CLOSE) {
			bench_close(&b);
			bench_open(&b);
		}
	}
	bench_type(&b, "\003\033[999999999999999999999999999999999999~\003");
	bench_type(&b, "show profile fine\r");
	CU_ASSERT_STRING_EQUAL(b.text, "fine");
	bench_close(&b);
}

void add_editor_tests(void)
{
	CU_pSuite s = CU_add_suite("cli editor", NULL, NULL);

	CU_ADD_TEST(s, test_keys);
	CU_ADD_TEST(s, test_line_ends);
	CU_ADD_TEST(s, test_history);
	CU_ADD_TEST(s, test_long_line);
	CU_ADD_TEST(s, test_leave);
	CU_ADD_TEST(s, test_redraw);
	CU_ADD_TEST(s, test_hostile_bytes);
}
