package cim

// PropertyValue is a value that a client wants a property to have.
type PropertyValue struct {
	Name  string
	Value Value
}
