/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The text of the metrics: its form, and that no counter is missing. */
#include "console/metrics.h"
#include "fake_ctl.h"
#include "suite.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sallyport_"

static char *text; /* of the last scrape */

static void scrape(void)
{
	struct evbuffer *b = evbuffer_new();
	size_t len;

	free(text);
	metrics_text(b, NULL, NULL);
	len = evbuffer_get_length(b);
	text = calloc(1, len + 1);
	evbuffer_remove(b, text, len);
	evbuffer_free(b);
}

/* Is there this line? */
static bool has_line(const char *line)
{
	size_t len = strlen(line);
	const char *p = text;

	while ((p = strstr(p, line)) != NULL) {
		if ((p == text || p[-1] == '\n') && p[len] == '\n')
			return true;
		p += len;
	}
	return false;
}

/* Is there a sample of this value? */
static bool has_value(uint64_t n)
{
	char end[32];

	snprintf(end, sizeof(end), " %" PRIu64 "\n", n);
	return strstr(text, end) != NULL;
}

/*
 * A struct of counters is filled with words that are all different; a counter is one of them or two.
 * Each has to come out, but for those that say why they need not.
 */
#define FIRST_WORD 100001

static void fill(void *base, size_t size)
{
	uint32_t *w = base;

	for (size_t i = 0; i < size / sizeof(*w); i++)
		w[i] = FIRST_WORD + (uint32_t)i;
}

static void expect_all(const char *name, const void *base, size_t size, const void *not_shown,
                       size_t n_not_shown)
{
	const uint32_t *w = base;
	size_t skip = (size_t)((const char *)not_shown - (const char *)base) / sizeof(*w);

	for (size_t i = 0; i + 1 < size / sizeof(*w); i += 2) {
		uint64_t both;

		memcpy(&both, w + i, sizeof(both));
		if (i >= skip && i < skip + n_not_shown * 2)
			continue;
		if (!has_value(both) && !(has_value(w[i]) && has_value(w[i + 1])))
			fprintf(stderr, "\n%s: no metric for the field at %zu\n", name,
			        i * sizeof(*w));
		CU_ASSERT(has_value(both) || (has_value(w[i]) && has_value(w[i + 1])));
	}
}

static void test_control_counters(void)
{
	memset(&fake, 0, sizeof(fake));
	fill(&fake.stats, sizeof(fake.stats));
	scrape();
	/* The reason "none" never fires. */
	expect_all("ctl_stats", &fake.stats, sizeof(fake.stats), &fake.stats.ss_fired[SS_NONE], 1);
	CU_ASSERT_FALSE(has_value(fake.stats.ss_fired[SS_NONE]));
}

static void test_ipsec_counters(void)
{
	memset(&fake, 0, sizeof(fake));
	fill(&fake.ipsec, sizeof(fake.ipsec));
	fake.ipsec.link_up = true;
	fake.ipsec.syncing = false;
	scrape();
	/* Two flags stand before the counters, and what was granted is no refusal. */
	expect_all("ctl_ipsec_stats", &fake.ipsec.links,
	           sizeof(fake.ipsec) - offsetof(struct ctl_ipsec_stats, links),
	           &fake.ipsec.refused[SSLINK_OK], 1);
	CU_ASSERT(has_line(PREFIX "ipsec_link_up 1"));
	CU_ASSERT(has_line(PREFIX "ipsec_link_syncing 0"));
}

static void test_dataplane_counters(void)
{
	char line[128];

	memset(&fake, 0, sizeof(fake));
	fill(&fake.dp, sizeof(fake.dp));
	fake.load.busy_permille = 47;
	scrape();
	CU_ASSERT(has_line(PREFIX "worker_busy_ratio{worker=\"1\"} 0.047"));
	fake.load.busy_permille = 1000;
	scrape();
	CU_ASSERT(has_line(PREFIX "worker_busy_ratio{worker=\"0\"} 1.000"));
	expect_all("dp_stats", &fake.dp, sizeof(fake.dp), &fake.dp.drop[DP_DROP_NONE], 1);
	for (unsigned int i = DP_DROP_NONE + 1; i < DP_DROP_MAX; i++) {
		snprintf(line, sizeof(line), PREFIX "dataplane_drops_total{reason=\"%s\"} %" PRIu64,
		         dp_drop_name(i), fake.dp.drop[i]);
		CU_ASSERT(has_line(line));
	}
	for (unsigned int i = 0; i < DP_PUNT_MAX; i++) {
		snprintf(line, sizeof(line), PREFIX "dataplane_punts_total{class=\"%s\"} %" PRIu64,
		         dp_punt_name(i), fake.dp.punt[i]);
		CU_ASSERT(has_line(line));
	}
	snprintf(line, sizeof(line), PREFIX "ss_refused_data_total %" PRIu64,
	         fake.dp.drop[DP_DROP_SS_FIRED]);
	CU_ASSERT(has_line(line));
	snprintf(line, sizeof(line), PREFIX "worker_received_total{worker=\"1\"} %" PRIu64,
	         fake.dp.rx);
	CU_ASSERT(has_line(line));
}

