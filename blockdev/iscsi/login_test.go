package iscsi

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/blockdev/iscsi/pdu"
)

const who = "InitiatorName=" + testInitiator

func security(next pdu.Stage) pdu.LoginRequest {
	return pdu.LoginRequest{Transit: true, Current: pdu.StageSecurity, Next: next, ISID: [6]byte{0x80, 1}, ITT: 7}
}

// One login of each sort, as requests and what has to come back.
func TestLoginMatrix(t *testing.T) {
	normal := []string{who, "SessionType=Normal", "TargetName=" + testTarget}
	with := func(more ...string) []string { return append(append([]string{}, normal...), more...) }
	operational := pdu.LoginRequest{Transit: true, Current: pdu.StageOperational, Next: pdu.StageFullFeature}
	toFull, toOperational := security(pdu.StageFullFeature), security(pdu.StageOperational)
	stay := toOperational
	stay.Transit = false
	version := toFull
	version.VersionMax, version.VersionMin = 1, 1
	session := toFull
	session.TSIH = 99
	badStage := pdu.LoginRequest{Transit: true, Current: 2, Next: pdu.StageFullFeature}
	backward := operational
	backward.Next = pdu.StageSecurity
	sameStage := toFull
	sameStage.Next = pdu.StageSecurity
	for _, c := range []struct {
		name   string
		req    pdu.LoginRequest
		keys   []string
		chap   bool
		status pdu.LoginStatus
		next   pdu.Stage // 0: no transit
		answer []string
	}{
		{"security to full feature", toFull, with("AuthMethod=None"), false, 0, 3, []string{"AuthMethod=None", "TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"security to operational", toOperational, with("AuthMethod=CHAP,None"), false, 0, 1, []string{"AuthMethod=None", "TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"no AuthMethod means none", toFull, with(), false, 0, 3, []string{"TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"stays in security", stay, with("AuthMethod=None"), false, 0, 0, []string{"AuthMethod=None", "TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"operational at once", operational, with("InitialR2T=No"), false, 0, 3,
			[]string{"TargetPortalGroupTag=1", "TargetAlias=a disk", "MaxRecvDataSegmentLength=262144", "InitialR2T=No"}},
		{"session type is Normal by default", toFull, []string{who, "TargetName=" + testTarget}, false, 0, 3, []string{"TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"names regardless of case", toFull, []string{who, "TargetName=" + strings.ToUpper(testTarget)}, false, 0, 3, []string{"TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"discovery", operational, []string{who, "SessionType=Discovery", "MaxBurstLength=512"}, true, 0, 3,
			[]string{"MaxRecvDataSegmentLength=262144", "MaxBurstLength=Irrelevant"}},
		{"no initiator name", toFull, []string{"TargetName=" + testTarget}, false, pdu.LoginMissingParameter, 0, nil},
		{"bad initiator name", toFull, []string{"InitiatorName=me", "TargetName=" + testTarget}, false, pdu.LoginInitiatorError, 0, nil},
		{"no target name", toFull, []string{who}, false, pdu.LoginMissingParameter, 0, nil},
		{"unknown target", toFull, []string{who, "TargetName=" + testTarget + "2"}, false, pdu.LoginNotFound, 0, nil},
		{"not on the list", toFull, []string{who + "2", "TargetName=" + testTarget}, false, pdu.LoginForbidden, 0, nil},
		{"unknown session type", toFull, []string{who, "SessionType=Strange"}, false, pdu.LoginBadSessionType, 0, nil},
		{"a version of the future", version, with(), false, pdu.LoginBadVersion, 0, nil},
		{"a session that is not", session, with(), false, pdu.LoginNoSession, 0, nil},
		{"stage 2", badStage, with(), false, pdu.LoginInvalidRequest, 0, nil},
		{"backward", backward, with(), false, pdu.LoginInvalidRequest, 0, nil},
		{"to the same stage", sameStage, with(), false, pdu.LoginInvalidRequest, 0, nil},
		{"a key twice", toFull, with("AuthMethod=None", "AuthMethod=None"), false, pdu.LoginInitiatorError, 0, nil},
		{"bad declaration", operational, with("MaxRecvDataSegmentLength=1"), false, pdu.LoginInitiatorError, 0, nil},
		{"only CHAP offered, none configured", toFull, with("AuthMethod=CHAP"), false, pdu.LoginAuthFailed, 0, nil},
		{"CHAP needed, chosen", toOperational, with("AuthMethod=CHAP,None"), true, 0, 0, []string{"AuthMethod=CHAP", "TargetPortalGroupTag=1", "TargetAlias=a disk"}},
		{"CHAP needed, none offered", toFull, with("AuthMethod=None"), true, pdu.LoginAuthFailed, 0, nil},
		{"CHAP needed, stage left out", operational, with(), true, pdu.LoginAuthFailed, 0, nil},
		{"CHAP needed, not a word", toFull, with(), true, pdu.LoginAuthFailed, 0, nil},
		{"CHAP needed, response out of the blue", toFull, with("CHAP_N=host", "CHAP_R=0x00"), true, pdu.LoginAuthFailed, 0, nil},
		{"CHAP needed, algorithm out of the blue", toFull, with("CHAP_A=5"), true, pdu.LoginAuthFailed, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := oneDisk(newFakeUnit(10))
			target.Initiators = []string{strings.ToUpper(testInitiator)}
			if c.chap {
				target.CHAP = &testCHAP
			}
			h := start(t, Config{}, target)
			w := h.connect()
			resp, keys := w.login(c.req, c.keys...)
			require.Equal(t, c.status, resp.Status)
			require.Equal(t, c.next != 0, resp.Transit)
			require.Equal(t, c.next, resp.Next)
			require.Equal(t, keysOf(c.answer...), keys)
			if c.status != 0 {
				w.expectEnd()
			}
			require.Equal(t, c.status == 0 && c.next == pdu.StageFullFeature, resp.TSIH != 0)
		})
	}
}

func TestLoginInSeveralRequests(t *testing.T) {
	h := start(t, Config{Rand: bytes.NewReader(make([]byte, 17))}, Target{Name: testTarget, CHAP: &testCHAP})
	w := h.connect()
	req := security(pdu.StageOperational)
	req.Transit, req.Continue = false, true
	resp, keys := w.login(req, who) // the text goes on
	require.Empty(t, keys)
	require.False(t, resp.Transit)
	req.Continue = false
	_, keys = w.login(req, "TargetName="+testTarget, "AuthMethod=None,CHAP")
	require.Equal(t, keysOf("AuthMethod=CHAP", "TargetPortalGroupTag=1"), keys)
	_, keys = w.login(req, "CHAP_A=6,5")
	require.Equal(t, "5", keys[0].Value)
	req.Transit = true
	resp, keys = w.login(req, "CHAP_N=host", "CHAP_R="+answerCHAP(t, testCHAP.Secret, 0, make([]byte, 16)))
	require.Empty(t, keys)
	require.Equal(t, pdu.StageOperational, resp.Next)
	req.Current, req.Next, req.Transit = pdu.StageOperational, pdu.StageFullFeature, false
	_, keys = w.login(req, "ErrorRecoveryLevel=2")
	require.Equal(t, keysOf("MaxRecvDataSegmentLength=262144", "ErrorRecoveryLevel=0"), keys)
	req.Transit = true
	resp, _ = w.login(req)
	require.Equal(t, pdu.StageFullFeature, resp.Next)
	require.NotZero(t, resp.TSIH)
	require.Len(t, h.Sessions(), 1)
}

func TestLoginRequestsMustAgree(t *testing.T) {
	for name, change := range map[string]func(r *pdu.LoginRequest){
		"ISID":  func(r *pdu.LoginRequest) { r.ISID[5]++ },
		"CID":   func(r *pdu.LoginRequest) { r.CID++ },
		"TSIH":  func(r *pdu.LoginRequest) { r.TSIH++ },
		"stage": func(r *pdu.LoginRequest) { r.Current = pdu.StageOperational },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, Config{}, oneDisk(newFakeUnit(1))).connect()
			req := security(pdu.StageFullFeature)
			req.Transit = false
			_, _ = w.login(req, who, "TargetName="+testTarget)
			change(&req)
			resp, _ := w.login(req)
			require.Equal(t, pdu.LoginInvalidRequest, resp.Status)
		})
	}
}

