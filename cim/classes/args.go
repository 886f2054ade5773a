package classes

import (
	"context"
	"fmt"
	"slices"

	"twinlun/cim"
	"twinlun/replication"
)

// args reads the arguments of a call. It keeps the first error; a reader goes on
// with zero values and checks once.
type args struct {
	*model
	call *cim.Call
	err  error
}

// fail notes that a parameter is wrong.
func (a *args) fail(kind replication.Kind, param, format string, v ...any) {
	if a.err == nil {
		a.err = replication.Errorf(kind, param, format, v...)
	}
}

// failWith notes that what a parameter refers to is not there, or that it could
// not be looked up.
func (a *args) failWith(param string, err error) {
	switch {
	case a.err != nil || err == nil:
	case missing(err):
		a.fail(replication.KindInvalid, param, "%s", reasonOf(err))
	default:
		a.err = err
	}
}

func (a *args) value(param string) cim.Value { return a.call.In.Get(param) }

// given says whether a parameter has a value other than NULL.
func (a *args) given(param string) bool { return a.value(param) != nil }

// need fails unless a parameter has a value.
func (a *args) need(param, what string) {
	if !a.given(param) {
		a.fail(replication.KindInvalid, param, "%s is needed", what)
	}
}

// text is a string parameter, "" for NULL.
func (a *args) text(param string) string {
	s, _ := a.value(param).(string)
	return s
}

// number is an unsigned parameter, 0 for NULL.
func (a *args) number(param string) uint64 {
	n, _ := a.value(param).(uint64)
	return n
}

// enumerated is a number of a value map in which NULL leaves the choice to the
// service and 0 is reserved.
func (a *args) enumerated(param string) uint64 {
	n := a.number(param)
	if n == 0 && a.given(param) {
		a.fail(replication.KindInvalid, param, "0 is reserved")
	}
	return n
}

// flag is a boolean parameter, or def for NULL.
func (a *args) flag(param string, def bool) bool {
	if b, ok := a.value(param).(bool); ok {
		return b
	}
	return def
}

// list is an array parameter, nil for NULL.
func (a *args) list(param string) []cim.Value {
	l, _ := a.value(param).([]cim.Value)
	return l
}

// texts is a string array; its NULL entries are "".
func (a *args) texts(param string) []string {
	var out []string
	for _, v := range a.list(param) {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// refuse fails with 1, Not Supported, for each parameter that has a value.
func (a *args) refuse(params ...string) {
	for _, p := range params {
		if l, isList := a.value(p).([]cim.Value); a.given(p) && (!isList || len(l) > 0) {
			a.fail(replication.KindNotSupported, p, "not supported")
		}
	}
}

// ref is a reference parameter, nil for NULL.
func (a *args) ref(param string) *cim.Path {
	p, _ := a.value(param).(*cim.Path)
	return p
}

// volume is the volume that a parameter refers to; required.
func (a *args) volume(ctx context.Context, param string) replication.VolumeRef {
	return a.volumeRef(ctx, param, a.ref(param))
}

// volumes are those that an array refers to, in its order.
func (a *args) volumes(ctx context.Context, param string) []replication.VolumeRef {
	var out []replication.VolumeRef
	for i, v := range a.list(param) {
		p, _ := v.(*cim.Path)
		out = append(out, a.volumeRef(ctx, entry(param, i), p))
	}
	return out
}

// entry names one entry of an array parameter.
func entry(param string, i int) string { return fmt.Sprintf("%s[%d]", param, i) }

func (a *args) volumeRef(ctx context.Context, param string, p *cim.Path) replication.VolumeRef {
	if p == nil {
		a.fail(replication.KindInvalid, param, "a reference to a storage volume is needed")
	}
	if a.err != nil {
		return replication.VolumeRef{}
	}
	v, err := a.volumeAt(ctx, p)
	a.failWith(param, err)
	return refOf(v)
}

// pool is the name of the pool that a parameter refers to, "" for NULL.
func (a *args) pool(param string) string {
	p := a.ref(param)
	if p == nil {
		return ""
	}
	name, ok := localID(p, idPool)
	if !ok || !a.means(p, poolPath(name)) || !slices.Contains(a.PoolNames, name) {
		a.fail(replication.KindInvalid, param, "there is no pool %s", p)
		return ""
	}
	return name
}

// group is the ID of the group that a parameter refers to, "" for NULL.
func (a *args) group(ctx context.Context, param string) string {
	p := a.ref(param)
	if p == nil || a.err != nil {
		return ""
	}
	id, ok := localID(p, idGroup)
	if !ok || !a.means(p, groupPath(id)) {
		a.fail(replication.KindInvalid, param, "%s is not a replication group of this system", p)
		return ""
	}
	_, err := a.Groups.Group(ctx, id)
	a.failWith(param, err)
	return id
}

// local fails unless an access point is NULL or on this system.
func (a *args) local(param string) {
	p := a.ref(param)
	if p == nil {
		return
	}
	class := a.Schema.Class(p.Class)
	key := "SystemName"
	switch {
	case class.IsA("CIM_ServiceAccessPoint"):
	case class.IsA("CIM_System"):
		key = "Name"
	default:
		a.fail(replication.KindInvalid, param, "%s is not an access point", p)
		return
	}
	if system, _ := p.Key(key).(string); system != a.System {
		a.fail(replication.KindNotSupported, param, "%s is not on this system: remote replication is not supported", p)
	}
}
