package initiator

import (
	"context"
	"crypto/md5"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"twinlun/blockdev/iscsi/pdu"
)

// Dialer connects to an address, as net.Dialer.DialContext does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

const (
	maxLoginSteps  = 16
	maxText        = 64 << 10
	recvSegment    = 256 << 10
	defaultSegment = 8192 // what a target takes that does not say
	challengeLen   = 16
)

// agreed is what was negotiated and matters to an initiator.
type agreed struct {
	headerDigest, dataDigest  bool
	initialR2T, immediateData bool
	sendSegment               int
	firstBurst                int
}

// handshake is the login phase of a connection.
type handshake struct {
	o      Options
	target string // "" in discovery
	rd     *pdu.Reader
	wr     *pdu.Writer
	req    pdu.LoginRequest
	text   pdu.TextBuffer
	got    agreed
	last   pdu.LoginResponse

	challenge []byte // ours to the target
	id        byte
}

// connect dials and logs in; a target of "" is a discovery session.
func connect(ctx context.Context, addr, target string, o Options) (net.Conn, *handshake, error) {
	ctx, cancel := context.WithTimeout(ctx, o.LoginTimeout)
	defer cancel()
	nc, err := o.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	h := &handshake{
		o: o, target: target, rd: pdu.NewReader(nc, recvSegment), wr: pdu.NewWriter(nc),
		req:  pdu.LoginRequest{ISID: o.ISID, ITT: 0, CmdSN: 1},
		text: pdu.TextBuffer{Max: maxText},
		got:  agreed{initialR2T: true, immediateData: true, sendSegment: defaultSegment, firstBurst: 65536},
	}
	err = h.login()
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = nc.Close()
		return nil, nil, err
	}
	h.rd.HeaderDigest, h.rd.DataDigest = h.got.headerDigest, h.got.dataDigest
	h.wr.HeaderDigest, h.wr.DataDigest = h.got.headerDigest, h.got.dataDigest
	return nc, h, nil
}

// login goes through security and operational negotiation.
func (h *handshake) login() error {
	if err := h.security(); err != nil {
		return err
	}
	keys := h.offer()
	h.req.Current, h.req.Next, h.req.Transit = pdu.StageOperational, pdu.StageFullFeature, true
	for range maxLoginSteps {
		answer, err := h.exchange(keys)
		if err != nil {
			return err
		}
		if err := h.learn(answer); err != nil {
			return err
		}
		if h.last.Transit {
			return nil
		}
		keys = nil
	}
	return fmt.Errorf("%w: login does not end", errProtocol)
}

