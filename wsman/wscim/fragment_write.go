package wscim

import (
	"twinlun/cim"
	"twinlun/wsman/soap"
)

// WriteFragment writes the properties of an instance that are shown as a
// w:XmlFragment (DSP0226 section 7.7); the prefixes w, xsi, cim and a must be
// declared.
func WriteFragment(w *soap.Writer, prefix string, in *cim.Instance) {
	w.Start("w", "XmlFragment")
	w.Namespace("p", prefix+in.Class.Name)
	emitter{w: w, prefix: prefix}.properties("p", in, 0)
	w.End()
}
