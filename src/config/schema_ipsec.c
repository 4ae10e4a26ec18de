/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The part of the table that is about IPsec. The keys of a transport profile are JunosE's where it
 * has the command; algorithms and groups are named as strongSwan names them.
 */
#include "config/schema.h"

#define F  CFG_FIELD
#define FN CFG_FIELD_N

static const struct cfg_word app_words[] = {{"l2tp", CFG_IPSEC_L2TP}, {NULL, 0}};

static const struct cfg_word version_words[] = {
        {"1", CFG_IKE_V1}, {"2", CFG_IKE_V2}, {"any", CFG_IKE_ANY}, {NULL, 0}};

static const struct cfg_word esn_words[] = {
        {"no", CFG_ESN_NO}, {"yes", CFG_ESN_YES}, {"either", CFG_ESN_EITHER}, {NULL, 0}};

/* IANA's numbers of groups. The first two need weak-algorithms. */
static const struct cfg_word pfs_words[] = {
        {"none", 0},      {"modp1024", 2},    {"modp1536", 5},  {"modp2048", 14}, {"modp3072", 15},
        {"modp4096", 16}, {"modp6144", 17},   {"modp8192", 18}, {"ecp256", 19},   {"ecp384", 20},
        {"ecp521", 21},   {"curve25519", 31}, {NULL, 0}};

static const struct cfg_key ipsec_keys[] = {
        {"run-directory", CFG_STRING, F(cfg_ipsec, run_directory), .form = form_file,
         .deflt = "/run/sallyport",
         .help = "Where charon's sockets, its configuration and its process id are; one for each "
                 "daemon of a machine."},
        {"socket", CFG_STRING, F(cfg_ipsec, socket), .form = form_file,
         .deflt_note = "ike.sock in the run directory",
         .help = "UNIX socket on which charon's plugin reaches the daemon. Its folder is made "
                 "accessible to root only."},
        {"vici-socket", CFG_STRING, F(cfg_ipsec, vici_socket), .form = form_file,
         .deflt_note = "charon.vici in the run directory",
         .help = "UNIX socket on which charon takes its configuration."},
        {"swanctl", CFG_STRING, F(cfg_ipsec, swanctl), .form = form_path,
         .deflt = "/usr/sbin/swanctl", .help = "The program that configures charon."},
        {"charon", CFG_STRING, F(cfg_ipsec, charon), .form = form_path,
         .deflt = "/usr/sbin/charon-systemd", .help = "Charon, as scripts/charon starts it."},
        {"charon-log", CFG_STRING, F(cfg_ipsec, charon_log), .form = form_file,
         .deflt_note = "charon.log in the run directory", .help = "Charon's own log file."},
        {"charon-log-level", CFG_INT, F(cfg_ipsec, charon_log_level), .max = 3, .deflt = "1",
         .help = "How much charon logs. With 3 it writes whole messages; its level 4, with keys, "
                 "is not to be had."},
        {"charon-threads", CFG_INT, F(cfg_ipsec, charon_threads), .min = 8, .max = 128,
         .deflt = "16", .help = "Charon's threads."},
        {"nat-keepalive", CFG_INT, F(cfg_ipsec, nat_keepalive_s), .max = 3600, .unit = "s",
         .deflt = "20",
         .help = "Interval of NAT keepalives, which are sent only when we are behind a NAT "
                 "ourselves; 0: none."},
        {"ike-retransmit-timeout", CFG_INT, F(cfg_ipsec, retransmit_timeout_ms), .min = 500,
         .max = 10000, .unit = "ms", .deflt = "2000",
         .help = "Wait before an IKE request is sent again; each further wait is 1.8 times as "
                 "long."},
        {"ike-retransmit-tries", CFG_INT, F(cfg_ipsec, retransmit_tries), .min = 1, .max = 10,
         .deflt = "4",
         .help = "Retries of an IKE request before the peer counts as dead (about 45 s with the "
                 "defaults)."},
        {"ike-cookie-threshold", CFG_INT, F(cfg_ipsec, cookie_threshold), .max = 100000,
         .deflt = "32",
         .help = "With so many IKE_SAs half open, IKEv2 initiators must show that they receive at "
                 "their address (RFC 7296 2.6); 0: never."},
        {"ike-half-open-per-peer", CFG_INT, F(cfg_ipsec, half_open_per_peer), .max = 100000,
         .deflt = "64",
         .help = "IKE_SAs that one address may have half open; all clients behind a NAT are one "
                 "address. 0: no limit."},
        {"ike-half-open-max", CFG_INT, F(cfg_ipsec, half_open_max), .max = 1000000, .deflt = "8192",
         .help = "IKE_SAs half open at once, beyond which new ones are ignored; 0: no limit."},
        {.name = NULL}};

