/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The parts of src/ports that need neither DPDK nor the kernel. */
#include "ports/devargs.h"
#include "ports/hugepages.h"
#include "ports/rib.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/Basic.h>

/* ---- device strings ---- */

static void test_device_strings(void)
{
	char text[32];

	CU_ASSERT_TRUE(devargs_is_pci("0000:03:00.0"));
	CU_ASSERT_TRUE(devargs_is_pci("03:00.1"));
	CU_ASSERT_TRUE(devargs_is_pci("0000:03:00.0,rxq_pkt_pad_en=1"));
	CU_ASSERT_FALSE(devargs_is_pci("0000:03:00"));
	CU_ASSERT_FALSE(devargs_is_pci("0000:03:00.0x"));
	CU_ASSERT_FALSE(devargs_is_pci("net_tap0"));
	CU_ASSERT_FALSE(devargs_is_pci(""));

	CU_ASSERT_TRUE(devargs_is_driver("net_tap", "net_tap"));
	CU_ASSERT_TRUE(devargs_is_driver("net_tap3,iface=x", "net_tap"));
	CU_ASSERT_FALSE(devargs_is_driver("net_af_packet0,iface=x", "net_tap"));
	CU_ASSERT_FALSE(devargs_is_driver("net_ta", "net_tap"));

	devargs_name("net_tap3,iface=x", text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "net_tap3");
	devargs_name("03:00.1", text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "0000:03:00.1");
	devargs_name("0001:03:00.1,a=b", text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "0001:03:00.1");

	CU_ASSERT_TRUE(devargs_get("net_tap3,mac=fixed,iface=x1", "iface", text, sizeof(text)));
	CU_ASSERT_STRING_EQUAL(text, "x1");
	CU_ASSERT_FALSE(devargs_get("net_tap3,xiface=x1", "iface", text, sizeof(text)));
	CU_ASSERT_FALSE(devargs_get("net_tap3,iface=", "iface", text, sizeof(text)));
	CU_ASSERT_FALSE(devargs_get("net_tap3,iface=toolong", "iface", text, 7));
}

static const char *completed(const char *device, uint16_t mtu, uint16_t n_workers, char *out)
{
	struct cfg_port port = {.mtu = mtu, .rx_descriptors = 512, .tx_descriptors = 512};

	snprintf(port.device, sizeof(port.device), "%s", device);
	CU_ASSERT_EQUAL(devargs_complete(&port, n_workers, out, 256), 0);
	return out;
}

