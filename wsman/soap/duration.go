package soap

import (
	"strconv"
	"strings"
	"time"

	"twinlun/cim"
)

// ParseDuration reads an xs:duration that is not negative and has no years or
// months. ok is false for anything else.
func ParseDuration(s string) (d time.Duration, ok bool) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "P") {
		return 0, false
	}
	v, err := cim.ParseDateTime(s)
	if err != nil || !v.IsInterval {
		return 0, false
	}
	return v.Interval, true
}

// FormatDuration is d as an xs:duration in seconds, to the millisecond, as Windows
// clients write it.
func FormatDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64) + "S"
}
