/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "tests.h"

#include "base/addr.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	memset(&a, 0xee, sizeof(a));
	CU_ASSERT_EQUAL(ipaddr_parse(text, &a), 0);
	return a;
}

static void test_parse(void)
{
	static const char *const bad[] = {"",          " ",         "1",        "1.2.3",
	                                  "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ", " 1.2.3.4",
	                                  "1.2.3.4/8", "01.2.3.4x", ":",        ":::",
	                                  "1::2::3",   "fe80::1%1", "g::1",     "1:2:3:4:5:6:7",
	                                  "1.2.3.-4",  "0x1.2.3.4", "localhost"};
	struct ipaddr a = addr("192.0.2.1");
	char text[IPADDR_STRLEN];

	CU_ASSERT_EQUAL(a.family, AF_INET);
	CU_ASSERT_EQUAL(ipaddr_to_v4(&a), 0xc0000201);
	CU_ASSERT(a.b[4] == 0 && a.b[15] == 0); /* structs may be compared as bytes */
	CU_ASSERT_STRING_EQUAL(ipaddr_str(&a, text, sizeof(text)), "192.0.2.1");
	a = addr("2001:DB8::1");
	CU_ASSERT_EQUAL(a.family, AF_INET6);
	CU_ASSERT_EQUAL(ipaddr_to_v4(&a), 0);
	CU_ASSERT_STRING_EQUAL(ipaddr_str(&a, text, sizeof(text)), "2001:db8::1");
	a = addr("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	CU_ASSERT_STRING_EQUAL(ipaddr_str(&a, text, sizeof(text)),
	                       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ipaddr b = addr("9.9.9.9");

		CU_ASSERT_EQUAL(ipaddr_parse(bad[i], &b), -EINVAL);
		CU_ASSERT_EQUAL(ipaddr_to_v4(&b), 0x09090909); /* untouched */
	}
}

static void test_v4(void)
{
	struct ipaddr a = ipaddr_v4(0x01020304), none = {0};
	char text[IPADDR_STRLEN];

	CU_ASSERT(a.b[0] == 1 && a.b[3] == 4 && a.b[4] == 0);
	CU_ASSERT_EQUAL(ipaddr_to_v4(&a), 0x01020304);
	CU_ASSERT_EQUAL(ipaddr_to_v4(&none), 0);
	CU_ASSERT_STRING_EQUAL(ipaddr_str(&none, text, sizeof(text)), "none");
}

static void test_compare(void)
{
	struct ipaddr a = addr("1.2.3.4"), b = addr("1.2.3.4"), c = addr("1.2.3.5");
	struct ipaddr v6 = addr("::1"), v6b = addr("::2"), none = {0}, odd = {.b = {1}};
	struct endpoint x = {a, 1701}, y = {b, 1701}, z = {b, 1702};

	CU_ASSERT(ipaddr_eq(&a, &b) && !ipaddr_eq(&a, &c) && !ipaddr_eq(&a, &v6));
	CU_ASSERT(ipaddr_eq(&v6, &v6) && !ipaddr_eq(&v6, &v6b));
	CU_ASSERT(ipaddr_eq(&none, &odd) && !ipaddr_eq(&none, &a));
	b.b[9] = 7; /* beyond an IPv4 address */
	CU_ASSERT(ipaddr_eq(&a, &b));
	CU_ASSERT(endpoint_eq(&x, &y) && !endpoint_eq(&x, &z));
	y.addr = c;
	CU_ASSERT(!endpoint_eq(&x, &y));
}

static void test_any(void)
{
	struct ipaddr none = {0}, a = addr("0.0.0.0"), b = addr("::"), c = addr("0.0.0.1");
	struct ipaddr d = addr("::1");

	CU_ASSERT(ipaddr_is_any(&none) && ipaddr_is_any(&a) && ipaddr_is_any(&b));
	CU_ASSERT(!ipaddr_is_any(&c) && !ipaddr_is_any(&d));
}

