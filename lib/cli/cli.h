/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A command line for operators, of one connection: editor, history, modal command tables, help,
 * completion, filters and paging. It owns no socket and no clock. The owner gives it the bytes that a
 * user typed (telnet already decoded) and a place to write to, and drives it by cli_pump.
 *
 * Output is resumable. A command keeps a cursor in its context; its print function is called again and
 * again, prints about one object a call, and says whether there is more. The engine calls it only
 * while the owner's buffer has room, only until a page is full, and only a few dozen times a turn: a
 * table of any length is shown in bounded memory and never holds up the caller. Nothing is kept
 * between two calls but the command's own context, so a cursor must be a number (a slot, an id), not
 * a pointer to something that may go away.
 *
 * Lines are ended by CR LF on the way out; CR, LF, CR LF and CR NUL all mean Enter on the way in.
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli;

#define CLI_LINE_MAX     512 /* bytes of a command line; more are refused with a bell */
#define CLI_MAX_TOKENS   10 /* of a command */
#define CLI_MAX_COMMANDS 256 /* of a mode */
#define CLI_MAX_FILTERS  4 /* "|" in one line */
#define CLI_HISTORY      32 /* lines that are remembered */
#define CLI_TYPEAHEAD    1024 /* bytes accepted while a command runs */
#define CLI_TURN_STEPS   32 /* calls of print, or lines written, in one cli_pump */
#define CLI_PENDING_MAX  262144 /* bytes that one call of print may write */
#define CLI_LEVEL_MAX    15
#define CLI_MAX_COLUMNS  512

enum cli_type {
	CLI_END, /* ends the tokens of a command */
	CLI_KEYWORD, /* any unique prefix will do; case is ignored */
	CLI_UINT, /* decimal, min to max */
	CLI_WORD, /* printable text of min to max bytes; blanks need double quotes */
	CLI_ADDRESS, /* IPv4 or IPv6 */
};

/* A completer calls add for each value that starts with prefix, until add returns false. */
struct cli_choices;
typedef void (*cli_complete_fn)(void *user, const char *prefix, struct cli_choices *out);
bool cli_choice(struct cli_choices *out, const char *value);

struct cli_token {
	enum cli_type type;
	bool optional; /* may be left out */
	const char *name; /* the keyword; or how the argument is called: "ID" */
	const char *help; /* one line without a full stop */
	uint64_t min, max; /* CLI_UINT: value; CLI_WORD: length (0: 1 to 255) */
	cli_complete_fn complete; /* of an argument; may be NULL */
};

#define CLI_KW(n, h)                                                                               \
	{                                                                                          \
		.type = CLI_KEYWORD, .name = (n), .help = (h)                                      \
	}
#define CLI_OPT_KW(n, h)                                                                           \
	{                                                                                          \
		.type = CLI_KEYWORD, .optional = true, .name = (n), .help = (h)                    \
	}
#define CLI_NUM(n, lo, hi, h)                                                                      \
	{                                                                                          \
		.type = CLI_UINT, .name = (n), .min = (lo), .max = (hi), .help = (h)               \
	}
#define CLI_OPT_NUM(n, lo, hi, h)                                                                  \
	{                                                                                          \
		.type = CLI_UINT, .optional = true, .name = (n), .min = (lo), .max = (hi),         \
		.help = (h)                                                                        \
	}

/* What stood in the line for a token. text is valid until the command has ended. */
struct cli_value {
	const struct cli_token *token; /* NULL: left out */
	const char *text;
	uint64_t number; /* CLI_UINT */
	struct ipaddr addr; /* CLI_ADDRESS */
};

struct cli_args {
	struct cli_value value[CLI_MAX_TOKENS]; /* by token */
};

/* The value of the token of this name, NULL when it was left out. */
const struct cli_value *cli_arg(const struct cli_args *args, const char *name);

enum cli_step { CLI_DONE, CLI_MORE };

/*
 * One entry. At each word an exact keyword comes before an abbreviated one, and that before an
 * argument; of two entries that both fit whole, the first of the tables is taken. A word in double
 * quotes is never a keyword.
 */