func TestCHAPWithInitiator(t *testing.T) {
	plain := testCHAP
	plain.MutualUser, plain.MutualSecret = "", ""
	for _, c := range []struct {
		name   string
		creds  CHAP
		o      initiator.Options
		status pdu.LoginStatus
		fails  bool
	}{
		{"one way", plain, initiator.Options{User: "host", Secret: testCHAP.Secret}, 0, false},
		{"mutual", testCHAP, initiator.Options{User: "host", Secret: testCHAP.Secret, MutualUser: "array", MutualSecret: testCHAP.MutualSecret}, 0, false},
		{"wrong secret", plain, initiator.Options{User: "host", Secret: "something-else"}, pdu.LoginAuthFailed, true},
		{"wrong user", plain, initiator.Options{User: "hest", Secret: testCHAP.Secret}, pdu.LoginAuthFailed, true},
		{"nothing", plain, initiator.Options{}, pdu.LoginAuthFailed, true},
		{"mutual refused", plain, initiator.Options{User: "host", Secret: testCHAP.Secret, MutualUser: "array", MutualSecret: "target-secret-1"}, pdu.LoginAuthFailed, true},
		{"target is not who it should be", testCHAP, initiator.Options{User: "host", Secret: testCHAP.Secret, MutualUser: "array", MutualSecret: "target-secret-2"}, 0, true},
		{"target has another name", testCHAP, initiator.Options{User: "host", Secret: testCHAP.Secret, MutualUser: "orray", MutualSecret: testCHAP.MutualSecret}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := oneDisk(newFakeUnit(10))
			target.CHAP = &c.creds
			h := start(t, Config{}, target)
			d, err := h.tryDial(c.o)
			if !c.fails {
				require.NoError(t, err)
				require.NoError(t, d.Close())
				return
			}
			require.Error(t, err)
			le, refused := errors.AsType[*initiator.LoginError](err)
			require.Equal(t, c.status != 0, refused, "%v", err)
			if refused {
				require.Equal(t, c.status, le.Status)
			}
		})
	}
}

