/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8

static uint32_t hex(const char *s)
{
	return (uint32_t)strtoul(s, NULL, 16);
}

static bool set_endpoint(struct endpoint *e, const char *addr, const char *port)
{
	e->port = (uint16_t)atoi(port);
	return ipaddr_parse(addr, &e->addr) == 0;
}

/* answer TYPE STATUS: what requests of this type get from now on */
static bool answer(struct fake *f, char **w)
{
	unsigned int t;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		if (strcmp(w[1], sslink_type_name(t)) == 0) {
			f->verdict[t] = (uint8_t)atoi(w[2]);
			return true;
		}
	}
	return false;
}

/* expire SPI in|out soft|hard DST */
static bool expire(struct fake *f, char **w)
{
	struct sslink_msg m = {.type = SSLINK_EXPIRE};

	m.expire.spi = hex(w[1]);
	m.expire.inbound = strcmp(w[2], "in") == 0;
	m.expire.hard = strcmp(w[3], "hard") == 0;
	if (ipaddr_parse(w[4], &m.expire.dst) < 0)
		return false;
	fake_send_msg(f, &m);
	return true;
}

/* delete SPI in|out DST */
static bool delete_child(struct fake *f, char **w)
{
	struct sslink_msg m = {.type = SSLINK_DELETE_CHILD};

	m.sa_id.spi = hex(w[1]);
	m.sa_id.inbound = strcmp(w[2], "in") == 0;
	if (ipaddr_parse(w[3], &m.sa_id.dst) < 0)
		return false;
	fake_send_msg(f, &m);
	return true;
}

/* terminate ID 0|1 */
static bool terminate(struct fake *f, char **w)
{
	struct sslink_msg m = {.type = SSLINK_TERMINATE_IKE};

	m.terminate.ike_id = (uint32_t)atoi(w[1]);
	m.terminate.force = w[2][0] == '1';
	fake_send_msg(f, &m);
	return true;
}

/* mapping SPI LOCAL PORT REMOTE PORT */
static bool mapping(struct fake *f, char **w)
{
	struct sslink_msg m = {.type = SSLINK_MAPPING};

	m.mapping.spi = hex(w[1]);
	if (!set_endpoint(&m.mapping.local, w[2], w[3]) ||
	    !set_endpoint(&m.mapping.remote, w[4], w[5]))
		return false;
	fake_send_msg(f, &m);
	return true;
}

/* raw HEX [COUNT]: these bytes, as they are; the last one so many times */
static bool raw(struct fake *f, char **w)
{
	uint8_t b[8192];
	size_t n = 0, len = strlen(w[1]) / 2, count = w[2] != NULL ? strtoul(w[2], NULL, 10) : 1;
	unsigned int v;

	for (n = 0; n < len && n < sizeof(b); n++) {
		if (sscanf(w[1] + 2 * n, "%2x", &v) != 1)
			return false;
		b[n] = (uint8_t)v;
	}
	for (; n > 0 && count > 1 && n < sizeof(b); count--, n++)
		b[n] = b[n - 1];
	fake_send(f, b, n);
	return true;
}

/* back [INSTANCE]: listens again; another instance knows no SA */
static bool back(struct fake *f, char **w)
{
	if (w[1] != NULL) {
		f->instance = strtoull(w[1], NULL, 16);
		fake_forget(f);
	}
	fake_listen(f);
	return true;
}

/* next-spi SPI: what GET_SPI gives from now on */
static bool next_spi(struct fake *f, char **w)
{
	f->next_spi = hex(w[1]);
	return true;
}

/* slow MS: before each answer up to that to SYNC_END */
static bool slow(struct fake *f, char **w)
{
	f->slow_ms = (unsigned int)atoi(w[1]);
	return true;
}

static bool simple(struct fake *f, char **w)
{
	if (strcmp(w[0], "mute") == 0)
		f->mute = true;
	else if (strcmp(w[0], "speak") == 0)
		f->mute = false;
	else if (strcmp(w[0], "forget") == 0)
		fake_forget(f);
	else if (strcmp(w[0], "drop") == 0)
		fake_hang_up(f);
	else if (strcmp(w[0], "away") == 0)
		fake_leave(f);
	else if (strcmp(w[0], "back") == 0)
		return back(f, w);
	else
		return false;
	return true;
}

bool fake_order(struct fake *f, char *line)
{
	static const struct {
		const char *word;
		int args;
		bool (*run)(struct fake *f, char **w);
	} orders[] = {
	        {"answer", 2, answer},       {"expire", 4, expire},   {"delete", 3, delete_child},
	        {"terminate", 2, terminate}, {"mapping", 5, mapping}, {"raw", 1, raw},
	        {"next-spi", 1, next_spi},   {"slow", 1, slow},
	};
	char *w[WORDS_MAX] = {NULL}, *save = NULL;
	int n = 0;
	size_t i;

	for (w[0] = strtok_r(line, " \n", &save); w[n] != NULL && n < WORDS_MAX - 2;)
		w[++n] = strtok_r(NULL, " \n", &save);
	if (n == 0)
		return false;
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strcmp(w[0], orders[i].word) == 0)
			return n > orders[i].args && orders[i].run(f, w);
	}
	return simple(f, w);
}