struct cli_command {
	struct cli_token tokens[CLI_MAX_TOKENS]; /* ended by a CLI_END unless all are used */
	uint8_t level; /* privilege below which the entry does not exist */
	size_t ctx_size; /* bytes of context, zeroed before start */
	/* Runs the command. CLI_MORE: call print; needs one. */
	enum cli_step (*start)(struct cli *cli, void *ctx, const struct cli_args *args);
	/* Prints the next object, or nothing when the scan of a sparse table has run long enough. */
	enum cli_step (*print)(struct cli *cli, void *ctx);
	uint8_t cost; /* steps of a turn that one call of print takes, when it does more; 0: one */
	/* Called once after start in every case, also when the user or the connection goes away. */
	void (*release)(struct cli *cli, void *ctx);
};

struct cli_table {
	const struct cli_command *commands;
	size_t n;
};

/* A mode: the tables that hold its commands, and the prompt that follows the host's name. */
struct cli_mode {
	const char *prompt; /* ">" or "(config)#" */
	const struct cli_mode *parent; /* where cli_leave goes; NULL: it ends the connection */
	const struct cli_table *const *tables;
	size_t n_tables;
};

struct cli_conf {
	const struct cli_mode *root;
	const char *host; /* copied; at most 63 bytes are shown */
	uint8_t level; /* privilege, 0 to CLI_LEVEL_MAX */
	void *user; /* for the commands: cli_user */
	void *owner; /* for the two functions below */
	void (*write)(void *owner, const char *bytes, size_t n);
	/* Bytes until the output buffer's high-water mark; 0: full. It is overrun by at most a page. */
	size_t (*room)(void *owner);
};

/* NULL: no memory, or a mode is too large. What conf points to (but host) must outlive it. */
struct cli *cli_new(const struct cli_conf *conf);
/* Ends a running command by its release. */
void cli_free(struct cli *cli);

/* Takes bytes that the user typed, as many as fit; returns how many. Acts only in cli_pump. */
size_t cli_input(struct cli *cli, const void *bytes, size_t n);
/* How many bytes cli_input would take now. */
size_t cli_input_room(const struct cli *cli);

enum cli_wait {
	CLI_WAIT_INPUT, /* nothing to do until the user types */
	CLI_WAIT_ROOM, /* call again when the output buffer has drained */
	CLI_WAIT_NOTHING, /* the turn is over but the work is not: call again soon */
	CLI_WAIT_CLOSE, /* the user has left: flush and close */
};

/* One bounded turn of work: after cli_new, after cli_input, and as its last answer says. */
enum cli_wait cli_pump(struct cli *cli);

/*
 * The size of the terminal; 0: unknown. Without a height there is no paging. Sizes that no terminal
 * has are taken for unknown. What the user chose by cli_set_length or cli_set_width comes first.
 */
void cli_set_window(struct cli *cli, unsigned int columns, unsigned int rows);
void cli_set_length(struct cli *cli, unsigned int rows); /* 0: no paging */
void cli_set_width(struct cli *cli, unsigned int columns);
unsigned int cli_width(const struct cli *cli); /* 0: unknown */

/* ---- for commands ---- */

void *cli_user(const struct cli *cli);

/* Writes text. Every byte that is neither printable ASCII nor a newline becomes a dot. */
void cli_printf(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Copies a name that a stranger chose into buf, without newlines; returns buf. */
const char *cli_clean(char *buf, size_t size, const char *text);

/* Enters a mode. Commands of the line that is being worked on are not affected. False: too large. */
bool cli_enter(struct cli *cli, const struct cli_mode *mode);
/* Back to the mode's parent, or the end of the connection. */
void cli_leave(struct cli *cli);
/* The end of the connection from any mode, after what was printed. */
void cli_close(struct cli *cli);

/* The n-th line of history, oldest first, NULL behind the last. */
const char *cli_history(const struct cli *cli, unsigned int n);
