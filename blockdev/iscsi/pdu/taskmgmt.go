package pdu

// TaskFunction is what a task management request asks for (RFC 7143 section
// 11.5.1).
type TaskFunction byte

// The task management functions.
const (
	AbortTask        TaskFunction = 1
	AbortTaskSet     TaskFunction = 2
	ClearACA         TaskFunction = 3
	ClearTaskSet     TaskFunction = 4
	LogicalUnitReset TaskFunction = 5
	TargetWarmReset  TaskFunction = 6
	TargetColdReset  TaskFunction = 7
	TaskReassign     TaskFunction = 8
)

const taskFunctionMask = 0x7f

// TaskRequest is RFC 7143 section 11.5.
type TaskRequest struct {
	Immediate        bool
	Function         TaskFunction
	LUN              uint64
	ITT              uint32
	RefITT           uint32 // the task that is meant, or NoTag
	CmdSN, ExpStatSN uint32
	RefCmdSN         uint32
	ExpDataSN        uint32
}

// Decode takes the fields from h.
func (p *TaskRequest) Decode(h *Header) {
	p.Immediate, p.Function = h.Immediate(), TaskFunction(h[1]&taskFunctionMask)
	p.LUN, p.ITT, p.RefITT = h.u64(8), h.ITT(), h.u32(20)
	p.CmdSN, p.ExpStatSN, p.RefCmdSN, p.ExpDataSN = h.u32(24), h.u32(28), h.u32(32), h.u32(36)
}

// Encode makes h this PDU; lengths are left 0.
func (p *TaskRequest) Encode(h *Header) {
	h.begin(OpTaskReq, p.Immediate, true)
	h[1] |= byte(p.Function) & taskFunctionMask
	h.put64(8, p.LUN)
	h.put32(16, p.ITT)
	h.put32(20, p.RefITT)
	h.put32(24, p.CmdSN)
	h.put32(28, p.ExpStatSN)
	h.put32(32, p.RefCmdSN)
	h.put32(36, p.ExpDataSN)
}

// TaskResult is the answer to a task management request (RFC 7143 section
// 11.6.1).
type TaskResult byte

// The answers to task management requests.
const (
	TaskComplete       TaskResult = 0
	TaskNotFound       TaskResult = 1
	TaskNoLUN          TaskResult = 2
	TaskStillAllegiant TaskResult = 3
	TaskNoReassign     TaskResult = 4
	TaskUnsupported    TaskResult = 5
	TaskUnauthorized   TaskResult = 6
	TaskRejected       TaskResult = 255
)

// TaskResponse is RFC 7143 section 11.6.
type TaskResponse struct {
	Result TaskResult
	ITT    uint32
	Sequence
}

// Decode takes the fields from h.
func (p *TaskResponse) Decode(h *Header) {
	p.Result, p.ITT = TaskResult(h[2]), h.ITT()
	p.Sequence.decode(h)
}

// Encode makes h this PDU; lengths are left 0.
func (p *TaskResponse) Encode(h *Header) {
	h.begin(OpTaskResp, false, true)
	h[2] = byte(p.Result)
	h.put32(16, p.ITT)
	p.Sequence.encode(h)
}
