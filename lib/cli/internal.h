/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files of lib/cli share. */
#pragma once

#include "cli/cli.h"

#define CLI_MAX_WORDS  64 /* of a line */
#define CLI_PROMPT_MAX 96
#define CLI_MAX_VALUES 32 /* values of an argument that help and completion list */

struct cli_word {
	const char *text; /* NUL-terminated, without quotes */
	uint16_t start, end; /* bytes of the line: [start, end) */
	bool quoted;
	bool pipe; /* an unquoted "|" */
	const char *keyword; /* what it stands for; NULL: an argument */
};

/* A line, or the part of it before the cursor, cut into words. */
struct cli_line {
	char text[CLI_LINE_MAX + CLI_MAX_WORDS + 1];
	struct cli_word word[CLI_MAX_WORDS];
	unsigned int n;
	bool open_word; /* the last word touches the end: it may still grow */
	bool open_quote; /* .. and its quote is not closed */
	bool too_many;
};

enum cli_problem {
	CLI_OK,
	CLI_UNKNOWN,
	CLI_AMBIGUOUS,
	CLI_BAD_VALUE,
	CLI_INCOMPLETE,
	CLI_BAD_FILTER,
	CLI_OPEN_QUOTE,
	CLI_TOO_MANY,
};

/* For each command of the mode, the tokens that may come next, a bit each; see match.c. */
struct cli_states {
	uint16_t next[CLI_MAX_COMMANDS];
};

/* Where in the grammar a line has got to. */
enum cli_place {
	CLI_AT_TOKEN, /* the states say what may follow */
	CLI_AT_FILTER, /* behind "|" */
	CLI_AT_FILTER_TEXT, /* behind include, exclude or begin */
	CLI_AT_COUNT_TEXT, /* behind count: a text, "|" or the end */
	CLI_AT_FILTER_END, /* behind a filter: "|" or the end */
};

enum cli_filter_kind { CLI_INCLUDE, CLI_EXCLUDE, CLI_BEGIN, CLI_COUNT, CLI_N_FILTERS };

struct cli_filter {
	enum cli_filter_kind kind;
	const char *text; /* NULL: count of all lines */
	bool begun;
	uint64_t count;
};

struct cli_match {
	struct cli_line line;
	struct cli_states states;
	enum cli_place place;
	struct cli_filter filter[CLI_MAX_FILTERS];
	unsigned int n_filters;
	unsigned int n_command_words; /* words before the first "|" */
	/* the first problem */
	enum cli_problem problem;
	uint16_t column; /* of the line, for the caret */
	const struct cli_word *bad;
	struct cli_states bad_states; /* what was possible where it went wrong */
};

/* Candidates for the word under the cursor; values of arguments are copied. */
struct cli_choices {
	const char *prefix;
	size_t prefix_len;
	unsigned int n;
	bool more; /* there were more than fit */
	char value[CLI_MAX_VALUES][64];
};

enum cli_escape { CLI_ESC_NONE, CLI_ESC_START, CLI_ESC_CSI, CLI_ESC_SS3 };

struct cli_editor {
	char line[CLI_LINE_MAX + 1];
	unsigned int len, cursor;
	unsigned int offset; /* first byte shown, when the line is wider than the screen */
	enum cli_escape escape;
	unsigned int escape_number; /* of ESC [ n ~ */
	unsigned int escape_len;
	bool after_cr; /* a LF or NUL that follows belongs to it */
	char *history[CLI_HISTORY]; /* oldest first */
	unsigned int n_history;
	unsigned int recall; /* which is shown; n_history: the line being written */
	char draft[CLI_LINE_MAX + 1]; /* that line, while a recalled one is shown */
};

enum cli_pager { CLI_PAGE_RUN, CLI_PAGE_ASK };

struct cli {
	struct cli_conf conf;
	char host[64];
	const struct cli_mode *mode;
	const struct cli_command *commands[CLI_MAX_COMMANDS]; /* of the mode, at this privilege */
	unsigned int n_commands;

	struct cli_editor editor;
	char typeahead[CLI_TYPEAHEAD];
	unsigned int typed, taken; /* bytes [taken, typed) wait */
	bool prompted;
	bool closing;

	/* the running command */
	const struct cli_command *command;
	void *ctx;
	bool printing; /* its print says that there is more */
	struct cli_match match; /* also scratch for help */
	struct cli_args args;

	/* what it wrote and the pager has not let through */
	char *pending;
	size_t pending_len, pending_pos, pending_size;
	bool overflow;
	struct cli_filter filter[CLI_MAX_FILTERS];
	unsigned int n_filters;
	enum cli_pager pager;
	unsigned int page_rows; /* rows written since the last stop */
	unsigned int page_limit; /* rows until the next */

	unsigned int window_columns, window_rows, columns, rows;
	bool fixed_columns, fixed_rows;
};

/* cli.c */
void cli_write(struct cli *cli, const char *bytes, size_t n);
void cli_puts(struct cli *cli, const char *text);
size_t cli_prompt(const struct cli *cli, char *buf, size_t size);
void cli_run_line(struct cli *cli);

/* lex.c */
void cli_lex(struct cli_line *out, const char *text, size_t len);

/* match.c */
void cli_match_line(struct cli *cli, struct cli_match *m, const char *text, size_t len,
                    bool up_to_cursor);
const struct cli_command *cli_match_end(struct cli *cli, struct cli_match *m,
                                        struct cli_args *args);
bool cli_state_end(const struct cli *cli, const struct cli_states *s);
/* Walks what may come next: fn for each token, keywords and arguments of one name only once. */
typedef void (*cli_token_fn)(void *arg, const struct cli_token *t);
void cli_each_next(const struct cli *cli, const struct cli_states *s, cli_token_fn fn, void *arg);
const char *cli_filter_name(enum cli_filter_kind k);
const char *cli_filter_help(enum cli_filter_kind k);

/* help.c */
void cli_help(struct cli *cli);
void cli_complete(struct cli *cli);
void cli_report(struct cli *cli, const struct cli_match *m, unsigned int shown_from);

/* editor.c */
void cli_edit(struct cli *cli, unsigned char byte);
void cli_edit_show(struct cli *cli);
void cli_edit_insert(struct cli *cli, const char *text, size_t n);
void cli_edit_clear(struct cli *cli);
void cli_remember(struct cli_editor *e);

/* output.c */
bool cli_out_flush(struct cli *cli, unsigned int *budget);
void cli_out_end(struct cli *cli);
void cli_out_reset(struct cli *cli);
void cli_page_key(struct cli *cli, unsigned char key);
