/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Distribution over workers: what is chosen of what a device can do, and the rules that its driver is asked
 * for. The driver is one of the test's own, which notes the rules and takes those that the test says.
 */
#include "dataplane/dp.h"
#include "ports/dist.h"
#include "ports/steer.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_flow.h>

#define QUEUES 4

/* ---- the choice ---- */

static struct dist_caps able(void)
{
	return (struct dist_caps){.n_workers = QUEUES, .n_rxq = QUEUES, .max_rxq = 64};
}

static struct dist_plan plan_of(const struct dist_caps *c)
{
	struct dist_plan p;

	dist_choose(c, &p);
	return p;
}

static void expect(const struct dist_caps *c, enum dist_how esp, enum dist_how esp_udp,
                   enum dist_how l2tp, enum dist_how rest)
{
	struct dist_plan p = plan_of(c);

	CU_ASSERT_EQUAL(p.how[DIST_ESP], esp);
	CU_ASSERT_EQUAL(p.how[DIST_ESP_UDP], esp_udp);
	CU_ASSERT_EQUAL(p.how[DIST_L2TP], l2tp);
	CU_ASSERT_EQUAL(p.how[DIST_REST], rest);
}

static void test_one_queue(void)
{
	struct dist_caps c = {.n_workers = 1, .n_rxq = 1, .max_rxq = 8, .hash_ip = true};
	struct dist_plan p = plan_of(&c);

	for (enum dist_traffic t = 0; t < DIST_TRAFFIC_MAX; t++) {
		CU_ASSERT_EQUAL(p.how[t], DIST_ONE_QUEUE);
		CU_ASSERT_STRING_EQUAL(p.why[t], ""); /* nothing is lost by it */
	}
	c = (struct dist_caps){.n_workers = 2, .n_rxq = 1, .max_rxq = 1};
	p = plan_of(&c);
	CU_ASSERT_EQUAL(p.how[DIST_ESP], DIST_ONE_QUEUE);
	CU_ASSERT_STRING_EQUAL(p.why[DIST_ESP], "the device has 1 receive queue");
}

static void test_choice(void)
{
	struct dist_caps c = able();

	expect(&c, DIST_DEVICE, DIST_DEVICE, DIST_DEVICE, DIST_DEVICE);
	c.hash_ip = true;
	expect(&c, DIST_HASH_ADDRESSES, DIST_HASH_ADDRESSES, DIST_HASH_ADDRESSES,
	       DIST_HASH_ADDRESSES);
	c.hash_udp = true;
	expect(&c, DIST_HASH_ADDRESSES, DIST_HASH_PORTS, DIST_HASH_PORTS, DIST_HASH_PORTS);
	c.hash_esp = true;
	expect(&c, DIST_HASH_ID, DIST_HASH_PORTS, DIST_HASH_PORTS, DIST_HASH_PORTS);
	c.hash_l2tp = true;
	expect(&c, DIST_HASH_ID, DIST_HASH_PORTS, DIST_HASH_ID, DIST_HASH_PORTS);
	dist_answer(&c.id[DIST_ESP_UDP], 0, NULL);
	expect(&c, DIST_HASH_ID, DIST_HASH_ID, DIST_HASH_ID, DIST_HASH_PORTS);
	dist_answer(&c.owner[DIST_ESP], 0, NULL);
	expect(&c, DIST_OWNER, DIST_HASH_ID, DIST_HASH_ID, DIST_HASH_PORTS);
	dist_answer(&c.owner[DIST_ESP_UDP], -EINVAL, "no ESP in UDP");
	expect(&c, DIST_OWNER, DIST_HASH_ID, DIST_HASH_ID, DIST_HASH_PORTS);
	CU_ASSERT_STRING_EQUAL(plan_of(&c).why[DIST_ESP], "");
	CU_ASSERT_STRING_EQUAL(plan_of(&c).why[DIST_ESP_UDP],
	                       "rules by SPI refused: no ESP in UDP");
	c.n_rxq = 2;
	CU_ASSERT_STRING_EQUAL(plan_of(&c).why[DIST_ESP], "2 of 4 workers have a queue here");
}

