package iscsi

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"twinlun/blockdev/iscsi/pdu"
)

// directory is what a login asks about targets.
type directory interface {
	// lookup finds the target of that name for the initiator: LoginOK,
	// LoginNotFound or LoginForbidden, and with what credentials.
	lookup(target, initiator string) (*node, *CHAP, pdu.LoginStatus)
	// knowsSession says whether there is a session of that handle.
	knowsSession(tsih uint16) bool
}

// login is the script of one login (RFC 7143 section 6.3): each step takes a
// request and gives the response. It does no I/O.
type login struct {
	dir    directory
	random io.Reader
	neg    *negotiation

	begun     bool
	stage     pdu.Stage
	isid      [6]byte
	cid       uint16
	initiator string // as it was given
	discovery bool
	node      *node // nil in discovery
	creds     *CHAP // that must be shown; nil: none

	chap            *chap // not nil once CHAP was chosen
	authenticated   bool
	named, declared bool // our own keys of each sort have been sent
}

// reply is the outcome of a step. A status other than LoginOK ends the login.
type reply struct {
	status  pdu.LoginStatus
	keys    pdu.Keys
	transit bool
	next    pdu.Stage
}

func refuse(s pdu.LoginStatus) reply { return reply{status: s} }

// step takes one request whose text is complete.
func (l *login) step(req *pdu.LoginRequest, keys pdu.Keys) reply {
	if keys.Unique() != nil {
		return refuse(pdu.LoginInitiatorError)
	}
	if st := l.enter(req, keys); st != pdu.LoginOK {
		return refuse(st)
	}
	var r reply
	if l.stage == pdu.StageSecurity {
		r = l.security(keys)
	} else {
		r = l.operational(keys)
	}
	if r.status == pdu.LoginOK && req.Transit {
		return l.advance(r, req.Next)
	}
	return r
}

// enter checks what must hold of every request, and of the first.
func (l *login) enter(req *pdu.LoginRequest, keys pdu.Keys) pdu.LoginStatus {
	if !l.begun {
		l.begun = true
		return l.first(req, keys)
	}
	if req.Current != l.stage || req.ISID != l.isid || req.CID != l.cid || req.TSIH != 0 {
		return pdu.LoginInvalidRequest
	}
	return pdu.LoginOK
}

func (l *login) first(req *pdu.LoginRequest, keys pdu.Keys) pdu.LoginStatus {
	l.stage, l.isid, l.cid = req.Current, req.ISID, req.CID
	if req.VersionMin > 0 {
		return pdu.LoginBadVersion
	}
	if l.stage != pdu.StageSecurity && l.stage != pdu.StageOperational {
		return pdu.LoginInvalidRequest
	}
	if st := l.identify(keys); st != pdu.LoginOK {
		return st
	}
	switch {
	case req.TSIH == 0:
	case l.dir.knowsSession(req.TSIH):
		return pdu.LoginTooManyConns // one connection a session
	default:
		return pdu.LoginNoSession
	}
	if l.stage == pdu.StageOperational && l.creds != nil {
		return pdu.LoginAuthFailed
	}
	return pdu.LoginOK
}

// identify reads who wants to log in to what.
func (l *login) identify(keys pdu.Keys) pdu.LoginStatus {
	var ok bool
	if l.initiator, ok = keys.Get("InitiatorName"); !ok {
		return pdu.LoginMissingParameter
	}
	if !ValidName(l.initiator) {
		return pdu.LoginInitiatorError
	}
	switch kind, has := keys.Get("SessionType"); {
	case has && kind == "Discovery":
		l.discovery, l.neg.discovery = true, true
		return pdu.LoginOK
	case has && kind != "Normal":
		return pdu.LoginBadSessionType
	}
	target, ok := keys.Get("TargetName")
	if !ok {
		return pdu.LoginMissingParameter
	}
	var st pdu.LoginStatus
	l.node, l.creds, st = l.dir.lookup(target, l.initiator)
	return st
}