const struct cfg_stanza cfg_ipsec_stanza = {"ipsec", sizeof(struct cfg_ipsec), ipsec_keys};

static const struct cfg_key psk_keys[] = {
        {"identity", CFG_STRING, F(cfg_psk, identity), .form = form_identity,
         .flags = CFG_REQUIRED | CFG_UNIQUE,
         .help = "IKE identity of the peer, or its address. IKEv1 knows only the address when it "
                 "looks for the key."},
        {"secret", CFG_STRING, F(cfg_psk, secret), .flags = CFG_REQUIRED | CFG_SECRET_VALUE,
         .help = "The key shared with this peer."},
        {.name = NULL}};
static const struct cfg_stanza psk_stanza = {"pre-shared key", sizeof(struct cfg_psk), psk_keys};

static const struct cfg_key profile_keys[] = {
        {"name", CFG_STRING, F(cfg_ipsec_profile, name), .form = form_connection,
         .flags = CFG_REQUIRED | CFG_UNIQUE,
         .help = "Name of the profile, and of its connection in charon."},
        {"application", CFG_WORD, F(cfg_ipsec_profile, application), .words = app_words,
         .deflt = "l2tp", .help = "What the connections carry: UDP of our port 1701."},
        {"local-address", CFG_ADDRESS, F(cfg_ipsec_profile, local_address),
         .flags = CFG_REQUIRED | CFG_IPV4 | CFG_UNICAST,
         .help = "Our address, of a port, to which peers speak IKE."},
        {"peers", CFG_SUBNETS, F(cfg_ipsec_profile, peers), .deflt = "0.0.0.0/0", .flags = CFG_IPV4,
         .help = "Where peers may come from."},
        {"version", CFG_WORD, F(cfg_ipsec_profile, version), .words = version_words, .deflt = "any",
         .help = "IKE version: 1 (main mode, as Windows dials L2TP), 2 or any."},
        {"allow-tunnel-mode", CFG_BOOL, F(cfg_ipsec_profile, allow_tunnel_mode), .deflt = "false",
         .help = "Take tunnel mode from a peer that asks for it in place of transport mode."},
        {"ike-proposals", CFG_STRINGS, F(cfg_ipsec_profile, ike_proposals),
         .elem = CFG_PROPOSAL_MAX, .form = form_word,
         .deflt = "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-ecp256-curve25519-modp2048 "
                  "aes256-aes128-sha384-sha256-ecp384-ecp256-curve25519-modp2048 "
                  "aes256-aes128-sha1-ecp384-ecp256-modp2048",
         .help = "What protects IKE, the best first: ciphers, hashes (with an AEAD cipher a prf) "
                 "and groups, joined by '-'. AEAD is for IKEv2 only."},
        {"esp-proposals", CFG_STRINGS, F(cfg_ipsec_profile, esp_proposals),
         .elem = CFG_PROPOSAL_MAX, .form = form_word,
         .deflt = "aes256gcm16-aes128gcm16 aes256-aes128-sha256 aes256-aes128-sha1",
         .help = "What protects packets, the best first: ciphers, and hashes unless they are AEAD. "
                 "Groups and extended sequence numbers have keys of their own."},
        {"weak-algorithms", CFG_BOOL, F(cfg_ipsec_profile, weak_algorithms), .deflt = "false",
         .help = "Let proposals name 3des, md5, null, modp1024 and modp1536."},
        {"lifetime", CFG_INT, F(cfg_ipsec_profile, lifetime_s), .min = 300, .max = 864000,
         .unit = "s", .deflt = "14400",
         .help = "An SA ends after this. Keep it well above what peers use (Windows: 3600), who "
                 "renew their SAs before."},
        {"lifetime-kilobytes", CFG_INT, F(cfg_ipsec_profile, lifetime_kb), .max = UINT32_MAX,
         .unit = "KB", .deflt = "0", .help = "An SA ends after so much; 0: no limit."},
        {"lifetime-packets", CFG_INT, F(cfg_ipsec_profile, lifetime_packets), .max = UINT32_MAX,
         .unit = "packets", .deflt = "0",
         .help = "An SA ends after so many; 0: when its sequence numbers end."},
        {"ike-lifetime", CFG_INT, F(cfg_ipsec_profile, ike_lifetime_s), .min = 600, .max = 864000,
         .unit = "s", .deflt = "28800",
         .help = "An IKE_SA ends after this when initiate-rekey is set; otherwise when its peer "
                 "ends or renews it."},
        {"rekey-margin", CFG_INT, F(cfg_ipsec_profile, rekey_margin), .min = 1, .max = 50,
         .unit = "%", .deflt = "10",
         .help = "With initiate-rekey, rekeying begins so much of each lifetime before its end, "
                 "or up to half of that earlier."},
        {"initiate-rekey", CFG_BOOL, F(cfg_ipsec_profile, initiate_rekey), .deflt = "false",
         .help = "Begin rekeying ourselves. Otherwise the peer does, which is the side that can: "
                 "a NAT may have forgotten it, and Windows refuses to be rekeyed behind one. "
                 "Sequence numbers that come to their end are renewed in any case."},
        {"pfs-group", CFG_WORD, F(cfg_ipsec_profile, pfs_group), .words = pfs_words,
         .deflt = "none",
         .help = "Group of a key exchange of its own for each SA but the first; peers must use it "
                 "as well, which Windows does not."},
        {"esn", CFG_WORD, F(cfg_ipsec_profile, esn), .words = esn_words, .deflt = "no",
         .help = "Extended sequence numbers (RFC 4304), by IKEv2."},
        {"replay-window", CFG_INT, F(cfg_ipsec_profile, replay_window), .max = 4096,
         .unit = "packets", .deflt = "128",
         .help = "How late a packet may come, 32-4096; 0: replayed packets are let in."},
        {"nat-traversal", CFG_BOOL, F(cfg_ipsec_profile, nat_traversal), .deflt = "true",
         .help = "Take peers that are behind a NAT (RFC 3948)."},
        {"force-encapsulation", CFG_BOOL, F(cfg_ipsec_profile, force_encapsulation),
         .deflt = "false",
         .help = "Encapsulate in UDP even without a NAT, for networks that drop ESP."},
        {"dpd-delay", CFG_INT, F(cfg_ipsec_profile, dpd_delay_s), .max = 3600, .unit = "s",
         .deflt = "30",
         .help = "Silence, of IKE and ESP, before charon asks if the peer lives; 0: never."},
        {"dpd-timeout", CFG_INT, F(cfg_ipsec_profile, dpd_timeout_s), .max = 3600, .unit = "s",
         .deflt = "150", .help = "Silence that ends an IKEv1 peer; IKEv2 counts retries."},
        {"pre-shared-keys", CFG_LIST, FN(cfg_ipsec_profile, psks, n_psks), .stanza = &psk_stanza,
         .help = "Keys of single peers."},
        {"group-pre-shared-key", CFG_STRING, F(cfg_ipsec_profile, group_psk),
         .flags = CFG_SECRET_VALUE, .deflt_note = "none",
         .help = "Key of every peer without one of its own. Whoever has it can pose as us."},
        {"certificate", CFG_STRING, F(cfg_ipsec_profile, certificate), .form = form_file,
         .deflt_note = "none",
         .help = "File of our certificate, with which we authenticate in place of a key."},
        {"private-key", CFG_STRING, F(cfg_ipsec_profile, private_key), .form = form_file,
         .help = "File of its private key, not encrypted."},
        {"ca-certificates", CFG_STRINGS, F(cfg_ipsec_profile, ca_certificates),
         .elem = CFG_PATH_MAX, .form = form_file,
         .help = "Files of the authorities whose certificates peers show."},
        {"local-identity", CFG_STRING, F(cfg_ipsec_profile, local_identity), .form = form_identity,
         .deflt_note = "the local address, or the certificate's subject",
         .help = "Our IKE identity. A certificate must have it as an alternative name."},
        {"remote-identity", CFG_STRING, F(cfg_ipsec_profile, remote_identity),
         .form = form_remote_identity, .deflt = "%any",
         .help = "IKE identity that peers must have, with wildcards: \"*@example.net\", \"C=DE, "
                 "O=Example, CN=*\"."},
        {.name = NULL}};

