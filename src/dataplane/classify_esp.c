/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/classify_esp.h"

uint16_t dp_of_sas(struct worker *w, struct rte_mbuf **v, uint16_t n, const struct usual *u)
{
	/* As for UDP, but for the protocol; of the third word there is the end of our address alone. */
	const xmm_t want = _mm_insert_epi8(u->want[1], IPPROTO_ESP, AT_PROTO - 16);
	const uint16_t dst_end = (uint16_t)(rte_cpu_to_be_32(u->local) >> 16);
	struct esp_pkt *to = w->esp_pkt + w->esp.n;
	struct rte_mbuf **to_v = w->esp.v + w->esp.n;
	const struct spi_slot *slots = w->dp->spi;
	size_t i;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		uint8_t *p = usual_place(m);
		const xmm_t *x = (const void *)p;
		uint32_t len, spi;
		uint16_t end;

		if (unlikely(!at_usual_place(m, u) || not_our_ip4(p, u) ||
		             !_mm_testz_si128(_mm_xor_si128(_mm_loadu_si128(x + 1), want),
		                              usual_mask.x[1])))
			break;
		memcpy(&end, p + AT_DST + 2, sizeof(end));
		len = (get_be32(p + AT_IP) & 0xffff) - (AT_UDP - AT_IP);
		spi = get_be32(p + AT_UDP);
		rte_prefetch0(&slots[spi_slot(spi)]);
		if (unlikely(end != dst_end ||
		             len - ESP_HDR_LEN > (uint32_t)m->data_len - (AT_UDP + ESP_HDR_LEN) ||
		             spi < SPI_MIN || spi_worker(spi) != w->id ||
		             !ip4_sum20_right((const void *)(p + AT_IP)) ||
		             ip4_martian_src((uint32_t)p[AT_SRC] << 24)))
			break;
		to[i].data = p + AT_UDP;
		to[i].len = (uint16_t)len;
		to[i].mark = 0;
		to_v[i] = m;
	}
	w->esp_frames |= (i == 64 ? UINT64_MAX : (1ull << i) - 1) << w->esp.n;
	w->esp.n += (uint16_t)i;
	return (uint16_t)i;
}

void dp_esp_frame(struct worker *w, struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	const uint32_t at = p[AT_PROTO] == IPPROTO_ESP ? AT_UDP : AT_L2TP;

	esp_frame(w, m, p, at, get_be16(p + AT_LENGTH) - (at - AT_IP));
}

bool dp_esp_elsewhere(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	const struct spi_slot *slot = &w->dp->spi[spi_slot(spi)];

	if (__atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) != spi)
		return false;
	dp_handoff(w, m, spi_worker(spi), RESUME_ESP, spi_slot(spi));
	return true;
}
