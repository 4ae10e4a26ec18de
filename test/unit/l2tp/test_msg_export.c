/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Writes the samples for other eyes: "pcap FILE" as a capture for a protocol analyser, "seeds DIR"
 * as one file a message for the fuzz corpora ("hidden-seeds DIR": in the form that the target with
 * a secret takes, where hidden values stand in clear).
 */
#include "test_msg_samples.h"

#include "l2tp/avp.h"
#include "l2tp/hide.h"

#include <stdio.h>
#include <string.h>

#define LINKTYPE_RAW 101 /* an IP header comes first */
#define IP_HDR       20
#define UDP_HDR      8

static bool write_file_header(FILE *f)
{
	struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, sigfigs, snaplen, linktype;
	} h = {0xa1b2c3d4, 2, 4, 0, 0, 65535, LINKTYPE_RAW};

	return fwrite(&h, sizeof(h), 1, f) == 1;
}

static uint16_t ip_checksum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < IP_HDR; i += 2)
		sum += l2tp_get16(p + i);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool write_packet(FILE *f, uint32_t second, const uint8_t *msg, size_t len)
{
	uint8_t p[IP_HDR + UDP_HDR] = {0x45};
	uint32_t whole = (uint32_t)(sizeof(p) + len);
	uint32_t h[4] = {second, 0, whole, whole};

	l2tp_put16(p + 2, (uint16_t)whole);
	p[8] = 64; /* TTL */
	p[9] = 17; /* UDP */
	l2tp_put32(p + 12, 0xc0000201); /* 192.0.2.1 */
	l2tp_put32(p + 16, 0xc0000202);
	l2tp_put16(p + 10, ip_checksum(p));
	l2tp_put16(p + IP_HDR, L2TP_PORT);
	l2tp_put16(p + IP_HDR + 2, L2TP_PORT);
	l2tp_put16(p + IP_HDR + 4, (uint16_t)(UDP_HDR + len));
	return fwrite(h, sizeof(h), 1, f) == 1 && fwrite(p, sizeof(p), 1, f) == 1 &&
	       fwrite(msg, len, 1, f) == 1;
}

static int write_pcap(const char *path)
{
	static uint8_t msg[L2TP_MSG_MAX];
	FILE *f = fopen(path, "wb");
	bool ok = f != NULL && write_file_header(f);

	for (unsigned n = 0; ok && n < 2 * SAMPLE_COUNT; n++) {
		size_t len = sample_build(n % SAMPLE_COUNT, n >= SAMPLE_COUNT, msg, sizeof(msg));

		ok = len > 0 && write_packet(f, n, msg, len);
	}
	if (f != NULL && fclose(f) != 0)
		ok = false;
	return ok ? 0 : 1;
}

/* Turns hidden values back into their clear subformat, in place. */
static void reveal(uint8_t *msg, size_t len)
{
	struct l2tp_hide_key key = {(const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET), NULL, 0};
	size_t n;

	for (size_t at = L2TP_HDR_LEN; at < len; at += n) {
		uint16_t flags = l2tp_get16(msg + at), type = l2tp_get16(msg + at + 4);
		uint8_t *v = msg + at + L2TP_AVP_HDR;

		n = flags & L2TP_AVP_LENGTH;
		if (type == L2TP_AVP_RANDOM_VECTOR) {
			key.vector = v;
			key.vector_len = n - L2TP_AVP_HDR;
		} else if ((flags & L2TP_AVP_H) != 0) {
			l2tp_hide_crypt(false, type, &key, v, v, n - L2TP_AVP_HDR);
		}
	}
}

static int write_seeds(const char *dir, bool hidden)
{
	static uint8_t msg[L2TP_MSG_MAX];

	for (unsigned n = 0; n < SAMPLE_COUNT; n++) {
		size_t len = sample_build(n, hidden, msg, sizeof(msg));
		char path[4096];
		FILE *f;

		if (hidden)
			reveal(msg, len);
		snprintf(path, sizeof(path), "%s/%s", dir, l2tp_msg_name(sample_type(n)));
		f = fopen(path, "wb");
		if (f == NULL || fwrite(msg, len, 1, f) != 1 || fclose(f) != 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "pcap") == 0)
		return write_pcap(argv[2]);
	if (argc == 3 && strcmp(argv[1], "seeds") == 0)
		return write_seeds(argv[2], false);
	if (argc == 3 && strcmp(argv[1], "hidden-seeds") == 0)
		return write_seeds(argv[2], true);
	fprintf(stderr, "usage: %s pcap FILE | seeds DIR | hidden-seeds DIR\n", argv[0]);
	return 2;
}
