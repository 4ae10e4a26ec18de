/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/dist.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const traffic_names[DIST_TRAFFIC_MAX] = {
        [DIST_ESP] = "ESP",
        [DIST_ESP_UDP] = "ESP in UDP",
        [DIST_L2TP] = "L2TP data",
        [DIST_REST] = "all other",
};

/* What its hash would be of, beyond addresses. */
static const char *const ids[DIST_TRAFFIC_MAX] = {
        [DIST_ESP] = "SPI",
        [DIST_ESP_UDP] = "SPI",
        [DIST_L2TP] = "session id",
        [DIST_REST] = "",
};

const char *dist_traffic_name(enum dist_traffic t)
{
	return traffic_names[t];
}

const char *dist_how_name(enum dist_traffic t, enum dist_how how)
{
	switch (how) {
	case DIST_ONE_QUEUE:
		return "one queue";
	case DIST_DEVICE:
		return "as the device spreads it";
	case DIST_HASH_ADDRESSES:
		return "hash of addresses";
	case DIST_HASH_PORTS:
		return "hash of addresses and ports";
	case DIST_HASH_ID:
		return t == DIST_L2TP ? "hash of the session id" : "hash of the SPI";
	case DIST_OWNER:
		return "to the owner, by the SPI";
	}
	return "";
}

void dist_answer(struct dist_asked *a, int ret, const char *text)
{
	a->asked = true;
	a->ret = ret;
	snprintf(a->why, sizeof(a->why), "%s",
	         text != NULL ? text
	         : ret == 0   ? ""
	                      : strerror(-ret));
}

static void say(char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds a clause. */
static void say(char *text, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	if (n > 0 && n + 2 < DIST_TEXT_MAX) {
		strcpy(text + n, "; ");
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(text + n, DIST_TEXT_MAX - n, fmt, ap);
	va_end(ap);
}

static enum dist_how by_addresses(const struct dist_caps *c, enum dist_traffic t)
{
	/* ESP has no ports. */
	if (c->hash_udp && t != DIST_ESP)
		return DIST_HASH_PORTS;
	return c->hash_ip || c->hash_udp ? DIST_HASH_ADDRESSES : DIST_DEVICE;
}

static void refused(char *why, const char *what, enum dist_traffic t, const struct dist_asked *a)
{
	if (a->asked && a->ret != 0)
		say(why, "%s %s refused: %s", what, ids[t], a->why);
}

/* A driver without the call at all says the same of everything. */
static bool has_no_rules(const struct dist_caps *c, enum dist_traffic t)
{
	return c->id[t].asked && c->id[t].ret == -ENOSYS;
}

static void choose_one(const struct dist_caps *c, enum dist_traffic t, struct dist_plan *plan)
{
	bool by_rss = t == DIST_ESP ? c->hash_esp : t == DIST_L2TP && c->hash_l2tp;
	char *why = plan->why[t];

	if (c->owner[t].asked && c->owner[t].ret == 0) {
		plan->how[t] = DIST_OWNER;
		if (c->n_rxq < c->n_workers)
			say(why, "%u of %u workers have a queue here", c->n_rxq, c->n_workers);
		return;
	}
	if (has_no_rules(c, t))
		say(why, "the driver takes no flow rules");
	else
		refused(why, "rules by", t, &c->owner[t]);
	if (t == DIST_L2TP)
		say(why, "a session id does not name its owner");
	if (t == DIST_REST)
		say(why, "a destination does not name its owner");
	if ((c->id[t].asked && c->id[t].ret == 0) || by_rss) {
		plan->how[t] = DIST_HASH_ID;
		return;
	}
	plan->how[t] = by_addresses(c, t);
	if (!has_no_rules(c, t))
		refused(why, "hash of the", t, &c->id[t]);
	if (plan->how[t] == DIST_DEVICE)
		say(why, "the device has no receive-side scaling");
}

void dist_choose(const struct dist_caps *c, struct dist_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	for (enum dist_traffic t = 0; t < DIST_TRAFFIC_MAX; t++) {
		if (c->n_rxq > 1) {
			choose_one(c, t, plan);
			continue;
		}
		plan->how[t] = DIST_ONE_QUEUE;
		if (c->n_workers > 1)
			say(plan->why[t], "the device has %u receive queue%s", c->max_rxq,
			    c->max_rxq == 1 ? "" : "s");
	}
}
