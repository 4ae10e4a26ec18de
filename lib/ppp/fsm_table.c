/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ppp/fsm.h"

#define R(act, nxt)                                                                                \
	{                                                                                          \
		.actions = (act), .next = FSM_##nxt                                                \
	}
#define STAY(s) R(0, s)

/* RFC 1661 4.1, transposed: a row a state, columns in the order of enum fsm_event. */
static const struct fsm_row table[FSM_STATES][FSM_EVENTS] =
        {
                [FSM_INITIAL] =
                        {
                                [FSM_EV_UP] = R(0, CLOSED),
                                [FSM_EV_DOWN] = STAY(INITIAL),
                                [FSM_EV_OPEN] = R(FSM_TLS, STARTING),
                                [FSM_EV_CLOSE] = R(0, INITIAL),
                                /* nothing else can happen before Up: zero is a stay in Initial */
                        },
                [FSM_STARTING] =
                        {
                                [FSM_EV_UP] = R(FSM_IRC | FSM_SCR, REQ_SENT),
                                [FSM_EV_DOWN] = STAY(STARTING),
                                [FSM_EV_OPEN] = R(0, STARTING),
                                [FSM_EV_CLOSE] = R(FSM_TLF, INITIAL),
                                [FSM_EV_TO_PLUS] = STAY(STARTING),
                                [FSM_EV_TO_MINUS] = STAY(STARTING),
                                [FSM_EV_RCR_PLUS] = STAY(STARTING),
                                [FSM_EV_RCR_MINUS] = STAY(STARTING),
                                [FSM_EV_RCA] = STAY(STARTING),
                                [FSM_EV_RCN] = STAY(STARTING),
                                [FSM_EV_RTR] = STAY(STARTING),
                                [FSM_EV_RTA] = STAY(STARTING),
                                [FSM_EV_RUC] = STAY(STARTING),
                                [FSM_EV_RXJ_PLUS] = STAY(STARTING),
                                [FSM_EV_RXJ_MINUS] = STAY(STARTING),
                                [FSM_EV_RXR] = STAY(STARTING),
                        },
                [FSM_CLOSED] =
                        {
                                [FSM_EV_UP] = STAY(CLOSED),
                                [FSM_EV_DOWN] = R(0, INITIAL),
                                [FSM_EV_OPEN] = R(FSM_IRC | FSM_SCR, REQ_SENT),
                                [FSM_EV_CLOSE] = R(0, CLOSED),
                                [FSM_EV_TO_PLUS] = STAY(CLOSED),
                                [FSM_EV_TO_MINUS] = STAY(CLOSED),
                                [FSM_EV_RCR_PLUS] = R(FSM_STA, CLOSED),
                                [FSM_EV_RCR_MINUS] = R(FSM_STA, CLOSED),
                                [FSM_EV_RCA] = R(FSM_STA, CLOSED),
                                [FSM_EV_RCN] = R(FSM_STA, CLOSED),
                                [FSM_EV_RTR] = R(FSM_STA, CLOSED),
                                [FSM_EV_RTA] = R(0, CLOSED),
                                [FSM_EV_RUC] = R(FSM_SCJ, CLOSED),
                                [FSM_EV_RXJ_PLUS] = R(0, CLOSED),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, CLOSED),
                                [FSM_EV_RXR] = R(0, CLOSED),
                        },
                [FSM_STOPPED] =
                        {
                                [FSM_EV_UP] = STAY(STOPPED),
                                [FSM_EV_DOWN] = R(FSM_TLS, STARTING),
                                [FSM_EV_OPEN] = R(0, STOPPED),
                                [FSM_EV_CLOSE] = R(0, CLOSED),
                                [FSM_EV_TO_PLUS] = STAY(STOPPED),
                                [FSM_EV_TO_MINUS] = STAY(STOPPED),
                                [FSM_EV_RCR_PLUS] = R(FSM_IRC | FSM_SCR | FSM_SCA, ACK_SENT),
                                [FSM_EV_RCR_MINUS] = R(FSM_IRC | FSM_SCR | FSM_SCN, REQ_SENT),
                                [FSM_EV_RCA] = R(FSM_STA, STOPPED),
                                [FSM_EV_RCN] = R(FSM_STA, STOPPED),
                                [FSM_EV_RTR] = R(FSM_STA, STOPPED),
                                [FSM_EV_RTA] = R(0, STOPPED),
                                [FSM_EV_RUC] = R(FSM_SCJ, STOPPED),
                                [FSM_EV_RXJ_PLUS] = R(0, STOPPED),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RXR] = R(0, STOPPED),
                        },
                [FSM_CLOSING] =
                        {
                                [FSM_EV_UP] = STAY(CLOSING),
                                [FSM_EV_DOWN] = R(0, INITIAL),
                                [FSM_EV_OPEN] = R(0, STOPPING),
                                [FSM_EV_CLOSE] = R(0, CLOSING),
                                [FSM_EV_TO_PLUS] = R(FSM_STR, CLOSING),
                                [FSM_EV_TO_MINUS] = R(FSM_TLF, CLOSED),
                                [FSM_EV_RCR_PLUS] = R(0, CLOSING),
                                [FSM_EV_RCR_MINUS] = R(0, CLOSING),
                                [FSM_EV_RCA] = R(0, CLOSING),
                                [FSM_EV_RCN] = R(0, CLOSING),
                                [FSM_EV_RTR] = R(FSM_STA, CLOSING),
                                [FSM_EV_RTA] = R(FSM_TLF, CLOSED),
                                [FSM_EV_RUC] = R(FSM_SCJ, CLOSING),
                                [FSM_EV_RXJ_PLUS] = R(0, CLOSING),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, CLOSED),
                                [FSM_EV_RXR] = R(0, CLOSING),
                        },
                [FSM_STOPPING] =
                        {
                                [FSM_EV_UP] = STAY(STOPPING),
                                [FSM_EV_DOWN] = R(0, STARTING),
                                [FSM_EV_OPEN] = R(0, STOPPING),
                                [FSM_EV_CLOSE] = R(0, CLOSING),
                                [FSM_EV_TO_PLUS] = R(FSM_STR, STOPPING),
                                [FSM_EV_TO_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RCR_PLUS] = R(0, STOPPING),
                                [FSM_EV_RCR_MINUS] = R(0, STOPPING),
                                [FSM_EV_RCA] = R(0, STOPPING),
                                [FSM_EV_RCN] = R(0, STOPPING),
                                [FSM_EV_RTR] = R(FSM_STA, STOPPING),
                                [FSM_EV_RTA] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RUC] = R(FSM_SCJ, STOPPING),
                                [FSM_EV_RXJ_PLUS] = R(0, STOPPING),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RXR] = R(0, STOPPING),
                        },
                [FSM_REQ_SENT] =
                        {
                                [FSM_EV_UP] = STAY(REQ_SENT),
                                [FSM_EV_DOWN] = R(0, STARTING),
                                [FSM_EV_OPEN] = R(0, REQ_SENT),
                                [FSM_EV_CLOSE] = R(FSM_IRC | FSM_STR, CLOSING),
                                [FSM_EV_TO_PLUS] = R(FSM_SCR, REQ_SENT),
                                [FSM_EV_TO_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RCR_PLUS] = R(FSM_SCA, ACK_SENT),
                                [FSM_EV_RCR_MINUS] = R(FSM_SCN, REQ_SENT),
                                [FSM_EV_RCA] = R(FSM_IRC, ACK_RCVD),
                                [FSM_EV_RCN] = R(FSM_IRC | FSM_SCR, REQ_SENT),
                                [FSM_EV_RTR] = R(FSM_STA, REQ_SENT),
                                [FSM_EV_RTA] = R(0, REQ_SENT),
                                [FSM_EV_RUC] = R(FSM_SCJ, REQ_SENT),
                                [FSM_EV_RXJ_PLUS] = R(0, REQ_SENT),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RXR] = R(0, REQ_SENT),
                        },
                [FSM_ACK_RCVD] =
                        {
                                [FSM_EV_UP] = STAY(ACK_RCVD),
                                [FSM_EV_DOWN] = R(0, STARTING),
                                [FSM_EV_OPEN] = R(0, ACK_RCVD),
                                [FSM_EV_CLOSE] = R(FSM_IRC | FSM_STR, CLOSING),
                                [FSM_EV_TO_PLUS] = R(FSM_SCR, REQ_SENT),
                                [FSM_EV_TO_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RCR_PLUS] = R(FSM_SCA | FSM_TLU, OPENED),
                                [FSM_EV_RCR_MINUS] = R(FSM_SCN, ACK_RCVD),
                                [FSM_EV_RCA] = R(FSM_SCR, REQ_SENT),
                                [FSM_EV_RCN] = R(FSM_SCR, REQ_SENT),
                                [FSM_EV_RTR] = R(FSM_STA, REQ_SENT),
                                [FSM_EV_RTA] = R(0, REQ_SENT),
                                [FSM_EV_RUC] = R(FSM_SCJ, ACK_RCVD),
                                [FSM_EV_RXJ_PLUS] = R(0, REQ_SENT),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RXR] = R(0, ACK_RCVD),
                        },
                [FSM_ACK_SENT] =
                        {
                                [FSM_EV_UP] = STAY(ACK_SENT),
                                [FSM_EV_DOWN] = R(0, STARTING),
                                [FSM_EV_OPEN] = R(0, ACK_SENT),
                                [FSM_EV_CLOSE] = R(FSM_IRC | FSM_STR, CLOSING),
                                [FSM_EV_TO_PLUS] = R(FSM_SCR, ACK_SENT),
                                [FSM_EV_TO_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RCR_PLUS] = R(FSM_SCA, ACK_SENT),
                                [FSM_EV_RCR_MINUS] = R(FSM_SCN, REQ_SENT),
                                [FSM_EV_RCA] = R(FSM_IRC | FSM_TLU, OPENED),
                                [FSM_EV_RCN] = R(FSM_IRC | FSM_SCR, ACK_SENT),
                                [FSM_EV_RTR] = R(FSM_STA, REQ_SENT),
                                [FSM_EV_RTA] = R(0, ACK_SENT),
                                [FSM_EV_RUC] = R(FSM_SCJ, ACK_SENT),
                                [FSM_EV_RXJ_PLUS] = R(0, ACK_SENT),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLF, STOPPED),
                                [FSM_EV_RXR] = R(0, ACK_SENT),
                        },
                [FSM_OPENED] =
                        {
                                [FSM_EV_UP] = STAY(OPENED),
                                [FSM_EV_DOWN] = R(FSM_TLD, STARTING),
                                [FSM_EV_OPEN] = R(0, OPENED),
                                [FSM_EV_CLOSE] = R(FSM_TLD | FSM_IRC | FSM_STR, CLOSING),
                                [FSM_EV_TO_PLUS] = STAY(OPENED),
                                [FSM_EV_TO_MINUS] = STAY(OPENED),
                                [FSM_EV_RCR_PLUS] = R(FSM_TLD | FSM_SCR | FSM_SCA, ACK_SENT),
                                [FSM_EV_RCR_MINUS] = R(FSM_TLD | FSM_SCR | FSM_SCN, REQ_SENT),
                                [FSM_EV_RCA] = R(FSM_TLD | FSM_SCR, REQ_SENT),
                                [FSM_EV_RCN] = R(FSM_TLD | FSM_SCR, REQ_SENT),
                                [FSM_EV_RTR] = R(FSM_TLD | FSM_ZRC | FSM_STA, STOPPING),
                                [FSM_EV_RTA] = R(FSM_TLD | FSM_SCR, REQ_SENT),
                                [FSM_EV_RUC] = R(FSM_SCJ, OPENED),
                                [FSM_EV_RXJ_PLUS] = R(0, OPENED),
                                [FSM_EV_RXJ_MINUS] = R(FSM_TLD | FSM_IRC | FSM_STR, STOPPING),
                                [FSM_EV_RXR] = R(FSM_SER, OPENED),
                        },
};

const struct fsm_row *fsm_row(enum fsm_state state, enum fsm_event event)
{
	return &table[state][event];
}

const char *fsm_state_name(enum fsm_state s)
{
	static const char *const names[FSM_STATES] = {
	        [FSM_INITIAL] = "initial",   [FSM_STARTING] = "starting",
	        [FSM_CLOSED] = "closed",     [FSM_STOPPED] = "stopped",
	        [FSM_CLOSING] = "closing",   [FSM_STOPPING] = "stopping",
	        [FSM_REQ_SENT] = "req-sent", [FSM_ACK_RCVD] = "ack-rcvd",
	        [FSM_ACK_SENT] = "ack-sent", [FSM_OPENED] = "opened",
	};

	return names[s];
}
