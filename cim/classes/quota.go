package classes

import (
	"errors"

	"twinlun/blockdev"
	"twinlun/blockdev/pool"
	"twinlun/cim"
)

// sizeNotSupported is the return code Size Not Supported of
// CreateOrModifyElementFromStoragePool (CIM 2.49), and of ResizeVolume. Size is then the nearest that is.
const sizeNotSupported = 4097

// overLimit is the reply where a volume of size bytes goes beyond what its pool may
// provision, nil for other failures.
func overLimit(err error, size int64) *cim.Reply {
	e, ok := errors.AsType[*pool.LimitError](err)
	if !ok {
		return nil
	}
	reply := &cim.Reply{Return: uint64(sizeNotSupported), Reason: "Size: " + e.Error()}
	fits := size - e.More + max(0, e.Limit-e.Provisioned)
	if fits -= fits % blockdev.SectorSize; fits > 0 && e.Limit > e.Provisioned {
		reply.Out = cim.Args{out("Size", uint64(fits))}
	}
	return reply
}
