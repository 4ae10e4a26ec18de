/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What a client of the console sends: through libtelnet into a command line with a small tree. The
 * first bytes choose the terminal's size and how much output the client reads between two chunks.
 */
#include "cli/cli.h"

#include <libtelnet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK      64
#define HIGH_WATER 512

struct client {
	struct cli *cli;
	size_t waiting; /* output that the client has not read */
	bool broken;
	unsigned int open; /* contexts started and not released */
};

static void out_write(void *owner, const char *bytes, size_t n)
{
	struct client *c = owner;
	size_t i;

	/* Only what the engine itself draws may hold an escape or a control byte. */
	for (i = 0; i < n; i++) {
		if (!bytes[i] || (signed char)bytes[i] < 0)
			abort();
	}
	c->waiting += n;
}

static size_t out_room(void *owner)
{
	struct client *c = owner;

	return c->waiting < HIGH_WATER ? HIGH_WATER - c->waiting : 0;
}

struct rows {
	uint64_t next, n;
};

static enum cli_step rows_start(struct cli *cli, void *ctx, const struct cli_args *args)
{
	struct client *c = cli_user(cli);
	const struct cli_value *n = cli_arg(args, "N");
	struct rows *r = ctx;

	r->n = n ? n->number : 3;
	c->open++;
	return CLI_MORE;
}

static enum cli_step rows_print(struct cli *cli, void *ctx)
{
	struct rows *r = ctx;

	cli_printf(cli, "row %u\n", (unsigned int)r->next);
	return ++r->next < r->n ? CLI_MORE : CLI_DONE;
}

static void rows_release(struct cli *cli, void *ctx)
{
	struct client *c = cli_user(cli);

	c->open--;
}

static enum cli_step echo(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_printf(cli, "%s", cli_arg(args, "TEXT")->text);
	return CLI_DONE;
}

static void complete_text(void *user, const char *prefix, struct cli_choices *out)
{
	cli_choice(out, "alpha");
	cli_choice(out, "alpine green");
	cli_choice(out, "beta");
}

static enum cli_step leave(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_leave(cli);
	return CLI_DONE;
}

static const struct cli_mode root;

static const struct cli_command inner_commands[] = {
        {.tokens = {CLI_KW("exit", "Back")}, .start = leave},
};
static const struct cli_table inner_table = {inner_commands, 1};
static const struct cli_table *const inner_tables[] = {&inner_table};
static const struct cli_mode inner = {
        .prompt = "(in)#", .parent = &root, .tables = inner_tables, .n_tables = 1};

static enum cli_step enter(struct cli *cli, void *ctx, const struct cli_args *args)
{
	cli_enter(cli, &inner);
	return CLI_DONE;
}

static const struct cli_command commands[] = {
        {.tokens = {CLI_KW("show", "Show"), CLI_KW("rows", "Rows"),
                    CLI_OPT_NUM("N", 1, 70000, "How many"), CLI_OPT_KW("now", "At once")},
         .ctx_size = sizeof(struct rows),
         .start = rows_start,
         .print = rows_print,
         .release = rows_release},
        {.tokens = {CLI_KW("shut", "Shut"), {.type = CLI_ADDRESS, .name = "A", .help = "Whom"}},
         .start = leave},
        {.tokens = {CLI_KW("echo", "Echo"),
                    {.type = CLI_WORD, .name = "TEXT", .help = "T", .complete = complete_text}},
         .start = echo},
        {.tokens = {CLI_KW("in", "Inner mode")}, .start = enter},
        {.tokens = {CLI_KW("exit", "End")}, .start = leave},
};
static const struct cli_table table = {commands, 5};
static const struct cli_table *const tables[] = {&table};
static const struct cli_mode root = {.prompt = ">", .tables = tables, .n_tables = 1};

static void on_telnet(telnet_t *telnet, telnet_event_t *ev, void *arg)
{
	struct client *c = arg;

	if (ev->type == TELNET_EV_DATA)
		cli_input(c->cli, ev->data.buffer, ev->data.size);
	else if (ev->type == TELNET_EV_SUBNEGOTIATION && ev->sub.size == 4)
		cli_set_window(c->cli, (uint8_t)ev->sub.buffer[1], (uint8_t)ev->sub.buffer[3]);
	else if (ev->type == TELNET_EV_COMPRESS || ev->type == TELNET_EV_ERROR)
		c->broken = true;
}

/* The client reads all; false when the connection has ended. */
static bool drain(struct client *c)
{
	enum cli_wait wait;
	unsigned int turns = 0;

	do {
		c->waiting = 0;
		wait = cli_pump(c->cli);
		if (c->waiting > HIGH_WATER + 16384)
			abort();
	} while ((wait == CLI_WAIT_ROOM || wait == CLI_WAIT_NOTHING) && ++turns < 300);
	return wait != CLI_WAIT_CLOSE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const telnet_telopt_t options[] = {
	        {TELNET_TELOPT_ECHO, TELNET_WILL, TELNET_DONT},
	        {TELNET_TELOPT_SGA, TELNET_WILL, TELNET_DO},
	        {TELNET_TELOPT_NAWS, TELNET_WONT, TELNET_DO},
	        {-1, 0, 0},
	};
	struct client c = {0};
	struct cli_conf conf = {
	        .root = &root,
	        .host = "fuzz",
	        .level = CLI_LEVEL_MAX,
	        .user = &c,
	        .owner = &c,
	        .write = out_write,
	        .room = out_room,
	};
	telnet_t *telnet;
	bool slow;

	if (size < 3)
		return 0;
	c.cli = cli_new(&conf);
	telnet = telnet_init(options, on_telnet, 0, &c);
	if (!c.cli || !telnet)
		abort();
	cli_set_window(c.cli, data[0], data[1]);
	slow = data[2] & 1;
	data += 3;
	size -= 3;
	while (size && !c.broken) {
		size_t n = cli_input_room(c.cli);

		n = n < CHUNK ? n : CHUNK;
		n = n < size ? n : size;
		telnet_recv(telnet, (const char *)data, n);
		data += n;
		size -= n;
		if (slow ? cli_pump(c.cli) == CLI_WAIT_CLOSE : !drain(&c))
			break;
		if (slow && cli_input_room(c.cli) == 0 && !drain(&c))
			break;
	}
	cli_free(c.cli);
	telnet_free(telnet);
	if (c.open)
		abort();
	return 0;
}
