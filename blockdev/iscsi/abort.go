package iscsi

import "twinlun/blockdev/scsi"

// abort ends the tasks that match and gives a channel for each that is still
// running. With a verdict they answer that, without one they answer nothing.
func (s *session) abort(match func(*task) bool, verdict *scsi.Result) []<-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.abortLocked(match, verdict)
}

// abortLocked marks first and ends then, so that no task starts only because one
// before it has been aborted. Tasks whose response is on its way are left alone.
func (s *session) abortLocked(match func(*task) bool, verdict *scsi.Result) (running []<-chan struct{}) {
	var marked []*task
	for _, t := range s.mu.tasks {
		if t.state >= taskResponding || !match(t) {
			continue
		}
		marked = append(marked, t)
		if !t.aborted {
			t.aborted, t.verdict = true, verdict
			t.cutShort = !t.complete
		}
	}
	for _, t := range marked {
		t.ctx.cancel(errTaskAborted)
		if t.state != taskRunning {
			s.endAbortedLocked(t)
			continue
		}
		if t.gone == nil {
			t.gone = make(chan struct{})
		}
		running = append(running, t.gone)
	}
	return running
}

// endAbortedLocked ends an aborted task that does not run.
func (s *session) endAbortedLocked(t *task) {
	if t.gone != nil {
		close(t.gone)
	}
	if t.verdict != nil {
		t.result = *t.verdict
		s.respondLocked(t)
		return
	}
	s.leaveLocked(t)
	s.retireLocked(t)
	s.recycle(t)
}
