package export

import (
	"slices"
	"strings"

	"twinlun/blockdev"
	"twinlun/blockdev/iscsi"
	"twinlun/blockdev/pool"
)

const (
	maxTargetName = 223 // bytes of an iSCSI name (RFC 7143 section 4.2.7.1)
	maxPrefix     = 150
	suffixDigits  = 8 // of the volume's id, where the name alone will not do
	maxInitiators = 1024
	maxUser       = 255
	minSecret     = 12
	maxSecret     = 255
)

// targetName is the iSCSI name for a volume: the prefix and the volume's name in
// lower case. Where other characters than [a-z0-9._:-] had to be replaced, or the
// name cut, the end of the volume's id keeps it apart from others.
func targetName(prefix, name string, id pool.VolumeID) string {
	lower := strings.ToLower(name)
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._:-", r) {
			return r
		}
		return '-'
	}, lower)
	room := maxTargetName - len(prefix) - 1
	if clean == lower && clean != "" && len(clean) <= room {
		return prefix + ":" + clean
	}
	suffix := "-" + string(id[max(0, len(id)-suffixDigits):])
	return prefix + ":" + clean[:min(len(clean), room-len(suffix))] + suffix
}

// cleanInitiators checks initiator names and brings them to lower case, sorted
// and once each.
func cleanInitiators(op string, names []string) ([]string, error) {
	var list []string
	for _, n := range names {
		if !iscsi.ValidName(n) {
			return nil, blockdev.Errorf(blockdev.KindInvalid, op, "initiator %q is not an iSCSI name", n)
		}
		list = append(list, strings.ToLower(n))
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) > maxInitiators {
		return nil, blockdev.Errorf(blockdev.KindInvalid, op, "more than %d initiators", maxInitiators)
	}
	return list, nil
}

// checkCredentials refuses CHAP credentials that are half or too weak; none are
// right. The error does not show them.
func checkCredentials(op, user, secret string) error {
	if user == "" && secret == "" {
		return nil
	}
	if user == "" || len(user) > maxUser {
		return blockdev.Errorf(blockdev.KindInvalid, op, "a CHAP user has 1 to %d bytes", maxUser)
	}
	if len(secret) < minSecret || len(secret) > maxSecret {
		return blockdev.Errorf(blockdev.KindInvalid, op, "a CHAP secret has %d to %d bytes", minSecret, maxSecret)
	}
	return nil
}
