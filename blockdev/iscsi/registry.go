package iscsi

import (
	"maps"
	"slices"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/scsi"
)

const (
	maxName   = 223       // bytes of an iSCSI name (RFC 7143 section 4.2.7.1)
	maxLUN    = 1<<14 - 1 // the largest flat space LUN (SAM-5 section 4.7.7.3)
	minSecret = 12
	maxSecret = 255
)

// node is a target that is served. Its name and units never change; the rest is
// guarded by the server's lock.
type node struct {
	name  string
	alias string
	units map[uint64]scsi.Unit
	luns  []uint64 // ascending

	initiators map[string]bool // folded; empty: all
	chap       *CHAP
	sessions   map[*session]struct{}
}

func newNode(t Target) *node {
	return &node{
		name: t.Name, alias: t.Alias,
		units:      maps.Clone(t.Units),
		luns:       slices.Sorted(maps.Keys(t.Units)),
		initiators: foldAll(t.Initiators),
		chap:       cloneCHAP(t.CHAP),
		sessions:   map[*session]struct{}{},
	}
}

// allows says whether the initiator of that folded name may log in.
func (n *node) allows(initiator string) bool {
	return len(n.initiators) == 0 || n.initiators[initiator]
}

// fold brings a name to the form in which names are compared.
func fold(name string) string { return strings.ToLower(name) }

func foldAll(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[fold(n)] = true
	}
	return m
}

func cloneCHAP(c *CHAP) *CHAP {
	if c == nil {
		return nil
	}
	d := *c
	return &d
}

func sameCHAP(a, b *CHAP) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// ValidName says whether s is an iSCSI name of one of the three types of RFC
// 7143 section 4.2.7.
func ValidName(s string) bool {
	if len(s) > maxName || len(s) < 5 {
		return false
	}
	switch fold(s[:4]) {
	case "iqn.", "eui.", "naa.":
	default:
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '=' || r == ','
	}) < 0
}

func checkTarget(t Target) error {
	const op = "add target"
	if !ValidName(t.Name) {
		return blockdev.Errorf(blockdev.KindInvalid, op, "%q is not an iSCSI name", t.Name)
	}
	for lun, u := range t.Units {
		if lun > maxLUN || u == nil {
			return blockdev.Errorf(blockdev.KindInvalid, op, "LUN %d", lun)
		}
	}
	return checkAccess(op, t.Initiators, t.CHAP)
}

func checkAccess(op string, initiators []string, c *CHAP) error {
	for _, n := range initiators {
		if !ValidName(n) {
			return blockdev.Errorf(blockdev.KindInvalid, op, "%q is not an iSCSI name", n)
		}
	}
	if c == nil {
		return nil
	}
	if c.User == "" || !secretOK(c.Secret) {
		return blockdev.Errorf(blockdev.KindInvalid, op, "CHAP needs a user and a secret of %d to %d bytes", minSecret, maxSecret)
	}
	if c.MutualUser == "" && c.MutualSecret == "" {
		return nil
	}
	if c.MutualUser == "" || !secretOK(c.MutualSecret) || c.MutualSecret == c.Secret {
		return blockdev.Errorf(blockdev.KindInvalid, op, "mutual CHAP needs a user and a secret of %d to %d bytes of its own", minSecret, maxSecret)
	}
	return nil
}

func secretOK(s string) bool { return len(s) >= minSecret && len(s) <= maxSecret }
