/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "harness.h"

#include <CUnit/CUnit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_write(void *owner, const char *bytes, size_t n)
{
	struct bench *b = owner;

	CU_ASSERT_FATAL(b->len + n < sizeof(b->out));
	memcpy(b->out + b->len, bytes, n);
	b->len += n;
	b->out[b->len] = '\0';
}

static size_t out_room(void *owner)
{
	struct bench *b = owner;

	if (!b->high_water)
		return SIZE_MAX;
	return b->len < b->high_water ? b->high_water - b->len : 0;
}

static void note(struct cli *cli, const struct cli_args *args)
{
	struct bench *b = cli_user(cli);
	const struct cli_value *id = cli_arg(args, "ID"), *name = cli_arg(args, "NAME");
	const struct cli_value *addr = cli_arg(args, "ADDRESS");

	b->starts++;
	b->has_id = id != NULL;
	b->id = id ? id->number : 0;
	b->detail = cli_arg(args, "detail") != NULL;
	snprintf(b->text, sizeof(b->text), "%s", name ? name->text : "");
	if (addr)
		b->addr = addr->addr;
}

static enum cli_step say_done(struct cli *cli, void *ctx, const struct cli_args *args)
{
	note(cli, args);
	cli_printf(cli, "done\n");
	return CLI_DONE;
}

/* A table of ID rows. */
struct rows {
	uint64_t next, n;
};

static enum cli_step rows_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct rows *r = ctx;

	note(cli, args);
	r->n = cli_arg(args, "ID")->number;
	return CLI_MORE;
}

static enum cli_step rows_print(struct cli *cli, void *ctx)
{
	struct bench *b = cli_user(cli);
	struct rows *r = ctx;

	b->prints++;
	if (r->next == r->n)
		return CLI_DONE;
	r->next++;
	cli_printf(cli, "row %u%s\n", (unsigned int)r->next, r->next % 10 ? "" : " tenth");
	return CLI_MORE;
}

static void rows_release(struct cli *cli, void *ctx)
{
	struct bench *b = cli_user(cli);

	b->releases++;
}

static enum cli_step say_hostile(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "name %s end\n", "a\033[2Jb\r\tc\377");
	cli_printf(cli, "no newline");
	return CLI_DONE;
}

static enum cli_step say_flood(struct cli *cli, void *ctx, const struct cli_args *args)
{
	unsigned int i;

	for (i = 0; i < 5000; i++)
		cli_printf(cli, "%s: %080u\n", "much too much for one step", i);
	return CLI_DONE;
}

static enum cli_step wide(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%0*u\n", (int)cli_arg(args, "ID")->number, 0);
	return CLI_DONE;
}

static enum cli_step leave(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_leave(cli);
	return CLI_DONE;
}

static const struct cli_mode root;

static const struct cli_command inner_commands[] = {
        {.tokens = {CLI_KW("exit", "Back")}, .start = leave},
        {.tokens = {CLI_KW("inside", "Only here")}, .start = say_done},
};

static const struct cli_table inner_table = {inner_commands, 2};
static const struct cli_table *const inner_tables[] = {&inner_table};
static const struct cli_mode inner = {
        .prompt = "(config)#", .parent = &root, .tables = inner_tables, .n_tables = 1};

static enum cli_step enter(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_enter(cli, &inner);
	return CLI_DONE;
}

static void complete_name(void *user, const char *prefix, struct cli_choices *out)
{
	cli_choice(out, "boston");
	cli_choice(out, "boise");
	cli_choice(out, "paris");
}

static const struct cli_command commands[] = {
        {.tokens = {CLI_KW("show", "Show the state"), CLI_KW("tunnel", "Tunnels"),
                    CLI_OPT_NUM("ID", 1, 65535, "Local tunnel id"),
                    CLI_OPT_KW("detail", "All that is known")},
         .start = say_done},
        {.tokens = {CLI_KW("show", "Show the state"), CLI_KW("session", "Sessions")},
         .start = say_done},
        {.tokens = {CLI_KW("show", "Show the state"), CLI_KW("sessions-all", "Every session")},
         .start = say_done},
        {.tokens = {CLI_KW("show", "Show the state"),
                    CLI_KW("profile", "Profiles"),
                    {.type = CLI_WORD,
                     .optional = true,
                     .name = "NAME",
                     .help = "Name of a profile",
                     .max = 20,
                     .complete = complete_name}},
         .start = say_done},
        {.tokens = {CLI_KW("rows", "Many lines"), CLI_NUM("ID", 0, 1000000, "How many")},
         .ctx_size = sizeof(struct rows),
         .start = rows_start,
         .print = rows_print,
         .release = rows_release},
        {.tokens = {CLI_KW("ping", "Reach"),
                    {.type = CLI_ADDRESS, .name = "ADDRESS", .help = "Whom"}},
         .start = say_done},
        {.tokens = {CLI_KW("hostile", "Bytes of strangers")}, .start = say_hostile},
        {.tokens = {CLI_KW("flood", "Too much")}, .start = say_flood},
        {.tokens = {CLI_KW("wide", "A wide line"), CLI_NUM("ID", 1, 4096, "Columns")},
         .start = wide},
        {.tokens = {CLI_KW("reload", "For the privileged")}, .level = 10, .start = say_done},
        {.tokens = {CLI_KW("configure", "Inner mode")}, .start = enter},
        {.tokens = {CLI_KW("exit", "End")}, .start = leave},
};

static const struct cli_table table = {commands, sizeof(commands) / sizeof(commands[0])};
static const struct cli_table *const tables[] = {&table};
static const struct cli_mode root = {.prompt = ">", .tables = tables, .n_tables = 1};

void bench_open_level(struct bench *b, uint8_t level)
{
	struct cli_conf conf = {
	        .root = &root,
	        .host = "lns",
	        .level = level,
	        .user = b,
	        .owner = b,
	        .write = out_write,
	        .room = out_room,
	};

	memset(b, 0, sizeof(*b));
	b->cli = cli_new(&conf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->cli);
	b->wait = cli_pump(b->cli);
}

void bench_open(struct bench *b)
{
	bench_open_level(b, CLI_LEVEL_MAX);
}

void bench_close(struct bench *b)
{
	cli_free(b->cli);
	b->cli = NULL;
}

void bench_clear(struct bench *b)
{
	b->len = 0;
	b->out[0] = '\0';
}

void bench_pump(struct bench *b)
{
	do {
		b->wait = cli_pump(b->cli);
		b->pumps++;
	} while (b->wait == CLI_WAIT_NOTHING);
}

void bench_bytes(struct bench *b, const void *bytes, size_t n)
{
	const char *p = bytes;

	b->pumps = 0;
	do {
		size_t taken = cli_input(b->cli, p, n);

		p += taken;
		n -= taken;
		bench_pump(b);
		if (!taken)
			break;
	} while (n);
}

void bench_type(struct bench *b, const char *text)
{
	bench_bytes(b, text, strlen(text));
}

bool bench_has(const struct bench *b, const char *text)
{
	return strstr(b->out, text) != NULL;
}

unsigned int bench_count(const struct bench *b, const char *text)
{
	unsigned int n = 0;
	const char *p = b->out;

	while ((p = strstr(p, text)) != NULL) {
		n++;
		p += strlen(text);
	}
	return n;
}
