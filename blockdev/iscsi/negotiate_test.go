package iscsi

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/pdu"
)

func TestNegotiationAnswers(t *testing.T) {
	strict := Params{InitialR2T: true, NoImmediateData: true, NoDigests: true}
	for _, c := range []struct {
		name      string
		params    Params
		discovery bool
		key       string
		want      string
		check     func(o outcome) bool
	}{
		{"digest, first choice", Params{}, false, "HeaderDigest=CRC32C,None", "CRC32C", func(o outcome) bool { return o.headerDigest }},
		{"digest, the initiator's order", Params{}, false, "DataDigest=None,CRC32C", "None", func(o outcome) bool { return !o.dataDigest }},
		{"digest, only known ones", Params{}, false, "DataDigest=X-md5,CRC32C", "CRC32C", func(o outcome) bool { return o.dataDigest }},
		{"digest, none known", Params{}, false, "DataDigest=X-md5", "Reject", nil},
		{"digest, turned off", strict, false, "HeaderDigest=CRC32C,None", "None", func(o outcome) bool { return !o.headerDigest }},
		{"digest, turned off and insisted on", strict, false, "HeaderDigest=CRC32C", "Reject", nil},
		{"InitialR2T No", Params{}, false, "InitialR2T=No", "No", func(o outcome) bool { return !o.initialR2T }},
		{"InitialR2T Yes", Params{}, false, "InitialR2T=Yes", "Yes", func(o outcome) bool { return o.initialR2T }},
		{"InitialR2T is OR", strict, false, "InitialR2T=No", "Yes", func(o outcome) bool { return o.initialR2T }},
		{"ImmediateData Yes", Params{}, false, "ImmediateData=Yes", "Yes", func(o outcome) bool { return o.immediateData }},
		{"ImmediateData is AND", strict, false, "ImmediateData=Yes", "No", func(o outcome) bool { return !o.immediateData }},
		{"not a boolean", Params{}, false, "InitialR2T=Maybe", "Reject", func(o outcome) bool { return o.initialR2T }},
		{"order of PDUs", Params{}, false, "DataPDUInOrder=No", "Yes", nil},
		{"order of sequences", Params{}, false, "DataSequenceInOrder=No", "Yes", nil},
		{"MaxBurstLength is min, theirs", Params{}, false, "MaxBurstLength=4096", "4096", func(o outcome) bool { return o.maxBurst == 4096 && o.firstBurst == 4096 }},
		{"MaxBurstLength is min, ours", Params{}, false, "MaxBurstLength=16776192", "1048576", nil},
		{"MaxBurstLength hexadecimal", Params{}, false, "MaxBurstLength=0x1000", "4096", nil},
		{"MaxBurstLength too small", Params{}, false, "MaxBurstLength=511", "Reject", func(o outcome) bool { return o.maxBurst == 262144 }},
		{"MaxBurstLength too large", Params{}, false, "MaxBurstLength=16777216", "Reject", nil},
		{"FirstBurstLength", Params{}, false, "FirstBurstLength=65536", "65536", func(o outcome) bool { return o.firstBurst == 65536 }},
		{"FirstBurstLength, ours", Params{}, false, "FirstBurstLength=1000000", "262144", nil},
		{"MaxOutstandingR2T", Params{}, false, "MaxOutstandingR2T=16", "8", func(o outcome) bool { return o.maxR2T == 8 }},
		{"MaxOutstandingR2T zero", Params{}, false, "MaxOutstandingR2T=0", "Reject", nil},
		{"MaxConnections", Params{}, false, "MaxConnections=8", "1", nil},
		{"ErrorRecoveryLevel", Params{}, false, "ErrorRecoveryLevel=2", "0", nil},
		{"ErrorRecoveryLevel 3", Params{}, false, "ErrorRecoveryLevel=3", "Reject", nil},
		{"DefaultTime2Wait is max", Params{}, false, "DefaultTime2Wait=0", "2", nil},
		{"DefaultTime2Wait theirs", Params{}, false, "DefaultTime2Wait=20", "20", nil},
		{"DefaultTime2Retain", Params{}, false, "DefaultTime2Retain=20", "0", nil},
		{"a declaration", Params{}, false, "MaxRecvDataSegmentLength=512", "", func(o outcome) bool { return o.sendSegment == 512 }},
		{"protocol level", Params{}, false, "iSCSIProtocolLevel=2", "1", nil},
		{"task reporting", Params{}, false, "TaskReporting=FastAbort,RFC3720", "RFC3720", nil},
		{"task reporting unknown", Params{}, false, "TaskReporting=FastAbort", "Reject", nil},
		{"obsolete", Params{}, false, "OFMarker=No", "No", nil},
		{"obsolete interval", Params{}, false, "IFMarkInt=2048~8192", "Reject", nil},
		{"unknown", Params{}, false, "X-com.example.key=1", "NotUnderstood", nil},
		{"iSER", Params{}, false, "RDMAExtensions=Yes", "NotUnderstood", nil},
		{"ours to declare", Params{}, false, "TargetAlias=x", "NotUnderstood", nil},
		{"too late for authentication", Params{}, false, "AuthMethod=CHAP", "Reject", nil},
		{"discovery", Params{}, true, "MaxBurstLength=4096", "Irrelevant", func(o outcome) bool { return o.maxBurst == 262144 }},
		{"discovery, digest", Params{}, true, "HeaderDigest=CRC32C", "CRC32C", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNegotiation(c.params.withDefaults())
			n.discovery = c.discovery
			got, err := n.answer(keysOf(c.key)[0])
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			if c.check != nil {
				require.True(t, c.check(n.result()), "%+v", n.result())
			}
		})
	}
}

func TestNegotiationRefusals(t *testing.T) {
	for _, text := range []string{"511", "16777216", "x", ""} {
		n := newNegotiation(Params{}.withDefaults())
		_, err := n.answer(pdu.Key{Name: "MaxRecvDataSegmentLength", Value: text})
		require.ErrorIs(t, err, errBadValue, text)
	}
	n := newNegotiation(Params{}.withDefaults())
	_, err := n.answer(keysOf("InitialR2T=No")[0])
	require.NoError(t, err)
	_, err = n.answer(keysOf("InitialR2T=Yes")[0])
	require.True(t, errors.Is(err, errNegotiated))
}

// Without a word about a key, the defaults of the RFC hold.
func TestNegotiationDefaults(t *testing.T) {
	want := outcome{initialR2T: true, immediateData: true, sendSegment: 8192, maxBurst: 262144, firstBurst: 65536, maxR2T: 1}
	require.Equal(t, want, newNegotiation(Params{}.withDefaults()).result())
}

func FuzzNegotiation(f *testing.F) {
	f.Add("MaxBurstLength", "0x1000")
	f.Add("HeaderDigest", ",,CRC32C,")
	f.Fuzz(func(t *testing.T, name, value string) {
		n := newNegotiation(Params{}.withDefaults())
		_, _ = n.answer(pdu.Key{Name: name, Value: value})
		o := n.result()
		require.True(t, o.firstBurst <= o.maxBurst && o.maxBurst >= minSegment && o.sendSegment >= minSegment && o.maxR2T >= 1)
	})
}
