package iscsi

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"io"
	"strconv"
	"strings"

	"twinlun/blockdev/iscsi/pdu"
)

const (
	chapChallengeLen = 16
	chapMaxChallenge = 1024 // RFC 7143 section 12.1.3
)

// chapHashes are the algorithms by their CHAP_A number: MD5 of RFC 1994, which
// all must have, and SHA-256 of the IANA registry of PPP authentication
// algorithms.
var chapHashes = map[string]func() hash.Hash{"5": md5.New, "7": sha256.New}

// chap is one run of CHAP (RFC 7143 section 12.1.3) from the target's side.
type chap struct {
	creds     *CHAP
	hash      func() hash.Hash
	id        byte
	challenge []byte
}

// begin chooses among the offered algorithms and gives the challenge; nil keys
// if no algorithm is known.
func (c *chap) begin(offer string, random io.Reader) (pdu.Keys, error) {
	for _, a := range strings.Split(offer, ",") {
		if c.hash = chapHashes[a]; c.hash != nil {
			return c.ask(a, random)
		}
	}
	return nil, nil
}

func (c *chap) ask(algorithm string, random io.Reader) (pdu.Keys, error) {
	b := make([]byte, 1+chapChallengeLen)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, err
	}
	c.id, c.challenge = b[0], b[1:]
	return pdu.Keys{
		{Name: "CHAP_A", Value: algorithm},
		{Name: "CHAP_I", Value: strconv.Itoa(int(c.id))},
		{Name: "CHAP_C", Value: pdu.FormatBinary(c.challenge)},
	}, nil
}

// check judges the initiator's answer. The keys prove the target's identity in
// turn, if that was asked for. It takes the same path for a wrong name and a
// wrong secret.
func (c *chap) check(keys pdu.Keys) (pdu.Keys, bool) {
	name, _ := keys.Get("CHAP_N")
	text, _ := keys.Get("CHAP_R")
	got, err := pdu.ParseBinary(text, chapMaxChallenge)
	want := c.response(c.id, c.creds.Secret, c.challenge)
	ok := subtle.ConstantTimeCompare(got, want) & subtle.ConstantTimeCompare([]byte(name), []byte(c.creds.User))
	if err != nil || ok != 1 {
		return nil, false
	}
	return c.prove(keys)
}

// prove answers the initiator's own challenge, if there is one.
func (c *chap) prove(keys pdu.Keys) (pdu.Keys, bool) {
	idText, hasID := keys.Get("CHAP_I")
	text, hasChallenge := keys.Get("CHAP_C")
	if !hasID && !hasChallenge {
		return nil, true
	}
	id, err := strconv.ParseUint(idText, 10, 8)
	challenge, err2 := pdu.ParseBinary(text, chapMaxChallenge)
	if err != nil || err2 != nil || c.creds.MutualSecret == "" || bytes.Equal(challenge, c.challenge) {
		return nil, false // the last: our own challenge reflected
	}
	proof := c.response(byte(id), c.creds.MutualSecret, challenge)
	return pdu.Keys{
		{Name: "CHAP_N", Value: c.creds.MutualUser},
		{Name: "CHAP_R", Value: pdu.FormatBinary(proof)},
	}, true
}

// response is the hash of RFC 1994 section 4.1.
func (c *chap) response(id byte, secret string, challenge []byte) []byte {
	h := c.hash()
	h.Write([]byte{id})
	h.Write([]byte(secret))
	h.Write(challenge)
	return h.Sum(nil)
}