const struct cfg_stanza cfg_ipsec_profile_stanza = {"ipsec transport profile",
                                                    sizeof(struct cfg_ipsec_profile), profile_keys};

static const struct cfg_key static_keys[] = {
        {"name", CFG_STRING, F(cfg_static_sa, name), .form = form_connection,
         .flags = CFG_REQUIRED | CFG_UNIQUE, .help = "Name of the connection."},
        {"local-address", CFG_ADDRESS, F(cfg_static_sa, local),
         .flags = CFG_REQUIRED | CFG_IPV4 | CFG_UNICAST, .help = "Our address, of a port."},
        {"peer", CFG_ADDRESS, F(cfg_static_sa, peer),
         .flags = CFG_REQUIRED | CFG_IPV4 | CFG_UNICAST, .help = "Address of the peer."},
        {"encapsulation", CFG_BOOL, F(cfg_static_sa, encapsulation), .deflt = "false",
         .help = "Encapsulate in UDP (RFC 3948), from our port 4500 to peer-port."},
        {"peer-port", CFG_INT, F(cfg_static_sa, peer_port), .min = 1, .max = 65535, .deflt = "4500",
         .help = "UDP port of the peer, with encapsulation."},
        {"spi-in", CFG_INT, F(cfg_static_sa, spi_in), .min = 256, .max = UINT32_MAX,
         .flags = CFG_REQUIRED | CFG_UNIQUE,
         .help = "SPI of what we receive. Its low six bits are the number of the worker that owns "
                 "it, below system.workers."},
        {"spi-out", CFG_INT, F(cfg_static_sa, spi_out), .min = 256, .max = UINT32_MAX,
         .flags = CFG_REQUIRED, .help = "SPI of what we send."},
        {"algorithms", CFG_STRING, F(cfg_static_sa, algorithms), .form = form_word,
         .flags = CFG_REQUIRED,
         .help = "A cipher and a hash, such as \"aes128-sha1\" or \"null-sha256\". GCM, CTR and "
                 "ChaCha20 are not for keys of a file."},
        {"enc-key-in", CFG_BYTES, FN(cfg_static_sa, enc_key_in, n_enc_key_in),
         .flags = CFG_SECRET_VALUE,
         .help = "Key of the cipher for what we receive; null has none."},
        {"auth-key-in", CFG_BYTES, FN(cfg_static_sa, auth_key_in, n_auth_key_in),
         .flags = CFG_SECRET_VALUE, .help = "Key of the hash for what we receive."},
        {"enc-key-out", CFG_BYTES, FN(cfg_static_sa, enc_key_out, n_enc_key_out),
         .flags = CFG_SECRET_VALUE, .help = "Key of the cipher for what we send."},
        {"auth-key-out", CFG_BYTES, FN(cfg_static_sa, auth_key_out, n_auth_key_out),
         .flags = CFG_SECRET_VALUE, .help = "Key of the hash for what we send."},
        {"replay-window", CFG_INT, F(cfg_static_sa, replay_window), .max = 4096, .unit = "packets",
         .deflt = "128",
         .help = "How late a packet may come, 32-4096; 0: replayed packets are let in."},
        {.name = NULL}};

const struct cfg_stanza cfg_static_sa_stanza = {"static security association",
                                                sizeof(struct cfg_static_sa), static_keys};