static void test_prefix_parse(void)
{
	static const char *const bad[] = {"1.2.3.4",
	                                  "1.2.3.4/",
	                                  "1.2.3.4/33",
	                                  "1.2.3.4/-1",
	                                  "1.2.3.4/ 8",
	                                  "1.2.3.4/8 ",
	                                  "1.2.3.4/8/8",
	                                  "/8",
	                                  "::/129",
	                                  "x/8",
	                                  "1.2.3.4/+8",
	                                  "1.2.3.4/8x",
	                                  "1.2.3.4/99999999999999999999",
	                                  "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
	                                  ""};
	struct ipprefix p;

	CU_ASSERT_EQUAL(ipprefix_parse("192.0.2.7/24", &p), 0);
	CU_ASSERT(p.len == 24 && ipaddr_to_v4(&p.addr) == 0xc0000207); /* host bits are kept */
	CU_ASSERT_EQUAL(ipprefix_parse("0.0.0.0/0", &p), 0);
	CU_ASSERT_EQUAL(ipprefix_parse("1.2.3.4/32", &p), 0);
	CU_ASSERT_EQUAL(ipprefix_parse("2001:db8::/128", &p), 0);
	CU_ASSERT_EQUAL(ipprefix_parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", &p), 0);
	CU_ASSERT_EQUAL(p.len, 128);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(ipprefix_parse(bad[i], &p), -EINVAL);
	CU_ASSERT_EQUAL(p.len, 128);
}

static bool contains(const char *prefix, const char *address)
{
	struct ipaddr a = addr(address);
	struct ipprefix p;

	CU_ASSERT_EQUAL_FATAL(ipprefix_parse(prefix, &p), 0);
	return ipprefix_contains(&p, &a);
}

static void test_contains(void)
{
	struct ipprefix v4_all, v6_all;
	struct ipaddr none = {0};

	CU_ASSERT(contains("0.0.0.0/0", "255.255.255.255"));
	CU_ASSERT(!contains("0.0.0.0/0", "::"));
	CU_ASSERT(contains("192.0.2.7/24", "192.0.2.255"));
	CU_ASSERT(!contains("192.0.2.7/24", "192.0.3.0"));
	CU_ASSERT(contains("192.0.2.128/25", "192.0.2.129"));
	CU_ASSERT(!contains("192.0.2.128/25", "192.0.2.127"));
	CU_ASSERT(contains("10.0.0.0/7", "11.255.0.0"));
	CU_ASSERT(!contains("10.0.0.0/7", "12.0.0.0"));
	CU_ASSERT(contains("1.2.3.4/32", "1.2.3.4"));
	CU_ASSERT(!contains("1.2.3.4/32", "1.2.3.5"));
	CU_ASSERT(contains("2001:db8::/33", "2001:db8:7fff::1"));
	CU_ASSERT(!contains("2001:db8::/33", "2001:db8:8000::1"));
	CU_ASSERT(contains("::1/128", "::1"));
	CU_ASSERT(!contains("::1/128", "::2"));
	ipprefix_parse("0.0.0.0/0", &v4_all);
	ipprefix_parse("::/0", &v6_all);
	CU_ASSERT(!ipprefix_contains(&v4_all, &none) && !ipprefix_contains(&v6_all, &none));
}

static void test_endpoint(void)
{
	struct endpoint e = {addr("192.0.2.1"), 1701}, f = {addr("2001:db8::1"), 65535};
	struct endpoint longest = {addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535};
	char text[ENDPOINT_STRLEN];

	CU_ASSERT_STRING_EQUAL(endpoint_str(&e, text, sizeof(text)), "192.0.2.1:1701");
	CU_ASSERT_STRING_EQUAL(endpoint_str(&f, text, sizeof(text)), "[2001:db8::1]:65535");
	CU_ASSERT_STRING_EQUAL(endpoint_str(&longest, text, sizeof(text)),
	                       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

/* Equal endpoints hash alike; one bit of address, port or seed changes about half of the bits. */
static void test_hash(void)
{
	struct endpoint e = {addr("192.0.2.1"), 1701}, f = e;
	uint64_t h = endpoint_hash(&e, 42);
	unsigned int buckets[256] = {0}, fullest = 0;

	CU_ASSERT_EQUAL(endpoint_hash(&f, 42), h);
	CU_ASSERT_NOT_EQUAL(endpoint_hash(&e, 43), h);
	f.port ^= 1;
	CU_ASSERT(__builtin_popcountll(endpoint_hash(&f, 42) ^ h) > 12);
	f = e;
	f.addr.b[3] ^= 1;
	CU_ASSERT(__builtin_popcountll(endpoint_hash(&f, 42) ^ h) > 12);
	for (unsigned int i = 0; i < 65536; i++) {
		f.port = (uint16_t)i;
		if (++buckets[endpoint_hash(&f, 1) & 255] > fullest)
			fullest = buckets[endpoint_hash(&f, 1) & 255];
	}
	CU_ASSERT(fullest < 256 + 6 * 16); /* six standard deviations above the mean */
}

void register_addr(void)
{
	CU_pSuite s = CU_add_suite("base: addr", NULL, NULL);

	CU_add_test(s, "parse", test_parse);
	CU_add_test(s, "IPv4 numbers", test_v4);
	CU_add_test(s, "compare", test_compare);
	CU_add_test(s, "any", test_any);
	CU_add_test(s, "parse prefixes", test_prefix_parse);
	CU_add_test(s, "prefix contains", test_contains);
	CU_add_test(s, "endpoints", test_endpoint);
	CU_add_test(s, "hash", test_hash);
}
