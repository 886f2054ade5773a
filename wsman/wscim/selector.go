package wscim

import (
	"twinlun/cim"
	"twinlun/wsman"
)

// SelectorValue reads the value that a selector has for a property, which is no
// array and no embedded instance, by its declaration. The errors are *wsman.Fault.
func SelectorValue(p *cim.Property, s wsman.Selector, env Env) (cim.Value, error) {
	return keyValue(p, s, env)
}
