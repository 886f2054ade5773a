package cim

// Value is a CIM value. NULL is nil; the others are, by declared type:
//
//	Boolean            bool
//	String             string
//	Uint8 .. Uint64    uint64, within the range of the type
//	Char16             uint64 (a UTF-16 code unit)
//	Sint8 .. Sint64    int64, within the range of the type
//	Real32, Real64     float64
//	Datetime           DateTime
//	Reference          *Path
//	EmbeddedInstance   *Instance
//	array of any       []Value, whose entries may be nil
//
// No other dynamic type occurs. Coerce makes a Value fit a declaration. A Value
// is not changed once it is in an Instance or a Call.
type Value any
