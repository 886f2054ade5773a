// Package initiator is a small iSCSI initiator (RFC 7143): one session with one
// connection, many commands at a time, error recovery level 0. A Disk is a
// logical unit as a blockdev.Device. There is no reconnect: what breaks stays
// broken, and the caller knows.
package initiator

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"twinlun/blockdev/iscsi/pdu"
)

// Options says who logs in and how. The zero value of each field means its
// default.
type Options struct {
	// Name is the initiator's iSCSI name: iqn.2026-11.dev.twinlun:initiator.
	Name string
	// ISID tells sessions of one initiator apart: a random one.
	ISID [6]byte
	// LUN is the logical unit: 0.
	LUN uint64
	// User and Secret answer the target's CHAP challenge.
	User, Secret string
	// MutualUser and MutualSecret are what the target must prove; no secret:
	// it need not prove anything.
	MutualUser, MutualSecret string
	// Offer replaces or, with an empty value, removes operational keys of
	// those that are offered; others are added.
	Offer pdu.Keys
	// Rand is the source of ISID and challenges: crypto/rand.
	Rand io.Reader
	// LoginTimeout bounds connecting and logging in: 15 s.
	LoginTimeout time.Duration
	// Dial connects: net.Dialer.DialContext of tcp.
	Dial Dialer
}

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = "iqn.2026-11.dev.twinlun:initiator"
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.LoginTimeout <= 0 {
		o.LoginTimeout = 15 * time.Second
	}
	if o.Dial == nil {
		var d net.Dialer
		o.Dial = d.DialContext
	}
	if o.ISID == ([6]byte{}) {
		if _, err := io.ReadFull(o.Rand, o.ISID[1:]); err != nil {
			return o, fmt.Errorf("initiator: ISID: %w", err)
		}
		o.ISID[0] = 0x80 // random format (RFC 7143 section 11.12.5)
	}
	return o, nil
}

// LoginError is a login that the target refused.
type LoginError struct{ Status pdu.LoginStatus }

var loginReasons = map[pdu.LoginStatus]string{
	pdu.LoginAuthFailed:       "authentication failed",
	pdu.LoginForbidden:        "not allowed",
	pdu.LoginNotFound:         "no such target",
	pdu.LoginTargetRemoved:    "target removed",
	pdu.LoginBadVersion:       "version not supported",
	pdu.LoginTooManyConns:     "too many connections",
	pdu.LoginMissingParameter: "missing parameter",
	pdu.LoginNoSession:        "no such session",
	pdu.LoginInvalidRequest:   "invalid request",
	pdu.LoginUnavailable:      "service unavailable",
	pdu.LoginOutOfResources:   "out of resources",
}

// Error says why, as far as the status tells.
func (e *LoginError) Error() string {
	if why, ok := loginReasons[e.Status]; ok {
		return fmt.Sprintf("initiator: login refused: %s (%#04x)", why, uint16(e.Status))
	}
	return fmt.Sprintf("initiator: login refused (%#04x)", uint16(e.Status))
}

// errProtocol is a target that does what cannot be understood.
var errProtocol = errors.New("initiator: protocol error of the target")