/* The counters that the behaviour of single-shot tunnels demands, by name. */
static void test_single_shot(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.stats.ss_tunnels = 3;
	fake.stats.ss_refused_sccrq = 4;
	fake.stats.ss_refused_icrq = 5;
	fake.stats.ipsec_disconnects = 6;
	fake.stats.ss_fired[SS_SESSION_CDN_RX] = UINT64_MAX;
	fake.dp.drop[DP_DROP_SS_FIRED] = 7;
	scrape();
	CU_ASSERT(has_line(PREFIX "ss_tunnels_total 3"));
	CU_ASSERT(has_line(PREFIX "ss_refused_sccrq_total 4"));
	CU_ASSERT(has_line(PREFIX "ss_refused_icrq_total 5"));
	CU_ASSERT(has_line(PREFIX "ss_refused_data_total 7"));
	CU_ASSERT(has_line(PREFIX "ipsec_disconnect_signals_total 6"));
	CU_ASSERT(has_line(PREFIX
	                   "ss_fired_total{reason=\"session-cdn-received\"} 18446744073709551615"));
	CU_ASSERT(has_line("# TYPE " PREFIX "ss_fired_total counter"));
	CU_ASSERT(has_line("# TYPE " PREFIX "tunnels_active gauge"));
}

static void test_escapes(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.pool = "a\"b\\c\nd";
	fake.n_pools = 1;
	scrape();
	CU_ASSERT(has_line(PREFIX "pool_addresses{pool=\"a\\\"b\\\\c\\nd\"} 65536"));
	CU_ASSERT(has_line(PREFIX "pool_addresses_used{pool=\"a\\\"b\\\\c\\nd\"} 6"));
	CU_ASSERT(has_line(PREFIX "pool_addresses_reserved{pool=\"a\\\"b\\\\c\\nd\"} 30"));
}

/* ---- the form (exposition format 0.0.4) ---- */

static size_t name_len(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789");
}

/* A counter is whole, and so are most gauges; a ratio has three decimals. */
static bool is_number(const char *p, bool ratio)
{
	size_t n = strspn(p, "0123456789");

	if (n == 0)
		return false;
	if (ratio)
		return p[n] == '.' && strspn(p + n + 1, "0123456789") == 3 && p[n + 4] == '\0';
	return p[n] == '\0';
}

/* A sample of the family: name, perhaps one label, a number. False with a note about the line. */
static bool good_sample(const char *line, const char *family)
{
	size_t n = name_len(line);
	const char *p = line + n;

	if (n != strlen(family) || strncmp(line, family, n) != 0)
		return false;
	if (*p == '{') {
		size_t label = name_len(p + 1);

		p += 1 + label;
		if (label == 0 || strncmp(p, "=\"", 2) != 0)
			return false;
		for (p += 2; *p != '"'; p++)
			if (*p == '\0' || (*p == '\\' && *++p == '\0'))
				return false;
		if (p[1] != '}')
			return false;
		p += 2;
	}
	return *p == ' ' && is_number(p + 1, strstr(family, "_ratio") != NULL);
}

static bool seen_before(const char *line, const char *upto)
{
	size_t len = strcspn(line, " ");
	char start[300];
	const char *p;

	snprintf(start, sizeof(start), "\n%.*s ", (int)len, line);
	p = strstr(text, start);
	return p != NULL && p + 1 < upto;
}

static void test_form(void)
{
	char family[128] = "", help[160] = "", type[160] = "";
	unsigned int families = 0, samples = 0, in_family = 1;
	char line[512];

	memset(&fake, 0, sizeof(fake));
	scrape();
	CU_ASSERT(text[strlen(text) - 1] == '\n');
	for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
		if (strncmp(line, "# HELP ", 7) == 0) {
			CU_ASSERT(in_family > 0);
			in_family = 0;
			families++;
			snprintf(family, sizeof(family), "%.*s", (int)name_len(line + 7), line + 7);
			snprintf(help, sizeof(help), "\n# HELP %s ", family);
			CU_ASSERT(strncmp(family, PREFIX, sizeof(PREFIX) - 1) == 0);
			CU_ASSERT(line[7 + strlen(family)] == ' ' && line[8 + strlen(family)]);
			CU_ASSERT_PTR_NULL(strchr(line, '\\'));
			CU_ASSERT_PTR_NULL(strstr(p + 1, help)); /* once only */
		} else if (line[0] == '#') {
			bool counter = strlen(family) > 6 &&
			               strcmp(family + strlen(family) - 6, "_total") == 0;

			CU_ASSERT_EQUAL(in_family, 0);
			snprintf(type, sizeof(type), "# TYPE %s %s", family,
			         counter ? "counter" : "gauge");
			CU_ASSERT_STRING_EQUAL(line, type);
		} else {
			if (!good_sample(line, family) || seen_before(line, p))
				fprintf(stderr, "\nbad sample: %s\n", line);
			CU_ASSERT(good_sample(line, family));
			CU_ASSERT_FALSE(seen_before(line, p));
			samples++;
			in_family++;
		}
	}
	CU_ASSERT(families > 90);
	CU_ASSERT(samples > families + DP_DROP_MAX);
}

/* An answer's size has nothing to do with how many sessions there are. */
static void test_bounded(void)
{
	size_t small;

	memset(&fake, 0, sizeof(fake));
	scrape();
	small = strlen(text);
	fake.n_sessions = fake.n_tunnels = fake.n_conns = 65535;
	scrape();
	CU_ASSERT_EQUAL(strlen(text), small);
	CU_ASSERT(small < 32768);
	free(text);
	text = NULL;
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"control", test_control_counters},
	        {"ipsec", test_ipsec_counters},
	        {"data plane", test_dataplane_counters},
	        {"single-shot", test_single_shot},
	        {"escapes", test_escapes},
	        {"form", test_form},
	        {"bounded", test_bounded},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("metrics text", tests);
}
