package eventing

import (
	"strconv"
	"strings"

	"twinlun/wsman"
)

// bookmarkPrefix begins all bookmarks. The run of the service and the last event
// that is behind the bookmark follow.
const bookmarkPrefix = "urn:twinlun:bookmark:"

func formatBookmark(epoch string, seq uint64) string {
	return bookmarkPrefix + epoch + ":" + strconv.FormatUint(seq, 10)
}

// parseBookmark is the inverse of formatBookmark. ok is false for what it did not
// make.
func parseBookmark(s string) (epoch string, seq uint64, ok bool) {
	rest, ok := strings.CutPrefix(s, bookmarkPrefix)
	if !ok {
		return "", 0, false
	}
	epoch, number, ok := strings.Cut(rest, ":")
	if !ok || len(epoch) != 16 || strings.Trim(epoch, "0123456789abcdef") != "" {
		return "", 0, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	return epoch, seq, err == nil && strconv.FormatUint(seq, 10) == number
}

// resumeLocked is the last event that a subscriber with this bookmark has had. nil:
// it begins now.
func (m *Manager) resumeLocked(bookmark *string) (uint64, error) {
	switch {
	case bookmark == nil:
		return m.seq, nil
	case *bookmark == wsman.BookmarkEarliest:
		return m.lost, nil
	}
	epoch, seq, ok := parseBookmark(*bookmark)
	switch {
	case !ok, epoch == m.epoch && seq > m.seq:
		return 0, wsman.InvalidBookmark("", "the bookmark is not one of this service")
	case epoch != m.epoch:
		return 0, wsman.InvalidBookmark(wsman.DetailExpired, "the bookmark is older than the last start of the service")
	case seq < m.lost:
		return 0, wsman.InvalidBookmark(wsman.DetailExpired, "events after the bookmark are not known any more")
	}
	return seq, nil
}