static void test_device_completion(void)
{
	struct cfg_port port = {.device = "net_af_packet0,iface=wan0", .mtu = 1500};
	char out[256];

	CU_ASSERT_STRING_EQUAL(
	        completed("net_af_packet0,iface=wan0", 1500, 2, out),
	        "net_af_packet0,iface=wan0,qpairs=2,framesz=2048,blocksz=4096,framecnt=4096");
	/* The last MTU that fits 2,048 bytes behind the kernel's 80 (with Ethernet and a tag). */
	CU_ASSERT_PTR_NOT_NULL(
	        strstr(completed("net_af_packet0,iface=w", 1950, 1, out), "framesz=2048"));
	CU_ASSERT_PTR_NOT_NULL(
	        strstr(completed("net_af_packet0,iface=w", 1951, 1, out), "framesz=4096"));
	CU_ASSERT_PTR_NOT_NULL(strstr(completed("net_af_packet0,iface=w", 9000, 1, out),
	                              "framesz=16384,blocksz=16384,framecnt=512"));
	/* What the operator says stands. */
	CU_ASSERT_STRING_EQUAL(
	        completed("net_af_packet0,iface=w,qpairs=1,framesz=8192,framecnt=64", 1500, 4, out),
	        "net_af_packet0,iface=w,qpairs=1,framesz=8192,framecnt=64,blocksz=8192");
	CU_ASSERT_STRING_EQUAL(completed("net_af_xdp0,iface=w", 1500, 2, out),
	                       "net_af_xdp0,iface=w,queue_count=2");
	CU_ASSERT_STRING_EQUAL(completed("net_tap0,iface=w", 1500, 2, out), "net_tap0,iface=w");
	CU_ASSERT_EQUAL(devargs_complete(&port, 1, out, 40), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(devargs_complete(&port, 1, out, 10), -ENAMETOOLONG);
}

/* ---- CPUs ---- */

static void test_cpu_lists(void)
{
	uint16_t cpus[4];

	CU_ASSERT_EQUAL(cpulist_parse("3", cpus, 4), 1);
	CU_ASSERT_EQUAL(cpus[0], 3);
	CU_ASSERT_EQUAL(cpulist_parse("5,1-2,0", cpus, 4), 4);
	CU_ASSERT_EQUAL(cpus[0], 5);
	CU_ASSERT_EQUAL(cpus[1], 1);
	CU_ASSERT_EQUAL(cpus[2], 2);
	CU_ASSERT_EQUAL(cpus[3], 0);
	CU_ASSERT_EQUAL(cpulist_parse("0-4", cpus, 4), -E2BIG);
	CU_ASSERT_EQUAL(cpulist_parse("", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse("1,", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse(",1", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse("2-1", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse("1-", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse("-1", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse("1 2", cpus, 4), -EINVAL);
	CU_ASSERT_EQUAL(cpulist_parse("99999999999999999999", cpus, 4), -EINVAL);
}

static void test_lcores(void)
{
	const uint16_t cpus[] = {4, 6, 7};
	char text[64];
	bool shared;

	CU_ASSERT_EQUAL(lcores_text(cpus, 3, 2, text, sizeof(text), &shared), 0);
	CU_ASSERT_STRING_EQUAL(text, "0@4,1@6,2@7");
	CU_ASSERT_FALSE(shared);
	CU_ASSERT_EQUAL(lcores_text(cpus, 3, 1, text, sizeof(text), &shared), 0);
	CU_ASSERT_STRING_EQUAL(text, "0@4,1@6");
	CU_ASSERT_EQUAL(lcores_text(cpus, 2, 2, text, sizeof(text), &shared), 0);
	CU_ASSERT_STRING_EQUAL(text, "(0-2)@(4,6)");
	CU_ASSERT_TRUE(shared);
	CU_ASSERT_EQUAL(lcores_text(cpus, 3, 2, text, 8, &shared), -ENAMETOOLONG);
}

/* ---- hugepages ---- */

static void put_pages(const char *dir, unsigned int kb, unsigned int total, unsigned int free_pages)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/hugepages-%ukB", dir, kb);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/hugepages-%ukB/nr_hugepages", dir, kb);
	f = fopen(path, "w");
	fprintf(f, "%u\n", total);
	fclose(f);
	snprintf(path, sizeof(path), "%s/hugepages-%ukB/free_hugepages", dir, kb);
	f = fopen(path, "w");
	fprintf(f, "%u\n", free_pages);
	fclose(f);
}

static void remove_pages(const char *dir, unsigned int kb)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/hugepages-%ukB/nr_hugepages", dir, kb);
	unlink(path);
	snprintf(path, sizeof(path), "%s/hugepages-%ukB/free_hugepages", dir, kb);
	unlink(path);
	snprintf(path, sizeof(path), "%s/hugepages-%ukB", dir, kb);
	rmdir(path);
}

static void test_hugepages(void)
{
	char dir[] = "/tmp/sp-hugepages-XXXXXX";
	struct hugepages h;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	CU_ASSERT_EQUAL(hugepages_read(dir, &h), 0);
	CU_ASSERT_EQUAL(h.size_kb, 0);

	put_pages(dir, 2048, 100, 60);
	put_pages(dir, 1048576, 1, 0);
	CU_ASSERT_EQUAL(hugepages_read(dir, &h), 0);
	CU_ASSERT_EQUAL(h.size_kb, 2048);
	CU_ASSERT_EQUAL(h.n_pages, 100);
	CU_ASSERT_EQUAL(h.free_mb, 120);
	CU_ASSERT_EQUAL(h.total_mb, 1224);
	CU_ASSERT_EQUAL(hugepages_wanted(&h, 120), 100);
	/* 393 MB short: 196.5 pages. */
	CU_ASSERT_EQUAL(hugepages_wanted(&h, 513), 297);
	remove_pages(dir, 2048);
	remove_pages(dir, 1048576);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	CU_ASSERT_EQUAL(hugepages_read(dir, &h), -ENOENT);
}

/* ---- routes and neighbours ---- */

struct sink {
	struct rib *rib;
	char text[64]; /* the last order */
	uint32_t n; /* orders in all */
	int answer;
};

static int sink_route(void *ctx, uint32_t prefix, uint8_t len, const struct dp_route *r)
{
	struct sink *s = ctx;

	s->n++;
	if (r == NULL)
		snprintf(s->text, sizeof(s->text), "del %x/%u", prefix, len);
	else
		snprintf(s->text, sizeof(s->text), "set %x/%u kind %d if %u gw %x", r->prefix,
		         r->len, r->kind, r->ifidx, r->gateway);
	return s->answer;
}

static int sink_neigh(void *ctx, uint16_t ifidx, uint32_t ip, const uint8_t *mac)
{
	struct sink *s = ctx;

	s->n++;
	snprintf(s->text, sizeof(s->text), "neigh %u %x %s%02x", ifidx, ip, mac ? "" : "none",
	         mac ? mac[5] : 0);
	return s->answer;
}

static const struct rib_ops sink_ops = {.route = sink_route, .neigh = sink_neigh};

static struct sink sink_new(void)
{
	return (struct sink){.n = 0};
}

static void sink_open(struct sink *s)
{
	s->rib = rib_new(&sink_ops, s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->rib);
}

static const struct dp_route via1 = {
        .prefix = 0xc0000200, .len = 24, .kind = DP_RT_VIA, .ifidx = 1, .gateway = 0x0a000001};
static const struct dp_route via2 = {
        .prefix = 0xc0000200, .len = 24, .kind = DP_RT_VIA, .ifidx = 1, .gateway = 0x0a000002};
static const struct dp_route here = {
        .prefix = 0xc0000200, .len = 24, .kind = DP_RT_LOCAL, .ifidx = 2};

static void test_rib_best(void)
{
	struct sink s = sink_new();

	sink_open(&s);
	rib_route_add(s.rib, &via1, false, 20);
	CU_ASSERT_STRING_EQUAL(s.text, "set c0000200/24 kind 2 if 1 gw a000001");
	/* A worse one changes nothing, a better one does, one of our addresses goes before all. */
	rib_route_add(s.rib, &via2, false, 30);
	CU_ASSERT_EQUAL(s.n, 1);
	rib_route_add(s.rib, &via2, false, 10);
	CU_ASSERT_STRING_EQUAL(s.text, "set c0000200/24 kind 2 if 1 gw a000002");
	rib_route_add(s.rib, &here, true, 0);
	CU_ASSERT_STRING_EQUAL(s.text, "set c0000200/24 kind 0 if 2 gw 0");
	CU_ASSERT_EQUAL(rib_routes(s.rib), 1);
	CU_ASSERT_EQUAL(s.n, 3);
	/* Back down. */
	CU_ASSERT_TRUE(rib_route_del(s.rib, &here, true, 0));
	CU_ASSERT_STRING_EQUAL(s.text, "set c0000200/24 kind 2 if 1 gw a000002");
	/* 10 goes, 20 is next; the worst one, of the same next hop as 10, goes unseen. */
	CU_ASSERT_TRUE(rib_route_del(s.rib, &via2, false, 10));
	CU_ASSERT_STRING_EQUAL(s.text, "set c0000200/24 kind 2 if 1 gw a000001");
	CU_ASSERT_TRUE(rib_route_del(s.rib, &via2, false, 30));
	CU_ASSERT_EQUAL(s.n, 5);
	/* Another next hop of that metric: the kernel has two, and the caller has to look. */
	CU_ASSERT_FALSE(rib_route_del(s.rib, &via2, false, 20));
	CU_ASSERT_EQUAL(s.n, 5);
	rib_route_forget(s.rib, 0xc0000200, 24, false, 20);
	CU_ASSERT_STRING_EQUAL(s.text, "del c0000200/24");
	CU_ASSERT_EQUAL(rib_routes(s.rib), 0);
	CU_ASSERT_TRUE(rib_route_del(s.rib, &via1, false, 20));
	CU_ASSERT_EQUAL(s.n, 6);
	rib_free(s.rib);
}

static void test_rib_prefixes(void)
{
	struct dp_route r = {.kind = DP_RT_CONNECTED, .ifidx = 1};
	struct sink s = sink_new();

	sink_open(&s);
	/* /0 and /32 of one number are different; host bits do not count. */
	rib_route_add(s.rib, &r, false, 0);
	r.len = 32;
	rib_route_add(s.rib, &r, false, 0);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 2);
	r = via1;
	r.prefix |= 0x55;
	rib_route_add(s.rib, &via1, false, 0);
	rib_route_add(s.rib, &r, false, 0);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 3);
	CU_ASSERT_EQUAL(s.n, 3);
	rib_free(s.rib);
}

static void test_rib_sweep(void)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	struct sink s = sink_new();
	struct dp_route r = via1;

	sink_open(&s);
	for (uint32_t i = 0; i < 10000; i++) {
		r.prefix = i << 8;
		rib_route_add(s.rib, &r, false, 0);
		rib_neigh_set(s.rib, 1, i, mac);
	}
	CU_ASSERT_EQUAL(rib_routes(s.rib), 10000);
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 10000);
	rib_mark(s.rib);
	s.n = 0;
	for (uint32_t i = 0; i < 10000; i += 2) {
		r.prefix = i << 8;
		rib_route_add(s.rib, &r, false, 0);
		rib_neigh_set(s.rib, 1, i, mac);
	}
	CU_ASSERT_EQUAL(s.n, 0);
	rib_sweep(s.rib);
	CU_ASSERT_EQUAL(s.n, 10000);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 5000);
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 5000);
	rib_mark(s.rib);
	rib_sweep(s.rib);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 0);
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 0);
	rib_free(s.rib);
}

