package iscsi

import (
	"bytes"
	"crypto/md5"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
)

var testCHAP = CHAP{User: "host", Secret: "initiator-secret", MutualUser: "array", MutualSecret: "target-secret-1"}

// answerCHAP is what an initiator with that secret answers to a challenge.
func answerCHAP(t *testing.T, secret string, id byte, challenge []byte) string {
	t.Helper()
	sum := md5.Sum(append(append([]byte{id}, secret...), challenge...))
	return pdu.FormatBinary(sum[:])
}

func TestCHAP(t *testing.T) {
	random := bytes.Repeat([]byte{0x5a}, 17)
	reflected := pdu.FormatBinary(random[1:])
	mine := bytes.Repeat([]byte{7}, 16)
	good := answerCHAP(t, testCHAP.Secret, 0x5a, random[1:])
	for _, c := range []struct {
		name  string
		creds CHAP
		keys  pdu.Keys
		ok    bool
		proof string
	}{
		{"right", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+good), true, ""},
		{"upper case", testCHAP, keysOf("CHAP_N=host", "CHAP_R=0x"+strings.ToUpper(good[2:])), true, ""},
		{"wrong user", testCHAP, keysOf("CHAP_N=hosu", "CHAP_R="+good), false, ""},
		{"wrong secret", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+answerCHAP(t, "another-secret", 0x5a, random[1:])), false, ""},
		{"no user", testCHAP, keysOf("CHAP_R=" + good), false, ""},
		{"no response", testCHAP, keysOf("CHAP_N=host"), false, ""},
		{"empty response", testCHAP, keysOf("CHAP_N=host", "CHAP_R=0x"), false, ""},
		{"part of the response", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+good[:20]), false, ""},
		{"mutual", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+good, "CHAP_I=9", "CHAP_C="+pdu.FormatBinary(mine)), true,
			answerCHAP(t, testCHAP.MutualSecret, 9, mine)},
		{"mutual, reflected challenge", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+good, "CHAP_I=9", "CHAP_C="+reflected), false, ""},
		{"mutual, bad identifier", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+good, "CHAP_I=256", "CHAP_C="+pdu.FormatBinary(mine)), false, ""},
		{"mutual, half asked", testCHAP, keysOf("CHAP_N=host", "CHAP_R="+good, "CHAP_I=9"), false, ""},
		{"mutual, target has no secret", CHAP{User: "host", Secret: testCHAP.Secret},
			keysOf("CHAP_N=host", "CHAP_R="+good, "CHAP_I=9", "CHAP_C="+pdu.FormatBinary(mine)), false, ""},
		{"mutual, but the initiator is wrong", testCHAP, keysOf("CHAP_N=host", "CHAP_R=0x00", "CHAP_I=9", "CHAP_C="+pdu.FormatBinary(mine)), false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := chap{creds: &c.creds}
			asked, err := run.begin("5", bytes.NewReader(random))
			require.NoError(t, err)
			require.Equal(t, keysOf("CHAP_A=5", "CHAP_I=90", "CHAP_C="+reflected), asked)
			proof, ok := run.check(c.keys)
			require.Equal(t, c.ok, ok)
			if c.proof == "" {
				require.Empty(t, proof)
				return
			}
			require.Equal(t, keysOf("CHAP_N=array", "CHAP_R="+c.proof), proof)
		})
	}
}

func TestCHAPAlgorithms(t *testing.T) {
	for offer, want := range map[string]string{"5": "5", "6,5": "5", "7,5": "7", "8,7": "7"} {
		run := chap{creds: &testCHAP}
		keys, err := run.begin(offer, bytes.NewReader(make([]byte, 17)))
		require.NoError(t, err)
		got, _ := keys.Get("CHAP_A")
		require.Equal(t, want, got, offer)
	}
	keys, err := (&chap{creds: &testCHAP}).begin("6", bytes.NewReader(nil))
	require.NoError(t, err)
	require.Nil(t, keys)
	_, err = (&chap{creds: &testCHAP}).begin("5", bytes.NewReader(nil))
	require.Error(t, err, "no randomness")
}
