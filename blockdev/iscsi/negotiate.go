package iscsi

import (
	"errors"
	"strconv"
	"strings"

	"twinlun/blockdev/iscsi/pdu"
)

// Values that a key can be answered with beside its own (RFC 7143 section 6.2).
const (
	answerReject        = "Reject"
	answerIrrelevant    = "Irrelevant"
	answerNotUnderstood = "NotUnderstood"
	answerYes           = "Yes"
	answerNo            = "No"
)

var (
	errBadValue   = errors.New("iscsi: a key has a value that it must not have")
	errNegotiated = errors.New("iscsi: a key is negotiated twice")
)

// outcome is what a session works with after negotiation. It starts as the
// defaults of RFC 7143 section 13.
type outcome struct {
	headerDigest, dataDigest  bool
	initialR2T, immediateData bool
	sendSegment               int // the initiator's MaxRecvDataSegmentLength
	maxBurst, firstBurst      int
	maxR2T                    int
}

func defaultOutcome() outcome {
	return outcome{initialR2T: true, immediateData: true, sendSegment: 8192,
		maxBurst: 262144, firstBurst: 65536, maxR2T: 1}
}

// negotiation answers the operational keys of one login.
type negotiation struct {
	offer     Params
	discovery bool
	got       outcome
	seen      map[string]bool
}

func newNegotiation(p Params) *negotiation {
	return &negotiation{offer: p, got: defaultOutcome(), seen: map[string]bool{}}
}

// keyRule says how a key is answered. answer returns the value to answer with;
// "" means that the key is a declaration and gets none.
type keyRule struct {
	normalOnly bool // means nothing in a discovery session
	repeatable bool // may come again, and changes nothing then
	answer     func(n *negotiation, value string) (string, error)
}

// keyRules is RFC 7143 section 13, key by key, for the keys an initiator sends.
var keyRules = map[string]keyRule{
	"HeaderDigest":             {answer: digestRule(func(n *negotiation) *bool { return &n.got.headerDigest })},
	"DataDigest":               {answer: digestRule(func(n *negotiation) *bool { return &n.got.dataDigest })},
	"MaxRecvDataSegmentLength": {answer: declareSegment},
	"DefaultTime2Wait":         {answer: numberRule(0, 3600, func(_ *negotiation, v int) int { return max(v, 2) })},
	"DefaultTime2Retain":       {answer: numberRule(0, 3600, func(*negotiation, int) int { return 0 })},
	"ErrorRecoveryLevel":       {answer: numberRule(0, 2, func(*negotiation, int) int { return 0 })},
	"iSCSIProtocolLevel":       {answer: numberRule(0, 31, func(_ *negotiation, v int) int { return min(v, 1) })},
	"TaskReporting":            {normalOnly: true, answer: taskReporting},
	"MaxConnections":           {normalOnly: true, answer: numberRule(1, 65535, func(*negotiation, int) int { return 1 })},
	"InitialR2T":               {normalOnly: true, answer: boolRule(initialR2T)},
	"ImmediateData":            {normalOnly: true, answer: boolRule(immediateData)},
	"DataPDUInOrder":           {normalOnly: true, answer: boolRule(func(*negotiation, bool) bool { return true })},
	"DataSequenceInOrder":      {normalOnly: true, answer: boolRule(func(*negotiation, bool) bool { return true })},
	"MaxOutstandingR2T":        {normalOnly: true, answer: numberRule(1, maxR2T, outstandingR2T)},
	"MaxBurstLength":           {normalOnly: true, answer: numberRule(minSegment, maxSegment, maxBurst)},
	"FirstBurstLength":         {normalOnly: true, answer: numberRule(minSegment, maxSegment, firstBurst)},
	// Obsolete (section 13.25).
	"IFMarker":   {answer: always(answerNo)},
	"OFMarker":   {answer: always(answerNo)},
	"IFMarkInt":  {answer: always(answerReject)},
	"OFMarkInt":  {answer: always(answerReject)},
	"AuthMethod": {answer: always(answerReject)}, // in its stage, the login script answers it
	// Declarations that the login script reads itself, or nobody.
	"InitiatorName":  {repeatable: true, answer: always("")},
	"InitiatorAlias": {repeatable: true, answer: always("")},
	"TargetName":     {repeatable: true, answer: always("")},
	"SessionType":    {repeatable: true, answer: always("")},
}

// answer negotiates one key. An error ends the login.
func (n *negotiation) answer(k pdu.Key) (value string, err error) {
	rule, known := keyRules[k.Name]
	if n.seen[k.Name] && !rule.repeatable {
		return "", errNegotiated
	}
	n.seen[k.Name] = true
	switch {
	case !known:
		return answerNotUnderstood, nil
	case rule.normalOnly && n.discovery:
		return answerIrrelevant, nil
	}
	return rule.answer(n, k.Value)
}

// result is what was agreed on.
func (n *negotiation) result() outcome {
	o := n.got
	o.firstBurst = min(o.firstBurst, o.maxBurst)
	return o
}

func always(v string) func(*negotiation, string) (string, error) {
	return func(*negotiation, string) (string, error) { return v, nil }
}

// digestRule takes the first value of the initiator's list that is supported.
func digestRule(field func(*negotiation) *bool) func(*negotiation, string) (string, error) {
	return func(n *negotiation, list string) (string, error) {
		for _, v := range strings.Split(list, ",") {
			if v == "CRC32C" && !n.offer.NoDigests || v == "None" {
				*field(n) = v == "CRC32C"
				return v, nil
			}
		}
		return answerReject, nil
	}
}

func taskReporting(_ *negotiation, list string) (string, error) {
	for _, v := range strings.Split(list, ",") {
		if v == "RFC3720" {
			return v, nil
		}
	}
	return answerReject, nil
}

// numberRule answers with f of the offer if that is in its range.
func numberRule(low, high int, f func(n *negotiation, v int) int) func(*negotiation, string) (string, error) {
	return func(n *negotiation, text string) (string, error) {
		v, err := pdu.ParseNumber(text)
		if err != nil || int(v) < low || int(v) > high {
			return answerReject, nil
		}
		return strconv.Itoa(f(n, int(v))), nil
	}
}

func boolRule(f func(n *negotiation, v bool) bool) func(*negotiation, string) (string, error) {
	return func(n *negotiation, text string) (string, error) {
		if text != answerYes && text != answerNo {
			return answerReject, nil
		}
		if f(n, text == answerYes) {
			return answerYes, nil
		}
		return answerNo, nil
	}
}

func initialR2T(n *negotiation, v bool) bool {
	n.got.initialR2T = v || n.offer.InitialR2T
	return n.got.initialR2T
}

func immediateData(n *negotiation, v bool) bool {
	n.got.immediateData = v && !n.offer.NoImmediateData
	return n.got.immediateData
}

func outstandingR2T(n *negotiation, v int) int {
	n.got.maxR2T = min(v, n.offer.MaxOutstandingR2T)
	return n.got.maxR2T
}

func maxBurst(n *negotiation, v int) int {
	n.got.maxBurst = min(v, n.offer.MaxBurstLength)
	return n.got.maxBurst
}

func firstBurst(n *negotiation, v int) int {
	n.got.firstBurst = min(v, n.offer.FirstBurstLength)
	return n.got.firstBurst
}

// declareSegment takes the initiator's own limit. It has no answer, so a bad one
// cannot be refused but with the login.
func declareSegment(n *negotiation, text string) (string, error) {
	v, err := pdu.ParseNumber(text)
	if err != nil || v < minSegment || v > maxSegment {
		return "", errBadValue
	}
	n.got.sendSegment = int(v)
	return "", nil
}