/* Every part of the reason is there, and no text is too long for its place. */
static void test_reasons(void)
{
	struct dist_caps c = able();
	char flood[300];
	struct dist_plan p;

	dist_answer(&c.owner[DIST_ESP], -ENOSYS, NULL);
	dist_answer(&c.id[DIST_ESP], -ENOSYS, NULL);
	p = plan_of(&c);
	CU_ASSERT_STRING_EQUAL(p.why[DIST_ESP], "the driver takes no flow rules; the device has no "
	                                        "receive-side scaling");
	dist_answer(&c.owner[DIST_ESP], -EINVAL, NULL);
	dist_answer(&c.id[DIST_ESP], -ENOTSUP, "not this type");
	p = plan_of(&c);
	CU_ASSERT_STRING_EQUAL(p.why[DIST_ESP],
	                       "rules by SPI refused: Invalid argument; hash of the SPI "
	                       "refused: not this type; the device has no receive-side scaling");
	CU_ASSERT_STRING_EQUAL(p.why[DIST_L2TP], "a session id does not name its owner; the device "
	                                         "has no receive-side scaling");
	memset(flood, 'x', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	dist_answer(&c.owner[DIST_ESP], -EINVAL, flood);
	dist_answer(&c.id[DIST_ESP], -EINVAL, flood);
	p = plan_of(&c);
	CU_ASSERT_EQUAL(strlen(c.owner[DIST_ESP].why), DIST_WHY_MAX - 1);
	CU_ASSERT_TRUE(strlen(p.why[DIST_ESP]) < DIST_TEXT_MAX);
}

/* ---- the rules ---- */

enum action { TO_QUEUE, TO_HASH, TO_HASH_QUEUES };

struct seen {
	uint16_t udp_port;
	bool esp, l2tp;
	uint32_t spi, spi_mask;
	uint16_t l2tp_flags;
	enum action action;
	uint16_t queue;
	uint64_t types;
};

/* What the driver takes, what it was asked for, and what it has. */
struct driver {
	bool (*takes)(const struct seen *r);
	uint32_t n_asked, n_live, n_created;
	uint32_t create_fails_at; /* the how many-th; 0: never */
	struct seen live[STEER_RULES_MAX];
	bool used[STEER_RULES_MAX];
};

static struct driver *driver(void)
{
	static struct driver d;

	return &d;
}

static void see_items(struct seen *r, const struct rte_flow_item *i)
{
	CU_ASSERT_EQUAL(i[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	CU_ASSERT_EQUAL(i[1].type, RTE_FLOW_ITEM_TYPE_IPV4);
	for (i += 2; i->type != RTE_FLOW_ITEM_TYPE_END; i++) {
		const struct rte_flow_item_udp *udp = i->spec;
		const struct rte_flow_item_esp *esp = i->spec, *mask = i->mask;
		const struct rte_flow_item_l2tpv2 *l2tp = i->spec;

		switch (i->type) {
		case RTE_FLOW_ITEM_TYPE_UDP:
			r->udp_port = rte_be_to_cpu_16(udp->hdr.dst_port);
			break;
		case RTE_FLOW_ITEM_TYPE_ESP:
			r->esp = true;
			r->spi = esp != NULL ? rte_be_to_cpu_32(esp->hdr.spi) : 0;
			r->spi_mask = mask != NULL ? rte_be_to_cpu_32(mask->hdr.spi) : 0;
			break;
		case RTE_FLOW_ITEM_TYPE_L2TPV2:
			r->l2tp = true;
			r->l2tp_flags = rte_be_to_cpu_16(l2tp->hdr.common.flags_version);
			break;
		default:
			CU_FAIL("an item that is not expected");
		}
	}
}

static struct seen see(const struct rte_flow_item *items, const struct rte_flow_action *actions)
{
	const struct rte_flow_action_queue *queue = actions->conf;
	const struct rte_flow_action_rss *rss = actions->conf;
	struct seen r = {0};

	see_items(&r, items);
	CU_ASSERT_EQUAL(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	if (actions->type == RTE_FLOW_ACTION_TYPE_QUEUE) {
		r.queue = queue->index;
		return r;
	}
	CU_ASSERT_EQUAL(actions->type, RTE_FLOW_ACTION_TYPE_RSS);
	r.types = rss->types;
	r.action = rss->queue_num == 0 ? TO_HASH : TO_HASH_QUEUES;
	for (uint32_t q = 0; q < rss->queue_num; q++)
		CU_ASSERT_EQUAL(rss->queue[q], q);
	return r;
}

static int refuse(struct rte_flow_error *e, int err, const char *why)
{
	e->message = why;
	rte_errno = err;
	return -err;
}

static int fake_validate(uint16_t port_id, const struct rte_flow_attr *attr,
                         const struct rte_flow_item *items, const struct rte_flow_action *actions,
                         struct rte_flow_error *e)
{
	struct seen r = see(items, actions);

	CU_ASSERT_EQUAL(port_id, 9);
	CU_ASSERT_TRUE(attr->ingress && !attr->egress && !attr->transfer);
	driver()->n_asked++;
	return driver()->takes(&r) ? 0 : refuse(e, ENOTSUP, "not by this device");
}

static struct rte_flow *fake_create(uint16_t port_id, const struct rte_flow_attr *attr,
                                    const struct rte_flow_item *items,
                                    const struct rte_flow_action *actions, struct rte_flow_error *e)
{
	struct driver *d = driver();
	uint32_t i = d->n_created++;

	(void)port_id;
	(void)attr;
	if (d->n_created == d->create_fails_at) {
		refuse(e, ENOSPC, "the table is full");
		return NULL;
	}
	d->live[i] = see(items, actions);
	d->used[i] = true;
	d->n_live++;
	return (struct rte_flow *)(uintptr_t)(i + 1);
}

static int fake_destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *e)
{
	uintptr_t i = (uintptr_t)flow - 1;

	(void)port_id;
	(void)e;
	CU_ASSERT_TRUE_FATAL(i < STEER_RULES_MAX && driver()->used[i]);
	driver()->used[i] = false;
	driver()->n_live--;
	return 0;
}

static const struct steer_ops fake_ops = {fake_validate, fake_create, fake_destroy};

static struct steer steer_on(bool (*takes)(const struct seen *r), uint16_t n_queues)
{
	struct steer s = {.ops = &fake_ops, .port_id = 9, .n_queues = n_queues};

	*driver() = (struct driver){.takes = takes};
	/* As after a port of another device has taken the first queues. */
	for (uint16_t q = 0; q < n_queues; q++)
		s.worker[q] = (uint16_t)(n_queues - 1 - q);
	return s;
}

static bool takes_all(const struct seen *r)
{
	(void)r;
	return true;
}

static bool takes_nothing(const struct seen *r)
{
	(void)r;
	return false;
}

/* No masks, no ESP in UDP, hashes only without queues: as drivers of some NICs are. */
static bool takes_hashes(const struct seen *r)
{
	return r->action == TO_HASH && (r->udp_port != 4500);
}

static bool takes_named_queues(const struct seen *r)
{
	return r->action == TO_HASH_QUEUES && r->esp;
}

/* Hashes session ids, but not of messages with sequence numbers. */
static bool takes_some_l2tp(const struct seen *r)
{
	return r->l2tp && (r->l2tp_flags & 0x0800) == 0;
}

/* Where a packet with that SPI goes by the rules that are there; -1: none matches. */
static int queue_of(uint32_t spi, uint16_t udp_port)
{
	int queue = -1;

	for (uint32_t i = 0; i < STEER_RULES_MAX; i++) {
		const struct seen *r = &driver()->live[i];

		if (!driver()->used[i] || !r->esp || r->action != TO_QUEUE ||
		    r->udp_port != udp_port || (spi & r->spi_mask) != (r->spi & r->spi_mask))
			continue;
		CU_ASSERT_EQUAL(queue, -1); /* one rule only */
		queue = r->queue;
	}
	return queue;
}

static void test_owner_rules(void)
{
	struct steer s = steer_on(takes_all, QUEUES);
	struct dist_caps c = able();

	steer_set(&s, &c);
	expect(&c, DIST_OWNER, DIST_OWNER, DIST_HASH_ID, DIST_DEVICE);
	for (uint32_t gen = 1; gen < 255; gen += 50) {
		for (uint16_t w = 0; w < QUEUES; w++) {
			uint32_t spi = gen << 24 | 0x1234 << 6 | w;

			CU_ASSERT_EQUAL(spi & DP_SPI_WORKER_MASK, w);
			CU_ASSERT_EQUAL(queue_of(spi, 0), QUEUES - 1 - w);
			CU_ASSERT_EQUAL(queue_of(spi, 4500), QUEUES - 1 - w);
		}
		CU_ASSERT_EQUAL(queue_of(gen << 24 | QUEUES, 0), -1); /* of no worker */
	}
	CU_ASSERT_EQUAL(s.n_rules, driver()->n_live);
	steer_clear(&s);
	CU_ASSERT_EQUAL(driver()->n_live, 0);
	CU_ASSERT_EQUAL(s.n_rules, 0);
}

static void test_refused(void)
{
	struct steer s = steer_on(takes_nothing, QUEUES);
	struct dist_caps c = able();

	steer_set(&s, &c);
	expect(&c, DIST_DEVICE, DIST_DEVICE, DIST_DEVICE, DIST_DEVICE);
	CU_ASSERT_EQUAL(driver()->n_created, 0);
	CU_ASSERT_TRUE(driver()->n_asked <= 8); /* one question for each thing */
	CU_ASSERT_PTR_NOT_NULL(strstr(plan_of(&c).why[DIST_ESP], "not by this device"));
	/* With one queue nothing is asked. */
	s = steer_on(takes_all, 1);
	c = (struct dist_caps){.n_workers = 2, .n_rxq = 1, .max_rxq = 1};
	steer_set(&s, &c);
	CU_ASSERT_EQUAL(driver()->n_asked, 0);
}

static void test_hashes(void)
{
	struct steer s = steer_on(takes_hashes, QUEUES);
	struct dist_caps c = able();

	c.hash_udp = true;
	steer_set(&s, &c);
	expect(&c, DIST_HASH_ID, DIST_HASH_PORTS, DIST_HASH_ID, DIST_HASH_PORTS);
	CU_ASSERT_EQUAL(driver()->n_live, 1 + 4); /* ESP, and four kinds of data messages */
	for (uint32_t i = 0; i < driver()->n_created; i++)
		CU_ASSERT_EQUAL(driver()->live[i].types,
		                driver()->live[i].esp ? RTE_ETH_RSS_ESP : RTE_ETH_RSS_L2TPV2);
	steer_clear(&s);
	s = steer_on(takes_named_queues, QUEUES);
	c = able();
	steer_set(&s, &c);
	expect(&c, DIST_HASH_ID, DIST_HASH_ID, DIST_DEVICE, DIST_DEVICE);
	steer_clear(&s);
	CU_ASSERT_EQUAL(driver()->n_live, 0);
}

/* Half of the rules would be worse than none: an operator reads one word for all of the traffic. */
static void test_half(void)
{
	struct steer s = steer_on(takes_some_l2tp, QUEUES);
	struct dist_caps c = able();

	steer_set(&s, &c);
	CU_ASSERT_TRUE(driver()->n_created > 0);
	CU_ASSERT_EQUAL(driver()->n_live, 0);
	expect(&c, DIST_DEVICE, DIST_DEVICE, DIST_DEVICE, DIST_DEVICE);
	/* The device's table is full at the third owner's rule: the hash takes its place. */
	s = steer_on(takes_all, QUEUES);
	driver()->create_fails_at = 3;
	c = able();
	steer_set(&s, &c);
	expect(&c, DIST_HASH_ID, DIST_OWNER, DIST_HASH_ID, DIST_DEVICE);
	CU_ASSERT_STRING_EQUAL(plan_of(&c).why[DIST_ESP],
	                       "rules by SPI refused: the table is full");
	CU_ASSERT_EQUAL(queue_of(0x01000000, 0), -1);
	CU_ASSERT_EQUAL(driver()->n_live, 1 + QUEUES + 4);
	steer_clear(&s);
	CU_ASSERT_EQUAL(driver()->n_live, 0);
}

/* As many queues as there can be. */
static void test_most_queues(void)
{
	struct steer s = steer_on(takes_all, STEER_QUEUES_MAX);
	struct dist_caps c = {.n_workers = 64, .n_rxq = 64, .max_rxq = 64};

	steer_set(&s, &c);
	expect(&c, DIST_OWNER, DIST_OWNER, DIST_HASH_ID, DIST_DEVICE);
	CU_ASSERT_EQUAL(driver()->n_live, 2 * 64 + 4);
	CU_ASSERT_EQUAL(queue_of(0xff00003f, 0), 0);
	steer_clear(&s);
	CU_ASSERT_EQUAL(driver()->n_live, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"one queue", test_one_queue},
	        {"the choice", test_choice},
	        {"reasons", test_reasons},
	        {"rules for owners", test_owner_rules},
	        {"a driver refuses", test_refused},
	        {"hashes of ids", test_hashes},
	        {"half of the rules", test_half},
	        {"64 queues", test_most_queues},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("distribution", tests);
}
