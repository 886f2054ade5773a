package cim

// The query languages, as CIM operations name them.
const (
	LanguageWQL = "WQL"      // of Windows
	LanguageCQL = "DMTF:CQL" // DSP0202
)

// Query is a select statement in one of the query languages.
type Query struct {
	Language string
	Text     string
}

// Filter is a query that was checked against the schema. It is not changed any
// more and may be used from many goroutines.
type Filter interface {
	// Class is the class that the query selects from.
	Class() *Class
	// Match says whether the query selects an instance of Class or of a subclass.
	// What cannot be compared, because something in it is NULL, does not match.
	Match(in *Instance) bool
	// Project is the instance with what the select list names, in itself for "*".
	// in is not changed.
	Project(in *Instance) *Instance
}
