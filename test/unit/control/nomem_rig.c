/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Where control's own code begins and ends: the linker leads what the rig and the tests call of control to
 * here, and what control calls of the rig that allocates.
 */
#include "control/rig_ipsec.h"
#include "nomem.h"

/* A call of control's; the argument lists are those of ctl.h and ipsec.h. */
#define INTO(type, name, params, args)                                                             \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		type ret;                                                                          \
                                                                                                   \
		nomem_enter();                                                                     \
		ret = __real_##name args;                                                          \
		nomem_leave();                                                                     \
		return ret;                                                                        \
	}

#define INTO_VOID(name, params, args)                                                              \
	void __real_##name params;                                                                 \
	void __wrap_##name params;                                                                 \
	void __wrap_##name params                                                                  \
	{                                                                                          \
		nomem_enter();                                                                     \
		__real_##name args;                                                                \
		nomem_leave();                                                                     \
	}

#define OUT_OF(name, params, args)                                                                 \
	int __real_##name params;                                                                  \
	int __wrap_##name params;                                                                  \
	int __wrap_##name params                                                                   \
	{                                                                                          \
		uint32_t depth = nomem_outside();                                                  \
		int ret = __real_##name args;                                                      \
                                                                                                   \
		nomem_inside(depth);                                                               \
		return ret;                                                                        \
	}

INTO(struct ctl *, ctl_new,
     (const struct config *conf, const struct ctl_ops *ops, void *ctx, struct dp *dp,
      struct timerq *timers, struct log *log, uint64_t now_ms),
     (conf, ops, ctx, dp, timers, log, now_ms))
INTO_VOID(ctl_free, (struct ctl * c), (c))
INTO_VOID(ctl_punt, (struct ctl * c, const struct dp_punt *p, uint64_t now_ms), (c, p, now_ms))
INTO(bool, ctl_tick, (struct ctl * c, uint64_t now_ms), (c, now_ms))
INTO_VOID(ctl_shutdown, (struct ctl * c, uint64_t now_ms), (c, now_ms))
INTO_VOID(ctl_ike_rx, (struct ctl * c, const struct sslink_msg *m, uint64_t now_ms), (c, m, now_ms))
INTO_VOID(ctl_ike_link_up, (struct ctl * c, uint64_t now_ms), (c, now_ms))
INTO_VOID(ctl_ike_link_down, (struct ctl * c, uint64_t now_ms), (c, now_ms))
INTO(int, ctl_static_sa_add, (struct ctl * c, const struct ctl_static_sa *s, uint64_t now_ms),
     (c, s, now_ms))
INTO_VOID(ctl_conn_closed, (struct ctl * c, uint64_t conn, uint64_t now_ms), (c, conn, now_ms))
INTO(int, ctl_clear_conn, (struct ctl * c, uint64_t id, uint64_t now_ms), (c, id, now_ms))
INTO(int, ctl_clear_tunnel, (struct ctl * c, uint16_t id, uint64_t now_ms), (c, id, now_ms))
INTO(int, ctl_clear_session, (struct ctl * c, uint16_t id, uint64_t now_ms), (c, id, now_ms))
INTO(bool, ctl_tunnel_next,
     (const struct ctl *c, uint32_t *cursor, uint64_t now_ms, struct ctl_tunnel_view *out),
     (c, cursor, now_ms, out))
INTO(bool, ctl_session_next,
     (const struct ctl *c, uint32_t *cursor, uint64_t now_ms, struct ctl_session_view *out),
     (c, cursor, now_ms, out))
INTO(bool, ctl_conn_next,
     (const struct ctl *c, uint32_t *cursor, uint64_t now_ms, struct ctl_conn_view *out),
     (c, cursor, now_ms, out))

OUT_OF(dp_send_udp,
       (struct dp * dp, const struct endpoint *src, const struct endpoint *dst, uint32_t child,
        const uint8_t *payload, size_t len),
       (dp, src, dst, child, payload, len))
OUT_OF(dp_send_ppp, (struct dp * dp, uint16_t id, uint32_t gen, const uint8_t *frame, size_t len),
       (dp, id, gen, frame, len))
