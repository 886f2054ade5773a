package soap

import (
	"errors"
	"math"
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

// ParseTimeout reads an xs:duration that is not negative, years and months included
// (of 365 and 30 days). What is too long for a time.Duration is the longest one: as
// the bound of a wait it means no other. ok is false for anything else.
func ParseTimeout(s string) (d time.Duration, ok bool) {
	if d, ok := ParseDuration(s); ok {
		return d, true
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), "P")
	if !ok || len(rest) > maxDuration {
		return 0, false
	}
	date, clock, hasClock := strings.Cut(rest, "T")
	const day = 24 * time.Hour
	total, n, ok := sumUnits(date, map[byte]time.Duration{'Y': 365 * day, 'M': 30 * day, 'D': day}, "YMD")
	if !ok {
		return 0, false
	}
	more, m, ok := sumUnits(clock, map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}, "HMS")
	if !ok || n+m == 0 || hasClock && m == 0 {
		return 0, false
	}
	return saturated(float64(total) + float64(more)), true
}

// maxDuration is the length of the longest duration that is read.
const maxDuration = 100

// sumUnits adds numbers with units, which must come in the given order; n is how
// many there are. Only the last unit of "HMS" may have a fraction.
func sumUnits(s string, units map[byte]time.Duration, order string) (sum time.Duration, n int, ok bool) {
	for ; s != ""; n++ {
		end := strings.IndexAny(s, order)
		if end <= 0 || strings.Trim(s[:end], "0123456789.") != "" || s[end] != 'S' && strings.Contains(s[:end], ".") {
			return 0, 0, false
		}
		v, err := strconv.ParseFloat(s[:end], 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || s[0] == '.' || s[end-1] == '.' {
			return 0, 0, false
		}
		sum = saturated(float64(sum) + v*float64(units[s[end]]))
		order = order[strings.IndexByte(order, s[end])+1:]
		s = s[end+1:]
	}
	return sum, n, true
}

// saturated is the duration of so many nanoseconds, or the longest there is.
func saturated(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(ns)
}

// FormatDuration is d as an xs:duration in seconds, to the millisecond, as Windows
// clients write it.
func FormatDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64) + "S"
}
