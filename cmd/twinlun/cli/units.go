package cli

import "twinlun/cmd/twinlun/units"

// maxSize bounds sizes, in bytes.
const maxSize = units.Max

// parseSize reads a size such as 10GiB, in bytes; see units.ParseSize.
func parseSize(s string) (uint64, error) { return units.ParseSize(s) }