// security is the security negotiation stage (RFC 7143 section 12).
func (l *login) security(keys pdu.Keys) reply {
	r := reply{next: l.stage}
	rest := slices.DeleteFunc(slices.Clone(keys), func(k pdu.Key) bool {
		return k.Name == "AuthMethod" || strings.HasPrefix(k.Name, "CHAP_")
	})
	auth := l.authenticate(keys)
	if auth.status != pdu.LoginOK {
		return auth
	}
	op := l.operational(rest)
	if op.status != pdu.LoginOK {
		return op
	}
	r.keys = append(auth.keys, op.keys...)
	return r
}

// authenticate takes the next step of the chosen method.
func (l *login) authenticate(keys pdu.Keys) reply {
	methods, offered := keys.Get("AuthMethod")
	algorithms, hasA := keys.Get("CHAP_A")
	_, hasR := keys.Get("CHAP_R")
	switch {
	case offered && l.chap == nil && !l.authenticated:
		return l.chooseMethod(strings.Split(methods, ","))
	case offered:
		return refuse(pdu.LoginInitiatorError)
	case hasA && l.chap != nil && l.chap.hash == nil:
		return l.challenge(algorithms)
	case hasR && l.chap != nil && l.chap.hash != nil && !l.authenticated:
		return l.verify(keys)
	case hasA || hasR || l.chap != nil && !l.authenticated:
		return refuse(pdu.LoginAuthFailed)
	}
	return reply{}
}

func (l *login) chooseMethod(methods []string) reply {
	want := "None"
	if l.creds != nil {
		want = "CHAP"
		l.chap = &chap{creds: l.creds}
	}
	if !slices.Contains(methods, want) {
		return refuse(pdu.LoginAuthFailed)
	}
	l.authenticated = l.creds == nil
	return reply{keys: pdu.Keys{{Name: "AuthMethod", Value: want}}}
}

func (l *login) challenge(algorithms string) reply {
	keys, err := l.chap.begin(algorithms, l.random)
	switch {
	case err != nil:
		return refuse(pdu.LoginTargetError)
	case keys == nil:
		return refuse(pdu.LoginAuthFailed)
	}
	return reply{keys: keys}
}

func (l *login) verify(keys pdu.Keys) reply {
	proof, ok := l.chap.check(keys)
	if !ok {
		return refuse(pdu.LoginAuthFailed)
	}
	l.authenticated = true
	return reply{keys: proof}
}

// operational answers operational keys and, once, declares our own.
func (l *login) operational(keys pdu.Keys) reply {
	r := reply{next: l.stage, keys: l.declarations()}
	for _, k := range keys {
		v, err := l.neg.answer(k)
		if err != nil {
			return refuse(pdu.LoginInitiatorError)
		}
		if v != "" {
			r.keys = append(r.keys, pdu.Key{Name: k.Name, Value: v})
		}
	}
	return r
}

// declarations are the keys that the target sends unasked: who it is in its
// first answer, what it can take in the first of the operational stage.
func (l *login) declarations() (keys pdu.Keys) {
	if !l.named && !l.discovery {
		keys = append(keys, pdu.Key{Name: "TargetPortalGroupTag", Value: strconv.Itoa(portalGroup)})
		if l.node.alias != "" {
			keys = append(keys, pdu.Key{Name: "TargetAlias", Value: l.node.alias})
		}
	}
	l.named = true
	if !l.declared && l.stage == pdu.StageOperational {
		l.declared = true
		segment := strconv.Itoa(l.neg.offer.MaxRecvDataSegmentLength)
		keys = append(keys, pdu.Key{Name: "MaxRecvDataSegmentLength", Value: segment})
	}
	return keys
}

// advance grants the wish to go to the next stage when this one is done.
func (l *login) advance(r reply, next pdu.Stage) reply {
	if next <= l.stage || next != pdu.StageOperational && next != pdu.StageFullFeature {
		return refuse(pdu.LoginInvalidRequest)
	}
	if l.stage == pdu.StageSecurity && !l.passed() {
		if l.chap == nil {
			return refuse(pdu.LoginAuthFailed) // leaves without having tried
		}
		return r
	}
	l.stage = next
	r.transit, r.next = true, next
	return r
}

func (l *login) passed() bool { return l.creds == nil || l.authenticated }
