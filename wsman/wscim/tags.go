package wscim

import (
	"strconv"
	"sync"

	"twinlun/cim"
	"twinlun/wsman/soap"
)

// Tags keeps the tags of properties, by class: writing many instances is mostly
// writing those. It is as large as the schema at most. The zero value is ready and
// may be used from many goroutines.
type Tags struct {
	byClass sync.Map // *cim.Class: []tag
}

// tag is what is written around a value of one property.
type tag struct{ open, end, null string }

// of is the tags of a class's properties by Index; nil if t is nil.
func (t *Tags) of(c *cim.Class) []tag {
	if t == nil {
		return nil
	}
	if known, ok := t.byClass.Load(c); ok {
		return known.([]tag)
	}
	made := make([]tag, len(c.Properties))
	for i, p := range c.Properties {
		name := "p:" + p.Name
		made[i] = tag{open: "<" + name + ">", end: "</" + name + ">", null: "<" + name + ` xsi:nil="true"/>`}
	}
	t.byClass.Store(c, made)
	return made
}

// write writes a value of a plain type, or NULL; false: it is of another type, and
// nothing was written.
func (t tag) write(w *soap.Writer, v cim.Value) bool {
	switch v := v.(type) {
	case nil:
		w.Raw(t.null)
		return true
	case string:
		if v == "" {
			return false
		}
		w.Raw(t.open)
		w.Text(v)
	case uint64:
		w.Raw(t.open)
		w.Uint(v)
	case int64:
		w.Raw(t.open)
		w.Int(v)
	case bool:
		w.Raw(t.open)
		w.Raw(strconv.FormatBool(v))
	default:
		return false
	}
	w.Raw(t.end)
	return true
}
