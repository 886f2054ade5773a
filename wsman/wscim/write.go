package wscim

import (
	"encoding/base64"
	"math"
	"strconv"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// InstanceOptions say how WriteInstance writes.
type InstanceOptions struct {
	// Standalone declares xsi, cim, a and w on the instance, so that a client can
	// cut it out of the message. Without it they must be declared around.
	Standalone bool
	// PreciseArrays marks NULL arrays with msftwinrm:IsNullArray, as clients ask for
	// with the option UsePreciseArrays: without it an array of one NULL looks the same.
	PreciseArrays bool
	// Tags keeps what is written for every instance of a class; nil: it is made anew
	// each time.
	Tags *Tags
}

// emitter writes values; prefix is that of the resource URIs it writes.
type emitter struct {
	w      *soap.Writer
	prefix string
	// precise marks NULL arrays; the prefix msftwinrm must be declared.
	precise bool
	tags    []tag // of the instance's properties; or nil
}

// WriteInstance writes an instance under its own class, whose URI is prefix and
// name (see wsman.Resource). NULL is written, with xsi:nil; an empty array is
// nothing.
func WriteInstance(w *soap.Writer, prefix string, in *cim.Instance, o InstanceOptions) {
	w.Start("p", in.Class.Name)
	w.Namespace("p", prefix+in.Class.Name)
	if o.Standalone {
		w.Namespace("xsi", wsman.NSXSI)
		w.Namespace("cim", wsman.NSCommon)
		w.Namespace("a", w.Addressing())
		w.Namespace("w", wsman.NSWSMan)
	}
	w.Attr("xsi", "type", "p:"+in.Class.Name+"_Type")
	if o.PreciseArrays {
		w.Namespace("msftwinrm", wsman.NSMicrosoft)
	}
	emitter{w: w, prefix: prefix, precise: o.PreciseArrays, tags: o.Tags.of(in.Class)}.properties("p", in, 0)
	w.End()
}

func (x emitter) properties(ns string, in *cim.Instance, depth int) {
	for i, p := range in.Class.Properties {
		if in.Hidden(i) {
			continue
		}
		v := in.At(i)
		if list, ok := v.([]cim.Value); ok {
			x.list(ns, ofProperty(p), list, depth)
			continue
		}
		if v == nil && p.Array && x.precise {
			x.nullArray(ns, p.Name)
			continue
		}
		if depth == 0 && x.tags != nil && x.tags[i].write(x.w, v) {
			continue
		}
		x.scalar(ns, p.Name, p.Type, v, depth)
	}
}

func (x emitter) nullArray(ns, name string) {
	x.w.Start(ns, name)
	x.w.Attr("xsi", "nil", "true")
	x.w.Attr("msftwinrm", "IsNullArray", "true")
	x.w.End()
}

// value writes a value as one element, or as one for each entry.
func (x emitter) value(ns string, d decl, v cim.Value) {
	if list, ok := v.([]cim.Value); ok {
		x.list(ns, d, list, 0)
		return
	}
	x.scalar(ns, d.name, d.kind, v, 0)
}

func (x emitter) list(ns string, d decl, list []cim.Value, depth int) {
	if d.octets {
		x.octets(ns, d.name, list)
		return
	}
	for _, v := range list {
		x.scalar(ns, d.name, d.kind, v, depth)
	}
}

// octets writes an OctetString as base64.
func (x emitter) octets(ns, name string, list []cim.Value) {
	data := make([]byte, len(list))
	for i, v := range list {
		n, _ := v.(uint64)
		data[i] = byte(n)
	}
	x.w.Start(ns, name)
	x.w.Attr("xsi", "type", "cim:cimBase64Binary")
	x.w.Text(base64.StdEncoding.EncodeToString(data))
	x.w.End()
}

// scalar writes one value.
func (x emitter) scalar(ns, name string, t cim.Type, v cim.Value, depth int) {
	w := x.w
	if v == nil {
		w.Nil(ns, name)
		return
	}
	w.Start(ns, name)
	switch v := v.(type) {
	case string:
		if v != "" {
			w.Text(v)
		}
	case uint64:
		w.Uint(v)
	case int64:
		w.Int(v)
	case bool:
		w.Text(strconv.FormatBool(v))
	case float64:
		w.Text(formatReal(v, t))
	case cim.DateTime:
		writeDatetime(w, v)
	case *cim.Path:
		soap.WriteEPRContent(w, PathToEPR(v, x.prefix))
	case *cim.Instance:
		x.embedded(v, depth+1)
	default:
		w.Text(cim.FormatText(v))
	}
	w.End()
}

// embedded writes an instance into the element that was just started.
func (x emitter) embedded(in *cim.Instance, depth int) {
	ns := "p" + strconv.Itoa(depth)
	x.w.Namespace(ns, x.prefix+in.Class.Name)
	x.w.Attr("xsi", "type", ns+":"+in.Class.Name+"_Type")
	x.properties(ns, in, depth)
}

// formatReal is xs:float or xs:double (XSD part 2 sections 3.2.4 and 3.2.5).
func formatReal(f float64, t cim.Type) string {
	switch {
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	case t == cim.Real32:
		return strconv.FormatFloat(f, 'g', -1, 32)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// writeDatetime writes a datetime in the element that DSP0230 has for its kind.
func writeDatetime(w *soap.Writer, d cim.DateTime) {
	kind := "Datetime"
	if d.IsInterval {
		kind = "Interval"
	}
	w.Element("cim", kind, d.XSD())
}

// WriteOutput writes the answer to a method call of the class with that URI: all
// outputs in the order of their declaration, then the result. References are
// written without a wrapper.
func WriteOutput(w *soap.Writer, classURI string, m *cim.Method, r *cim.Reply) {
	x := emitter{w: w, prefix: prefixOf(classURI)}
	w.Start("p", m.Name+"_OUTPUT")
	w.Namespace("p", classURI)
	for _, p := range m.Params {
		if p.Out {
			x.value("p", ofParam(p), r.Out.Get(p.Name))
		}
	}
	x.scalar("p", returnValue, m.Return, r.Return, 0)
	w.End()
}

// WriteInput writes the arguments of a method call to the class with that URI, in
// the order of their declaration and without those that are NULL.
func WriteInput(w *soap.Writer, classURI string, m *cim.Method, in cim.Args) {
	x := emitter{w: w, prefix: prefixOf(classURI)}
	w.Start("p", m.Name+"_INPUT")
	w.Namespace("p", classURI)
	for _, p := range m.Params {
		if v := in.Get(p.Name); v != nil {
			x.value("p", ofParam(p), v)
		}
	}
	w.End()
}

// WriteReason writes the header that says in words why a method did not succeed.
func WriteReason(w *soap.Writer, reason string) {
	w.Start("t", wsman.HeaderReason)
	w.Namespace("t", wsman.NSTwinlun)
	w.Text(reason)
	w.End()
}

// ReadReason is what WriteReason wrote, empty if it did not.
func ReadReason(m *soap.Message) string {
	return soap.ChildText(m.Header, wsman.NSTwinlun, wsman.HeaderReason)
}
