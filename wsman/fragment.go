package wsman

// Options of Put and Get, without the prefixes that Windows puts before them.
const (
	// OptionModified names one property that the client has modified; there is one
	// such option for each.
	OptionModified = "__MIInstanceModifiedPropertiesList"
	// OptionPreciseArrays asks that NULL arrays are told from those without entries.
	OptionPreciseArrays = "UsePreciseArrays"
)

// FragmentDialectNotSupported refuses the language of a fragment expression (DSP0226
// section 7.7).
func FragmentDialectNotSupported(format string, args ...any) *Fault {
	return management("FragmentDialectNotSupported", "", 0x80338090).receiver().fault(format, args)
}

// CannotProcessFragment refuses a fragment expression that is not understood. It is
// CannotProcessFilter of WS-Management, where that of an enumeration is another.
func CannotProcessFragment(format string, args ...any) *Fault {
	return management("CannotProcessFilter", "", 0x80338093).fault(format, args)
}
