package iscsi

import (
	"twinlun/blockdev/iscsi/pdu"
	"twinlun/blockdev/scsi"
)

// taskFunctions are the task management functions that are carried out (RFC 7143
// section 11.5.1). Each aborts what it has to, without waiting, and returns the
// tasks to wait for and what remains to be done then.
var taskFunctions = map[pdu.TaskFunction]func(*session, *pdu.TaskRequest) management{
	pdu.AbortTask:        (*session).abortTask,
	pdu.AbortTaskSet:     (*session).abortTaskSet,
	pdu.ClearTaskSet:     (*session).clearTaskSet,
	pdu.LogicalUnitReset: (*session).resetUnit,
	pdu.TargetWarmReset:  (*session).resetTarget,
	pdu.TaskReassign:     answerWith(pdu.TaskNoReassign), // needs error recovery level 2
}

// management is a task management function that is under way.
type management struct {
	result  pdu.TaskResult
	running []<-chan struct{}
	finish  func() // nil: nothing
}

func answerWith(r pdu.TaskResult) func(*session, *pdu.TaskRequest) management {
	return func(*session, *pdu.TaskRequest) management { return management{result: r} }
}

// readTaskRequest takes a Task Management Function Request.
func (s *session) readTaskRequest(h *pdu.Header) (delivery, error) {
	if s.node == nil {
		s.reject(h, pdu.RejectProtocol)
		return nil, s.rd.Discard()
	}
	var r pdu.TaskRequest
	r.Decode(h)
	f, ok := taskFunctions[r.Function]
	if !ok {
		f = answerWith(pdu.TaskUnsupported)
	}
	return deliverFunc(func(s *session) { s.manage(r.ITT, f(s, &r)) }), s.rd.Discard()
}

// manage answers when the tasks have ended; later commands go on meanwhile. A
// session that ends does not wait any more: nobody could take the answer.
func (s *session) manage(itt uint32, m management) {
	answer := &taskAnswer{itt: itt, result: m.result}
	if len(m.running) == 0 && m.finish == nil {
		s.out.push(answer)
		return
	}
	if !s.managing(1) {
		answer.result = pdu.TaskRejected
		s.out.push(answer)
		return
	}
	s.work.Go(func() {
		defer s.managing(-1)
		for _, gone := range m.running {
			select {
			case <-gone:
			case <-s.stopped:
				return
			}
		}
		if m.finish != nil {
			m.finish()
		}
		s.out.push(answer)
	})
}

// managing counts the requests that wait; false if there are too many for one
// more.
func (s *session) managing(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.mu.managing >= s.srv.cfg.Limits.Immediate {
		return false
	}
	s.mu.managing += n
	return true
}

// taskAnswer is a Task Management Function Response on its way.
type taskAnswer struct {
	unowned
	itt    uint32
	result pdu.TaskResult
}

func (a *taskAnswer) send(s *session, w *pdu.Writer) error {
	return write(w, &pdu.TaskResponse{Result: a.result, ITT: a.itt, Sequence: s.sequence(true)}, nil)
}

func (s *session) abortTask(r *pdu.TaskRequest) management {
	if _, ok := s.unitAt(r.LUN); !ok {
		return management{result: pdu.TaskNoLUN}
	}
	found := false
	running := s.abort(func(t *task) bool {
		hit := t.itt == r.RefITT && t.lun == r.LUN
		found = found || hit
		return hit
	}, nil)
	if !found && !s.skipCommand(r) {
		return management{result: pdu.TaskNotFound}
	}
	return management{running: running}
}

// skipCommand takes the command that an ABORT TASK names and that has not come
// yet as if it had come (RFC 7143 section 11.5.1): it will be ignored.
func (s *session) skipCommand(r *pdu.TaskRequest) bool {
	if !r.Immediate || !s.expected(r.RefCmdSN) || !pdu.Before(r.RefCmdSN, r.CmdSN) {
		return false
	}
	s.inOrder(r.RefCmdSN, nil)
	return true
}

func (s *session) abortTaskSet(r *pdu.TaskRequest) management {
	if _, ok := s.unitAt(r.LUN); !ok {
		return management{result: pdu.TaskNoLUN}
	}
	return management{running: s.abort(ofLUN(r.LUN), nil)}
}

func (s *session) clearTaskSet(r *pdu.TaskRequest) management {
	if _, ok := s.unitAt(r.LUN); !ok {
		return management{result: pdu.TaskNoLUN}
	}
	return management{running: s.abortEverywhere(ofLUN(r.LUN))}
}

func (s *session) resetUnit(r *pdu.TaskRequest) management {
	u, ok := s.unitAt(r.LUN)
	if !ok {
		return management{result: pdu.TaskNoLUN}
	}
	return management{running: s.abortEverywhere(ofLUN(r.LUN)), finish: u.Reset}
}

func (s *session) resetTarget(*pdu.TaskRequest) management {
	return management{
		running: s.abortEverywhere(func(*task) bool { return true }),
		finish: func() {
			for _, lun := range s.node.luns {
				s.node.units[lun].Reset()
			}
		},
	}
}

// abortEverywhere aborts the tasks of all initiators of the target. Those of the
// others answer TASK ABORTED, so that they need not wait for a timeout.
func (s *session) abortEverywhere(match func(*task) bool) []<-chan struct{} {
	running := s.abort(match, nil)
	for _, other := range s.srv.peers(s.node) {
		if other != s {
			running = append(running, other.abort(match, &scsi.Result{Status: scsi.StatusTaskAborted})...)
		}
	}
	return running
}

// ofLUN matches the tasks of one logical unit, however its LUN was written.
func ofLUN(field uint64) func(*task) bool {
	lun, _ := scsi.DecodeLUN(field)
	return func(t *task) bool {
		other, ok := scsi.DecodeLUN(t.lun)
		return ok && other == lun
	}
}

func (s *session) unitAt(field uint64) (scsi.Unit, bool) {
	lun, ok := scsi.DecodeLUN(field)
	if !ok {
		return nil, false
	}
	u, ok := s.node.units[lun]
	return u, ok
}