// offer is the operational keys of the login.
func (h *handshake) offer() pdu.Keys {
	keys := pdu.Keys{
		{Name: "HeaderDigest", Value: "None"}, {Name: "DataDigest", Value: "None"},
		{Name: "MaxRecvDataSegmentLength", Value: strconv.Itoa(recvSegment)},
		{Name: "DefaultTime2Wait", Value: "2"}, {Name: "DefaultTime2Retain", Value: "0"},
		{Name: "ErrorRecoveryLevel", Value: "0"},
	}
	if h.target != "" {
		keys = append(keys, pdu.Keys{
			{Name: "InitialR2T", Value: "No"}, {Name: "ImmediateData", Value: "Yes"},
			{Name: "MaxBurstLength", Value: "1048576"}, {Name: "FirstBurstLength", Value: "262144"},
			{Name: "MaxOutstandingR2T", Value: "8"}, {Name: "MaxConnections", Value: "1"},
			{Name: "DataPDUInOrder", Value: "Yes"}, {Name: "DataSequenceInOrder", Value: "Yes"},
		}...)
	}
	for _, k := range h.o.Offer {
		keys = slices.DeleteFunc(keys, func(old pdu.Key) bool { return old.Name == k.Name })
		if k.Value != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

// security negotiates authentication.
func (h *handshake) security() error {
	keys := pdu.Keys{{Name: "InitiatorName", Value: h.o.Name}}
	if h.target == "" {
		keys = append(keys, pdu.Key{Name: "SessionType", Value: "Discovery"})
	} else {
		keys = append(keys, pdu.Key{Name: "SessionType", Value: "Normal"}, pdu.Key{Name: "TargetName", Value: h.target})
	}
	method := "None"
	if h.o.Secret != "" {
		method = "CHAP,None"
	}
	h.req.Current, h.req.Next, h.req.Transit = pdu.StageSecurity, pdu.StageOperational, h.o.Secret == ""
	answer, err := h.exchange(append(keys, pdu.Key{Name: "AuthMethod", Value: method}))
	if err != nil {
		return err
	}
	if chosen, _ := answer.Get("AuthMethod"); chosen == "CHAP" {
		return h.chap()
	}
	if h.o.MutualSecret != "" {
		return errors.New("initiator: the target does not prove its identity")
	}
	return h.leaveSecurity()
}

// leaveSecurity goes on where the target did not do so with its last answer.
func (h *handshake) leaveSecurity() error {
	if h.last.Transit {
		return nil
	}
	h.req.Transit = true
	if _, err := h.exchange(nil); err != nil {
		return err
	}
	if !h.last.Transit {
		return fmt.Errorf("%w: the security stage does not end", errProtocol)
	}
	return nil
}

// chap answers the target's challenge and poses ours (RFC 7143 section 12.1.3).
func (h *handshake) chap() error {
	asked, err := h.exchange(pdu.Keys{{Name: "CHAP_A", Value: "5"}})
	if err != nil {
		return err
	}
	idText, _ := asked.Get("CHAP_I")
	text, _ := asked.Get("CHAP_C")
	id, err := strconv.ParseUint(idText, 10, 8)
	challenge, err2 := pdu.ParseBinary(text, 1024)
	if err != nil || err2 != nil {
		return fmt.Errorf("%w: CHAP challenge", errProtocol)
	}
	keys := pdu.Keys{{Name: "CHAP_N", Value: h.o.User},
		{Name: "CHAP_R", Value: pdu.FormatBinary(chapMD5(byte(id), h.o.Secret, challenge))}}
	if h.o.MutualSecret != "" {
		mine, err := h.pose()
		if err != nil {
			return err
		}
		keys = append(keys, mine...)
	}
	h.req.Transit = true
	proof, err := h.exchange(keys)
	if err != nil {
		return err
	}
	if h.o.MutualSecret != "" && !h.proved(proof) {
		return errors.New("initiator: the target does not prove its identity")
	}
	return h.leaveSecurity()
}

func (h *handshake) pose() (pdu.Keys, error) {
	b := make([]byte, 1+challengeLen)
	if _, err := io.ReadFull(h.o.Rand, b); err != nil {
		return nil, err
	}
	h.id, h.challenge = b[0], b[1:]
	return pdu.Keys{{Name: "CHAP_I", Value: strconv.Itoa(int(h.id))},
		{Name: "CHAP_C", Value: pdu.FormatBinary(h.challenge)}}, nil
}

func (h *handshake) proved(keys pdu.Keys) bool {
	name, _ := keys.Get("CHAP_N")
	text, _ := keys.Get("CHAP_R")
	got, err := pdu.ParseBinary(text, md5.Size)
	want := chapMD5(h.id, h.o.MutualSecret, h.challenge)
	return err == nil && name == h.o.MutualUser && subtle.ConstantTimeCompare(got, want) == 1
}

func chapMD5(id byte, secret string, challenge []byte) []byte {
	sum := md5.Sum(append(append([]byte{id}, secret...), challenge...))
	return sum[:]
}

// exchange sends one login request and takes its whole answer.
func (h *handshake) exchange(keys pdu.Keys) (pdu.Keys, error) {
	if err := h.sendRequest(keys); err != nil {
		return nil, err
	}
	for range maxLoginSteps {
		answer, err := h.receive()
		if err != nil || !h.last.Continue {
			return answer, err
		}
		transit := h.req.Transit
		h.req.Transit = false
		if err := h.sendRequest(nil); err != nil {
			return nil, err
		}
		h.req.Transit = transit
	}
	return nil, fmt.Errorf("%w: text does not end", errProtocol)
}

func (h *handshake) sendRequest(keys pdu.Keys) error {
	var hd pdu.Header
	h.req.Encode(&hd)
	if err := h.wr.Write(&hd, nil, keys.Append(nil)); err != nil {
		return err
	}
	return h.wr.Flush()
}

func (h *handshake) receive() (pdu.Keys, error) {
	var hd pdu.Header
	if err := h.rd.Next(&hd); err != nil {
		return nil, fmt.Errorf("initiator: login: %w", err)
	}
	if hd.Opcode() != pdu.OpLoginResp {
		return nil, fmt.Errorf("%w: opcode %#x in login", errProtocol, byte(hd.Opcode()))
	}
	h.last.Decode(&hd)
	if h.last.Status != pdu.LoginOK {
		return nil, &LoginError{h.last.Status}
	}
	h.req.ExpStatSN = h.last.StatSN + 1
	data := make([]byte, hd.DataLen())
	if err := h.rd.Data(data); err != nil {
		return nil, err
	}
	return h.text.Add(data, h.last.Continue)
}

// learn takes what was agreed on out of the target's answers.
func (h *handshake) learn(keys pdu.Keys) error {
	for _, k := range keys {
		switch k.Name {
		case "HeaderDigest":
			h.got.headerDigest = k.Value == "CRC32C"
		case "DataDigest":
			h.got.dataDigest = k.Value == "CRC32C"
		case "InitialR2T":
			h.got.initialR2T = k.Value == "Yes"
		case "ImmediateData":
			h.got.immediateData = k.Value == "Yes"
		case "MaxRecvDataSegmentLength":
			if err := learnNumber(&h.got.sendSegment, k); err != nil {
				return err
			}
		case "FirstBurstLength":
			if err := learnNumber(&h.got.firstBurst, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func learnNumber(to *int, k pdu.Key) error {
	n, err := pdu.ParseNumber(k.Value)
	if err != nil || n < 512 || n >= 1<<24 {
		return fmt.Errorf("%w: %s=%s", errProtocol, k.Name, k.Value)
	}
	*to = int(n)
	return nil
}
