package classes

import (
	"context"
	"errors"
	"fmt"

	"twinlun/cim"
	"twinlun/replication"
)

// args reads the arguments of a call. It keeps the first error; a reader goes on
// with zero values and checks once.
type args struct {
	*model
	ctx  context.Context
	call *cim.Call
	err  error
}

// fail notes that a parameter is wrong.
func (a *args) fail(kind replication.Kind, param, format string, v ...any) {
	if a.err == nil {
		a.err = replication.Errorf(kind, param, format, v...)
	}
}

// failWith notes why an object could not be found, or that something broke.
func (a *args) failWith(param string, err error) {
	if a.err != nil || err == nil {
		return
	}
	if e, ok := errors.AsType[*cim.Error](err); ok && e.Status == cim.StatusNotFound || missing(err) {
		a.fail(replication.KindInvalid, param, "%v", err)
		return
	}
	a.err = err
}

func (a *args) value(param string) cim.Value { return a.call.In.Get(param) }

// given says whether a parameter has a value other than NULL.
func (a *args) given(param string) bool { return a.value(param) != nil }

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

// flag is a boolean parameter, or def for NULL.
func (a *args) flag(param string, def bool) bool {
	b, ok := a.value(param).(bool)
	if !ok {
		return def
	}
	return b
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
func (a *args) volume(param string) replication.VolumeRef {
	return a.volumeRef(param, a.ref(param))
}

// volumes are those that an array refers to, in its order.
func (a *args) volumes(param string) []replication.VolumeRef {
	var out []replication.VolumeRef
	for i, v := range a.list(param) {
		p, _ := v.(*cim.Path)
		out = append(out, a.volumeRef(fmt.Sprintf("%s[%d]", param, i), p))
	}
	return out
}

func (a *args) volumeRef(param string, p *cim.Path) replication.VolumeRef {
	if p == nil {
		a.fail(replication.KindInvalid, param, "a reference to a storage volume is needed")
		return replication.VolumeRef{}
	}
	if a.err != nil {
		return replication.VolumeRef{}
	}
	v, err := a.volumeAt(a.ctx, p)
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
	if ok && a.isAncestor(p.Class, classStoragePool) && names(p, poolPath(name)) {
		for _, known := range a.PoolNames {
			if known == name {
				return name
			}
		}
	}
	a.fail(replication.KindInvalid, param, "there is no pool %s", p)
	return ""
}

// group is the ID of the group that a parameter refers to, "" for NULL.
func (a *args) group(param string) string {
	p := a.ref(param)
	if p == nil || a.err != nil {
		return ""
	}
	id, ok := localID(p, idGroup)
	if !ok || !a.isAncestor(p.Class, classReplicationGroup) || !names(p, groupPath(id)) {
		a.fail(replication.KindInvalid, param, "%s is not a replication group of this system", p)
		return ""
	}
	_, err := a.Groups.Group(a.ctx, id)
	a.failWith(param, err)
	return id
}
