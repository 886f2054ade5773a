package iscsi

import (
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// Config is what a Server is made of. The zero value of each field means its
// default.
type Config struct {
	Logger   *slog.Logger     // nothing is logged
	Time     func() time.Time // time.Now
	Rand     io.Reader        // of CHAP challenges and session handles: crypto/rand
	Limits   Limits
	Params   Params
	Observer Observer // nobody observes
}

// Limits bounds what peers can make the server do. Zero means the default.
type Limits struct {
	Connections   int           // in all: 512
	Sessions      int           // of one target: 64
	LoginTimeout  time.Duration // from connect to full feature phase: 15 s
	LoginRequests int           // PDUs of one login: 32
	TextBytes     int           // of one text, over all its PDUs: 16 KiB
	PingInterval  time.Duration // of silence before the initiator is pinged, and again before it is dropped: 15 s
	WriteTimeout  time.Duration // for the initiator to take what is sent: 30 s
	Window        int           // commands of a session that may be outstanding: 128
	Immediate     int           // the same for commands marked immediate: 32
	TransferBytes int           // of one command: 16 MiB
	SessionBytes  int           // of the outstanding commands of a session: 128 MiB
}

// Params are what the target offers in negotiation (RFC 7143 section 13). Zero
// means the default.
type Params struct {
	MaxRecvDataSegmentLength int  // 256 KiB
	FirstBurstLength         int  // 256 KiB
	MaxBurstLength           int  // 1 MiB
	MaxOutstandingR2T        int  // 8
	InitialR2T               bool // insist on R2T before any Data-Out
	NoImmediateData          bool // refuse data in commands
	NoDigests                bool // refuse CRC32C
}

// Observer is told what happens, for metrics. Its methods may be called at the
// same time and must not block.
type Observer interface {
	// SessionOpened and SessionClosed frame full feature phase.
	SessionOpened(s SessionInfo)
	SessionClosed(s SessionInfo)
	// LoginFailed is a login that was answered with a failure.
	LoginFailed(remote string, status pdu.LoginStatus)
	// CommandDone is a command that a unit has executed.
	CommandDone(c CommandInfo)
}

// CommandInfo describes one executed command.
type CommandInfo struct {
	Target  string
	Opcode  byte // of the CDB
	Status  scsi.Status
	In, Out int // bytes of data that were sent and received
	Took    time.Duration
}

func or[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Time == nil {
		c.Time = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.Limits = c.Limits.withDefaults()
	c.Params = c.Params.withDefaults()
	return c
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Connections:   or(l.Connections, 512),
		Sessions:      or(l.Sessions, 64),
		LoginTimeout:  or(l.LoginTimeout, 15*time.Second),
		LoginRequests: or(l.LoginRequests, 32),
		TextBytes:     or(l.TextBytes, 16<<10),
		PingInterval:  or(l.PingInterval, 15*time.Second),
		WriteTimeout:  or(l.WriteTimeout, 30*time.Second),
		Window:        or(l.Window, 128),
		Immediate:     or(l.Immediate, 32),
		TransferBytes: or(l.TransferBytes, 16<<20),
		SessionBytes:  or(l.SessionBytes, 128<<20),
	}
}

// The bounds of RFC 7143 sections 13.12 to 13.14 and 13.17.
const (
	minSegment, maxSegment = 512, 1<<24 - 1
	maxR2T                 = 65535
)

func (p Params) withDefaults() Params {
	segment := func(v, def int) int { return min(max(or(v, def), minSegment), maxSegment) }
	p.MaxRecvDataSegmentLength = segment(p.MaxRecvDataSegmentLength, 256<<10)
	p.MaxBurstLength = segment(p.MaxBurstLength, 1<<20)
	p.FirstBurstLength = min(segment(p.FirstBurstLength, 256<<10), p.MaxBurstLength)
	p.MaxOutstandingR2T = min(or(p.MaxOutstandingR2T, 8), maxR2T)
	return p
}
