/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* classify: usual frames with ESP, bare or in UDP, which go to w->esp as they are. */
#pragma once

#include "dataplane/usual.h"

#include <rte_prefetch.h>

#define ESP_HDR_LEN 8

/*
 * The first frames of v that are usual ones to the last address of ours, with bare ESP of this worker's SPIs, are
 * among w->esp then, as they are: how many. As usual_esp has it.
 */
uint16_t dp_of_sas(struct worker *w, struct rte_mbuf **v, uint16_t n, const struct usual *u);

/* A usual frame with ESP of another worker. False: there is nothing of that SPI. */
bool dp_esp_elsewhere(struct worker *w, struct rte_mbuf *m, uint32_t spi);

/* An ESP packet at its header at in a usual frame at p, of len bytes: among w->esp, as it is. */
static __rte_always_inline void esp_frame(struct worker *w, struct rte_mbuf *m, uint8_t *p,
                                          uint32_t at, uint32_t len)
{
	const uint32_t i = w->esp.n;

	w->esp_pkt[i].data = p + at;
	w->esp_pkt[i].len = (uint16_t)len;
	w->esp_pkt[i].mark = at == AT_UDP ? 0 : PKT_ENCAP;
	w->esp_frames |= 1ull << i;
	vec_push(&w->esp, m);
}

/*
 * The same for one that has not been looked at yet. True: nothing is wrong with it, and it is among w->esp, or has gone
 * to its owner.
 */
static __rte_always_inline bool usual_esp(struct worker *w, struct rte_mbuf *m, uint8_t *p,
                                          uint32_t at, uint32_t len)
{
	const uint32_t spi = get_be32(p + at);

	rte_prefetch0(&w->dp->spi[spi_slot(spi)]);
	if (unlikely(len < ESP_HDR_LEN || len > m->data_len - at || spi < SPI_MIN ||
	             !ip4_sum20_right((const void *)(p + AT_IP)) ||
	             ip4_martian_src((uint32_t)p[AT_SRC] << 24)))
		return false;
	if (unlikely(spi_worker(spi) != w->id))
		return dp_esp_elsewhere(w, m, spi);
	esp_frame(w, m, p, at, len);
	return true;
}
