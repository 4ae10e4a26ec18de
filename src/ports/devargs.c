/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/devargs.h"

#include <ctype.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_MAX 1024 /* as many as EAL's own bit set holds */
/*
 * The least memory for a ring of a packet socket. It is memory of the kernel, not a NIC's: at 300,000
 * packets a second 1,024 frames are full in 3 ms, which is no long time for a thread among others.
 */
#define PACKET_RING_BYTES (8u << 20)

bool devargs_is_pci(const char *device)
{
	unsigned int dom, bus, dev, fn;
	int n = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &dom, &bus, &dev, &fn, &n) != 4) {
		n = 0;
		if (sscanf(device, "%2x:%2x.%1x%n", &bus, &dev, &fn, &n) != 3)
			return false;
	}
	return n > 0 && (device[n] == '\0' || device[n] == ',');
}

void devargs_name(const char *device, char *out, size_t size)
{
	int n = (int)strcspn(device, ",");
	/* DPDK writes a PCI address with its domain. */
	bool is_short = devargs_is_pci(device) && memchr(device, ':', (size_t)n) == device + 2;

	snprintf(out, size, "%s%.*s", is_short ? "0000:" : "", n, device);
}

bool devargs_is_driver(const char *device, const char *driver)
{
	size_t n = strlen(driver);

	if (strncmp(device, driver, n) != 0)
		return false;
	while (isalnum((unsigned char)device[n]))
		n++;
	return device[n] == '\0' || device[n] == ',';
}

bool devargs_get(const char *device, const char *key, char *out, size_t size)
{
	size_t klen = strlen(key), n;
	const char *p = device;

	while ((p = strchr(p, ',')) != NULL) {
		p++;
		if (strncmp(p, key, klen) != 0 || p[klen] != '=')
			continue;
		p += klen + 1;
		n = strcspn(p, ",");
		if (n == 0 || n >= size)
			return false;
		memcpy(out, p, n);
		out[n] = '\0';
		return true;
	}
	return false;
}

static int append(char *out, size_t size, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

static int append(char *out, size_t size, const char *fmt, ...)
{
	size_t have = strlen(out);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out + have, size - have, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= size - have ? -ENAMETOOLONG : 0;
}

static int append_default(const struct cfg_port *port, const char *key, uint32_t value, char *out,
                          size_t size)
{
	char have[32];

	if (devargs_get(port->device, key, have, sizeof(have)))
		return 0;
	return append(out, size, ",%s=%u", key, value);
}

/*
 * Ring frames of a packet socket: the kernel puts its header, the sender's address and 16 bytes for
 * the link header, rounded up, before the frame. A power of two, so that blocks hold whole frames.
 */
static uint32_t packet_frame_size(uint16_t mtu)
{
	uint32_t need = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) + ETH_HLEN + 4 + mtu;
	uint32_t size = 2048;

	while (size < need)
		size *= 2;
	return size;
}

int devargs_complete(const struct cfg_port *port, uint16_t n_workers, char *out, size_t size)
{
	char text[32];
	uint32_t frame, n = port->rx_descriptors;
	int ret;

	if ((size_t)snprintf(out, size, "%s", port->device) >= size)
		return -ENAMETOOLONG;
	if (devargs_is_driver(port->device, "net_af_xdp")) {
		ret = append_default(port, "queue_count", n_workers, out, size);
		return ret;
	}
	if (!devargs_is_driver(port->device, "net_af_packet"))
		return 0;

	frame = packet_frame_size(port->mtu);
	if (devargs_get(port->device, "framesz", text, sizeof(text)))
		frame = (uint32_t)strtoul(text, NULL, 10);
	if (frame != 0 && n < PACKET_RING_BYTES / frame)
		n = PACKET_RING_BYTES / frame;
	ret = append_default(port, "qpairs", n_workers, out, size);
	if (ret == 0)
		ret = append_default(port, "framesz", frame, out, size);
	if (ret == 0)
		ret = append_default(port, "blocksz", frame < 4096 ? 4096 : frame, out, size);
	if (ret == 0)
		ret = append_default(port, "framecnt", n, out, size);
	return ret;
}

int cpulist_parse(const char *text, uint16_t *cpus, int max)
{
	const char *p = text;
	int n = 0;

	while (*p != '\0') {
		unsigned long from, to;
		char *end;

		if (!isdigit((unsigned char)*p))
			return -EINVAL;
		from = to = strtoul(p, &end, 10);
		if (*end == '-') {
			p = end + 1;
			if (!isdigit((unsigned char)*p))
				return -EINVAL;
			to = strtoul(p, &end, 10);
		}
		if (from > to || to >= CPU_MAX)
			return -EINVAL;
		for (; from <= to; from++) {
			if (n == max)
				return -E2BIG;
			cpus[n++] = (uint16_t)from;
		}
		if (*end == ',' && end[1] != '\0')
			end++;
		else if (*end != '\0')
			return -EINVAL;
		p = end;
	}
	return n == 0 ? -EINVAL : n;
}

int lcores_text(const uint16_t *cpus, int n, uint16_t n_workers, char *out, size_t size,
                bool *shared)
{
	char set[1024] = "";
	int ret = 0;

	*shared = n < n_workers + 1;
	out[0] = '\0';
	if (*shared) {
		for (int i = 0; i < n && ret == 0; i++)
			ret = append(set, sizeof(set), "%s%u", i == 0 ? "" : ",", cpus[i]);
		if (ret == 0)
			ret = append(out, size, "(0-%u)@(%s)", n_workers, set);
		return ret;
	}
	for (int i = 0; i <= n_workers && ret == 0; i++)
		ret = append(out, size, "%s%d@%u", i == 0 ? "" : ",", i, cpus[i]);
	return ret;
}
