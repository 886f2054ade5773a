package server

import (
	"twinlun/cim"
	"twinlun/wsman"
)

// What a line of a log has at most of what clients send: they shall not fill the disk.
const (
	maxObjects = 64   // in one line of the audit
	maxLogged  = 1024 // bytes of a text
	maxCause   = 16 << 10
)

// audit writes the line about a request that may have changed something: who,
// from where, what, on which objects, with which result.
func (s *Server) audit(rq *request, row action, a *answer, err error) {
	result, reason := "", ""
	switch {
	case err != nil:
		f := faultOf(err)
		result, reason = resultOf(f), f.Error()
	case a != nil:
		result, reason = a.code, a.note
	default:
		result = "panic"
	}
	named, _ := wsman.ParseAction(rq.msg.Action)
	s.config.AuditLog.Info("audit", "user", rq.who.Name, "remote", rq.who.Remote, "action", row.name,
		"class", rq.resource.Class, "method", named.Method, "objects", clipped(rq.objects),
		"result", result, "reason", clip(reason, maxLogged), "message", rq.relatesTo(), "duration", s.config.Time().Sub(rq.start))
}

// clipped is a list of texts as they go into a log.
func clipped(list []string) []string {
	for i, text := range list {
		list[i] = clip(text, maxLogged)
	}
	return list
}

// objectsOf lists the object of a call and those that its arguments refer to.
// Other arguments may be secrets.
func objectsOf(c *cim.Call) []string {
	list := []string{c.Path.String()}
	for _, a := range c.In {
		list = appendPaths(list, a.Value)
	}
	return list
}

func appendPaths(list []string, v cim.Value) []string {
	switch v := v.(type) {
	case *cim.Path:
		if len(list) < maxObjects {
			list = append(list, v.String())
		}
	case []cim.Value:
		for _, e := range v {
			list = appendPaths(list, e)
		}
	}
	return list
}