static void test_rib_refused(void)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	struct sink s = sink_new();

	sink_open(&s);
	s.answer = -EAGAIN;
	rib_route_add(s.rib, &via1, false, 0);
	rib_neigh_set(s.rib, 3, 0x0a000001, mac);
	rib_neigh_set(s.rib, 3, 0x0a000002, NULL);
	CU_ASSERT_EQUAL(rib_refused(s.rib), 3);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 0);
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 0);
	CU_ASSERT_EQUAL(rib_retry(s.rib), 3);
	s.answer = 0;
	CU_ASSERT_EQUAL(rib_retry(s.rib), 0);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 1);
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 1);
	/* Removed while the removal is refused: it goes with the next try. */
	s.answer = -EAGAIN;
	rib_route_del(s.rib, &via1, false, 0);
	rib_neigh_set(s.rib, 3, 0x0a000001, NULL);
	CU_ASSERT_EQUAL(rib_refused(s.rib), 2);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 1);
	s.answer = 0;
	CU_ASSERT_EQUAL(rib_retry(s.rib), 0);
	CU_ASSERT_EQUAL(rib_routes(s.rib), 0);
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 0);
	/* Refused, then withdrawn before it was ever taken: nothing to say any more. */
	s.answer = -EAGAIN;
	rib_route_add(s.rib, &via1, false, 0);
	s.n = 0;
	rib_route_del(s.rib, &via1, false, 0);
	CU_ASSERT_EQUAL(s.n, 0);
	CU_ASSERT_EQUAL(rib_refused(s.rib), 0);
	rib_free(s.rib);
}