func TestLoginLimits(t *testing.T) {
	h := start(t, Config{Limits: Limits{LoginRequests: 3, TextBytes: 600}}, oneDisk(newFakeUnit(1)))
	t.Run("silence", func(t *testing.T) {
		bubble(t, Config{Limits: Limits{LoginTimeout: time.Minute}}, func(t *testing.T, m *inMemory) {
			began := time.Now()
			m.connect().expectEnd()
			require.Equal(t, time.Minute, time.Since(began))
		})
	})
	t.Run("too many requests", func(t *testing.T) {
		w := h.connect()
		req := security(pdu.StageOperational)
		req.Transit = false
		for range 3 {
			w.login(req, who, "TargetName="+testTarget)
			req.Transit = false
		}
		w.expectEnd()
	})
	t.Run("too much text", func(t *testing.T) {
		w := h.connect()
		req := security(pdu.StageOperational)
		resp, _ := w.login(req, who, "X-a="+strings.Repeat("x", 700))
		require.Equal(t, pdu.LoginInitiatorError, resp.Status)
		w.expectEnd()
	})
	t.Run("malformed text", func(t *testing.T) {
		w := h.connect()
		req := security(pdu.StageOperational)
		w.write(&req, []byte("no end"))
		hd, _ := w.expect(pdu.OpLoginResp)
		var resp pdu.LoginResponse
		resp.Decode(&hd)
		require.Equal(t, pdu.LoginInitiatorError, resp.Status)
	})
	t.Run("not a login", func(t *testing.T) {
		w := h.connect()
		w.write(&pdu.NopOut{ITT: 1}, nil)
		w.expectEnd()
	})
	t.Run("too long a segment", func(t *testing.T) {
		w := h.connect()
		_, err := w.nc.Write([]byte{0x43, 0x80, 0, 0, 0, 0xff, 0xff, 0xff})
		require.NoError(t, err)
		_, err = w.nc.Write(make([]byte, 40))
		require.NoError(t, err)
		w.expectEnd()
	})
}

func TestConnectionLimit(t *testing.T) {
	h := start(t, Config{Limits: Limits{Connections: 2, Sessions: 1}}, oneDisk(newFakeUnit(1)))
	first := h.connect().enter(1)
	second := h.connect()
	resp, _ := second.login(pdu.LoginRequest{Transit: true, Current: pdu.StageOperational, Next: pdu.StageFullFeature, ISID: [6]byte{0x80, 9}},
		who, "TargetName="+testTarget)
	require.Equal(t, pdu.LoginOutOfResources, resp.Status, "one session is allowed")
	second.expectEnd()
	eventually(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.mu.conns == 1 }, "the connection stays")
	h.connect().login(security(pdu.StageFullFeature), who, "SessionType=Discovery")
	h.connect().expectEnd()
	require.NoError(t, first.nc.Close())
}

func TestRandomnessFails(t *testing.T) {
	target := oneDisk(newFakeUnit(1))
	target.CHAP = &testCHAP
	h := start(t, Config{Rand: bytes.NewReader(nil)}, target)
	_, err := h.tryDial(initiator.Options{User: "host", Secret: testCHAP.Secret})
	le, ok := errors.AsType[*initiator.LoginError](err)
	require.True(t, ok)
	require.Equal(t, pdu.LoginTargetError, le.Status)
}

func TestDialGivesUp(t *testing.T) {
	h := start(t, Config{}, oneDisk(newFakeUnit(1)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := initiator.Dial(ctx, h.addr, testTarget, initiator.Options{})
	require.ErrorIs(t, err, context.Canceled)
}
