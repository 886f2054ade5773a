package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// parseSize reads a size such as 10GiB, 512M or 1048576. Units are powers of
// 1024; KB, MB and so on are powers of 1000.
func parseSize(s string) (uint64, error) {
	digits := strings.TrimRight(s, "KMGTPEiBkbmgtpe ")
	unit := strings.ToUpper(strings.TrimSpace(s[len(digits):]))
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a size such as 10GiB", s)
	}
	base, prefix := 1024.0, strings.TrimSuffix(unit, "IB")
	if prefix == unit {
		prefix = strings.TrimSuffix(unit, "B")
		if prefix != unit && prefix != "" {
			base = 1000
		}
	}
	i := strings.Index("KMGTPE", prefix)
	if len(prefix) > 1 || i < 0 {
		return 0, fmt.Errorf("%q is not a size such as 10GiB: unknown unit %q", s, unit)
	}
	for range i + 1 {
		if prefix != "" {
			n *= base
		}
	}
	if n >= 1<<60 {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return uint64(n), nil
}