struct walk {
	uint32_t seen[600];
};

static void on_walk(void *ctx, uint16_t ifidx, uint32_t ip)
{
	CU_ASSERT_EQUAL(ifidx, 2);
	CU_ASSERT_TRUE_FATAL(ip < 600);
	((struct walk *)ctx)->seen[ip]++;
}

static void test_rib_neighs(void)
{
	const uint8_t a[6] = {2, 0, 0, 0, 0, 0xa}, b[6] = {2, 0, 0, 0, 0, 0xb};
	struct sink s = sink_new();
	struct walk w = {0};
	uint32_t missed = 0;

	sink_open(&s);
	rib_neigh_set(s.rib, 2, 5, a);
	CU_ASSERT_STRING_EQUAL(s.text, "neigh 2 5 0a");
	rib_neigh_set(s.rib, 2, 5, a);
	CU_ASSERT_EQUAL(s.n, 1);
	rib_neigh_set(s.rib, 2, 5, b);
	CU_ASSERT_STRING_EQUAL(s.text, "neigh 2 5 0b");
	CU_ASSERT_TRUE(rib_neigh_offer(s.rib, 2, 5));
	CU_ASSERT_EQUAL(s.n, 3);
	CU_ASSERT_FALSE(rib_neigh_offer(s.rib, 2, 6));
	CU_ASSERT_FALSE(rib_neigh_offer(s.rib, 1, 5));
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 1);
	/* One that never had an address: packets may wait for it, so the failure is told. */
	rib_neigh_set(s.rib, 2, 6, NULL);
	CU_ASSERT_STRING_EQUAL(s.text, "neigh 2 6 none00");
	rib_neigh_set(s.rib, 2, 5, NULL);
	CU_ASSERT_STRING_EQUAL(s.text, "neigh 2 5 none00");
	CU_ASSERT_EQUAL(rib_neighs(s.rib), 0);

	/* Each of many is visited in one round, whatever the size of the table. */
	for (uint32_t i = 0; i < 600; i++)
		rib_neigh_set(s.rib, 2, i, a);
	for (int i = 0; i < 30; i++)
		rib_neigh_walk(s.rib, 30, on_walk, &w);
	for (int i = 0; i < 600; i++)
		missed += w.seen[i] == 0;
	CU_ASSERT_EQUAL(missed, 0);
	rib_free(s.rib);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"device strings", test_device_strings},
	        {"device strings completed", test_device_completion},
	        {"CPU lists", test_cpu_lists},
	        {"lcores", test_lcores},
	        {"hugepages", test_hugepages},
	        {"the best route", test_rib_best},
	        {"prefixes", test_rib_prefixes},
	        {"mark and sweep", test_rib_sweep},
	        {"what the data plane refuses", test_rib_refused},
	        {"neighbours", test_rib_neighs},
	        CU_TEST_INFO_NULL,
	};
	return run_suite("ports", tests);
}
